"""The commands of the README, run as a reader would run them, in order, in a copy of what they need."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent


def commands(document: str) -> list[tuple[str, int]]:
    """Each `$ pratique` line of the console blocks, and the exit code that its comment promises."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", document, re.DOTALL):
        for line in block.splitlines():
            assert line.startswith("$ pratique "), f"a console block holds commands only: {line!r}"
            command, _, promise = line.removeprefix("$ ").partition("  # exit ")
            found.append((command, int(promise or "0")))
    return found


@pytest.mark.parametrize(
    ("document", "least"),
    [
        ("README.md", 8),
        ("docs/ci/check.md", 7),
        ("docs/ci/completion.md", 3),
        *((f"docs/ci/{name}.md", 1) for name in ("editors", "github-actions", "gitlab")),
    ],
)
def test_every_command_of_a_document_does_what_it_says(document: str, least: int, tmp_path: Path) -> None:
    for folder in ("examples", "policies"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    script = commands((ROOT / document).read_text())
    assert len(script) >= least
    for command, exit_code in script:
        words = shlex.split(command)
        assert words[0] == "pratique"
        done = subprocess.run(
            [sys.executable, "-m", "pratiquectl", *words[1:]],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == exit_code, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        assert done.stdout.strip() or "judged by" in done.stderr, f"{command} printed nothing"


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=str)
def test_every_link_leads_to_a_file(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"
