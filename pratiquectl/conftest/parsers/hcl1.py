"""HCL 1: a block becomes a list of objects under its name; its labels nest one in the other, each in a list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.limits import MAX_DEPTH
from pratiquectl.conftest.parsers.source import Source

_SKIPPED = re.compile(r"(?:[ \t\r\n]|(?:#|//)[^\n]*|/\*[\s\S]*?\*/)+")
_IDENTIFIER = re.compile(r"[^\W\d](?:\w|[\-.])*")
_FLOAT = re.compile(r"-?(?:[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]*)?|[0-9]+[eE][+-]?[0-9]*)|\.[0-9]+(?:[eE][+-]?[0-9]*)?")
_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|[0-9]+)")
_HEREDOC = re.compile(r"<<(-?)(\w+)\n")
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}


class _EndOfFileError(Exception):
    """The file ends where a value should be."""


class _Blocks(list[Any]):
    """A list that can hold objects only: what blocks of one name become."""


@dataclass(frozen=True, slots=True)
class _Item:
    keys: tuple[str, ...]
    value: _Node


@dataclass(frozen=True, slots=True)
class _Object:
    items: tuple[_Item, ...]


@dataclass(frozen=True, slots=True)
class _Items:
    """What is under one name, for which several items with labels stand."""

    items: tuple[_Item, ...]


@dataclass(frozen=True, slots=True)
class _List:
    items: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Literal:
    value: bool | int | float | str
    number_text: str = ""
    """How a whole number is written."""


_Node = _Object | _Items | _List | _Literal


def documents(source: Source) -> list[Any]:
    """One document: the keys and blocks of the file."""
    try:
        text = source.content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ParseError("HCL is UTF-8 text, and this is not") from error
    if text.lstrip(go.SPACE).startswith("{"):
        raise ParseError("HCL 1 written as JSON is not supported; name --parser json")
    return [_fill({}, _Object(_Reader(text).items("", 0)))]


class _Reader:
    """Reads one text from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def _error(self, message: str) -> ParseError:
        return ParseError(f"line {self._text.count(chr(10), 0, self._at) + 1}: {message}")

    def _skip(self) -> str:
        """Step over blanks and comments; the next character, or nothing."""
        if match := _SKIPPED.match(self._text, self._at):
            self._at = match.end()
        if self._text.startswith("/*", self._at):
            raise self._error("a comment is not closed")
        return self._text[self._at : self._at + 1]

    def items(self, closing: str, depth: int) -> tuple[_Item, ...]:
        """The items up to `closing`, or to the end."""
        if depth > MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} levels deep")
        items = []
        while (character := self._skip()) != closing:
            if not character:
                raise self._error(f"{closing} is missing")
            try:
                items.append(self._item(depth))
            except _EndOfFileError:
                # A key at the end of the file whose value is missing is left out.
                if closing:
                    raise self._error(f"{closing} is missing") from None
                break
            if self._skip() == ",":
                self._at += 1
        self._at += len(closing)
        return tuple(items)

    def _item(self, depth: int) -> _Item:
        keys: list[str] = []
        while (character := self._skip()) not in ("=", "{"):
            if character == '"':
                keys.append(self._string())
            elif match := _IDENTIFIER.match(self._text, self._at):
                if match[0] in ("true", "false"):
                    raise self._error(f"{match[0]} cannot be a key")
                keys.append(match[0])
                self._at = match.end()
            else:
                raise self._error("a key, = or { should be here")
        if not keys or (character == "=" and len(keys) > 1):
            raise self._error(f"{character} needs {'exactly one key' if character == '=' else 'a key'}")
        self._at += 1
        if character == "=":
            return _Item(tuple(keys), self._value(depth))
        return _Item(tuple(keys), _Object(self.items("}", depth + 1)))

    def _value(self, depth: int) -> _Node:
        character = self._skip()
        if not character:
            raise _EndOfFileError
        if character == "{":
            self._at += 1
            return _Object(self.items("}", depth + 1))
        if character == "[":
            self._at += 1
            return self._list(depth + 1)
        return self._literal(character)

    def _list(self, depth: int) -> _List:
        if depth > MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} levels deep")
        items: list[_Node] = []
        after_value = False
        while (character := self._skip()) != "]":
            if character == ",":
                self._at += 1
                after_value = False
            elif after_value or not character:
                raise self._error("a list needs , or ] here")
            else:
                items.append(self._value(depth))
                after_value = not isinstance(items[-1], _List)
        self._at += 1
        return _List(tuple(items))

    def _literal(self, character: str) -> _Literal:
        if character == '"':
            return _Literal(self._string())
        if character == "<":
            return _Literal(self._heredoc())
        for word in ("true", "false"):
            match = _IDENTIFIER.match(self._text, self._at)
            if match and match[0] == word:
                self._at = match.end()
                return _Literal(word == "true")
        if match := _FLOAT.match(self._text, self._at):
            return self._float(match)
        if match := _NUMBER.match(self._text, self._at):
            return self._number(match)
        raise self._error("a value should be here")

    def _float(self, match: re.Match[str]) -> _Literal:
        value = go.parse_float(match[0])
        if value is None:
            raise self._error(f"{match[0][:40]} is not a number")
        self._at = match.end()
        return _Literal(value)

    def _number(self, match: re.Match[str]) -> _Literal:
        digits = match[0].lstrip("-").lower()
        octal = len(digits) > 1 and digits[0] == "0" and digits[1] != "x"
        try:
            value = int(digits, 8) if octal else int(digits, 0)
        except ValueError as error:
            raise self._error(f"{match[0][:40]} is not a number") from error
        value = -value if match[0].startswith("-") else value
        if not -(2**63) <= value < 2**63:
            raise self._error(f"{match[0][:40]} has more than 64 bits")
        self._at = match.end()
        return _Literal(value, match[0])

    def _string(self) -> str:
        """A quoted text; what stands in `${...}` stays as it is."""
        end, braces = self._at + 1, 0
        text = self._text
        while True:
            character = text[end : end + 1]
            if not character or character == "\0" or (character == "\n" and not braces):
                raise self._error("a quoted text is not closed")
            if character == '"' and not braces:
                break
            if not braces and text.startswith("${", end):
                braces, end = 1, end + 1
            elif braces and character in "{}":
                braces += 1 if character == "{" else -1
            elif character == "\\":
                match = _ESCAPE.match(text, end)
                if match is None:
                    raise self._error(f"{text[end : end + 2]!r} is no escape of HCL")
                end = match.end() - 1
            end += 1
        raw = text[self._at + 1 : end]
        unquoted = self._unquoted(raw)
        self._at = end + 1
        return unquoted

    def _unquoted(self, raw: str) -> str:
        content = bytearray()
        at = 0
        while at < len(raw):
            if raw.startswith("${", at):
                end = _interpolation_end(raw, at)
                content += raw[at:end].encode()
                at = end
            elif raw[at] == "\\":
                match = _ESCAPE.match(raw, at)
                if match is None:
                    raise self._error(f"{raw[at : at + 2]!r} is no escape of HCL")
                content += self._unescaped(match)
                at = match.end()
            elif raw[at] in '\n"':
                raise self._error("a quoted text cannot hold this character")
            else:
                content += raw[at].encode()
                at += 1
        return go.text(bytes(content))

    def _unescaped(self, match: re.Match[str]) -> bytes:
        simple, octal, byte, short, long = match.groups()
        if simple:
            return _ESCAPES[simple].encode()
        if octal or byte:
            value = int(octal, 8) if octal else int(byte, 16)
            if value > 255:
                raise self._error(f"{match[0]} is not a byte")
            return bytes([value])
        code = int(short or long, 16)
        if code > 0x10FFFF:
            raise self._error(f"{match[0]} is not a character")
        return chr(0xFFFD if 0xD800 <= code <= 0xDFFF else code).encode()

    def _heredoc(self) -> str:
        match = _HEREDOC.match(self._text, self._at)
        if match is None:
            raise self._error("<< and a name should open a text of several lines")
        end = re.compile(rf"^\s*{re.escape(match[2])}\r*\n", re.MULTILINE).search(self._text, match.end())
        if end is None:
            raise self._error(f"the text <<{match[2]} is not closed")
        whole = self._text[self._at : end.end()]
        self._at = end.end()
        start = len(match[0])
        # What is cut off at the end is as long as the name and its line's end; blanks before the name stay.
        body = whole[start : len(whole) - len(match[2]) - 1]
        if not match[1]:
            return body
        lines = body.split("\n")
        indentation = lines[-1]
        if all(line.startswith(indentation) for line in lines):
            return "\n".join([*(line[len(indentation) :] for line in lines[:-1]), ""])
        return body[:-1].rstrip(" \t") if len(body) > len(match[2]) else body


