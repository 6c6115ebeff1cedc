"""The format for people: a line for each message, and the totals. Coloured also in a pipe, as conftest does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from pratiquectl.conftest.outputs import Options
from pratiquectl.conftest.results import CheckResult, Totals

RED, GREEN, YELLOW, BLUE, CYAN = 31, 32, 33, 34, 36


def write(results: Sequence[CheckResult], stream: TextIO, options: Options) -> None:
    if options.trace:
        write_traces(results, stream, options)
        return
    for one in results:
        for query in one.queries:
            for text in query.outputs:
                print(_paint("PRNT ", BLUE, options), "", text, file=stream)
    for one in results:
        indicator, namespace = place(one)
        kinds = [("WARN", YELLOW, one.warnings), ("FAIL", RED, one.failures)]
        if not options.suppress_exceptions:
            kinds.append(("EXCP", CYAN, one.exceptions))
        for word, color, messages in kinds:
            for message in messages:
                print(_paint(word, color, options), indicator, namespace, message.message, file=stream)
    totals = Totals.of(results)
    text = str(totals) + (f", {totals.skipped} skipped" if options.show_skipped else "")
    print(file=stream)
    print(_paint(text, _color_of(totals), options), file=stream)


def write_traces(results: Sequence[CheckResult], stream: TextIO, options: Options) -> None:
    """How each query was evaluated."""
    for one in results:
        for query in one.queries:
            head = f"file: {one.file} | query: {query.query}"
            print(_paint(head, GREEN if query.passed else RED, options), file=stream)
            for line in query.traces:
                print(_paint("TRAC ", BLUE, options), "", line, file=stream)


def place(one: CheckResult) -> tuple[str, str]:
    """File and namespace as they stand in a line; those that are named - stand alone."""
    return "-" if one.file == "-" else f"- {one.file}", "-" if one.namespace == "-" else f"- {one.namespace} -"


def _paint(text: str, color: int, options: Options) -> str:
    return f"\x1b[{color}m{text}\x1b[0m" if options.color else text


def _color_of(totals: Totals) -> int:
    if totals.failures:
        return RED
    if totals.warnings:
        return YELLOW
    return CYAN if totals.exceptions else GREEN
