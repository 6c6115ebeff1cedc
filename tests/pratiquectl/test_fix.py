"""`pratique fix` on real files with the real policies, and the embedded engine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pratiquectl.__main__ import main
from tests.support.defaults import defaults_on

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
NAMESPACE = """
---
apiVersion: v1
kind: Namespace
metadata: {name: search, labels: {team: search, cost-center: "4711"}}
"""
POD = """\
# A notebook.
apiVersion: v1
kind: Pod
metadata:
  name: notebook   # mine
  namespace: search

# What it runs.
spec:
  containers:
    - name: server
      image: 'registry.internal/a:v1'
"""
FIXED = """\
# A notebook.
apiVersion: v1
kind: Pod
metadata:
  name: notebook   # mine
  namespace: search
  labels:
    cost-center: "4711"
    team: search

# What it runs.
spec:
  containers:
    - name: server
      image: 'registry.internal/a:v1'
  automountServiceAccountToken: false
  securityContext:
    runAsNonRoot: true
    seccompProfile:
      type: RuntimeDefault
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "defaults.yaml").write_text(defaults_on() + NAMESPACE)
    return folder


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        code = main(
            [
                *("fix", *map(str, arguments), "--engine", "regopy"),
                *("--config", str(config), "--policies", str(REPOSITORY / "policies")),
            ]
        )
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "m"
    made.mkdir()
    return made


