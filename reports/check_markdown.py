"""What `pratique check` found as Markdown, for a comment on a pull or merge request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TextIO

from reports.check import Level, Report, Row
from reports.check_text import summary
from reports.text import visible

MARKER = "<!-- pratique check -->"
"""The first line: by it, a workflow finds the comment that it wrote before."""

MAX_CHARACTERS = 60_000
"""GitHub takes comments of 65,536 characters."""

_TEXT = 600
_SPECIAL = re.compile(r"([\\`*_\[\]{}|~#])")


def write(items: Report, stream: TextIO, *, terminal: int | None) -> None:
    """Write the verdict, a table of what was found, and what was waived. What does not fit is counted."""
    told = sorted(items.told, key=lambda row: row.level is not Level.ERROR)
    parts = [MARKER, f"### Pratique: {_verdict(items, told)}", _cell(summary(items))]
    if told:
        parts.append(_table(items, told, room=MAX_CHARACTERS - sum(map(len, parts))))
    if waived := [row for row in items.rows if row.waiver]:
        shown = "\n".join(f"* {_rule(row)} {_cell(row.subject)}: {_cell(row.waiver)}" for row in waived[:20])
        more = f"\n* and {len(waived) - 20} more" if len(waived) > 20 else ""
        parts.append(f"<details><summary>{len(waived)} waived</summary>\n\n{shown}{more}\n\n</details>")
    stream.write("\n\n".join(parts) + "\n")


def _verdict(report: Report, told: Sequence[Row]) -> str:
    if report.is_open:
        return "not everything could be judged"
    errors = sum(row.level is Level.ERROR for row in told)
    if errors:
        return f"{errors} {'finding' if errors == 1 else 'findings'} to mend"
    return f"{len(told)} {'warning' if len(told) == 1 else 'warnings'}" if told else "nothing found"


def _table(report: Report, rows: Sequence[Row], *, room: int) -> str:
    lines = ["| | where | object | rule | finding and fix |", "| --- | --- | --- | --- | --- |"]
    for count, row in enumerate(rows):
        line = _line(report, row)
        room -= len(line) + 1
        if room < 0:
            return "\n".join(lines) + f"\n\nand {len(rows) - count} more"
        lines.append(line)
    return "\n".join(lines)


def _line(report: Report, row: Row) -> str:
    place = report.located(row.file) + row.place.removeprefix(row.file)
    fix = f"<br>**Fix:** {_cell(row.remediation)}" if row.remediation and not row.undecided else ""
    path = f"{_cell(row.path)}: " if row.path else ""
    cells = ("error" if row.level is Level.ERROR else "warning", _cell(place), _cell(row.subject), _rule(row))
    return f"| {' | '.join(cells)} | {path}{_cell(row.message)}{fix} |"


def _rule(row: Row) -> str:
    severity = f" ({row.severity})" if row.severity else ""
    name = _cell(row.policy_id)
    return f"{f'[{name}](<{row.link}>)' if row.link else name}{severity}"


def _cell(text: str) -> str:
    """`text` as it is: no markup, no mention of anybody, no HTML."""
    shown = _SPECIAL.sub(r"\\\1", visible(text, limit=_TEXT))
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
