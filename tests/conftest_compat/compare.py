"""Runs a command line through both programs, in two equal folders, and tells what differs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
CONFTEST = REPOSITORY / ".cache" / "tools" / "conftest"
SECONDS = 60


@dataclass(frozen=True, slots=True)
class Case:
    """A command line in a folder with `files`; the results of several files come in any order from conftest."""

    name: str
    arguments: str
    files: Mapping[str, str | bytes]
    stdin: str | bytes = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    stdout: str
    stderr: str


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("link:"):
            path.symlink_to(content.removeprefix("link:"))
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def run(
    command: Sequence[str | Path], folder: Path, *, stdin: str | bytes = "", environment: Mapping[str, str] = {}
) -> Outcome:
    measuring = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command,
        cwd=folder,
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=SECONDS,
        check=False,
        env={**own, **measuring, **environment},
    )
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def split(arguments: str) -> list[str]:
    """The words of a command line; `''` is an empty one."""
    return ["" if word == "''" else word for word in arguments.split()]


def conftest(folder: Path, case: Case) -> Outcome:
    return run([CONFTEST, *split(case.arguments)], folder, stdin=case.stdin, environment=case.environment)


def pratique(folder: Path, case: Case) -> Outcome:
    command = [sys.executable, "-m", "pratiquectl", *split(case.arguments)]
    return run(command, folder, stdin=case.stdin, environment=case.environment)


def comparable(text: str, *, seed: str = "") -> Any:
    """The output without the order of files, which is by chance with conftest, and without where it ran."""
    text = text.replace(seed, "HERE") if seed else text
    text = re.sub(r"go\d+\.\d+(\.\d+)?", "GO", text)
    text = re.sub(r"\([0-9.]+[a-zµ]+\)$", "(TIME)", text, flags=re.MULTILINE)
    text = re.sub(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", "WHEN", text, flags=re.MULTILINE)
    if text.startswith("{") and '"$schema"' in text:
        return _sarif(json.loads(text))
    lines = [re.sub(r"^((?:not )?ok) \d+", r"\1 N", line) for line in text.split("\n")]
    if re.search(r"^PASS: \d+/\d+$", text, re.MULTILINE):
        lines = [
            line for line in lines if line.strip()
        ]  # OPA's report has one wherever the next test is of another file
    return sorted(line.removesuffix(",") for line in lines)


def _sarif(document: Any) -> Any:
    (run_,) = document["runs"]
    for result in run_["results"]:
        result["ruleIndex"] = run_["tool"]["driver"]["rules"][result["ruleIndex"]]["id"]
    for rule in run_["tool"]["driver"]["rules"]:
        rule.pop("properties", None)  # those of the result that came first
    for part in (run_["results"], run_["tool"]["driver"]["rules"]):
        part.sort(key=lambda each: json.dumps(each, sort_keys=True))
    return document


_DETAILS = ("parser unmarshal: ", "new parser: ", "read in config: ", "unmarshal parameters: ", "built-in error: ")
"""Stages behind which each program has words of its own."""


def stderr_class(text: str) -> Any:
    """Its stages, and the kinds and places of errors in Rego; or that there is another text, or none."""
    if not text:
        return ""
    if not text.startswith("Error: "):
        return "usage" if "Usage:" in text or "usage:" in text else "trace"
    first = text.splitlines()[0]
    found = re.match(r"Error: (?:[a-z][a-z -]*: )*", first)
    stages = found[0] if found else first
    for detail in _DETAILS:
        if detail in stages:
            return stages.partition(detail)[0] + detail
    return stages, re.findall(r"\S+\.rego:\d+: (?:rego|eval)_\w+", first)


def same(case: Case, folder: Path) -> tuple[Outcome, Outcome]:
    """Both outcomes, after asserting that they are the same."""
    theirs_at, ours_at = folder / "theirs", folder / "ours"
    for place in (theirs_at, ours_at):
        place.mkdir()
        write(place, case.files)
    theirs, ours = conftest(theirs_at, case), pratique(ours_at, case)
    assert ours.code == theirs.code, f"{ours}\n{theirs}"
    if ours.stdout != theirs.stdout:
        assert comparable(ours.stdout, seed=str(ours_at)) == comparable(theirs.stdout, seed=str(theirs_at)), ours.stderr
    assert stderr_class(ours.stderr) == stderr_class(theirs.stderr), f"{ours.stderr}\n{theirs.stderr}"
    if theirs.code == 0:
        assert tree(ours_at) == tree(theirs_at)
    return theirs, ours


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
