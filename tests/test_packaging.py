"""The distribution holds our packages and nothing else, and nobody else provides a package of our names."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
_HATCH = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]
PACKAGES = _HATCH["build"]["targets"]["wheel"]["packages"]


def test_our_package_names_are_ours_alone() -> None:
    distributions = packages_distributions()
    assert {name: set(distributions.get(name, ())) - {"pratique"} for name in PACKAGES} == {
        name: set() for name in PACKAGES
    }


def test_the_wheel_holds_the_packages_and_no_policies(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name.partition("/")[0] for name in archive.namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == set(PACKAGES)
    assert "evaluators/capabilities.json" in zipfile.ZipFile(wheel).namelist()


def test_every_target_of_make_is_listed_with_what_it_does() -> None:
    targets = (ROOT / "Makefile").read_text().partition(".PHONY: ")[2].partition("\n")[0].split()
    parts = {"lint", "types", "layers", "rego"}  # of `test`
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert {line.split()[1] for line in shown.splitlines()} == {*targets} - parts


def test_clean_removes_what_was_made_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "a folder"
    shutil.copytree(ROOT / "requirements", place / "requirements")
    shutil.copy(ROOT / "Makefile", place)
    made = (".venv/bin", ".cache/tools", ".mypy_cache", ".hypothesis", "pratique/__pycache__", "tests/a/__pycache__")
    for folder in made:
        (place / folder).mkdir(parents=True)
        (place / folder / "file").write_text("")
    (place / "pratique" / "kept.py").write_text("")
    before = {path for path in place.rglob("*") if not any(path.is_relative_to(place / folder) for folder in made)}
    subprocess.run(["make", "--no-print-directory", "clean"], cwd=place, check=True, capture_output=True)
    gone = {place / ".venv", place / ".cache"}
    assert set(place.rglob("*")) == before - gone


def test_the_benchmarks_that_make_runs_exist() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nbench:")[2].partition("\n\n")[0]
    modules = re.findall(r"-m (bench[.\w]*)", recipe)
    assert len(modules) >= 5
    for module in modules:
        assert find_spec(module) is not None


def test_the_locks_pin_hashes_and_name_no_host() -> None:
    for lock in ("runtime.txt", "conftest.txt", "dev.txt"):
        text = (ROOT / "requirements" / lock).read_text()
        assert "://" not in text
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert pins
        assert all("==" in pin for pin in pins)
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text
        assert "--index" not in text
