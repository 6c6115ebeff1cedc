"""What a person reads when something is refused. The texts in `golden/` are a contract: a change to one is a change for
users and belongs in the changelog. `PRATIQUE_WRITE_GOLDEN=1 pytest tests/reports` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pratique.decision import Decision, Enforcement, Patch, Result, Severity, SubjectRef
from reports.text import (
    MAX_DENIAL_BYTES,
    MAX_WARNING_CHARACTERS,
    MAX_WARNINGS_CHARACTERS,
    denial,
    explanation,
    policy_ids,
    reason,
    visible,
    warnings,
)
from tests.support.decisions import decision, evaluation, finding, patched

GOLDEN = Path(__file__).parent / "golden"

LIMIT = patched(
    "this Job can use 16 GPUs (it starts with nvidia.com/gpu: 16); at most 4 are allowed",
    "/spec",
    Patch("replace", "/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu", "4"),
)
DIGEST = evaluation(
    "IMG-001",
    policy="image/digest",
    binding="image-digest",
    title="Images are pinned by digest",
    severity=Severity.CRITICAL,
    remediation="Write the image as name@sha256:...",
    findings=(
        finding("container train has registry.internal/train:latest, not a digest", "/spec/template/spec/containers/0"),
        finding("container log has fluent-bit:3, not a digest", "/spec/template/spec/containers/1"),
    ),
)
LABELS = evaluation(
    "LBL-001",
    policy="labels/cost-attribution",
    binding="cost-labels",
    title="Costs can be attributed",
    severity=Severity.MEDIUM,
    remediation="Add the label.",
    enforcement=Enforcement.WARN,
    findings=(finding("the label cost-center is missing", "/metadata/labels"),),
)
SIGNED = evaluation(
    "IMG-003",
    policy="image/signed",
    binding="image-signed",
    title="Images are signed",
    result=Result.ERROR,
    reason="the registry did not answer in 2 s",
)

CASES = {
    "one_rule": decision(evaluation(findings=(LIMIT,))),
    "deny_before_warn": decision(LABELS, evaluation(findings=(LIMIT,)), DIGEST),
    "two_bindings_of_one_policy": decision(evaluation(), evaluation(binding="gpu-limit-strict")),
    "denied_and_not_evaluated": decision(SIGNED, evaluation()),
    "undecided": decision(SIGNED),
    "waiver_does_not_count": decision(
        evaluation(), notes=("waiver finetune-q4 does not count: it expired at 2026-11-20T00:00:00Z",)
    ),
    "hostile_names": decision(
        evaluation(findings=(finding("image \x1b[2Jevil\nDecision faked\u202e is used\u2028here", "/spec/\x07"),)),
        subject=SubjectRef("", "v1", "Pod", "team-a", "p\x1b]0;title\x07\nod", "", "sha256:0"),
        notes=("waiver a\r\nb does not count",),
    ),
    "too_long": decision(
        DIGEST,
        evaluation(
            findings=tuple(finding(f"container {number} ✗ " + "x" * 300, f"/{number:03}") for number in range(60))
        ),
        evaluation("GPU-002", policy="gpu/other"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refusal_reads_as_agreed(case: str) -> None:
    text = denial(CASES[case])
    file = GOLDEN / f"{case}.txt"
    if os.environ.get("PRATIQUE_WRITE_GOLDEN"):
        file.write_text(text + "\n")
    assert text + "\n" == file.read_text()


def test_golden_folder_holds_nothing_else() -> None:
    assert {file.stem for file in GOLDEN.glob("*.txt")} == set(CASES)


def test_refusal_does_not_depend_on_the_order_of_evaluations() -> None:
    evaluations = (LABELS, DIGEST, SIGNED, evaluation())
    assert denial(decision(*evaluations)) == denial(decision(*reversed(evaluations)))


def _worst() -> Decision:
    wide = "🚢" * 1000
    worst = evaluation(
        "X" * 300,
        binding=wide,
        title=wide,
        remediation=wide,
        findings=tuple(patched(wide, f"/{wide}{n}", Patch("add", wide, wide)) for n in range(2000)),
    )
    return decision(
        *(evaluation(f"{'Y' * 200}{n}", binding=wide) for n in range(300)),
        worst,
        notes=(wide,) * 100,
        subject=SubjectRef("", "v1", wide, wide, wide, "", "sha256:0"),
    )


def test_refusal_is_never_longer_than_its_limit_nor_breaks_a_character() -> None:
    text = denial(_worst())
    assert len(text.encode()) <= MAX_DENIAL_BYTES
    assert "\ufffd" not in text


def test_control_characters_become_escapes_and_letters_stay() -> None:
    assert visible("a\x1b[31mb\nc\u202ed\x9be é 日本 🚢 می\u200cخواهم") == (
        r"a\x1b[31mb\nc\u202ed\x9be é 日本 🚢 " + "می\u200cخواهم"
    )


def test_cut_text_says_so() -> None:
    assert visible("é" * 20, limit=10) == "é" * 9 + "…"


def test_long_patch_is_counted_instead_of_cut() -> None:
    long = patched("m", "/spec", Patch("add", "/a", "x" * 2000), Patch("remove", "/b"))
    assert "patch: 2 operations, too long to show here" in denial(decision(evaluation(findings=(long,))))


def test_remove_needs_no_value() -> None:
    removal = patched("m", "/spec", Patch("remove", "/b"))
    assert 'patch: [{"op":"remove","path":"/b"}]' in denial(decision(evaluation(findings=(removal,))))


def test_warnings_are_those_of_rules_that_warn() -> None:
    assert warnings(decision(LABELS, evaluation())) == ["LBL-001 at /metadata/labels: the label cost-center is missing"]


def test_rule_without_an_answer_that_does_not_refuse_is_a_warning() -> None:
    lenient = evaluation("IMG-003", result=Result.ERROR, reason="no answer", on_undecided=Enforcement.WARN)
    assert warnings(decision(lenient)) == ["IMG-003 could not be evaluated: no answer"]


def test_audit_says_nothing_to_the_user() -> None:
    silent = decision(evaluation(enforcement=Enforcement.AUDIT))
    assert (warnings(silent), explanation(silent), policy_ids(silent)) == ([], "", [])


def test_warnings_keep_to_the_limits_of_the_api_and_count_the_rest() -> None:
    many = evaluation(
        enforcement=Enforcement.WARN, findings=tuple(finding("y" * 200 + "\n", f"/{number}") for number in range(99))
    )
    few = tuple(finding(f"{number} " + "y" * 200, f"/{number}") for number in range(99))
    for lines in (warnings(decision(many)), warnings(decision(evaluation(enforcement=Enforcement.WARN, findings=few)))):
        assert max(map(len, lines)) <= MAX_WARNING_CHARACTERS
        assert sum(map(len, lines)) <= MAX_WARNINGS_CHARACTERS
    assert lines[-1] == f"66 more warnings not shown; see decision {decision().id}"
    assert len(lines) == 99 - 66 + 1


def test_explanation_holds_the_findings_alone() -> None:
    assert explanation(decision(SIGNED, LABELS)) == (
        "IMG-003 (high) Images are signed\n"
        "  could not be evaluated: the registry did not answer in 2 s\n"
        "warning: LBL-001 (medium) Costs can be attributed\n"
        "  at /metadata/labels: the label cost-center is missing\n"
        "  fix: Add the label."
    )


def test_reason_is_the_first_thing_that_matters() -> None:
    assert reason(decision(LABELS, SIGNED, evaluation())) == "this Job can use 16 GPUs; at most 4 are allowed"
    assert reason(decision(LABELS, SIGNED)) == "the registry did not answer in 2 s"
    assert reason(decision(LABELS)) == "the label cost-center is missing"
    assert reason(decision(evaluation(result=Result.EXEMPT, reason="waiver q4"))) == "waiver q4"
    assert reason(decision(evaluation(result=Result.PASS))) == ""
    assert reason(decision()) == "no binding matches"


def test_policy_ids_stand_in_the_order_of_the_refusal() -> None:
    assert policy_ids(decision(LABELS, SIGNED, evaluation(), DIGEST)) == ["IMG-001", "GPU-001", "IMG-003", "LBL-001"]
