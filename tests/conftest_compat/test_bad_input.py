"""What is wrong is said clearly, with conftest's exit code 1, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest_compat.compare import REPOSITORY, Case, Outcome, pratique, same, write
from tests.conftest_compat.corpus import FILES, POD
from tests.support.processes import HANG_SECONDS, wait_until

pytestmark = pytest.mark.slow

LOOPS = """package main

import rego.v1

deny contains "x" if {
	some a in numbers.range(1, 100000)
	some b in numbers.range(1, 100000)
	a * b == 0
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    write(tmp_path, {**FILES, "loops/a.rego": LOOPS})
    with socket.socket(socket.AF_UNIX) as listener:
        previous = Path.cwd()
        os.chdir(tmp_path)  # a path of a socket must be short
        listener.bind("socket.yaml")
        os.chdir(previous)
        yield tmp_path


def run(folder: Path, arguments: str, **more: str) -> Outcome:
    return pratique(folder, Case("", arguments, {}, **more))  # type: ignore[arg-type]  # only stdin is given


def test_a_policy_that_loops_is_ended(folder: Path) -> None:
    done = run(folder, "test -p loops --timeout 1 pod.yaml")
    assert (done.code, done.stdout) == (1, "")
    assert "no answer within 1 s: does a policy loop? (--timeout)" in done.stderr


@pytest.mark.parametrize("timeout", ["0", "-1", "nope", "inf", "nan"])
def test_a_timeout_that_is_none(folder: Path, timeout: str) -> None:
    done = run(folder, f"test --timeout={timeout} pod.yaml")
    assert done == Outcome(1, "", f"Error: running test: --timeout is {timeout!r}: give the seconds, such as 30\n")


def opa_processes(marker: str) -> list[int]:
    """The processes whose command line holds `marker`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker in entry.read_text(errors="replace"):
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_opa_outlives_us(folder: Path, number: signal.Signals, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "pratiquectl", "test", "-p", "loops", "pod.yaml"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored, where tests run in the background
    )
    wait_until(lambda: opa_processes(f"unix://{temporary}") != [], what="OPA runs")
    time.sleep(0.5)  # by now it most likely evaluates
    process.send_signal(number)
    process.wait(HANG_SECONDS)
    wait_until(lambda: opa_processes(f"unix://{temporary}") == [], what="OPA has ended")
    if number != signal.SIGKILL:
        assert list(temporary.iterdir()) == []


def test_a_file_that_cannot_be_read(folder: Path) -> None:
    done = run(folder, "test socket.yaml")
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: running test: parse configurations: get configuration content: open file: ")


@pytest.mark.parametrize("output", ["xml", "JSON", "std"])
def test_an_output_that_is_none_is_an_error(folder: Path, output: str) -> None:
    for verb in ("test pod.yaml", "verify", "reformat"):
        done = run(folder, f"{verb} -o {output}", stdin="[]")
        assert (done.code, done.stdout) == (1, "")
        assert f'unknown output format "{output}"; choose from stdout, json' in done.stderr


def test_a_large_document(folder: Path) -> None:
    write(folder, {"large.yaml": POD + "data:\n" + "".join(f"  key{n}: {'v' * 1000}\n" for n in range(20_000))})
    done = run(folder, "test -o json large.yaml")
    assert (done.code, done.stderr) == (1, "")
    assert "trainer runs registry.internal/train:latest" in done.stdout


def test_many_documents(folder: Path) -> None:
    write(folder, {"many.yaml": "---\n".join(["kind: Service\n"] * 20_000)})
    done = run(folder, "test --no-color many.yaml")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "100000 tests, 80000 passed, 20000 warnings, 0 failures, 0 exceptions"


def test_deep_nesting_is_refused_or_judged_but_never_a_traceback(folder: Path) -> None:
    write(folder, {"deep.json": "[" * 100_000 + "]" * 100_000, "deep.yaml": "a: " + "{a: " * 5000 + "}" * 5000})
    for name in ("deep.json", "deep.yaml"):
        done = run(folder, f"test {name}")
        assert done.code in (0, 1)
        assert done.stderr == "" or done.stderr.startswith("Error: running test: ")


def test_packages_that_conflict(tmp_path: Path) -> None:
    policies = {"policy/a.rego": "package a\n\nb := 1\n", "policy/b.rego": "package a.b\n\nc := 1\n", "pod.yaml": POD}
    same(Case("", "test pod.yaml", policies), tmp_path)


def test_strict_results_close_the_holes(folder: Path) -> None:
    write(folder, {"holes/a.rego": 'package main\n\nimport rego.v1\n\ndeny := "text"\n'})
    write(folder, {"kinds/a.rego": "package main\n\nimport rego.v1\n\ndeny contains 3\n"})
    assert run(folder, "test -n nowhere pod.yaml").code == 0
    for arguments, expected in (
        ("-n nowhere", 'query rule: the namespace "nowhere" has no deny, violation or warn rule'),
        ("-n no*", "filter namespaces: no namespace matches no*"),
        ("-p holes", 'data.main.deny is "text" and not a set of messages'),
        ("-p kinds", "data.main.deny has 3, which is neither a text nor an object"),
    ):
        done = run(folder, f"test --strict-results {arguments} pod.yaml")
        assert (done.code, done.stdout, expected in done.stderr) == (1, "", True), done.stderr
    assert run(folder, "test --strict-results -o json pod.yaml") == run(folder, "test -o json pod.yaml")


def test_built_ins_with_paths_from_two_folders_of_a_package(folder: Path) -> None:
    call = 'package main\n\nimport rego.v1\n\ndeny contains "x" if parse_config_file("x.yaml")\n'
    write(folder, {"two/a/a.rego": call, "two/b/b.rego": call})
    done = run(folder, "test -p two pod.yaml")
    assert (done.code, "put those that call it into one folder" in done.stderr) == (1, True), done.stderr
