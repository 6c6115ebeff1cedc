"""EDN: everything but lists, maps and texts becomes the text that Go prints for it.

Numbers, keywords (`:name`), symbols, `nil` (`<nil>`) and tagged values are texts in the document; a set is one text.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import math
import re
from dataclasses import dataclass
from typing import Any

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.limits import MAX_DEPTH
from pratiquectl.conftest.parsers.source import Source

_SYMBOL = r"[\w.*+!\-?$%&=<>:#']"
_ENDS = r"(?=[\s,\"{\[()\]}\\;]|\Z)"
_SKIPPED = re.compile(r"(?:[\s,]|;[^\n]*)+")
_NUMBER = re.compile(r"([+-]?(?:0|[1-9][0-9]*))((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)([MN]?)" + _ENDS)
_WORD = re.compile(rf"(?![+\-.][0-9])(?:(?:[^\W\d]|[.*+!\-?$%&=<>]){_SYMBOL}*(?:/{_SYMBOL}+)?|/){_ENDS}")
_KEYWORD = re.compile(rf":(?!:)({_SYMBOL}+(?:/{_SYMBOL}+)?){_ENDS}")
_TAG = re.compile(rf"#([^\W\d_]{_SYMBOL}*(?:/{_SYMBOL}+)?){_ENDS}")
_CHARACTER = re.compile(rf"\\(?:(newline|return|space|tab|formfeed)|u([0-9a-fA-F]{{4}})|([^\s,])){_ENDS}")
_TEXT = re.compile(r'"((?:[^"\\]|\\(?:[bfnrt\\/"]|u[0-9a-fA-F]{4}))*)"')
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_CHARACTERS = {"newline": 10, "return": 13, "space": 32, "tab": 9, "formfeed": 12}
_CLOSES = {"(": ")", "[": "]", "{": "}", "#{": "}"}
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Printed:
    """What is a text in the document; `order` sorts values of one kind."""

    text: str
    order: Any = None


@dataclass(frozen=True, slots=True)
class _Map:
    pairs: tuple[tuple[Any, Any], ...]
    is_set: bool = False


def documents(source: Source) -> list[Any]:
    """The first value of the text."""
    return [_document(_Reader(go.text(source.content)).first())]


def _document(value: Any) -> Any:
    if isinstance(value, list):
        return [_document(item) for item in value]
    if isinstance(value, _Map) and not value.is_set:
        return {_printed(key): _document(item) for key, item in value.pairs}
    return value if isinstance(value, str) else _printed(value)


def _printed(value: Any) -> str:
    """`value` as Go prints it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{' '.join(map(_printed, value))}]"
    if isinstance(value, _Map):
        pairs = sorted({_printed(key): (key, item) for key, item in value.pairs}.values(), key=_order)
        return f"map[{' '.join(f'{_printed(key)}:{_printed(item)}' for key, item in pairs)}]"
    return str(value.text)


def _order(pair: tuple[Any, Any]) -> tuple[str, Any]:
    key = pair[0]
    if isinstance(key, str):
        return "str", key.encode()
    return type(key.order).__name__, key.order


