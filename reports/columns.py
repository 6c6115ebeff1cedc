"""Tables: drawn by `rich` on a terminal, as plain columns in a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

from reports.text import visible

_MAX_CELL = 100
"""Characters of one cell in a pipe, but for the last column."""

_MAX_LAST_CELL = 80
"""Characters of the last column (a reason, a title) on a narrow terminal."""

_MIN_WIDTH = 22
"""Words up to this length are not broken."""

STYLES: Mapping[str, str] = {
    "allowed": "green",
    "denied": "bold red",
    "undecided": "yellow",
    "critical": "bold red",
    "high": "red",
}
"""How a cell with this text looks on a terminal."""


def write_table(
    rows: Sequence[Sequence[str]],
    stream: TextIO,
    *,
    columns: Sequence[str],
    terminal: int | None,
    whole: Sequence[str] = (),
) -> None:
    """Write `rows` under `columns`. Those named in `whole` are never wrapped: people copy them."""
    cells = [[visible(cell, limit=1000) for cell in row] for row in rows]
    if terminal is None:
        _write_plain([[column.upper() for column in columns], *cells], stream)
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        longest = max((len(word) for row in cells for word in row[index].split(" ")), default=0)
        table.add_column(
            column, no_wrap=column in whole, overflow="fold", min_width=min(_MIN_WIDTH, max(len(column), longest))
        )
    for row in cells:
        shown = [*row[:-1], visible(row[-1], limit=max(_MAX_LAST_CELL, terminal - _MAX_LAST_CELL))]
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in shown))
    Console(file=stream, width=terminal).print(table)


def _write_plain(rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    shown = [[*(visible(cell, limit=_MAX_CELL) for cell in row[:-1]), row[-1]] for row in rows]
    widths = [max(len(row[index]) for row in shown) for index in range(len(shown[0]) - 1)]
    for row in shown:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        stream.write("  ".join([*padded, row[-1]]).rstrip() + "\n")