def _interpolation_end(raw: str, at: int) -> int:
    end, braces = at + 2, 1
    while end < len(raw) and braces:
        braces += {"{": 1, "}": -1}.get(raw[end], 0)
        end += 1
    if braces:
        raise ParseError("an interpolation ${ is not closed")
    return end


def _decoded(node: _Node, old: Any, *, in_object: bool) -> Any:
    """The value of `node` under a name that has the value `old` so far, None for none."""
    if old is None:
        match node:
            case _Literal():
                return go.number(node.value) if isinstance(node.value, float) else node.value
            case _List():
                return _extended([], node)
        return _extended(_Blocks(), node) if in_object else _fill({}, node)
    if isinstance(old, list):
        return _extended(old, node)
    if isinstance(old, dict):
        return _fill(old, node)
    return _replaced(node, old)


def _replaced(node: _Node, old: Any) -> Any:
    """The value of `node`, made to the type of the value that it replaces."""
    if isinstance(node, _Literal):
        new = node.value
        if isinstance(old, str) and (isinstance(new, str) or node.number_text):
            return node.number_text or new
        if isinstance(old, bool) or isinstance(new, bool):
            if isinstance(old, bool) and isinstance(new, bool):
                return new
        elif isinstance(new, int | float) and (isinstance(old, float) or isinstance(new, int)):
            return go.number(float(new)) if isinstance(old, float) else new
    raise ParseError("a key is there twice, with values of different types")


def _extended(values: list[Any], node: _Node) -> list[Any]:
    items: list[_Node]
    match node:
        case _Items(items=inner):
            items = [_Items((item,)) for item in inner]
        case _Object():
            items = [node]
        case _List(items=listed):
            items = list(listed)
        case _:
            raise ParseError("a key is there twice, with values of different types")
    for item in items:
        values.append(_fill({}, item) if isinstance(values, _Blocks) else _decoded(item, None, in_object=False))
    return values


def _fill(found: dict[str, Any], node: _Node) -> dict[str, Any]:
    if not isinstance(node, _Object | _Items):
        raise ParseError("a key is there twice, with values of different types")
    done: set[str] = set()
    for item in node.items:
        if not item.keys:
            raise ParseError("there are blocks of one name with and without labels")
        key = item.keys[0]
        if key in done:
            continue
        value = item.value
        if len(item.keys) > 1:
            done.add(key)
            value = _Items(
                tuple(
                    _Item(other.keys[1:], other.value)
                    for other in node.items
                    if other.keys and other.keys[0].casefold() == key.casefold()
                )
            )
        found[key] = _decoded(value, found.get(key), in_object=True)
    return found
