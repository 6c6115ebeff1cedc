"""A table with borders: as wide as its widest cell, a message of several lines in several lines."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TextIO

from pratiquectl.conftest.outputs import Options
from pratiquectl.conftest.results import CheckResult, Result

HEADER = ("RESULT", "FILE", "NAMESPACE", "MESSAGE")
_TAB = " " * 8
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SURROUNDING = re.compile(f"^[{_SPACE}]+|[{_SPACE}]+$")
_ANSI = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\].*?(?:\x1b\\\\|\x07)")


def write(results: Sequence[CheckResult], stream: TextIO, options: Options) -> None:
    """Prints nothing where there is no result."""
    rows: list[tuple[str, str, str, str]] = []
    for one in results:
        kinds: tuple[tuple[str, Sequence[Result]], ...] = (
            ("success", [Result("SUCCESS")] * one.successes),
            ("exception", one.exceptions),
            ("warning", one.warnings),
            ("skipped", one.skipped),
            ("failure", one.failures),
        )
        rows += [(kind, one.file, one.namespace, message.message) for kind, messages in kinds for message in messages]
    if rows:
        stream.write(_table([tuple(_lines(cell) for cell in row) for row in rows]))


def _lines(cell: str) -> list[str]:
    """The lines of a cell, without the space around it."""
    trimmed = "".join(_SURROUNDING.split(cell)) if cell else ""
    return trimmed.replace("\t", _TAB).split("\n")


def _table(rows: Sequence[Sequence[Sequence[str]]]) -> str:
    widths = [
        max(len(head), *(width(line) for row in rows for line in row[column])) for column, head in enumerate(HEADER)
    ]
    lines = [_rule("┌┬┐", widths)]
    centred = []
    for head, wide in zip(HEADER, widths, strict=True):
        left = (wide - len(head)) // 2
        centred.append(" " * left + head + " " * (wide - len(head) - left))
    lines += [f"│ {' │ '.join(centred)} │", _rule("├┼┤", widths)]
    for row in rows:
        for number in range(max(map(len, row))):
            cells = [cell[number] if number < len(cell) else "" for cell in row]
            if number and not any(map(width, cells)):
                continue
            padded = [cell + " " * (wide - width(cell)) for cell, wide in zip(cells, widths, strict=True)]
            lines.append(f"│ {' │ '.join(padded)} │")
    lines.append(_rule("└┴┘", widths))
    return "\n".join(lines) + "\n"


def _rule(corners: str, widths: Sequence[int]) -> str:
    left, middle, right = tuple(corners)
    return left + middle.join("─" * (wide + 2) for wide in widths) + right


def width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    text = _ANSI.sub("", text)
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cc", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
