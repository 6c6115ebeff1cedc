"""What `pratique check` found, for people: grouped by file; coloured on a terminal, plain in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TextIO

from pratique.decision import Outcome
from pratique.errors import Problem
from reports import explanation
from reports.check import Item, Judged, Level, PassedOver, Report, Row
from reports.text import patch_text, visible

_COLORS = {"allowed": 32, "denied": 31, "undecided": 33, "problem": 33}
"""ANSI colours (ECMA-48, SGR)."""

_LEVEL_COLORS = {Level.ERROR: 31, Level.WARNING: 33}
_BOLD, _FAINT = 1, 2


def write(items: Report, stream: TextIO, *, terminal: int | None) -> None:
    """Write each file with its documents, the findings below those that have some, and a summary."""
    paint = _Paint(colored=terminal is not None)
    for file, group in groupby(items.rows_by_item, key=lambda each: each[0].file):
        stream.write(paint(visible(file, limit=1000), _BOLD) + "\n")
        for item, rows in group:
            for line in _lines(item, rows, paint):
                stream.write(f"  {line}\n")
    stream.write(f"{summary(items)}\n")


def summary(report: Report) -> str:
    """How many objects came to what, and what of it does not count, as one line."""
    judged = len(report.judged())
    counts = ", ".join(f"{len(report.judged(outcome))} {outcome}" for outcome in Outcome)
    text = (
        f"{judged} {'object' if judged == 1 else 'objects'} judged by {report.engine} {report.engine_version}: {counts}"
    )
    if report.not_bound:
        text += f"; no binding matches {len(report.not_bound)} of them"
    if report.passed_over:
        text += f"; {len(report.passed_over)} passed over"
    if report.problems:
        text += f"; {len(report.problems)} could not be read or judged"
    if report.baseline is not None:
        known = sum(row.known for row in report.rows)
        text += f"; {known} {_findings(known)} in the baseline not counted"
        if report.gone:
            text += f" ({report.gone} more of it {'is' if report.gone == 1 else 'are'} there no more: write it anew)"
    if report.fail_on is not None:
        below = sum(row.told and row.level is Level.WARNING and row.enforcement == "deny" for row in report.rows)
        text += f"; --fail-on {report.fail_on}: {below} {_findings(below)} that the cluster refuses not counted"
    return text


def _findings(number: int) -> str:
    return "finding" if number == 1 else "findings"


class _Paint:
    """Colours a text, or does not."""

    def __init__(self, *, colored: bool) -> None:
        self.colored = colored

    def __call__(self, text: str, color: int | None) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self.colored and color is not None else text


def _lines(item: Item, rows: Sequence[Row], paint: _Paint) -> Iterator[str]:
    match item:
        case Problem():
            said = f"{visible(item.where)}: {visible(item.message)}" if item.where else visible(item.message)
            yield f"{_word('problem', paint)}  {said}"
        case PassedOver():
            place = f"line {item.line}: " if item.line else ""
            yield f"{_word('passed over', paint)}  {place}{visible(item.reason)}"
        case Judged():
            decision = item.decision
            line = f"{_word(decision.outcome.value, paint)}  {visible(str(decision.subject))}"
            line += f" (line {item.line})" if item.line else ""
            yield line + (", no binding matches" if decision.no_match else "")
            yield from (f"  {line}" for line in _found(rows, paint))
            yield from (f"  note: {visible(note)}" for note in decision.notes)
            if item.explanation is not None:
                yield from (f"    {line}".rstrip() for line in explanation.text(item.explanation).splitlines())


def _found(rows: Iterable[Row], paint: _Paint) -> Iterator[str]:
    for (_, _, level), group in groupby(
        (row for row in rows if row.told), key=lambda row: (row.policy_id, row.undecided, row.level)
    ):
        same = list(group)
        first = same[0]
        mark = "warning: " if level is Level.WARNING else ""
        title = f" {visible(first.title)}" if first.title else ""
        yield f"{paint(f'{mark}{visible(first.policy_id)} ({first.severity})', _LEVEL_COLORS.get(level))}{title}"
        for row in same:
            at = f" {visible(row.path)}" if row.path else ""
            yield f"  {visible(row.place, limit=1000)}{at}: {visible(row.message)}"
            if row.patches:
                yield f"  patch: {patch_text(row.patches)}"
        if first.remediation and not first.undecided:
            yield f"  fix: {visible(first.remediation)}"
        if first.link:
            yield paint(f"  see: {visible(first.link)}", _FAINT)
    for row in rows:
        if row.waiver:
            yield f"waived: {visible(row.policy_id)} ({row.severity}): {visible(row.waiver)}"


def _word(word: str, paint: _Paint) -> str:
    return paint(f"{word:<11}", _COLORS.get(word))
