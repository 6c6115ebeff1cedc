"""What makes the exit code of `pratique check`, and what else is written: baselines, users, facts, several reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pratiquectl.test_check_inputs import bad, bundle, lines, run, write
from tests.support import workloads

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
