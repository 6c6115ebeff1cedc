"""Variables for an environment, line by line; `$NAME` stands for a variable of ours, or for one further up."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.source import Source

_MAX_LINE_BYTES = 64 * 1024
"""What conftest's reader takes of one line."""

_ASSIGNMENT = re.compile(
    r"[\t\n\f\r ]*(?:export[\t\n\f\r ]+)?([0-9A-Za-z_.]+)(?:[\t\n\f\r ]*=[\t\n\f\r ]*|:[\t\n\f\r ]+?)"
    r"""('[\s\S]*'|"[\s\S]*"|[^#\n]+)?[\t\n\f\r ]*(?:\#.*)?"""
)
_ESCAPE = re.compile(r"\\([^$])")
_VARIABLE = re.compile(r"(\\)?\$\{?([A-Z0-9_]+)?\}?")
_LINE_END = re.compile(r"\r\n|\r|\n")
_ENCODINGS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def documents(source: Source) -> list[Any]:
    """One document: the variables and their values, which all are text."""
    variables: dict[str, str] = {}
    for line in _logical_lines(_decode(source.content)):
        match = _ASSIGNMENT.fullmatch(line)
        if match is None:
            raise ParseError(f"the line {line[:80]!r} is not NAME=VALUE")
        variables[match[1]] = _value((match[2] or "").strip(go.SPACE), variables)
    return [variables]


def _decode(content: bytes) -> str:
    for mark, encoding in _ENCODINGS:
        if content.startswith(mark):
            return content.removeprefix(mark).decode(encoding, errors="replace")
    return go.text(content)


def _logical_lines(text: str) -> Iterator[str]:
    """The lines with an assignment; a value whose quote is still open takes the lines up to the one that closes it."""
    lines = iter(_LINE_END.split(text))
    for raw in lines:
        if len(raw.encode()) >= _MAX_LINE_BYTES:
            raise ParseError(f"a line is longer than {_MAX_LINE_BYTES} bytes")
        line = raw.strip(go.SPACE)
        if not line or line.startswith("#"):
            continue
        quote = _open_quote(line)
        while quote:
            more = next(lines, None)
            if more is None:
                raise ParseError(f"the line {line[:80]!r} opens a quote that is never closed")
            line += f"\n{more}"
            at = more.rfind(quote)
            if at == 0 or (at > 0 and more[at - 1] != "\\"):
                quote = ""
        yield line


def _open_quote(line: str) -> str:
    """The quote that the value begins with and does not end with, else nothing."""
    at = line.find("=") if "=" in line else line.find(":")
    if not 0 < at < len(line) - 1:
        return ""
    value = line[at + 1 :].strip(go.SPACE)
    quote = value[0]
    if quote not in "\"'":
        return ""
    closes = value[1:].strip(go.SPACE).rfind(quote)
    return "" if closes >= 0 and value[closes] != "\\" else quote


def _value(value: str, variables: Mapping[str, str]) -> str:
    quoted = value[0] if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'" else ""
    if quoted:
        value = value[1:-1]
    if quoted == '"':
        value = _ESCAPE.sub(r"\1", value.replace("\\n", "\n").replace("\\r", "\r"))
    if quoted == "'":
        return value
    return _VARIABLE.sub(lambda match: _expanded(match, variables), value)


def _expanded(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match[1]:
        return match[0][1:]
    if match[2] is None:
        return match[0]
    return os.environ.get(match[2], variables.get(match[2], ""))
