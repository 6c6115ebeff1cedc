"""`pratique policy`, on the policies of this repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pratiquectl.__main__ import main

pytestmark = pytest.mark.slow

POLICIES = str(Path(__file__).resolve().parents[2] / "policies")


def test_list_names_every_policy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "list", "--policies", POLICIES]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["ID", "NAME", "SEVERITY", "JUDGES", "TITLE"]
    assert "GPU-001" in {row.split()[0] for row in rows}


def test_list_as_json_has_the_digest_and_the_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "list", "--policies", POLICIES, "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (limit,) = [policy for policy in document["policies"] if policy["id"] == "GPU-001"]
    assert document["bundle_digest"].startswith("sha256:")
    assert limit["parameters"]["max_gpus"]["default"] == 4


@pytest.mark.parametrize("name", ["gpu/limit", "GPU-001", "gpu-001"])
def test_show_by_name_or_id(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "show", name, "--policies", POLICIES]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("GPU-001 gpu/limit (high)\nGPUs stay within the approved limit\n")
    assert "fix         Ask for fewer GPUs" in shown
    assert "control     nist-800-53-r5: SC-6" in shown
    assert '  max_gpus  {"type":"integer","minimum":0,"default":4}' in shown


def test_show_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "show", "gpu/limit", "--policies", POLICIES, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "gpu/limit"


def test_unknown_policy_lists_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "show", "gpu/limits", "--policies", POLICIES]) == 2
    said = capsys.readouterr().err
    assert "there is no policy 'gpu/limits' in this bundle; it has: " in said
    assert "GPU-001 (gpu/limit)" in said


def test_without_policies_it_says_what_to_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["policy", "list"]) == 2
    assert capsys.readouterr().err == (
        "pratique: --policies: there is no folder policies here; name the one to use with --policies\n"
    )
    assert main(["policy", "list", "--policies", "typo"]) == 2
    assert "typo: there is no such file or folder; correct --policies" in capsys.readouterr().err
