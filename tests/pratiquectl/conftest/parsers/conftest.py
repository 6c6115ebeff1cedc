"""What the tests of the parsers share."""

from __future__ import annotations

import pytest

from tests.pratiquectl.conftest.parsers.oracle import CONFTEST


@pytest.fixture(scope="session", autouse=True)
def conftest_is_there() -> None:
    """The oracle is no option: without it these tests prove nothing."""
    if not CONFTEST.exists():
        pytest.fail(f"{CONFTEST} is missing; `make setup` provides it")
