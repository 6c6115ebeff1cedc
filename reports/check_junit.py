"""What `pratique check` found as JUnit XML: a suite for each file, a test case for each document.

Findings that make the check fail are its failure; what could not be read or answered is its error.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TextIO
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reports.check import Item, Judged, Level, PassedOver, Report, Row
from reports.text import visible

_TEXT = 4000


def write(items: Report, stream: TextIO, *, terminal: int | None) -> None:
    """Write it as one document."""
    root = Element("testsuites", name="pratique check")
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for file, group in groupby(items.rows_by_item, key=lambda each: each[0].file):
        suite = SubElement(root, "testsuite", name=_name(items, file))
        counts = dict.fromkeys(totals, 0)
        for item, rows in group:
            counts["tests"] += 1
            if ended := _case(suite, items, item, rows):
                counts[ended] += 1
        for name, count in counts.items():
            suite.set(name, str(count))
            totals[name] += count
    for name, count in totals.items():
        root.set(name, str(count))
    indent(root)
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n")


def _case(suite: Element, report: Report, item: Item, rows: Sequence[Row]) -> str:
    """Adds the case of one item to `suite`; as what it is counted beside being a test."""
    file = _name(report, item.file)
    name = visible(str(item.decision.subject), limit=_TEXT) if isinstance(item, Judged) else file
    case = SubElement(suite, "testcase", classname=file, name=name, file=file)
    if isinstance(item, Judged | PassedOver) and item.line:
        case.set("line", str(item.line))
    if isinstance(item, PassedOver):
        SubElement(case, "skipped", message=visible(item.reason, limit=_TEXT))
        return "skipped"
    told = [row for row in rows if row.told]
    failures = [row for row in told if row.level is Level.ERROR and not row.undecided]
    errors = [row for row in told if row.level is Level.ERROR and row.undecided]
    ended = failures or errors
    if ended:
        element = SubElement(case, "failure" if failures else "error", type=visible(ended[0].policy_id))
        more = f" (and {len(ended) - 1} more)" if len(ended) > 1 else ""
        element.set("message", f"{visible(ended[0].message, limit=_TEXT)}{more}")
        element.text = _listed(report, [*failures, *errors])
    if notes := [row for row in rows if row not in failures and row not in errors]:
        SubElement(case, "system-out").text = _listed(report, notes)
    return ("failures" if failures else "errors") if ended else ""


def _listed(report: Report, rows: Sequence[Row]) -> str:
    return "\n".join(_line(report, row) for row in rows)


def _line(report: Report, row: Row) -> str:
    mark = "waived" if row.waiver else "known" if row.known else row.level.value
    place = _name(report, row.file) + row.place.removeprefix(row.file)
    severity = f" ({row.severity})" if row.severity else ""
    fix = f" fix: {visible(row.remediation)}" if row.remediation and not row.undecided else ""
    path = f"{visible(row.path)}: " if row.path else ""
    return f"{mark}: {visible(row.policy_id)}{severity} at {place}: {path}{visible(row.message, limit=_TEXT)}{fix}"


def _name(report: Report, file: str) -> str:
    return visible(report.located(file), limit=_TEXT)
