"""The command line as a whole: quick, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from pratique.errors import ConfigError, EvaluationError, Problem
from pratiquectl.__main__ import VERBS, main


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [verb.name for verb in VERBS if verb.name not in shown] == []


def test_help_imports_nothing_that_a_verb_needs() -> None:
    code = (
        "import sys; from pratiquectl.__main__ import main; main(['--help']);"
        "sys.exit(' '.join(sorted({'fastapi', 'rich', 'kubernetes', 'yaml', 'sqlite3', 'asyncio'} & set(sys.modules))))"
    )
    # Without coverage, which imports some of them itself.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pratique 0.")


@pytest.mark.parametrize(
    "arguments", [[], ["frobnicate"], ["check"], ["decisions"], ["check", "--no-such-option", "x"]]
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code", "sentence"),
    [
        (EvaluationError("the engine is down; start it"), 2, "pratique: the engine is down; start it\n"),
        (
            ConfigError(Problem("a.yaml", "line 3", "wrong"), Problem("b.yaml", "", "worse")),
            2,
            "pratique: a.yaml: line 3: wrong\npratique: b.yaml: worse\n",
        ),
        (PermissionError(13, "Permission denied", "/srv/x"), 2, "pratique: /srv/x: Permission denied\n"),
        (KeyboardInterrupt(), 130, "pratique: interrupted\n"),
        (
            TypeError("oops"),
            2,
            "pratique: this is a bug: TypeError: oops; set PRATIQUE_DEBUG=1 to see where, and report it\n",
        ),
    ],
)
def test_whatever_is_raised_becomes_a_sentence(
    raised: BaseException,
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(args: Any) -> int:
        raise raised

    verb = ModuleType("verb")
    verb.add_parser = lambda subparsers: subparsers.add_parser("policy")  # type: ignore[attr-defined] # a module
    verb.run = run  # type: ignore[attr-defined] # a module
    monkeypatch.setitem(sys.modules, "pratiquectl.policy", verb)
    assert main(["policy"]) == code
    assert capsys.readouterr().err == sentence


def test_reader_that_goes_away_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "pratiquectl", "policy", "show", "GPU-001"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
