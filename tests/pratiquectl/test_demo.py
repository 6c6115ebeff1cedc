"""`pratique demo`, whole: a server process, TLS, reviews over the network, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pratiquectl.__main__ import main
from tests.support import workloads
from tests.support.processes import HANG_SECONDS, is_running, wait_until

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout in a path with a space, with two examples; its temporary files go to `temporary`."""
    place = tmp_path / "a place"
    (place / "examples").mkdir(parents=True)
    (place / "temporary").mkdir()
    shutil.copytree(REPOSITORY / "policies", place / "policies")
    (place / "examples" / "pods.yaml").write_text(
        yaml.safe_dump_all(
            [
                workloads.pod("fine", namespace="team-a"),
                workloads.pod("greedy", namespace="team-a", faults=(workloads.Fault.GPUS,)),
                {"values": 1},
            ]
        )
    )
    return place


def environment(place: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "TMPDIR": str(place / "temporary"),
        "PRATIQUE_LISTEN": "nowhere",
    }


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Demo = Callable[..., Done]


@pytest.fixture
def demo(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Demo:
    """Runs the demo in this process (its server is a child as ever)."""

    def run(*arguments: str) -> Done:
        monkeypatch.chdir(place)
        monkeypatch.setattr(tempfile, "tempdir", str(place / "temporary"))
        for name, value in environment(place).items():
            monkeypatch.setenv(name, value)
        code = main(["demo", *arguments])
        return Done(code, *capsys.readouterr())

    return run


def servers(place: Path) -> list[int]:
    """Processes that were started with a folder in `place`."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if b"serve" in command and str(place).encode() in command:
                found.append(int(folder.name))
    return found


def test_demo_shows_the_verdicts_and_leaves_only_the_state(place: Path, demo: Demo) -> None:
    done = demo()
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("allowed", "denied"))]
    assert [row[:3] for row in rows] == [["allowed", "Pod", "team-a/fine"], ["denied", "Pod", "team-a/greedy"]]
    assert rows[1][3:6] == ["GPU-001", "this", "Pod"]
    assert "passed over: examples/pods.yaml" in done.stdout
    assert servers(place) == []
    assert list((place / "temporary").iterdir()) == []
    assert sorted(path.name for path in place.iterdir()) == [".run", "examples", "policies", "temporary"]
    assert "denied" in (place / ".run" / "state" / "serve.log").read_text()
    # The command that it prints works.
    explain = next(line.strip() for line in done.stdout.splitlines() if " explain " in line)
    shown = subprocess.run(
        [sys.executable, "-m", "pratiquectl", *explain.split(" ")[-4:]],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Denied: what gpu-limit found refuses the object." in shown.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_kept_demo_serves_until_it_is_ended(place: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pratiquectl", "demo", "--keep"],
        cwd=place,
        env=environment(place),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if "make cluster" in line:
                break
        (server,) = servers(place)
        curl = next(line.strip() for line in said if "--data-binary" in line)
        answered = subprocess.run(["sh", "-c", f"{curl} --silent"], capture_output=True, text=True, check=False)
        process.send_signal(number)
        process.communicate(timeout=HANG_SECONDS)
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: not is_running(server), what="the server ends")
    assert '"allowed":true' in answered.stdout
    if number is not signal.SIGKILL:
        assert process.returncode == 0
        assert list((place / "temporary").iterdir()) == []


def test_object_of_a_kind_without_namespaces_is_sent_without_one(place: Path, demo: Demo) -> None:
    workspace = {
        "apiVersion": "ai.platform.internal/v1",
        "kind": "AIWorkspace",
        "metadata": {"name": "lab"},
        "spec": {},
    }
    (place / "examples" / "pods.yaml").write_text(yaml.safe_dump(workspace))
    done = demo()
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("allowed", "denied"))]
    assert [row[:3] for row in rows] == [["allowed", "AIWorkspace", "lab"]]


def test_object_that_cannot_be_judged_is_2_and_the_others_are_shown(place: Path, demo: Demo) -> None:
    (place / "examples" / "broken.yaml").write_text("apiVersion: v1\nkind: Pod\nspec: {containers: no}\n")
    done = demo()
    assert done.returncode == 2
    assert "broken.yaml: line 1: " in done.stderr
    assert "team-a/greedy" in done.stdout


def test_server_that_cannot_start_is_said_with_the_end_of_its_log(place: Path, demo: Demo) -> None:
    (place / "policies" / "bindings" / "baseline.yaml").write_text("kind: Nope\n")
    done = demo()
    assert done.returncode == 2
    assert done.stderr.startswith("pratique: the webhook ended; its log ends with:\n")
    assert "'Nope' is not known here" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((place / "temporary").iterdir()) == []


def test_without_examples_it_says_what_to_name(demo: Demo) -> None:
    done = demo("--examples", "typo")
    assert done.returncode == 2
    assert done.stderr == "pratique: there is no Kubernetes object in typo; name a folder with --examples\n"
