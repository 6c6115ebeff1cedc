"""What each format makes of one report. The files in `golden/check/` are a contract, as those of `test_text` are."""

from __future__ import annotations

import io
import json
import os
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from pratique.decision import Decision, Enforcement, Patch, Result, Severity, SubjectRef
from pratique.errors import Problem
from pratique.positions import Position
from reports.check import Judged, Level, PassedOver, Report
from reports.explanation import explain
from reports.formats import CHECK_FORMATS, writer
from tests.support.decisions import decision, evaluation, finding, patched
from tests.support.policies import policy

GOLDEN = Path(__file__).parent / "golden" / "check"
SCHEMA = Path(__file__).resolve().parents[1] / "fixtures" / "sarif" / "sarif-2.1.0-rtm.5.json"

LIMIT = replace(
    policy("gpu/limit", id="GPU-001"),
    title="GPUs stay within the approved limit",
    description="A weekend can\ncost a budget.",
    remediation="Ask for fewer GPUs.",
    controls={"nist-800-53-r5": ["SC-6"], "eu-ai-act": ["Art. 15"]},
)
DIGEST = replace(
    policy("image/digest", id="IMG-001", severity=Severity.CRITICAL), controls={"nist-800-53-r5": ["SI-7", "SC-6"]}
)
POLICIES = {each.name: each for each in (LIMIT, DIGEST)}

_GPUS = evaluation(
    remediation="Ask for fewer GPUs.",
    findings=(patched("this Job can use 16 GPUs; 4 are allowed", "/spec/x", Patch("replace", "/spec/x", 4)),),
)
_IMAGES = evaluation(
    "IMG-001",
    policy="image/digest",
    binding="image-digest",
    title="Images are pinned by digest",
    severity=Severity.CRITICAL,
    remediation="Write name@sha256:...",
    findings=(finding("container | <a> has no digest, 100% @ada", "/spec/containers/0/image"),),
)
_WARNED = replace(
    _IMAGES,
    binding="image-digest-warn",
    enforcement=Enforcement.WARN,
    findings=(*_IMAGES.findings, finding("container b has no digest", "/spec/containers/1/image")),
)
_WAIVED = replace(
    _GPUS, result=Result.EXEMPT, reason="waiver q4 until 2027-01-01T00:00:00Z: agreed", waivers=("q4@sha256:1",)
)
_OPEN = evaluation("IMG-003", policy="image/signed", result=Result.ERROR, reason="the registry did not answer in 2 s")


def judged(made: Decision, *, file: str = "apps/train.yaml", **positions: Position) -> Judged:
    return Judged(file, 3, made, {"": Position(3, 1), "/spec/x": Position(9, 5), **positions})


def report(*items: Any, **fields: Any) -> Report:
    made: dict[str, Any] = {
        "engine": "opa",
        "engine_version": "1.22.0",
        "bundle_digest": "sha256:" + "1" * 64,
        "configuration_digest": "sha256:" + "c" * 64,
        "policies": POLICIES,
        "catalogue": "https://policies.internal/catalogue",
        "root": "/some/tree",
        "version": "0.1.0",
    }
    return Report(items=items, **{**made, **fields})


REPORT = report(
    judged(decision(_GPUS, _IMAGES, _WARNED)),
    judged(decision(_WAIVED, evaluation(result=Result.PASS)), file="/some/tree/apps/ü waived.yaml"),
    judged(decision(_OPEN)),
    judged(decision(evaluation(result=Result.PASS), notes=("waiver old does not count: it expired",)), file="b.yaml"),
    judged(decision(), file="b.yaml"),
    PassedOver("values.yaml", 1, "this is no Kubernetes object: it has no apiVersion and kind # SKIP"),
    PassedOver("empty.yaml", 0, "there is no document in it"),
    Problem("broken.yaml", "line 4", "found a tab"),
    Problem("chart", "", "helm template failed"),
    judged(
        replace(
            decision(evaluation()), subject=SubjectRef("", "v1", "Pod", "team-a", "p\x1b[2J\nok 1", "", "sha256:0")
        ),
        file="evil\n::error::x.yaml",
    ),
)


def written(name: str, items: Report, *, terminal: int | None = None) -> str:
    stream = io.StringIO()
    writer(CHECK_FORMATS, name)(items, stream, terminal=terminal)
    return stream.getvalue()


