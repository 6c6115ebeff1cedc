"""Standard output, kind of error and exit code of every example are conftest's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest_compat.compare import Case, same
from tests.conftest_compat.corpus import CASES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_same_as_conftest(case: Case, tmp_path: Path) -> None:
    same(case, tmp_path)
