"""`pratique test` and its siblings beside the real conftest: each example runs through both."""
