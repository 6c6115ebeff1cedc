"""What `pratique check` found in the Test Anything Protocol, version 14: one test point for each document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TextIO

from reports.check import Item, Judged, Level, PassedOver, Report, Row
from reports.text import visible

_TEXT = 2000


def write(items: Report, stream: TextIO, *, terminal: int | None) -> None:
    """Write the plan, and each point with its findings as a YAML block."""
    stream.write(f"TAP version 14\n1..{len(items.items)}\n")
    for number, (item, rows) in enumerate(items.rows_by_item, start=1):
        for line in _point(number, item, rows):
            stream.write(f"{line}\n")


def _point(number: int, item: Item, rows: Sequence[Row]) -> Iterator[str]:
    told = [row for row in rows if row.told]
    bad = any(row.level is Level.ERROR for row in told)
    name = visible(item.file, limit=_TEXT)
    if isinstance(item, Judged):
        name += f" {visible(str(item.decision.subject), limit=_TEXT)}"
    line = f"{'not ok' if bad else 'ok'} {number} - {_escaped(name)}"
    if isinstance(item, PassedOver):
        line += f" # SKIP {_escaped(visible(item.reason, limit=_TEXT))}"
    yield line
    if not told:
        return
    yield "  ---"
    yield "  findings:"
    for row in told:
        yield f"    - level: {row.level}"
        for key, value in (
            ("id", row.policy_id),
            ("severity", row.severity.value if row.severity else ""),
            ("message", row.message),
            ("path", row.path),
            ("at", row.place),
            ("fix", "" if row.undecided else row.remediation),
        ):
            if value:
                yield f"      {key}: {json.dumps(visible(value, limit=_TEXT), ensure_ascii=False)}"
    yield "  ..."


def _escaped(text: str) -> str:
    """A description in which nothing reads as a directive."""
    return text.replace("\\", "\\\\").replace("#", "\\#")
