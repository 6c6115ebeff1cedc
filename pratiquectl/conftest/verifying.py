"""What `verify` does between its options and its results: OPA runs the tests."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.gojson import decode
from pratiquectl.conftest.policies import Module
from pratiquectl.conftest.results import CheckResult, QueryResult, Result
from pratiquectl.conftest.rules import match_namespaces, package_name
from pratiquectl.conftest.workspace import PolicyOptions, Workspace

REPORTS = ("full", "notes", "fails")
RUN_SECONDS = 3600.0
"""For all tests together; each has `--timeout`."""

_FAILED = 2
"""The exit code of `opa test` when tests failed; it printed their results."""

_TRACE_LINE = re.compile(r"(?P<indent> *)\S.*\{\}  ")
_FAILURE_INDENT = 2
_FAILURE_PLACE = re.compile(r" +\S+:\d+:")


def run_tests(
    binary: Path, options: PolicyOptions, *, namespaces: Sequence[str], trace: bool, strict_errors: bool
) -> list[CheckResult]:
    """The result of each test, in order of files and lines.

    Raises:
        ConftestError: the policies do not compile, or a test could not be evaluated.
    """
    with Workspace(binary, options) as workspace:
        flags = ["--format", "json", "--timeout", f"{options.timeout:g}s", *workspace.version_flags]
        done = workspace.run("test", *flags, *workspace.paths, seconds=RUN_SECONDS)
        if done.returncode not in (0, _FAILED) or not done.stdout.strip():
            raise ConftestError(workspace.refusal(done.stderr or done.stdout))
        found = decode(done.stdout) or []
        if namespaces:
            available = [namespace_of(module) for module in workspace.modules]
            allowed = {f"data.{name}" for name in match_namespaces(available, namespaces)}
            found = [each for each in found if each["package"] in allowed]
    found.sort(key=lambda each: (each["location"]["file"], int(each["location"]["row"])))
    for each in found:
        if each.get("error"):
            raise ConftestError(f"run test: {_error(each['error'])}")
    results = [_result(each) for each in found]
    if trace and results:
        _add_traces(binary, options, found, results)
    return results


def namespace_of(module: Module) -> str:
    """The package of a module, without `data.`."""
    from pratique.rego import package_clause, tokenize

    clause = package_clause(list(tokenize(module.text)))
    return package_name(clause.path) if clause else ""


def _error(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    place = error.get("location") or {}
    where = f"{place['file']}:{place['row']}: " if place.get("file") else ""
    return f"{where}{error.get('code')}: {error.get('message')}"


def _result(test: dict[str, Any]) -> CheckResult:
    check = CheckResult(test["location"]["file"], "")
    failed, skipped = bool(test.get("fail")), bool(test.get("skip"))
    result = Result(f"{test['package']}.{test['name']}" if failed or skipped else "")
    check.queries.append(QueryResult(test["name"], [result]))
    if failed:
        check.failures.append(result)
    elif skipped:
        check.skipped.append(result)
    else:
        check.successes = 1
    return check


def _add_traces(binary: Path, options: PolicyOptions, tests: Sequence[Any], results: Sequence[CheckResult]) -> None:
    from pratiquectl.conftest.engine import Engine, EngineOptions

    with Engine(
        binary, EngineOptions(policies=options.policies, data=options.data, rego_version=options.rego_version)
    ) as engine:
        engine.start()
        engine.ready()
        for test, result in zip(tests, results, strict=True):
            if not test.get("skip"):
                result.queries[0].traces = engine.trace(f"{test['package']}.{test['name']}")


def report(binary: Path, options: PolicyOptions, kind: str, *, var_values: bool) -> int:
    """Prints OPA's own report of the tests, with the traces of `kind`; 1 if one failed.

    Raises:
        ConftestError: the policies do not compile.
    """
    with Workspace(binary, options) as workspace:
        flags = ["--verbose", "--var-values", "--explain", kind, "--timeout", f"{options.timeout:g}s"]
        done = workspace.run("test", *flags, *workspace.version_flags, *workspace.paths, seconds=RUN_SECONDS)
        if done.returncode not in (0, _FAILED):
            raise ConftestError(workspace.refusal(done.stderr or done.stdout))
    sys.stdout.write(done.stdout if var_values else without_values(done.stdout))
    return int(done.returncode == _FAILED)


def without_values(text: str) -> str:
    """OPA's report without the values of variables, but with the lines that failed: it prints both or neither."""
    lines: list[str] = []
    column = 0
    rest = iter(text.split("\n"))
    for line in rest:
        if _TRACE_LINE.fullmatch(line) and line.lstrip().startswith("query:1"):
            column = column or line.rindex("{}")
            line = line[:column].rstrip() + "  "
        elif column and line[column : column + 1] == "{" and line.endswith("}  "):
            line = line[:column].rstrip() + "  "
        else:
            column = 0
        lines.append(line)
        if _FAILURE_PLACE.fullmatch(line):
            lines.append(next(rest, ""))
            nested = len(line) - len(line.lstrip()) - _FAILURE_INDENT
            for value in rest:
                if not value.strip():
                    lines += [" " * nested, ""]
                    break
    return "\n".join(lines)
