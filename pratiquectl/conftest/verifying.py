"""What `verify` does between its options and its results: OPA runs the tests."""

from __future__ import annotations

import re
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
            allowed = _allowed(workspace, namespaces)
            found = [each for each in found if each["package"] in allowed]
    found.sort(key=lambda each: (each["location"]["file"], int(each["location"]["row"])))
    for each in found:
        if each.get("error"):
            raise ConftestError(f"run test: {_error(each['error'])}")
    results = [_result(each) for each in found]
    if results and (trace or strict_errors):
        _ask_again(binary, options, found, results, trace=trace, strict_errors=strict_errors)
    return results


def _allowed(workspace: Workspace, patterns: Sequence[str]) -> set[str]:
    """The packages that a pattern matches."""
    available = [namespace_of(module) for module in workspace.modules]
    return {f"data.{name}" for name in match_namespaces(available, patterns)}


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


def _ask_again(
    binary: Path,
    options: PolicyOptions,
    tests: Sequence[Any],
    results: Sequence[CheckResult],
    *,
    trace: bool,
    strict_errors: bool,
) -> None:
    """What `opa test` does not say: how each test was evaluated, and whether a built-in failed in it.

    Raises:
        ConftestError: one did, with `strict_errors`.
    """
    from pratiquectl.conftest.engine import Engine, EngineOptions

    loaded = EngineOptions(policies=options.policies, data=options.data, rego_version=options.rego_version)
    with Engine(binary, loaded) as engine:
        engine.start()
        engine.ready()
        for test, result in zip(tests, results, strict=True):
            if test.get("skip"):
                continue
            query = f"{test['package']}.{test['name']}"
            if strict_errors and (error := engine.builtin_error(query)):
                raise ConftestError(f"run test: {error}")
            if trace:
                result.queries[0].traces = engine.trace(query)


def report(
    binary: Path, options: PolicyOptions, kind: str, *, namespaces: Sequence[str], var_values: bool
) -> tuple[str, int]:
    """OPA's own report of the tests, with the traces of `kind`; and 1 if one failed.

    Raises:
        ConftestError: the policies do not compile.
    """
    with Workspace(binary, options) as workspace:
        flags = ["--verbose", "--var-values", "--explain", kind, "--timeout", f"{options.timeout:g}s"]
        if namespaces:
            names = [re.escape(name) for name in _allowed(workspace, namespaces)]
            flags += ["--run", f"^(?:{'|'.join(names)})\\.[^.]*$" if names else "^$"]
        done = workspace.run("test", *flags, *workspace.version_flags, *workspace.paths, seconds=RUN_SECONDS)
        if done.returncode not in (0, _FAILED):
            raise ConftestError(workspace.refusal(done.stderr or done.stdout))
    return done.stdout if var_values else without_values(done.stdout), int(done.returncode == _FAILED)


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
