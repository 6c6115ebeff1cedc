"""Writes the policy catalogue anew: `make generated`. `tests/policies/test_library.py` compares it."""

from __future__ import annotations

from pathlib import Path

from pratique.policy import PolicySet
from reports.catalogue import render

POLICIES = Path(__file__).parent.parent / "policies"

if __name__ == "__main__":
    (POLICIES / "README.md").write_text(render(PolicySet.load(POLICIES)))
