"""What becomes of a decision that was made on less than it needs."""

from __future__ import annotations

import pytest

from pratique.decision import Enforcement, Evaluation, Outcome, Result, doubted
from tests.support.decisions import decision, evaluation, finding

_WHY = "the autoscalers are not known"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (evaluation(result=Result.PASS), evaluation(result=Result.NOT_EVALUATED, reason=_WHY)),
        (
            evaluation(result=Result.EXEMPT, reason="waiver", waivers=("w",), findings=(finding(),)),
            evaluation(result=Result.NOT_EVALUATED, reason=_WHY, waivers=("w",), findings=(finding(),)),
        ),
        (evaluation(), evaluation()),
        (evaluation(result=Result.ERROR, reason="down"), evaluation(result=Result.ERROR, reason="down")),
    ],
    ids=["passed", "exempt", "failed", "without an answer"],
)
def test_what_was_found_stands_and_the_rest_is_not_evaluated(before: Evaluation, after: Evaluation) -> None:
    assert doubted(decision(before), _WHY) == decision(after)


def test_doubt_beats_consent_and_a_refusal_beats_doubt() -> None:
    passed, failed = evaluation(result=Result.PASS), evaluation()
    warned = evaluation(result=Result.PASS, enforcement=Enforcement.WARN)
    assert doubted(decision(passed), _WHY).outcome is Outcome.UNDECIDED
    assert doubted(decision(warned), _WHY).outcome is Outcome.ALLOWED
    assert doubted(decision(passed, failed), _WHY).outcome is Outcome.DENIED
