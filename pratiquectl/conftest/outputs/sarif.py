"""SARIF 2.1.0, in the order and with the texts of conftest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TextIO
from urllib.parse import quote

from pratiquectl.conftest import CONFTEST_VERSION
from pratiquectl.conftest.gojson import Fields, Number, dumps
from pratiquectl.conftest.outputs import Options
from pratiquectl.conftest.results import CheckResult, Result, exit_code

_SCHEMA = "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/main/sarif-2.1/schema/sarif-schema-2.1.0.json"
_INFORMATION = "https://github.com/open-policy-agent/conftest"
_PATH_CHARACTERS = "-_.~$&+,/:;=@"
_DESCRIPTIONS = {
    "deny": "Policy violation",
    "warn": "Policy warning",
    "allow": "Policy exception",
    "success": "Policy was satisfied successfully",
    "skip": "Policy check was skipped",
}


def write(results: Sequence[CheckResult], stream: TextIO, options: Options) -> None:
    run = _Run()
    for one in results:
        for message in one.failures:
            run.add(one, "deny", "error", message)
        for message in one.warnings:
            run.add(one, "warn", "warning", message)
        for message in one.exceptions:
            run.add(one, "allow", "note", message)
        if not one.failures and not one.warnings:
            kind = "success" if one.successes or one.exceptions else "skip"
            text = _DESCRIPTIONS[kind]
            run.add(one, kind, "none", Result(text, metadata={"description": text}))
    document = Fields({"version": "2.1.0", "$schema": _SCHEMA, "runs": [run.document(results)]})
    stream.write(dumps(document))


class _Run:
    def __init__(self) -> None:
        self._rules: dict[str, Fields] = {}
        self._results: list[Fields] = []

    def add(self, one: CheckResult, kind: str, level: str, result: Result) -> None:
        rule = f"{one.namespace}/{kind}"
        if rule not in self._rules:
            self._rules[rule] = _rule(rule, kind, result.metadata)
        location = Fields(artifactLocation=Fields(uri=_uri(result.location.file if result.location else one.file)))
        if result.location:
            line = Number(_line(result.location.line))
            location["region"] = Fields(startLine=line, endLine=line)
        self._results.append(
            Fields(
                ruleId=rule,
                ruleIndex=Number(list(self._rules).index(rule)),
                level=level,
                message=Fields(text=result.message),
                locations=[Fields(physicalLocation=location)],
            )
        )

    def document(self, results: Sequence[CheckResult]) -> Fields:
        said = "Policy violations found" if exit_code(results) else "No policy violations found"
        if not exit_code(results) and any(one.warnings for one in results):
            said = "Policy warnings found"
        driver = Fields(
            informationUri=_INFORMATION, name="conftest", rules=list(self._rules.values()), version=CONFTEST_VERSION
        )
        invocation = Fields(executionSuccessful=True, exitCode=Number(exit_code(results)), exitCodeDescription=said)
        return Fields(tool=Fields(driver=driver), invocations=[invocation], results=self._results)


def _rule(identifier: str, kind: str, metadata: Mapping[str, Any] | None) -> Fields:
    rule = Fields(id=identifier, shortDescription=Fields(text=_DESCRIPTIONS[kind]))
    if metadata:
        rule["properties"] = dict(metadata)
    return rule


def _uri(path: str) -> str:
    return "*" if path == "*" else quote(path, safe=_PATH_CHARACTERS)


def _line(text: str) -> int:
    """As `strconv.Atoi` reads it, and 0 where it does not."""
    try:
        return int(text)
    except ValueError:
        return 0
