"""The format for programs, and for `reformat`: an array of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from pratiquectl.conftest.gojson import Fields, Number, dumps
from pratiquectl.conftest.outputs import Options
from pratiquectl.conftest.results import CheckResult, Result


def write(results: Sequence[CheckResult], stream: TextIO, options: Options) -> None:
    """Prints `null` where there are no results at all, as Go does for a list that was never made."""
    print(dumps([_check(one) for one in results] or None, indent="\t"), file=stream)


def _check(one: CheckResult) -> Fields:
    document = Fields(
        filename="" if one.file == "-" else one.file, namespace=one.namespace, successes=Number(one.successes)
    )
    for name in ("skipped", "warnings", "failures", "exceptions"):
        if messages := getattr(one, name):
            document[name] = [_result(message) for message in messages]
    return document


def _result(result: Result) -> Fields:
    document = Fields(msg=result.message)
    if result.location is not None:
        parts = {"file": result.location.file, "line": Number(result.location.line)}
        document["loc"] = Fields({name: value for name, value in parts.items() if value})
    if result.metadata:
        document["metadata"] = dict(result.metadata)
    return document
