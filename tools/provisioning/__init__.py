"""The parts of tools/provision.py, one noun to a file; standard library only."""

import sys
from importlib.util import find_spec

if find_spec("tomllib") is None or find_spec("fcntl") is None:
    sys.exit("provision: needs Python 3.11 or newer on Linux or macOS; run it with such a python3.")
