"""Completion, in the shells that are here, and what every script must say."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pratiquectl.__main__ import VERBS, main
from pratiquectl.completion import commands
from reports.formats import CHECK_FORMATS

pytestmark = pytest.mark.slow


@pytest.fixture
def bash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "completion.bash"
    script.write_text(capsys.readouterr().out)
    return script


def completed(script: Path, *words: str, program: str = "pratique") -> list[str]:
    """What a real bash offers for the last of `words`."""
    done = subprocess.run(
        [
            *("bash", "--norc", "-c"),
            'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1));'
            ' $(complete -p "$1" | sed "s/.*-F \\([^ ]*\\).*/\\1/"); printf "%s\\n" "${COMPREPLY[@]}"',
            *("bash", str(script), program, *words),
        ],
        cwd=script.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ch"], ["check"]),
        (["policy", ""], ["list", "show", "test", "new"]),
        (["policy", "list", "-o", ""], ["table", "json"]),
        (["check", "--engine", "re"], ["regopy"]),
        (["check", "x.yaml", "-o", ""], list(CHECK_FORMATS)),
        (["check", "--fail-on", "c"], ["critical"]),
        (["check", "--change"], ["--changed-since"]),
        (["waiver", "new", "--rea"], ["--reason"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["check", "compl"], ["completion.bash"]),
        (["check", "--baseline", "compl"], ["completion.bash"]),
        (["nothing", "-"], ["--version", "-h", "--help"]),
    ],
)
@pytest.mark.parametrize("program", ["pratique", "kubectl-pratique"])
def test_bash_completes(bash: Path, words: list[str], expected: list[str], program: str) -> None:
    assert completed(bash, *words, program=program) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_valid_and_names_every_command_and_option(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["completion", shell])
    text = capsys.readouterr().out
    for command in commands():
        for word, _ in command.words:
            assert word in text
        for option in command.options:
            for name in option.names:
                assert (name if shell != "fish" else name.lstrip("-")) in text
    if shutil.which(shell) is not None:
        (tmp_path / "script").write_text(text)
        subprocess.run([shell, "-n", tmp_path / "script"], check=True)


def test_every_verb_is_a_command() -> None:
    assert {command.path[0] for command in commands() if command.path} == {verb.name for verb in VERBS}
