"""What makes the exit code of `pratique check`, and what else is written: baselines, users, facts, several reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pratiquectl.__main__ import main
from tests.pratiquectl.test_check_inputs import bad, bundle, lines, run, write
from tests.support import workloads

pytestmark = pytest.mark.slow

__all__ = ["bundle", "run"]  # fixtures


def warned() -> dict[str, Any]:
    return workloads.pod("warned", namespace="team-a", faults=(workloads.Fault.PRIVILEGED,))


def test_a_baseline_lets_through_what_it_knows_and_nothing_worse(run: Any, tmp_path: Path) -> None:
    file, baseline = write(tmp_path / "a.yaml", bad()), tmp_path / "baseline.json"
    code, out, err = run(file, "--write-baseline", baseline)
    assert (code, err) == (0, f"{baseline}: 1 findings written\n")
    assert lines(out)[1] == "denied       Pod team-a/bad (line 1)"
    moved = write(tmp_path / "moved.yaml", workloads.pod("new", namespace="team-a"), bad())
    assert run(moved, "--baseline", baseline)[0] == 0
    assert run(write(moved, bad(), bad("another")), "--baseline", baseline)[0] == 1
    (known,) = json.loads(baseline.read_text())["findings"]
    assert (known["policy_id"], known["subject"], known["path"], known["count"]) == (
        *("GPU-001", "Pod team-a/bad", "/spec", 1),
    )


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format": "other"}', '{"format": "pratique.dev/baseline/v1", "findings": [1]}']
)
def test_what_is_no_baseline_is_an_error(run: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "b.json").write_text(text)
    code, out, err = run(write(tmp_path / "a.yaml", bad()), "--baseline", tmp_path / "b.json")
    assert (code, out) == (2, "")
    assert "this is no baseline" in err


def test_fail_on_a_severity(run: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", bad(), warned())
    assert run(file)[0] == 1
    assert run(file, "--fail-on", "critical")[0] == 1
    assert run(write(tmp_path / "b.yaml", warned()))[0] == 0
    assert run(write(tmp_path / "b.yaml", warned()), "--fail-on", "critical")[0] == 1
    code, out, _ = run(write(tmp_path / "c.yaml", bad()), "--fail-on", "critical")
    assert code == 0
    assert out.splitlines()[-1].endswith("--fail-on critical: 1 finding that the cluster refuses not counted")
    assert run(file, "--fail-on", "urgent")[0] == 2


def test_a_user_may_be_exempt(run: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", bad())
    assert run(file, "--as-user", "ada@example.com")[0] == 1
    code, out, _ = run(file, "--as-user", "root@example.com", "--as-group", "ops", "-o", "json")
    assert code == 0
    (judged,) = json.loads(out)["objects"]
    assert (judged["decision"]["user"], judged["decision"]["groups"]) == (
        *("root@example.com", ["ops", "system:authenticated"]),
    )


def test_explain_says_of_each_object_which_bindings_matched(run: Any, tmp_path: Path) -> None:
    code, out, _ = run(write(tmp_path / "a.yaml", bad()), "--explain", "--as-user", "root@example.com")
    assert code == 0
    assert any(line.startswith("gpu-limit (GPU-001 gpu/limit):") for line in lines(out))


def test_several_reports_of_one_run(run: Any, tmp_path: Path) -> None:
    sarif, junit = tmp_path / "r.sarif", tmp_path / "r.xml"
    code, out, _ = run(write(tmp_path / "a.yaml", bad()), "-o", "tap", "-o", f"sarif={sarif}", "-o", f"junit={junit}")
    assert code == 1
    assert out.startswith("TAP version 14\n1..1\nnot ok 1 - ")
    assert json.loads(sarif.read_text())["version"] == "2.1.0"
    assert junit.read_text().startswith("<?xml")


def test_the_catalogue_is_linked(run: Any, bundle: tuple[Path, Path], tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", bad())
    assert f"see: {bundle[0] / 'README.md'}#gpulimit" in lines(run(file)[1])
    _, out, _ = run(file, "--catalogue", "https://policies.internal/")
    assert "see: https://policies.internal/#gpulimit" in lines(out)


def test_recorded_facts_that_are_broken_are_an_error(run: Any, tmp_path: Path) -> None:
    (tmp_path / "facts.yaml").write_text("format: other\nsources: {}\n")
    code, out, err = run(write(tmp_path / "a.yaml", bad()), "--facts", tmp_path / "facts.yaml")
    assert (code, out) == (2, "")
    assert "facts.yaml: /format" in err


FACTS_POLICY = """\
# METADATA
# title: Images are signed
# description: Nobody knows who made them else.
# scope: package
# custom:
#   id: IMAGE-900
#   severity: high
#   subjects: [workload]
#   needs: [facts.signatures]
#   parameters: {}
#   remediation: Sign the image.
package policies.image.signed

