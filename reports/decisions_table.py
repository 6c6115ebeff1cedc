"""Decisions as a table for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from pratique.ledger import Record
from reports.columns import write_table
from reports.text import policy_ids, reason

COLUMNS = ("time", "id", "outcome", "object", "policies", "reason")
WIDE_COLUMNS = ("time", "id", "outcome", "door", "operation", "object", "user", "policies", "reason")
_SHORT_ID = 18
"""Characters of an id on a narrow terminal: the time and 12 random bits, enough for `show` and `explain` to find it."""

_WIDE = 180
"""Characters from which on all columns have room; a pipe has."""


def write(items: Iterable[Record], stream: TextIO, *, terminal: int | None) -> None:
    """Write all of them, in few columns where the terminal is narrow."""
    wide = terminal is None or terminal >= _WIDE
    columns = WIDE_COLUMNS if wide else COLUMNS
    rows = [[cell for name, cell in _cells(record, wide=wide).items() if name in columns] for record in items]
    write_table(rows, stream, columns=columns, terminal=terminal, whole=("time", "id", "outcome"))


def _cells(record: Record, *, wide: bool) -> dict[str, str]:
    decision = record.decision
    operation = f"{decision.operation} {decision.subresource}" if decision.subresource else decision.operation
    return {
        "time": f"{decision.time:%Y-%m-%dT%H:%M:%SZ}" if wide else f"{decision.time:%m-%d %H:%M:%S}",
        "id": decision.id if wide else decision.id[:_SHORT_ID],
        "outcome": decision.outcome.value,
        "door": decision.door.value,
        "operation": f"{operation} (dry run)" if decision.dry_run else operation,
        "object": str(decision.subject),
        "user": decision.user,
        "policies": " ".join(policy_ids(decision)),
        "reason": reason(decision),
    }