class _Reader:
    """Reads one text from its beginning."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def first(self) -> Any:
        found = self._next("", 0)
        if found is None:
            raise ParseError("there is no value")
        value = found[0]
        # By itself a number of any size is printed as such, elsewhere Go prints how it is kept.
        is_big = isinstance(value, _Printed) and value.text.startswith("{")
        return str(value.order) if is_big else value

    def _error(self, message: str) -> ParseError:
        return ParseError(f"line {self._text.count(chr(10), 0, self._at) + 1}: {message}")

    def _next(self, closing: str, depth: int) -> tuple[Any] | None:
        """The next value, None at `closing` or at the end."""
        while True:
            if match := _SKIPPED.match(self._text, self._at):
                self._at = match.end()
            if self._text.startswith("#_", self._at):
                self._at += 2
                self._value(depth)
            elif self._at >= len(self._text):
                if closing:
                    raise self._error(f"{closing} is missing")
                return None
            elif closing and self._text[self._at] == closing:
                self._at += 1
                return None
            else:
                return (self._one(depth),)

    def _value(self, depth: int) -> Any:
        found = self._next("", depth)
        if found is None:
            raise self._error("a value is missing")
        return found[0]

    def _one(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} levels deep")
        text = self._text
        opening = "#{" if text.startswith("#{", self._at) else text[self._at]
        if opening in _CLOSES:
            self._at += len(opening)
            return self._collection(opening, depth + 1)
        for pattern, make in (
            (_TEXT, self._make_text),
            (_NUMBER, self._make_number),
            (_KEYWORD, _make_keyword),
            (_WORD, _make_word),
            (_CHARACTER, self._make_character),
        ):
            if match := pattern.match(text, self._at):
                value = make(match)
                self._at = match.end()
                return value
        if match := _TAG.match(text, self._at):
            self._at = match.end()
            return self._tagged(match[1], self._value(depth + 1))
        raise self._error(f"{text[self._at : self._at + 20]!r} is no value of EDN")

    def _collection(self, opening: str, depth: int) -> Any:
        values = []
        while (found := self._next(_CLOSES[opening], depth)) is not None:
            values.append(found[0])
        if opening in ("(", "["):
            return values
        if opening == "#{":
            return _Map(tuple((self._checked_key(value), _Printed("true")) for value in values), is_set=True)
        if len(values) % 2:
            raise self._error("a map has a key without a value")
        return _Map(
            tuple((self._checked_key(key), value) for key, value in zip(values[::2], values[1::2], strict=True))
        )

    def _checked_key(self, key: Any) -> Any:
        if isinstance(key, list | _Map):
            raise self._error("a list, a map or a set cannot be a key here: conftest prints where it is in memory")
        return key

    def _make_text(self, match: re.Match[str]) -> str:
        return _ESCAPE.sub(_unescape, match[1])

    def _make_number(self, match: re.Match[str]) -> _Printed:
        whole, fraction, suffix = match.groups()
        if suffix == "N" and fraction:
            raise self._error(f"{match[0]} is not a number")
        if fraction or suffix == "M":
            value = float(whole + fraction)
            if not math.isfinite(value):
                raise self._error(f"{match[0][:40]} is out of range")
            return _Printed(go.format_float(value), value)
        number = int(whole)
        if suffix == "N":
            return _Printed(_big(number), number)
        if not -(2**63) <= number < 2**63:
            raise self._error(f"{match[0][:40]} has more than 64 bits")
        return _Printed(str(number), number)

    def _make_character(self, match: re.Match[str]) -> _Printed:
        name, digits, character = match.groups()
        code = _CHARACTERS[name] if name else int(digits, 16) if digits else ord(character)
        return _Printed(str(code), code)

    def _tagged(self, tag: str, value: Any) -> Any:
        if tag not in ("inst", "base64"):
            return _Printed(f"#{tag} {_printed(value)}", tag)
        if not isinstance(value, str):
            raise self._error(f"#{tag} takes a text")
        if tag == "inst":
            return _Printed(self._instant(value), value)
        try:
            content = base64.b64decode(re.sub(r"[\r\n]", "", value), validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._error("#base64 takes base64") from error
        return _Printed(f"[{' '.join(map(str, content))}]", value)

    def _instant(self, value: str) -> str:
        match = _INSTANT.fullmatch(value)
        try:
            moment = datetime.datetime.fromisoformat(match[1]) if match else None
        except ValueError:
            moment = None
        if match is None or moment is None:
            raise self._error(f"#inst takes a time of RFC 3339, not {value[:40]!r}")
        digits = (match[2] or "").rstrip("0")
        zone = f"{match[3]}{match[4]}{match[5]}" if match[3] else "+0000"
        name = "UTC" if zone in ("+0000", "-0000") else zone
        return f"{moment:%Y-%m-%d %H:%M:%S}{'.' + digits if digits else ''} {zone.replace('-0000', '+0000')} {name}"


def _make_keyword(match: re.Match[str]) -> _Printed:
    return _Printed(match[0], match[1])


def _make_word(match: re.Match[str]) -> _Printed:
    word = match[0]
    if word == "nil":
        return _Printed("<nil>", "")
    return _Printed(word, word == "true" if word in ("true", "false") else word)


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        code = int(match[1], 16)
        return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)
    return _ESCAPES.get(match[2], match[2])


def _big(number: int) -> str:
    """A `big.Int` as Go prints its fields: the sign, and the words of 64 bits."""
    words, rest = [], abs(number)
    while rest:
        words.append(str(rest & (2**64 - 1)))
        rest >>= 64
    return f"{{{'true' if number < 0 else 'false'} [{' '.join(words)}]}}"
