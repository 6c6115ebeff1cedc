"""`pratique policy test`: the cases of policies through the engines, and their unit tests with coverage."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators.select import EngineChoice, choose_engine, start_evaluator
from pratique.errors import ConfigError, EvaluationError, InputError, Problem
from pratique.policy import PolicyMetadata, PolicySet
from pratiquectl.__main__ import EXIT_DENIED, EXIT_DONE, Subparsers
from pratiquectl.cases import Case, decide, load_cases, twins_wrong, wrong_with
from pratiquectl.options import add_policies, find_policy, policies_path, tools_cache
from reports.text import visible

EXIT_FAILED = EXIT_DENIED
DEFAULT_CASES = Path("tests", "cases")
OPA_SECONDS = 300.0
"""How long `opa test` may take."""

AT_ONCE = 32
"""Cases that are decided at one time."""

_MAX_LINES = 10
_MAX_SHOWN = 2000


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "test",
        help="run their cases and unit tests",
        description="Run the cases of policies (allow_*.yaml and deny_*.yaml, below FOLDER/<area>/<policy>) through "
        "the engines, and their unit tests (_test.rego) through `opa test`, with the coverage of these. Every policy "
        "needs a deny case, and every deny case an allow case of the same name that differs in one place. "
        "Exit code 0: all pass. 1: something fails. 2: something could not be run.",
        epilog="Example: pratique policy test gpu/limit",
        allow_abbrev=False,
    )
    parser.add_argument("policy", nargs="*", metavar="NAME_OR_ID", help="only these (default: all)")
    add_policies(parser)
    parser.add_argument(
        "--cases", type=Path, default=DEFAULT_CASES, metavar="FOLDER", help=f"the cases (default: {DEFAULT_CASES})"
    )
    parser.add_argument(
        "--engine",
        default="all",
        choices=("all", "opa", "regopy"),
        help="through which engines (default: all; regopy alone runs no unit tests)",
    )
    parser.add_argument(
        "--min-coverage", type=float, default=0.0, metavar="PERCENT", help="fail where the unit tests cover less"
    )


def run(args: argparse.Namespace) -> int:
    """Run the tests and print what failed.

    Raises:
        LoadError: policies or cases cannot be loaded. EvaluationError: an engine cannot run. InputError: there is no
        such policy.
    """
    root = policies_path(args)
    policies = PolicySet.load(root)
    chosen = [find_policy(policies, name) for name in args.policy] or list(policies.policies.values())
    cases = _cases(args.cases, policies, chosen)
    failures = _without_cases(chosen, cases) + twins_wrong(cases)
    names = ("opa", "regopy") if args.engine == "all" else (args.engine,)
    choices = [choose_engine(name, tools_cache=tools_cache(), environ=os.environ) for name in names]
    for choice in choices:
        wrong = asyncio.run(_through(choice, policies, cases))
        print(f"{choice.name} {choice.version}: {len(cases) - len(wrong)} of {len(cases)} cases as they say")
        failures += [f"{choice.name}: {name}: {_listed(what)}" for name, what in wrong.items()]
    opa = next((choice.binary for choice in choices if choice.binary is not None), None)
    if opa is None:
        print("no unit tests: they need OPA")
    elif not root.is_dir():
        raise InputError(f"{root} is no folder: a bundle holds no unit tests; test its sources, or use --engine regopy")
    else:
        tests = _UnitTests(opa, root, chosen, whole=not args.policy)
        broken, untested = tests.failures()
        failures += broken + untested
        if broken:
            print("no coverage: it is counted once all unit tests pass")
        else:
            failures += tests.coverage(least=args.min_coverage)
    for failure in failures:
        print(f"FAIL {failure}")
    return EXIT_FAILED if failures else EXIT_DONE


def _cases(folder: Path, policies: PolicySet, chosen: Sequence[PolicyMetadata]) -> dict[str, Case]:
    if not folder.is_dir():
        raise ConfigError(Problem(str(folder), "", "there is no such folder; name that of the cases with --cases"))
    every = load_cases(folder)
    if strange := sorted({case.policy for case in every.values()} - policies.policies.keys()):
        raise ConfigError(
            *(Problem(str(folder / name), "", "there is no such policy in the bundle") for name in strange)
        )
    names = {policy.name for policy in chosen}
    return {name: case for name, case in every.items() if case.policy in names}


def _without_cases(chosen: Sequence[PolicyMetadata], cases: dict[str, Case]) -> list[str]:
    denied = {case.policy for case in cases.values() if case.verdict == "deny"}
    return [f"{policy.name}: it has no deny case" for policy in chosen if policy.name not in denied]


async def _through(choice: EngineChoice, policies: PolicySet, cases: dict[str, Case]) -> dict[str, list[str]]:
    """What is wrong with each case that is not as it says, by the case's name."""
    evaluator = await start_evaluator(choice, policies)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> list[str]:
        async with room:
            try:
                return wrong_with(case, await decide(case, policies, evaluator))
            except (ConfigError, InputError) as error:
                return [str(error)]

    try:
        found = await asyncio.gather(*(one(case) for case in cases.values()))
    finally:
        await evaluator.close()
    return {name: wrong for name, wrong in zip(cases, found, strict=True) if wrong}


