"""`pratique policy test` and `pratique policy new`: what is wrong with a policy is found, and a new one has nothing
wrong."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from pratiquectl.__main__ import main
from tests.support.cluster import REPOSITORY, tool

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the policy gpu/limit, its unit tests and two of its cases."""
    for name in ("lib", "gpu/limit"):
        shutil.copytree(REPOSITORY / "policies" / name, tmp_path / "policies" / name)
    cases = tmp_path / "tests" / "cases" / "gpu" / "limit"
    cases.mkdir(parents=True)
    for verdict in ("allow", "deny"):
        shutil.copy(REPOSITORY / f"tests/cases/gpu/limit/{verdict}_amd_gpus.yaml", cases)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRATIQUE_OPA", str(tool("opa")))
    return tmp_path


@pytest.fixture
def run(place: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str) -> tuple[int, list[str], str]:
        code = main(["policy", *arguments])
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err

    return call


def case(place: Path, name: str) -> Path:
    return place / "tests" / "cases" / "gpu" / "limit" / f"{name}.yaml"


def changed(file: Path, **fields: Any) -> None:
    value = yaml.safe_load(file.read_text())
    value.update(fields)
    file.write_text(yaml.safe_dump({key: each for key, each in value.items() if each is not None}))


def test_a_new_policy_passes_its_own_tests(run: Any, place: Path) -> None:
    code, out, _ = run("new", "prompt/owner-name", "--title", "Prompts: named", "--severity", "high")
    assert code == 0
    assert out[0] == "policies/prompt/owner-name/owner-name.rego"
    assert [Path(line).exists() for line in out[:-1]] == [True] * 6
    for name in ("one", "two"):  # bindings are no data of the policies
        (place / "policies" / "bindings").mkdir(exist_ok=True)
        (place / "policies" / "bindings" / f"{name}.yaml").write_text(f"kind: {name}\n")
    code, out, err = run("test", "--min-coverage", "100")
    assert (code, err) == (0, "")
    assert out == [
        "opa 1.22.0: 6 of 6 cases as they say",
        "regopy 1.5.2: 6 of 6 cases as they say",
        out[2],
        "coverage: 100.0 % of 2 policies, by unit tests",
    ]
    code, out, _ = run("show", "PROMPT-001")
    assert out[:2] == ["PROMPT-001 prompt/owner-name (high)", "Prompts: named"]
    assert run("new", "gpu/second")[0] == 0
    assert run("show", "GPU-002")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gpu/limit"], "exists already; nothing was written"),
        (["GPU/x"], "'GPU/x' is no name of a policy"),
        (["../x"], "'../x' is no name of a policy"),
        (["gpu/x", "--id", "GPU-001"], "GPU-001 is the id of gpu/limit; ids are never used again"),
        (["gpu/x", "--id", "1"], "'1' is no id of a policy"),
    ],
)
def test_what_cannot_be_a_new_policy_is_refused(run: Any, place: Path, arguments: list[str], sentence: str) -> None:
    before = sorted(place.rglob("*"))
    code, _, err = run("new", *arguments)
    assert code == 2
    assert sentence in err
    assert sorted(place.rglob("*")) == before


def test_what_is_wrong_with_cases_is_said_for_each_engine(run: Any, place: Path) -> None:
    message = "this Pod can use 9 GPUs"
    changed(case(place, "deny_amd_gpus"), findings=[{"path": "/spec", "message": message}])
    code, out, _ = run("test", "gpu/limit")
    failures = [line for line in out if line.startswith("FAIL")]
    assert code == 1
    assert [line.split(": ")[0] for line in failures] == ["FAIL opa", "FAIL regopy"]
    for line in failures:
        assert f"not found, but expected: /spec: {message}" in line
        assert "found, but not expected: /spec: this Pod can use 8 GPUs" in line


def test_a_twin_that_differs_in_two_places_and_a_policy_without_a_deny_case(run: Any, place: Path) -> None:
    changed(case(place, "allow_amd_gpus"), parameters={"max_gpus": 5})
    code, out, _ = run("test", "--engine", "regopy")
    assert code == 1
    assert [line for line in out if line.startswith("FAIL")] == [
        "FAIL gpu/limit/deny_amd_gpus: it differs from its twin in 2 places, not one: "
        "/object/spec/containers/0/resources/limits/amd.com~1gpu, /parameters/max_gpus"
    ]
    case(place, "allow_amd_gpus").unlink()
    assert "FAIL gpu/limit/deny_amd_gpus: it has no twin allow_amd_gpus.yaml" in run("test", "--engine", "regopy")[1]
    case(place, "deny_amd_gpus").unlink()
    assert "FAIL gpu/limit: it has no deny case" in run("test", "--engine", "regopy")[1]


def test_a_unit_test_that_fails_and_one_that_covers_too_little(run: Any, place: Path) -> None:
    file = place / "policies" / "gpu" / "limit" / "limit_test.rego"
    head = "package policies.gpu.limit_test\n\nimport data.policies.gpu.limit\n\n"
    text = head + "test_no if count(limit.violations) == {}\n"
    file.write_text(text.format(7))
    code, out, _ = run("test", "--engine", "opa", "--min-coverage", "90")
    assert code == 1
    assert "no coverage: it is counted once all unit tests pass" in out
    assert [line for line in out if line.startswith("FAIL")] == [
        "FAIL policies/gpu/limit/limit_test.rego:5: data.policies.gpu.limit_test.test_no"
    ]
    file.write_text(text.format("count(limit.violations)"))
    code, out, _ = run("test", "--engine", "opa", "--min-coverage", "90")
    assert code == 1
    (failure,) = (line for line in out if line.startswith("FAIL"))
    assert failure.startswith("FAIL gpu/limit: ")
    assert failure.endswith(" % are covered, required are 90 %")
    file.unlink()
    _, out, _ = run("test", "--engine", "opa")
    assert "FAIL gpu/limit: it has no unit test (package policies.gpu.limit_test)" in out


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("gpu/limit/maybe_x.yaml", "object: {}", "this is no case"),
        ("gpu/limit/deny_x.yaml", "parameters: {}", "this case has no object"),
        ("gpu/limit/deny_x.yaml", "a: [", "line 2"),
        ("gpu/limit/deny_x.yaml", "object: {}\nfindings: [x]", "findings have a path and a message"),
        ("gpu/other/deny_x.yaml", "object: {}", "there is no such policy in the bundle"),
    ],
)
def test_a_case_that_cannot_be_read_is_an_error(run: Any, place: Path, name: str, text: str, sentence: str) -> None:
    file = place / "tests" / "cases" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    code, _, err = run("test", "--engine", "regopy")
    assert code == 2
    assert sentence in err


def test_a_folder_of_cases_that_is_not_there_is_an_error(run: Any) -> None:
    code, _, err = run("test", "--cases", "nowhere")
    assert (code, err) == (2, "pratique: nowhere: there is no such folder; name that of the cases with --cases\n")


def test_a_policy_with_a_syntax_error_is_shown_as_opa_shows_it(run: Any, place: Path) -> None:
    file = place / "policies" / "gpu" / "limit" / "limit_test.rego"
    file.write_text("package policies.gpu.limit_test\n\ntest_x if {\n\t1 = = 1\n}\n")
    code, _, err = run("test", "--engine", "opa")
    assert code == 2
    assert "limit_test.rego:4: rego_parse_error" in err
    assert err.splitlines()[-1].strip() == "^"
