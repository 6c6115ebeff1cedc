"""Where people use Pratique: each recipe is valid where its reader would look, and does here what can be done here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.support import workloads
from tests.support.small_bundle import small_bundle

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def schema(name: str) -> Any:
    """A schema that check-jsonschema ships (SchemaStore's, GitLab's)."""
    import check_jsonschema  # type: ignore[import-untyped] # it has no types

    folder = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor"
    return json.loads((folder / f"{name}.json").read_text())


def load(text: str) -> Any:
    """YAML in which `on` is a word."""
    value = yaml.safe_load(text)
    return {"on" if key is True else key: each for key, each in value.items()} if isinstance(value, dict) else value


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / "ci" / document).read_text(), re.DOTALL)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("github-actions", (ROOT / "action.yml").read_text()),
        ("github-workflows", blocks("github-actions.md", "yaml")[0]),
        ("gitlab-ci", (ROOT / "ci" / "gitlab.yml").read_text()),
        ("gitlab-ci", blocks("gitlab.md", "yaml")[0]),
    ],
)
def test_the_yaml_is_valid(name: str, text: str) -> None:
    errors = [error.message for error in jsonschema_rs.validator_for(schema(name)).iter_errors(load(text))]
    assert errors == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with policies, a manifest that is denied, and one that was changed."""
    folder = tmp_path / "tree"
    (folder / "deploy").mkdir(parents=True)
    small_bundle(folder)
    _git(folder, "init", "-q", "-b", "main")
    _write(folder, "good", workloads.pod("good", namespace="team-a"))
    _write(folder, "bad one", workloads.pod("bad", namespace="team-a", faults=(workloads.Fault.GPUS,)))
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "first")
    return folder


def _write(folder: Path, name: str, obj: object) -> None:
    (folder / "deploy" / f"{name}.yaml").write_text(yaml.safe_dump(obj))


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def _run(folder: Path, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "COVERAGE"))}
    path = f"{BIN}{os.pathsep}{inherited.get('PATH', '')}"
    return subprocess.run(
        command,
        cwd=folder,
        env={**inherited, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# GitHub


def test_the_step_of_the_action_annotates_and_hands_on_the_exit_code(tree: Path, tmp_path: Path) -> None:
    (step,) = (each for each in yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"] if "id" in each)
    runner = tmp_path / "runner"
    (runner / "pratique").mkdir(parents=True)
    (runner / "pratique" / "bin").symlink_to(BIN)
    inputs = {
        "PATHS": "deploy/good.yaml\n\ndeploy/bad one.yaml\n",
        "POLICIES": "policies",
        "CONFIG": "config",
        "CHANGED_SINCE": "",
        "BASELINE": "",
        "SARIF": "out.sarif",
        "ARGUMENTS": "--engine\nregopy\n",
    }
    assert inputs.keys() == step["env"].keys()
    output, summary = tmp_path / "output", tmp_path / "summary.md"
    files = {"RUNNER_TEMP": str(runner), "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    done = _run(tree, ["bash", "-e", "-c", step["run"]], **inputs, **files)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("::error file=deploy/bad one.yaml,line=")
    assert output.read_text() == "exit-code=1\n"
    assert summary.read_text().startswith("<!-- pratique check -->\n\n### Pratique: 1 finding to mend")
    assert json.loads((tree / "out.sarif").read_text())["version"] == "2.1.0"
    unchanged = _run(tree, ["bash", "-e", "-c", step["run"]], **{**inputs, "CHANGED_SINCE": "HEAD"}, **files)
    assert unchanged.returncode == 0, unchanged.stderr


def test_inputs_of_the_action_never_become_a_part_of_a_script() -> None:
    for step in yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]:
        assert "${{" not in step["run"]


# GitLab


def test_the_script_of_the_gitlab_job_writes_its_reports(tree: Path) -> None:
    job = yaml.safe_load((ROOT / "ci" / "gitlab.yml").read_text())[".pratique-check"]
    variables = {**job["variables"], "PRATIQUE_PATHS": "deploy", "PRATIQUE_CONFIG": "config"}
    (script,) = job["script"]
    done = _run(tree, ["sh", "-e", "-c", script], **{**variables, "PRATIQUE_ARGUMENTS": "--engine regopy"})
    assert done.returncode == 1, done.stderr
    (issue,) = json.loads((tree / job["artifacts"]["reports"]["codequality"]).read_text())
    assert issue["location"]["path"] == "deploy/bad one.yaml"
    assert (tree / job["artifacts"]["reports"]["junit"]).exists()


# pre-commit


def test_the_hook_judges_what_changed(tree: Path, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
    _git(hooks, "init", "-q", "-b", "main")
    _git(hooks, "add", ".")
    _git(hooks, "commit", "-q", "-m", "hooks")
    (recipe,) = blocks("pre-commit.md", "yaml")
    config = yaml.safe_load(recipe)
    config["repos"][0].update(repo=str(hooks), rev=_git(hooks, "rev-parse", "HEAD"))
    config["repos"][0]["hooks"][0]["args"] += ["--config", "config", "--engine", "regopy"]
    (tree / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    _git(tree, "add", ".")
    _git(tree, "commit", "-q", "-m", "hook")
    home = {"PRE_COMMIT_HOME": str(tmp_path / "home")}
    assert _run(tree, ["pre-commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")], **home).returncode == 0

    _write(tree, "other", workloads.pod("other", namespace="team-a"))
    _git(tree, "add", ".")
    passed = _run(tree, ["pre-commit", "run"], **home)
    assert (passed.returncode, "Passed" in passed.stdout) == (0, True), passed.stdout
    _write(tree, "other", workloads.pod("other", namespace="team-a", faults=(workloads.Fault.GPUS,)))
    _git(tree, "add", ".")
    failed = _run(tree, ["pre-commit", "run"], **home)
    assert failed.returncode == 1
    assert "denied       Pod team-a/other" in failed.stdout
    assert "Pod team-a/bad" not in failed.stdout


def test_both_hooks_are_the_same_but_for_what_they_run_in() -> None:
    one, other = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    own = {"id", "name", "description", "language"}
    assert {key: one[key] for key in one.keys() - own} == {key: other[key] for key in other.keys() - own}


# kubectl


def test_the_plugin_of_kubectl_is_the_same_program() -> None:
    shown = _run(ROOT, ["kubectl-pratique", "--help"])
    assert shown.stdout.startswith("usage: kubectl pratique ")
    kubectl = ROOT / ".cache" / "tools" / "kubectl"
    assert _run(ROOT, [str(kubectl), "pratique", "--version"]).stdout.startswith("pratique 0.")
    listed = _run(ROOT, [str(kubectl), "plugin", "list"])
    assert str(BIN / "kubectl-pratique") in listed.stdout


# editors


def test_the_problem_matcher_finds_the_findings(tree: Path) -> None:
    (recipe,) = blocks("editors.md", "json")
    pattern = json.loads(recipe)["tasks"][0]["problemMatcher"]["pattern"]
    command = ["pratique", "check", "deploy", "--config", "config", "--engine", "regopy"]
    lines = _run(tree, command).stdout.splitlines()
    (found,) = (match for line in lines if (match := re.search(pattern["regexp"], line)))
    assert (found[pattern["file"]], found[pattern["column"]]) == ("deploy/bad one.yaml", "1")
    assert found[pattern["message"]].startswith("this Pod can use 8 GPUs")
    text = (tree / "deploy" / "bad one.yaml").read_text().splitlines()
    assert text[int(found[pattern["line"]]) - 1] == "spec:"
