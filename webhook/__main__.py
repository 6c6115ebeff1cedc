"""`python -m webhook`: the same as `pratique serve`."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv[1:1] = ["serve"]
    # By name and not by import: wiring lies above this package, and only this entry point looks up.
    runpy.run_module("pratiquectl", run_name="__main__", alter_sys=True)
