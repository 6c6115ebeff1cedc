"""Decisions as one JSON array of records, exactly as they were recorded (see `pratique.ledger` for the fields)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

import orjson

from pratique.ledger import Record


def write(items: Iterable[Record], stream: TextIO, *, terminal: int | None) -> None:
    """Write them one by one: a list may be longer than memory. For people, indented."""
    option = orjson.OPT_INDENT_2 if terminal else 0
    separator = "[\n"
    for record in items:
        stream.write(separator + orjson.dumps(record.document, option=option).decode())
        separator = ",\n"
    stream.write("[]\n" if separator == "[\n" else "\n]\n")
