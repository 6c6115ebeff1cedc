"""Engines that run Rego: the OPA binary and regopy, and what both have in common."""