violations contains {"message": concat("", [image.reference, " is not signed"]), "path": image.path} if {
	some image in input.subject.images
	input.facts.signatures[image.reference].status != "known"
}
"""
ENDLESS_POLICY = """\
# METADATA
# title: Takes for ever
# description: It counts.
# scope: package
# custom:
#   id: IMAGE-901
#   severity: high
#   subjects: [workload]
#   needs: []
#   parameters: {}
#   remediation: Wait.
package policies.image.signed

violations contains {"message": "counted", "path": ""} if {
	some a in numbers.range(1, 100000)
	some b in numbers.range(1, 100000)
	a + b == 0
	count(input.subject.images) == a
}
"""


@pytest.fixture
def one_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Judges a pod by one policy, given as text."""
    pod = workloads.pod("p", namespace="team-a")
    pod["spec"] = {"containers": [{"name": "m", "image": "registry.internal/a:1"}]}
    manifest = write(tmp_path / "m.yaml", pod)

    def call(policy: str, *arguments: str, engine: str = "regopy") -> tuple[int, list[str]]:
        folder = tmp_path / "policies" / "image" / "signed"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "signed.rego").write_text(policy)
        (tmp_path / "binding.yaml").write_text(BINDING)
        code = main(
            [
                *("check", str(manifest), "--engine", engine, "--policies", str(tmp_path / "policies")),
                *("--config", str(tmp_path / "binding.yaml"), *arguments),
            ]
        )
        return code, lines(capsys.readouterr().out)

    return call


BINDING = """\
apiVersion: pratique.dev/v1alpha1
kind: PolicyBinding
metadata: {name: signed}
spec: {policy: image/signed}
"""


@pytest.mark.parametrize(
    ("fact", "now", "code", "said"),
    [
        (
            "{status: known, value: {}, collectedAt: 2026-01-01T00:00:00Z, expiresAt: 2026-12-31T00:00:00Z}",
            "2026-06-01",
            0,
            "",
        ),
        ("{status: absent, reason: none}", "2026-06-01", 1, "registry.internal/a:1 is not signed"),
        (
            "{status: known, value: {}, collectedAt: 2026-01-01T00:00:00Z, expiresAt: 2026-12-31T00:00:00Z}",
            "2027-01-01",
            2,
            "could not be evaluated: the recorded fact of registry.internal/a:1 (signatures) expired",
        ),
        (None, "2026-06-01", 2, "could not be evaluated: the recorded facts say nothing of registry.internal/a:1"),
    ],
)
def test_recorded_facts_are_what_policies_are_given(
    one_policy: Any, tmp_path: Path, fact: str | None, now: str, code: int, said: str
) -> None:
    entry = f"{{registry.internal/a:1: {fact}}}" if fact else "{}"
    facts = tmp_path / "facts.yaml"
    facts.write_text(
        f"format: pratique.dev/facts/v1\nsources:\n  signatures: {{keys: images, facts: {entry}}}\n".replace(
            "registry.internal/a:1:", "'registry.internal/a:1':"
        )
    )
    found, out = one_policy(FACTS_POLICY, "--facts", str(facts), "--now", f"{now}T00:00:00Z")
    assert found == code
    assert any(said in line for line in out)
    without, out = one_policy(FACTS_POLICY)
    assert without == 2
    assert any("no source of signatures is configured" in line for line in out)


@pytest.mark.parametrize("engine", ["opa", "regopy"])
def test_a_policy_that_takes_for_ever_is_undecided_in_time(one_policy: Any, engine: str) -> None:
    code, out = one_policy(ENDLESS_POLICY, "--timeout", "1", engine=engine)
    assert code == 2
    assert out[1] == "undecided    Pod team-a/p (line 1)"
    assert "could not be evaluated" in out[3]


@pytest.mark.parametrize("seconds", ["0", "-1", "x", "1e9", "nan"])
def test_a_timeout_that_is_none_is_refused(run: Any, seconds: str) -> None:
    assert run("x.yaml", f"--timeout={seconds}")[0] == 2
