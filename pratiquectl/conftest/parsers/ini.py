"""INI files: sections of keys whose values are numbers, booleans or texts; what is before any section is left out."""

from __future__ import annotations

from typing import Any

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.source import Source

_DEFAULT = "DEFAULT"
_BOMS = (b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf")


def documents(source: Source) -> list[Any]:
    """One document: the sections by name."""
    content = source.content
    for mark in _BOMS:
        if content.startswith(mark):
            content = content.removeprefix(mark)
            break
    sections = _Reader(go.text(content)).read()
    return [{name: {key: _typed(value) for key, value in keys.items()} for name, keys in sections.items()}]


def _typed(value: str) -> Any:
    number = go.parse_float(value)
    if number is not None and number - number == 0:  # neither infinite nor NaN
        return go.number(number)
    boolean = go.parse_bool(value)
    return value if boolean is None else boolean


class _Reader:
    """Reads the lines of one text in order; a value can take several."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._next = 0

    def _line(self) -> str | None:
        """The next line with its end, None after the last."""
        if self._next >= len(self._lines):
            return None
        line = self._lines[self._next]
        self._next += 1
        return f"{line}\n" if self._next < len(self._lines) else line

    def read(self) -> dict[str, dict[str, str]]:
        sections: dict[str, dict[str, str]] = {}
        keys = default = dict[str, str]()
        count = 1
        while (raw := self._line()) is not None:
            line = raw.lstrip(go.SPACE)
            if not line or line[0] in "#;":
                continue
            if line[0] == "[":
                end = line.rfind("]")
                if end < 0:
                    raise ParseError(f"the section {line.strip()[:80]!r} is not closed with ]")
                name = line[1:end]
                if not name:
                    raise ParseError("a section has no name")
                keys = default if name == _DEFAULT else sections.setdefault(name, {})
                count = 1
                continue
            name, offset = _key(line)
            if name == "-":
                name, count = f"#{count}", count + 1
            value = self._value(line[offset:])
            if not name:
                raise ParseError(f"the line {line.strip()[:80]!r} has no key")
            keys[name] = value
        return sections

    def _value(self, rest: str) -> str:
        line = rest.lstrip(go.SPACE)
        if not line:
            return ""
        quote = '"""' if line.startswith('"""') and len(line) > 3 else "`" if line[0] == "`" else ""
        if quote:
            end = line.rfind(quote, len(quote))
            return self._quoted(line[len(quote) :], quote) if end < 0 else line[len(quote) : end]
        line = line.strip(go.SPACE)
        if line.endswith("\\"):
            return self._continued(line[:-1])
        comment = min((at for at in (line.find("#"), line.find(";")) if at >= 0), default=-1)
        if comment >= 0:
            line = line[:comment].strip(go.SPACE)
        if len(line) >= 2 and line[0] in "\"'" and line.find(line[0], 1) == len(line) - 1:
            return line[1:-1]
        return line

    def _quoted(self, value: str, quote: str) -> str:
        while (line := self._line()) is not None:
            end = line.rfind(quote)
            if end >= 0:
                return value + line[:end]
            value += line
        raise ParseError(f"a value that begins with {quote} is not closed")

    def _continued(self, value: str) -> str:
        while (line := self._line()) is not None:
            line = line.strip(go.SPACE)
            if not line:
                break
            value += line
            if not value.endswith("\\"):
                break
            value = value[:-1]
        return value


def _key(line: str) -> tuple[str, int]:
    """The key's name, and where its value begins."""
    quote = '"""' if line.startswith('"""') and len(line) > 6 else line[0] if line[0] in '"`' else ""
    closes = line.find(quote, len(quote)) if quote else 0
    if closes < 0:
        raise ParseError(f"the key in {line.strip()[:80]!r} opens a quote that is never closed")
    found = [at for at in (line.find("=", closes + len(quote)), line.find(":", closes + len(quote))) if at >= 0]
    if not found:
        raise ParseError(f"the line {line.strip()[:80]!r} is neither a section nor key = value")
    end = min(found)
    if not quote and end == 0:
        raise ParseError(f"the line {line.strip()[:80]!r} has no key")
    return (line[len(quote) : closes] if quote else line[:end]).strip(go.SPACE), end + 1
