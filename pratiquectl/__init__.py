"""The command line: `__main__.py` and one file per verb."""
