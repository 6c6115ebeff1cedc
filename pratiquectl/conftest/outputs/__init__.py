"""The output formats of `test` and `verify`: one file a format, one registry; a name that is not in it is an error."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO, cast

from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.results import CheckResult

FORMATS = ("stdout", "json", "tap", "table", "junit", "github", "azuredevops", "sarif")
"""Each is the module of its name in this package; only the one that is asked for is imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the flags say about the output."""

    color: bool = True
    suppress_exceptions: bool = False
    show_skipped: bool = False
    trace: bool = False
    junit_hide_message: bool = False
    github_hide_passed: bool = False
    strict_results: bool = False


class Writer(Protocol):
    """A format's module: `write` prints the results."""

    def write(self, results: Sequence[CheckResult], stream: TextIO, options: Options) -> None: ...


def writer(name: str) -> Writer:
    """The writer of the format `name`.

    Raises:
        ConftestError: there is no such format.
    """
    if name not in FORMATS:
        raise ConftestError(f'unknown output format "{name}"; choose from {", ".join(FORMATS)}')
    return cast(Writer, importlib.import_module(f"{__name__}.{name}"))


def show(writer: Writer, results: Sequence[CheckResult], options: Options) -> None:
    """Prints the results on the standard output; with tracing, how they came to be on the standard error before."""
    if options.trace:
        from pratiquectl.conftest.outputs.stdout import write_traces

        write_traces(results, sys.stderr, options)
    writer.write(results, sys.stdout, options)
