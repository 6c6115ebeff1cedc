"""What `pratique check` found, for people."""

from __future__ import annotations

from typing import TextIO

from pratique.decision import Outcome
from pratique.errors import Problem
from reports.check import Item, PassedOver, Report
from reports.text import explanation, visible

_COLORS = {"allowed": 32, "denied": 31, "undecided": 33, "problem": 33}
"""ANSI colours (ECMA-48, SGR)."""


def write(items: Report, stream: TextIO, *, terminal: int | None) -> None:
    """Write a line for each document, the findings below those that have some, and a summary."""
    for item in items.items:
        stream.write(_line(item, colored=terminal is not None) + "\n")
    stream.write(f"{_summary(items)}\n")


def _line(item: Item, *, colored: bool) -> str:
    if isinstance(item, Problem):
        return f"{_word('problem', colored=colored)}  {visible(str(item))}"
    place = visible(f"{item.file}:{item.line}" if item.line else item.file)
    if isinstance(item, PassedOver):
        return f"{_word('passed over', colored=colored)}  {place}: {visible(item.reason)}"
    decision = item.decision
    line = f"{_word(decision.outcome.value, colored=colored)}  {place}: {visible(str(decision.subject))}"
    if decision.no_match:
        line += " (no binding matches)"
    found = explanation(decision).splitlines() + [f"note: {visible(note)}" for note in decision.notes]
    return "\n    ".join([line, *found])


def _word(word: str, *, colored: bool) -> str:
    padded = f"{word:<11}"
    return f"\x1b[{_COLORS[word]}m{padded}\x1b[0m" if colored and word in _COLORS else padded


def _summary(report: Report) -> str:
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
    return text
