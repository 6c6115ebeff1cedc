"""Decisions as CSV (RFC 4180, but with `\\n`), one line each under a heading, for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TextIO

from pratique.ledger import Record
from reports.text import policy_ids, reason, visible

COLUMNS = (
    "id", "time", "door", "outcome", "group", "version", "kind", "namespace", "name", "operation", "subresource",
    "user", "dry_run", "policies", "reason", "engine", "engine_version", "milliseconds", "cached", "bundle_digest",
    "configuration_digest", "digest",
)  # fmt: skip


def write(items: Iterable[Record], stream: TextIO, *, terminal: int | None) -> None:
    """Write them one by one."""
    out = csv.writer(stream, lineterminator="\n")
    out.writerow(COLUMNS)
    for record in items:
        flat = {
            **record.document,
            **record.document["subject"],
            "policies": " ".join(policy_ids(record.decision)),
            "reason": reason(record.decision),
        }
        out.writerow([_cell(flat[column]) for column in COLUMNS])


def _cell(value: object) -> str:
    """`value` as one line that no spreadsheet takes for a formula."""
    if isinstance(value, bool):
        return str(value).lower()
    text = visible(str(value))
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
