"""Java's `.properties`: values stay as they are written, but `${...}` in them must lead somewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.source import Source

_MAX_EXPANSION_DEPTH = 64
_MAX_EXPANDED_CHARACTERS = 10_000_000
"""Protects against values of values, which double with every line of a file."""

_WHITESPACE = " \f\t"
_LINE_END = "\r\n"
_ENDS_KEY = " \f\t\r\n:="
_ESCAPED = {"f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = "0123456789abcdefABCDEF"


def documents(source: Source) -> list[Any]:
    """One document: the keys and their values, which all are text."""
    values = _Reader(go.text(source.content.removeprefix(b"\xef\xbb\xbf"))).read()
    check = _Check(values)
    for key in values:
        check.key(key)
    return [values]


class _Reader:
    """Reads one text from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self) -> dict[str, str]:
        values: dict[str, str] = {}
        while True:
            self._skip(_WHITESPACE + _LINE_END)
            if self._at >= len(self._text):
                return values
            if self._text[self._at] in "#!":
                self._value_end()
                continue
            key = self._key()
            if not key:
                raise ParseError(f"line {self._text.count(chr(10), 0, self._at) + 1}: a value without a key")
            self._skip(_WHITESPACE)
            if self._at < len(self._text) and self._text[self._at] in ":=":
                self._at += 1
            self._skip(_WHITESPACE)
            values[key] = self._value()

    def _skip(self, characters: str) -> None:
        while self._at < len(self._text) and self._text[self._at] in characters:
            self._at += 1

    def _value_end(self) -> None:
        while self._at < len(self._text) and self._text[self._at] not in _LINE_END:
            self._at += 1

    def _key(self) -> str:
        read: list[str] = []
        while self._at < len(self._text) and self._text[self._at] not in _ENDS_KEY:
            character = self._text[self._at]
            self._at += 1
            read.append(self._escape() if character == "\\" else character)
        return "".join(read)

    def _value(self) -> str:
        read: list[str] = []
        while self._at < len(self._text) and self._text[self._at] not in _LINE_END:
            character = self._text[self._at]
            self._at += 1
            if character != "\\":
                read.append(character)
            elif self._text[self._at : self._at + 1] in ("\r", "\n"):
                self._at += 1
                self._skip(_WHITESPACE)
            else:
                read.append(self._escape())
        self._at += 1
        return "".join(read)

    def _escape(self) -> str:
        if self._at >= len(self._text):
            raise ParseError("the file ends with a backslash that escapes nothing")
        character = self._text[self._at]
        self._at += 1
        if character != "u":
            return _ESCAPED.get(character, character)
        digits = self._text[self._at : self._at + 4]
        if len(digits) < 4 or any(digit not in _HEX for digit in digits):
            raise ParseError(f"\\u{digits} is not a character: \\u takes four digits")
        self._at += 4
        code = int(digits, 16)
        return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)


class _Check:
    """Expands the values of one file, each once.

    Raises:
        ParseError: an expression is not closed, refers to itself, or leads too far.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._expanded: dict[str, tuple[str, int]] = {}
        self._open: list[str] = []
        self._characters = 0

    def key(self, key: str) -> tuple[str, int]:
        """What `key` comes to, and how many values deep it leads."""
        if key in self._expanded:
            return self._expanded[key]
        if key in self._open:
            raise ParseError(f"the value of {key!r} refers to itself")
        if len(self._open) > _MAX_EXPANSION_DEPTH:
            raise ParseError(f"the value of {self._open[0]!r} refers to values more than {_MAX_EXPANSION_DEPTH} deep")
        self._open.append(key)
        value = self._values[key] if key in self._values else os.environ.get(key, "")
        depth = 0
        while (start := value.find("${")) >= 0:
            end = value.find("}", start)
            if end < 0:
                raise ParseError(f"the value of {key!r} has a ${{ that is not closed")
            inner, inner_depth = self.key(value[start + 2 : end])
            depth = max(depth, inner_depth + 1)
            value = value[:start] + inner + value[end + 1 :]
            self._characters += len(value)
            if self._characters > _MAX_EXPANDED_CHARACTERS:
                raise ParseError(f"the values stand for more than {_MAX_EXPANDED_CHARACTERS} characters")
        if depth >= _MAX_EXPANSION_DEPTH:
            raise ParseError(f"the value of {key!r} refers to values more than {_MAX_EXPANSION_DEPTH} deep")
        self._open.pop()
        self._expanded[key] = value, depth
        return value, depth
