"""The comparison with conftest: what counts as equal, as fast enough, and how it is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.conftest import CHECKS, PODS, Measured, _ordered, fill, table_of, within_limits


def measured(help_seconds: float, small: float, ours: float, theirs: float) -> list[Measured]:
    return [
        Measured("--help", {"conftest": [0.1], "Pratique": [help_seconds]}),
        Measured("1 pod", {"conftest": [0.1], "Pratique": [small]}),
        Measured("1,000 pods", {"conftest": [theirs, theirs + 1, theirs - 1], "Pratique": [ours]}),
    ]


@pytest.mark.parametrize(
    ("times", "fast"),
    [
        ((0.1, 0.3, 1.4, 1.0), True),
        ((0.2, 0.3, 1.4, 1.0), False),
        ((0.1, 0.5, 1.4, 1.0), False),
        ((0.1, 0.3, 1.6, 1.0), False),
    ],
)
def test_every_limit_counts(times: tuple[float, float, float, float], fast: bool) -> None:
    assert within_limits(measured(*times)) is fast


def test_the_table_has_medians_and_the_ratio() -> None:
    assert "| `test` 1,000 pods | 2.00 (1.00 to 3.00) | 1.00 (1.00 to 1.00) | 0.50 |" in table_of(
        measured(0.1, 0.3, 1.0, 2.0), 3
    )


def test_results_are_equal_in_any_order() -> None:
    one = {"filename": "a", "failures": [{"msg": "x"}, {"msg": "y"}]}
    same = {"failures": [{"msg": "y"}, {"msg": "x"}], "filename": "a"}
    other = {"filename": "b"}
    assert _ordered(json.dumps([one, other])) == _ordered(json.dumps([other, same]))
    assert _ordered(json.dumps([one])) != _ordered(json.dumps([other]))


def test_there_are_as_many_pods_and_checks_as_the_table_says(tmp_path: Path) -> None:
    fill(tmp_path)
    assert len(list((tmp_path / "pods").iterdir())) == PODS
    assert len(list((tmp_path / "policy").iterdir())) == CHECKS
