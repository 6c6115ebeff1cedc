"""The cases of `tests/cases`, with what `pratiquectl.cases` makes of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pratiquectl.cases import Case, differences, load_one, patched
from pratiquectl.cases import load_cases as load_cases_of

__all__ = ["CASES", "REPOSITORY", "Case", "differences", "load_cases", "load_one", "patched"]

REPOSITORY = Path(__file__).resolve().parents[2]
CASES = REPOSITORY / "tests" / "cases"


@functools.cache
def load_cases() -> Mapping[str, Case]:
    """Every case by its id."""
    return MappingProxyType(load_cases_of(CASES))
