"""Called through a link named conftest; and how much is imported to print the help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pratiquectl.conftest import CONFTEST_VERSION
from tests.conftest_compat.compare import CONFTEST, REPOSITORY, Outcome, comparable, run, write
from tests.conftest_compat.corpus import FILES

pytestmark = pytest.mark.slow


SLOW = ("asyncio", "httpx", "orjson", "cryptography", "rich", "kubernetes", "fastapi", "regopy", "pratique.policy")


@pytest.fixture
def link(tmp_path: Path) -> Path:
    write(tmp_path, {**FILES, "c.toml": 'output = "json"\n'})
    path = tmp_path / "conftest"
    path.symlink_to(Path(sys.executable).with_name("pratique"))
    return path


def test_the_link_is_conftest(link: Path) -> None:
    ours = run([link, "-c", "c.toml", "test", "pod.yaml"], link.parent)
    theirs = run([CONFTEST, "-c", "c.toml", "test", "pod.yaml"], link.parent)
    assert (ours.code, comparable(ours.stdout)) == (theirs.code, comparable(theirs.stdout))


def test_the_link_says_which_conftest_it_stands_for(link: Path) -> None:
    done = run([link, "--version"], link.parent)
    assert done.code == 0
    assert done.stdout.splitlines()[0] == f"Conftest: {CONFTEST_VERSION}"
    assert run([CONFTEST, "--version"], link.parent).stdout.startswith(f"Conftest: v{CONFTEST_VERSION}\n")


def test_the_link_has_the_verbs_of_conftest_only(link: Path) -> None:
    assert run([link, "serve"], link.parent).stderr.startswith('Error: unknown command "serve" for "conftest"')
    assert run([link], link.parent).code == 0
    assert run([link, "test", "--help"], link.parent) == Outcome(
        0, run([sys.executable, "-m", "pratiquectl", "test", "--help"], link.parent).stdout, ""
    )


@pytest.mark.parametrize("arguments", [["test", "--help"], ["test", "-p", "policy", "pod.yaml"], ["parse", "pod.yaml"]])
def test_nothing_slow_is_imported(link: Path, arguments: list[str]) -> None:
    script = (
        "import sys\nfrom pratiquectl.__main__ import main\ntry:\n    main(sys.argv[2:])\nfinally:\n"
        "    print(sorted(set(sys.argv[1].split(',')) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, ",".join(SLOW), *arguments],
        cwd=link.parent,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "[]\n"
