"""What a refusal or a warning says is read back from its text as it was meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pratique.decision import Enforcement, Outcome, Result
from reports.text import denial
from reports.told import Told, read_denial, read_warnings, told
from tests.reports.test_text import CASES, DIGEST, LABELS, SIGNED
from tests.support.decisions import decision, evaluation, finding


def test_a_refusal_says_what_was_found_and_what_has_no_answer() -> None:
    assert told(decision(LABELS, DIGEST, SIGNED)) == Told(
        Outcome.DENIED,
        frozenset(
            {
                "IMG-001 at /spec/template/spec/containers/0: container train has registry.internal/train:latest, "
                "not a digest",
                "IMG-001 at /spec/template/spec/containers/1: container log has fluent-bit:3, not a digest",
                "IMG-003 could not be evaluated: the registry did not answer in 2 s",
                "warning: LBL-001 at /metadata/labels: the label cost-center is missing",
            }
        ),
    )


@pytest.mark.parametrize("case", CASES)
def test_every_refusal_can_be_read_and_says_when_it_is_not_whole(case: str) -> None:
    made = CASES[case]
    read = read_denial(denial(made), made.outcome)
    assert read.sayings
    assert read.whole == (case != "too_long")


def test_warnings_of_others_are_not_ours() -> None:
    ours = told(decision(LABELS))
    assert ours == Told(
        Outcome.ALLOWED, frozenset({"warning: LBL-001 at /metadata/labels: the label cost-center is missing"})
    )
    theirs = ['would violate PodSecurity "restricted:latest"', "unknown field spec.x", "spec.y: deprecated"]
    assert read_warnings([*theirs, "LBL-001 at /metadata/labels: the label cost-center is missing"]) == ours
    open_ = replace(SIGNED, result=Result.ERROR, on_undecided=Enforcement.WARN)
    assert told(decision(open_)).sayings == {
        "warning: IMG-003 could not be evaluated: the registry did not answer in 2 s"
    }


def test_warnings_that_were_cut_say_so() -> None:
    many = replace(LABELS, findings=tuple(finding("y" * 200, f"/{number}") for number in range(99)))
    assert not told(decision(many)).whole


@pytest.mark.parametrize("text", ["", "you may not", "Pod x is refused by quota\n\nGPU-001 (high)\n  at /: x"])
def test_another_refusal_is_none_of_ours(text: str) -> None:
    with pytest.raises(ValueError, match="no refusal by Pratique"):
        read_denial(text, Outcome.DENIED)


def test_a_message_cannot_pass_for_a_finding() -> None:
    made = decision(evaluation(findings=(finding("x\nIMG-9 (high) y\n  at /: z", "/spec"),)))
    assert told(made).sayings == {r"GPU-001 at /spec: x\nIMG-9 (high) y\n  at /: z"}
