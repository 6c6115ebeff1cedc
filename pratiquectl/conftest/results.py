"""What a run found: the results of each file in each namespace, as conftest groups and counts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.gojson import Number

_RESERVED = ("msg", "_loc")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a policy says that the defect is; either part may be empty."""

    file: str
    line: str

    def __str__(self) -> str:
        return f"{self.file} L{self.line}"


@dataclass(frozen=True, slots=True)
class Result:
    """One message of a rule; an empty one means that the rule passed."""

    message: str = ""
    location: Location | None = None
    metadata: Mapping[str, Any] | None = None

    @property
    def passed(self) -> bool:
        return self.message == ""


@dataclass(slots=True)
class QueryResult:
    """One query with its results; `traces` and `outputs` are what tracing and `print` wrote."""

    query: str
    results: Sequence[Result]
    traces: Sequence[str] = ()
    outputs: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)


@dataclass(slots=True)
class CheckResult:
    """What one namespace says of one file."""

    file: str
    namespace: str
    successes: int = 0
    skipped: list[Result] = field(default_factory=list)
    warnings: list[Result] = field(default_factory=list)
    failures: list[Result] = field(default_factory=list)
    exceptions: list[Result] = field(default_factory=list)
    queries: list[QueryResult] = field(default_factory=list)

    @property
    def tests(self) -> int:
        return self.successes + len(self.skipped) + len(self.warnings) + len(self.failures) + len(self.exceptions)


@dataclass(frozen=True, slots=True)
class Totals:
    """How many results there are of each type."""

    successes: int
    skipped: int
    warnings: int
    failures: int
    exceptions: int

    @classmethod
    def of(cls, results: Iterable[CheckResult]) -> Totals:
        counted = [
            (one.successes, len(one.skipped), len(one.warnings), len(one.failures), len(one.exceptions))
            for one in results
        ]
        return cls(*(sum(column) for column in zip(*counted, strict=True))) if counted else cls(0, 0, 0, 0, 0)

    @property
    def tests(self) -> int:
        return self.successes + self.skipped + self.warnings + self.failures + self.exceptions

    def __str__(self) -> str:
        return (
            f"{_counted(self.tests, 'test')}, {self.successes} passed, {_counted(self.warnings, 'warning')}, "
            f"{_counted(self.failures, 'failure')}, {_counted(self.exceptions, 'exception')}"
        )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def exit_code(results: Iterable[CheckResult], *, fail_on_warn: bool = False) -> int:
    """1 on a failure; with `fail_on_warn`, 2 on a failure and 1 on warnings only."""
    results = list(results)
    failed = any(one.failures for one in results)
    if not fail_on_warn:
        return int(failed)
    return 2 if failed else int(any(one.warnings for one in results))


def result_of(value: Any, query: str) -> Result | None:
    """The result that one element of a rule's set stands for; None for what conftest passes over in silence.

    Raises:
        ConftestError: an object without a text `msg`.
    """
    if isinstance(value, Number):
        return None
    if isinstance(value, str):
        return Result(value, metadata={"query": query})
    if not isinstance(value, dict):
        return None
    message = value.get("msg")
    if not isinstance(message, str) or isinstance(message, Number):
        raise ConftestError('new result: "msg" field must be present and a string')
    metadata = {key: each for key, each in value.items() if key not in _RESERVED}
    metadata["query"] = query
    return Result(message, location=_location(value.get("_loc")), metadata=metadata)


def _location(value: Any) -> Location | None:
    if not isinstance(value, dict):
        return None
    file, line = value.get("file"), value.get("line")
    location = Location(
        file if isinstance(file, str) and not isinstance(file, Number) else "",
        line if isinstance(line, Number) else "",
    )
    return location if location.file or location.line else None


def check_result_from(document: Any) -> CheckResult:
    """A result from the JSON that was printed of it; what is missing is empty.

    Raises:
        TypeError, AttributeError, ValueError: it is something else.
    """
    check = CheckResult(
        document.get("filename") or "", document.get("namespace") or "", int(document.get("successes") or 0)
    )
    for name in ("skipped", "warnings", "failures", "exceptions"):
        for each in document.get(name) or ():
            place = each.get("loc")
            location = Location(place.get("file") or "", place.get("line") or "") if place is not None else None
            getattr(check, name).append(Result(each.get("msg") or "", location, each.get("metadata")))
    return check