def test_the_diff_is_one_that_git_takes_and_changes_nothing(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    file = Path("pod.yaml")
    file.write_text(POD)
    code, out, err = run(file)
    assert (code, file.read_text()) == (1, POD)
    assert out.startswith("--- a/pod.yaml\n+++ b/pod.yaml\n@@ ")
    assert err.splitlines() == [
        *(
            f"pod.yaml:1: Pod search/notebook: {change}"
            for change in (
                "DEFAULT-001 adds /metadata/labels/cost-center",
                "DEFAULT-001 adds /metadata/labels/team",
                "DEFAULT-002 adds /spec/automountServiceAccountToken",
                "DEFAULT-004 adds /spec/securityContext/runAsNonRoot",
                "DEFAULT-003 adds /spec/securityContext/seccompProfile",
            )
        ),
        "1 of 1 file would be changed; `--write` does it",
    ]
    subprocess.run(["git", "apply", "-"], input=out, text=True, check=True)
    assert file.read_text() == FIXED


def test_a_diff_of_a_file_without_a_last_line_end(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    Path("pod.yaml").write_text(POD.rstrip("\n"))
    _, out, _ = run("pod.yaml")
    subprocess.run(["git", "apply", "-"], input=out, text=True, check=True)
    assert Path("pod.yaml").read_text() == FIXED


def test_colours_on_a_terminal_only(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pod.yaml").write_text(POD)
    assert "\x1b" not in run(folder)[1]
    monkeypatch.setattr("pratiquectl.fix.terminal_width", lambda: 80)
    assert "\x1b[32m+  automountServiceAccountToken: false\x1b[0m\n" in run(folder)[1]


def test_write_changes_the_file_and_then_there_is_nothing_left(run: Any, folder: Path) -> None:
    file = folder / "pod.yaml"
    file.write_text(POD)
    file.chmod(0o640)
    code, out, err = run(file, "--write")
    assert (code, out, err.splitlines()[-1]) == (0, "", "1 of 1 file written")
    assert file.read_text() == FIXED
    assert (file.stat().st_mode & 0o777, [path.name for path in folder.iterdir()]) == (0o640, ["pod.yaml"])
    assert run(file) == (0, "", "0 of 1 file would be changed\n")
    assert run(file, "--write")[0] == 0


def test_several_documents_and_lists(run: Any, folder: Path) -> None:
    file = folder / "many.yaml"
    item = "".join(f"    {line}\n" if line else "\n" for line in POD.splitlines()[1:]).rstrip() + "\n"
    untouched = "apiVersion: v1\nkind: ConfigMap\nmetadata:   {name: x}\n"
    file.write_text(f"{untouched}---\napiVersion: v1\nkind: List\nitems:\n  -\n{item}--- # last\n{POD}")
    code, _, err = run(file, "--write")
    assert code == 0, err
    text = file.read_text()
    assert text.startswith(untouched)
    assert text.endswith(f"--- # last\n{FIXED}")
    assert text.count("seccompProfile:") == 2
    assert run(file)[0] == 0


def test_json_files(run: Any, folder: Path) -> None:
    import yaml

    file = folder / "pod.json"
    file.write_text(json.dumps(yaml.safe_load(POD), indent=4) + "\n")
    assert run(file, "--write")[0] == 0
    assert json.loads(file.read_text()) == yaml.safe_load(FIXED)
    assert file.read_text().splitlines()[1] == '    "apiVersion": "v1",'


def test_line_ends_and_byte_order_mark_stay(run: Any, folder: Path) -> None:
    file = folder / "pod.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + POD.replace("\n", "\r\n").encode())
    assert run(file, "--write")[0] == 0
    assert file.read_bytes() == b"\xef\xbb\xbf" + FIXED.replace("\n", "\r\n").encode()


def test_a_link_stays_a_link(run: Any, folder: Path) -> None:
    (folder / "pod.yaml").write_text(POD)
    link = folder / "link.yaml"
    link.symlink_to("pod.yaml")
    assert run(link, "--write")[0] == 0
    assert (link.is_symlink(), (folder / "pod.yaml").read_text()) == (True, FIXED)


def test_what_cannot_be_read_is_named_and_the_rest_is_fixed(run: Any, folder: Path) -> None:
    (folder / "a.yaml").write_text("apiVersion: v1\nkind: Pod\nkind: Pod\n")
    (folder / "b.yaml").write_bytes(b"\xff\xfe")
    (folder / "c.json").write_text("{")
    (folder / "d.yaml").write_text("apiVersion: v1\nkind: Pod\nspec: {containers: none}\n")
    (folder / "e.yaml").write_text(POD)
    code, _, err = run(folder, folder / "gone.yaml", "--write")
    assert (code, (folder / "e.yaml").read_text()) == (2, FIXED)
    named = [line.removeprefix("pratique: ").partition(":")[0] for line in err.splitlines() if line.startswith("prati")]
    assert [Path(name).name for name in named] == ["a.yaml", "b.yaml", "c.json", "d.yaml", "gone.yaml"]


def test_a_problem_in_one_document_leaves_the_others_fixed(run: Any, folder: Path) -> None:
    file = folder / "two.yaml"
    broken = "apiVersion: v1\nkind: Pod\nspec: {containers: none}\n"
    file.write_text(f"{broken}---\n{POD}")
    code, _, err = run(file, "--write")
    assert (code, file.read_text()) == (2, f"{broken}---\n{FIXED}")
    assert f"pratique: {file}: line 1: /spec/containers is text" in err


def test_a_policy_without_an_answer_is_named_and_the_others_still_fix(run: Any, folder: Path) -> None:
    file = folder / "pod.yaml"
    file.write_text(POD.replace("namespace: search", "namespace: elsewhere"))
    code, _, err = run(file, "--write")
    assert code == 2
    assert "DEFAULT-001: the labels of namespace elsewhere are not known" in err
    assert "seccompProfile" in file.read_text()


def test_the_author_s_values_stay(run: Any, folder: Path) -> None:
    file = folder / "pod.yaml"
    file.write_text(POD + "  securityContext: {runAsUser: 0, seccompProfile: {type: Unconfined}}\n")
    run(file, "--write")
    assert "  securityContext: {runAsUser: 0, seccompProfile: {type: Unconfined}}\n" in file.read_text()


def test_what_a_policy_overrides_is_fixed(run: Any, folder: Path, config: Path) -> None:
    (config / "p.yaml").write_text(
        "apiVersion: pratique.dev/v1alpha1\nkind: PolicyBinding\nmetadata: {name: p}\n"
        "spec: {policy: workload/privileged}\n"
    )
    file = folder / "pod.yaml"
    file.write_text(POD + "      securityContext: {privileged: true}  # needed for strace\n")
    assert run(file, "--write")[0] == 0
    assert "      securityContext: {privileged: false} # needed for strace\n" in file.read_text()


def test_nothing_there_is_an_error(run: Any, folder: Path) -> None:
    assert run(folder)[0] == 2
    code, _, err = run("-")
    assert (code, "standard input cannot be fixed" in err) == (2, True)


def test_what_cannot_be_written_is_named(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "pod.yaml"
    file.write_text(POD)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full)
    code, _, err = run(file, "--write")
    assert (code, file.read_text()) == (2, POD)
    assert f"pratique: {file}: this cannot be written: No space left on device" in err