class _UnitTests:
    """The unit tests of a folder of policies, through `opa test`: of all of it, or of the `chosen` alone."""

    def __init__(self, opa: Path, root: Path, chosen: Sequence[PolicyMetadata], *, whole: bool) -> None:
        self._opa = opa
        self._root = root
        self._chosen = chosen
        self._whole = whole

    def failures(self) -> tuple[list[str], list[str]]:
        """Run them; the tests that failed, and the policies that have none. Raises: EvaluationError."""
        results = self._run("--format", "json")
        if not isinstance(results, list):
            raise EvaluationError("`opa test` answered with something else than a list of results")
        failed = [each for each in results if each.get("fail") or each.get("error")]
        print(f"opa test: {len(results) - len(failed)} of {len(results)} unit tests pass")
        tested = {str(each.get("package", "")).removeprefix("data.") for each in results}
        untested = [
            f"{policy.name}: it has no unit test (package {package})"
            for policy in self._chosen
            if (package := f"{_package(policy)}_test") not in tested
        ]
        broken = []
        for each in failed:
            location = each.get("location", {})
            place = f"{self._root / str(location.get('file'))}:{location.get('row')}"
            broken.append(f"{place}: {each.get('package')}.{each.get('name')}{_why(each)}")
        return broken, untested

    def coverage(self, *, least: float) -> list[str]:
        """Print how much of each policy they run; where that is less than `least` percent. Raises: EvaluationError."""
        report = self._run("--coverage", "--format", "json")
        files = report.get("files", {}) if isinstance(report, dict) else {}
        every = [(policy, _covered(files, policy.file)) for policy in self._chosen]
        failures = []
        for policy, covered in every:
            if covered.percent < 100:
                lines = ", ".join(covered.missing[:_MAX_LINES]) + (", ..." if len(covered.missing) > _MAX_LINES else "")
                print(f"coverage: {policy.name} {covered.percent:.0f} %, not {lines or 'run at all'}")
            if covered.percent < least:
                failures.append(f"{policy.name}: {covered.percent:.1f} % are covered, required are {least:g} %")
        average = sum(covered.percent for _, covered in every) / len(every)
        print(f"coverage: {average:.1f} % of {len(every)} policies, by unit tests")
        return failures

    def _run(self, *options: str) -> Any:
        """The JSON that `opa test` prints. It is given what belongs to the bundle, and the tests: everything else that
        is YAML or JSON, bindings among it, would be data to it.

        Raises:
            EvaluationError: it cannot be run, or says that the tests cannot.
        """
        command = [str(self._opa), "test", ".", *options]
        if not self._whole:
            packages = "|".join(re.escape(f"data.{_package(policy)}_test.") for policy in self._chosen)
            command += ["--run", f"^({packages})"]
        with tempfile.TemporaryDirectory(prefix="pratique-") as folder:
            for file in _sources(self._root):
                copy = Path(folder, file)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self._root / file, copy)
            try:
                done = subprocess.run(command, cwd=folder, capture_output=True, timeout=OPA_SECONDS, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise EvaluationError(f"`opa test` cannot be run: {error}") from error
        try:
            if done.returncode == 0 or done.stdout.strip():
                return json.loads(done.stdout or b"[]")
        except ValueError:
            pass  # it says below what it has to say
        said = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace").splitlines()
        raise EvaluationError("\n".join(["`opa test` failed:", *(visible(line.replace("\t", "  ")) for line in said)]))


def _sources(root: Path) -> Iterator[Path]:
    """What belongs to a bundle, as `PolicySet.load` has it, and the tests; relative to `root`."""
    for file in sorted(root.rglob("*")):
        inside = file.relative_to(root)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or inside.parts[0] in ("bindings", "schemas") or not file.is_file():
            continue
        if file.suffix == ".rego" or file.name in ("data.json", "data.yaml", "data.yml"):
            yield inside


def _why(result: dict[str, Any]) -> str:
    error = result.get("error")
    return f": {visible(json.dumps(error), limit=_MAX_SHOWN)}" if error else ""


@dataclass(frozen=True, slots=True)
class _Covered:
    percent: float
    missing: tuple[str, ...]


def _covered(files: dict[str, Any], file: str) -> _Covered:
    for name, found in files.items():
        if name == file or name.endswith(f"/{file}"):
            missing = tuple(_lines(part) for part in found.get("not_covered") or ())
            return _Covered(float(found.get("coverage", 0)), missing)
    return _Covered(0.0, ())


def _lines(part: dict[str, Any]) -> str:
    start, end = part["start"]["row"], part["end"]["row"]
    return f"line {start}" if start == end else f"lines {start} to {end}"


def _package(policy: PolicyMetadata) -> str:
    return f"policies.{policy.name.replace('/', '.').replace('-', '_')}"


def _listed(wrong: Sequence[str]) -> str:
    return "; ".join(visible(each, limit=_MAX_SHOWN) for each in wrong)
