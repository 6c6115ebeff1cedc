"""What stands in for conftest: `pratique test` and the verbs beside it."""