@pytest.mark.parametrize("name", CHECK_FORMATS)
def test_each_format_reads_as_agreed(name: str) -> None:
    # JSON is indented here, for whoever reads the golden file; text stays without colours.
    text = written(name, REPORT, terminal=100 if name in ("json", "sarif", "gitlab") else None)
    file = GOLDEN / name
    if os.environ.get("PRATIQUE_WRITE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


def test_the_golden_folder_holds_nothing_else() -> None:
    assert {file.name for file in GOLDEN.iterdir()} == set(CHECK_FORMATS)


@pytest.mark.parametrize("name", CHECK_FORMATS)
def test_nothing_that_a_user_wrote_steers_a_terminal_or_fakes_a_line(name: str) -> None:
    lines = written(name, REPORT).splitlines()
    assert not any("\x1b" in line or line.startswith(("::error::x", 'ok 1"')) for line in lines)


@pytest.mark.parametrize("name", CHECK_FORMATS)
def test_an_empty_report_is_written_too(name: str) -> None:
    assert written(name, report())


def test_text_is_coloured_on_a_terminal_and_says_the_same() -> None:
    coloured = written("text", REPORT, terminal=80)
    assert "\x1b[31m" in coloured
    plain = coloured
    for code in (1, 2, 31, 32, 33, 0):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert plain == written("text", REPORT)


# SARIF


@pytest.mark.parametrize(
    "made",
    [
        REPORT,
        report(),
        report(judged(decision(_GPUS)), baseline={}, root="", catalogue="policies/README.md", version=""),
        report(judged(decision(replace(_GPUS, policy="pratique/waiver")))),
    ],
)
def test_sarif_is_valid(made: Report) -> None:
    schema = json.loads(SCHEMA.read_text())
    for name in ("run", "toolComponent"):
        del schema["definitions"][name]["properties"]["language"]["pattern"]  # a bracket is missing in it: no regex
    validator = jsonschema_rs.Draft4Validator(schema, validate_formats=True)
    errors = [error.message for error in validator.iter_errors(_sarif(made))]
    assert errors == []


def _sarif(made: Report) -> Any:
    return json.loads(written("sarif", made))


def test_sarif_has_suppressions_taxa_fingerprints_and_what_is_open() -> None:
    (run,) = _sarif(REPORT)["runs"]
    first, second, third, waived, undecided, _ = run["results"]
    assert [each["ruleId"] for each in (first, second, third, waived, undecided)] == [
        *("IMG-001", "GPU-001", "IMG-001", "GPU-001", "IMG-003")
    ]
    assert [run["tool"]["driver"]["rules"][each["ruleIndex"]]["id"] for each in run["results"]] == [
        each["ruleId"] for each in run["results"]
    ]
    assert waived["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "waiver q4 until 2027-01-01T00:00:00Z: agreed"}
    ]
    assert (undecided["kind"], undecided["level"]) == ("open", "none")
    assert first["taxa"] == [
        {"id": "SI-7", "toolComponent": {"name": "nist-800-53-r5", "index": 1}},
        {"id": "SC-6", "toolComponent": {"name": "nist-800-53-r5", "index": 1}},
    ]
    assert [taxonomy["name"] for taxonomy in run["taxonomies"]] == ["eu-ai-act", "nist-800-53-r5"]
    assert second["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "apps/train.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 9, "startColumn": 5},
    }
    assert waived["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "apps/%C3%BC%20waived.yaml"
    assert run["invocations"][0]["executionSuccessful"] is False
    assert [note["message"]["text"] for note in run["invocations"][0]["toolExecutionNotifications"]] == [
        "found a tab.",
        "helm template failed.",
        "Job team-a/finetune: could not be evaluated: the registry did not answer in 2 s.",
    ]


# Rows


def test_a_finding_of_two_bindings_counts_once_at_its_strictest() -> None:
    rows = list(report(judged(decision(_IMAGES, _WARNED))).rows)
    assert [(row.level, row.path, row.bindings) for row in rows] == [
        (Level.ERROR, "/spec/containers/0/image", ("image-digest",)),
        (Level.WARNING, "/spec/containers/1/image", ("image-digest-warn",)),
    ]


def test_the_fingerprint_outlives_lines_and_neighbours_but_not_a_change_for_the_worse() -> None:
    def fingerprint(message: str, path: str, line: int = 1, file: str = "a.yaml") -> str:
        made = decision(evaluation(findings=(finding(message, path),)))
        (row,) = report(Judged(file, line, made)).rows
        return row.fingerprint

    one = fingerprint("16 GPUs", "/spec/containers/0/x")
    assert one == fingerprint("16 GPUs", "/spec/containers/12/x", line=99, file="moved.yaml")
    assert one != fingerprint("32 GPUs", "/spec/containers/0/x")
    assert one != fingerprint("16 GPUs", "/spec/containers/0/y")


def test_a_baseline_knows_as_many_as_it_counts() -> None:
    made = [judged(decision(_GPUS)) for _ in range(3)]
    (print_,) = {row.fingerprint for row in report(*made).rows}
    known = report(*made, baseline={print_: 2, "other": 1})
    assert [row.known for row in known.rows] == [True, True, False]
    assert (known.fails, known.gone) == (True, 1)
    assert not report(*made, baseline={print_: 3}).fails
    assert "2 findings in the baseline not counted (1 more of it is there no more: write it anew)" in written(
        "text", known
    )


@pytest.mark.parametrize(
    ("severity", "fails", "levels"),
    [
        (None, True, [Level.ERROR, Level.WARNING]),
        (Severity.CRITICAL, True, [Level.WARNING, Level.ERROR]),
        (Severity.HIGH, True, [Level.ERROR, Level.ERROR]),
    ],
)
def test_fail_on_counts_severities_instead_of_denials(
    severity: Severity | None, fails: bool, levels: list[Level]
) -> None:
    warned = replace(_WARNED, findings=_IMAGES.findings)
    made = report(judged(decision(_GPUS, warned)), fail_on=severity)
    assert [row.level for row in made.rows] == levels
    assert made.fails is fails


def test_what_does_not_count_is_said() -> None:
    low = replace(_GPUS, severity=Severity.LOW)
    made = report(judged(decision(low)), fail_on=Severity.HIGH)
    assert not made.fails
    assert "--fail-on high: 1 finding that the cluster refuses not counted" in written("text", made)


def test_doubt_is_not_hidden_by_a_denial_that_does_not_count() -> None:
    made = decision(_GPUS, _OPEN)
    (print_,) = {row.fingerprint for row in report(judged(made)).rows if not row.undecided}
    assert not report(judged(made)).is_open
    assert report(judged(made), baseline={print_: 1}).is_open


def test_doubt_is_not_hidden_by_a_warning_that_counts() -> None:
    made = report(judged(decision(_WARNED, _OPEN)), fail_on=Severity.HIGH)
    assert (made.fails, made.is_open) == (True, True)


def test_an_explanation_is_shown_below_its_object() -> None:
    made = replace(judged(decision(_GPUS)), explanation=explain(decision(_GPUS), None, unknown="not asked"))
    assert "    Bindings that did not match are not known: not asked" in written("text", report(made))
    (shown,) = json.loads(written("json", report(made)))["objects"]
    assert shown["explanation"]["because"] == "what gpu-limit found refuses the object"


def test_a_comment_that_would_be_too_long_is_cut_and_counted() -> None:
    many = evaluation(findings=tuple(finding("x" * 500, f"/{number}") for number in range(400)))
    text = written("markdown", report(judged(decision(many))))
    assert len(text) <= 65_536
    assert "more\n" in text


def test_junit_counts_add_up() -> None:
    root = ElementTree.fromstring(written("junit", REPORT).encode())  # noqa: S314 - what we wrote ourselves
    for name, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"), ("tests", "testcase")):
        assert int(root.get(name, "")) == len(list(root.iter(element)))
        assert sum(int(suite.get(name, "")) for suite in root) == int(root.get(name, ""))


def test_fingerprints_of_gitlab_are_unique() -> None:
    items = [judged(decision(_GPUS)), judged(decision(_GPUS)), judged(decision(_GPUS), file="other.yaml")]
    issues = json.loads(written("gitlab", report(*items)))
    assert len({issue["fingerprint"] for issue in issues}) == 3
