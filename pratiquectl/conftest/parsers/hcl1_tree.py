"""What both ways to write HCL 1 are read into, and the document that it stands for.

What a literal is worth is known only when its key is looked at: under a key that is there twice, the second value is
made to the type of the first, and the text `8` and the number 08 can be either.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError

ESCAPE = re.compile(r"\\(?:([abfnrtv\\\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}

MAX_GROWTH = 10
"""How many times its length a file may stand for. Protects memory: names that differ in large and small letters only
take in what is under each other, level by level, and what is in objects in objects is written with all their names."""

_UNMEASURED = 1_000
"""What a file may stand for however short it is."""


class Budget:
    """How much the rest of one file may stand for."""

    def __init__(self, length: int) -> None:
        self._left = MAX_GROWTH * length + _UNMEASURED

    def take(self, amount: int) -> None:
        """Count `amount` names and characters.

        Raises:
            ParseError: they are too many.
        """
        self._left -= amount
        if self._left < 0:
            raise ParseError(f"the file stands for more than {MAX_GROWTH} times what is written")


_DIFFERENT = "a key is there twice, with values of different types"


class _Blocks(list[Any]):
    """A list that can hold objects only: what blocks of one name become."""


@dataclass(frozen=True, slots=True)
class Item:
    """A value under one key, or a block's under its name and labels.

    A key is None if it is a quoted text that stands for nothing (`"\\777"`): wrong only where it is looked at.
    """

    keys: tuple[str | None, ...]
    value: Node


@dataclass(frozen=True, slots=True)
class Object:
    """What stands in braces, or in the whole file."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """What is under one name, for which several items with labels stand."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class List:
    """What stands in brackets."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A literal: a text without its quotes, else as it is written; None for a text that stands for nothing."""

    kind: Literal["bool", "float", "number", "string"]
    text: str | None


Node = Object | Items | List | Scalar


def unescaped(match: re.Match[str], *, half: bytes | None) -> bytes | None:
    """What a match of ESCAPE stands for, None for nothing; `half` for half a character of UTF-16."""
    simple, octal, byte, short, long = match.groups()
    if simple:
        return _ESCAPES[simple].encode()
    if octal or byte:
        value = int(octal, 8) if octal else int(byte, 16)
        return bytes([value]) if value < 256 else None
    code = int(short or long, 16)
    if 0xD800 <= code < 0xE000:
        return half
    return chr(code).encode() if code <= 0x10FFFF else None


def document(root: Object, budget: Budget) -> dict[str, Any]:
    """The keys and blocks of `root`.

    Raises:
        ParseError: a value cannot be what it is written as, two values under one key do not fit together, or it
            stands for too much.
    """
    return _Decoder(budget).object(root)


class _Decoder:
    """Makes documents of nodes."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def object(self, node: Object | Items) -> dict[str, Any]:
        found: dict[str, Any] = {}
        same_name: dict[str, list[Item]] | None = None
        done: set[str] = set()
        self._budget.take(len(node.items))
        for item in node.items:
            key = _first_key(item)
            if key in done:
                continue
            value = item.value
            if len(item.keys) > 1:
                done.add(key)
                same_name = same_name or _by_name(node.items)
                value = Items(tuple(Item(other.keys[1:], other.value) for other in same_name[go.fold(key)]))
            found[key] = self._decoded(value, found.get(key), in_object=True)
        return {key: _plain(value) for key, value in found.items()}

    def _decoded(self, node: Node, old: Any, *, in_object: bool) -> Any:
        """The value of `node` under a name that has the value `old` so far, None for none."""
        if isinstance(old, list):
            return self._extended(old, node)
        if isinstance(node, Scalar):
            self._budget.take(len(node.text or ""))
            return _value(node) if old is None else _replaced(node, old)
        if old is not None:
            raise ParseError(_DIFFERENT)
        if isinstance(node, List):
            return self._extended([], node)
        return self._extended(_Blocks(), node) if in_object else self.object(node)

    def _extended(self, values: list[Any], node: Node) -> list[Any]:
        """`values`, and the objects or values of `node` behind them."""
        nodes: Sequence[Node]
        match node:
            case Items(items=items):
                nodes = [Items((item,)) for item in items]
            case Object():
                nodes = [node]
            case List(items=nodes):
                pass
            case _:
                raise ParseError(_DIFFERENT)
        self._budget.take(len(nodes))
        for each in nodes:
            if not isinstance(values, _Blocks):
                values.append(_plain(self._decoded(each, None, in_object=False)))
            elif isinstance(each, Object | Items):
                values.append(self.object(each))
            else:
                raise ParseError(_DIFFERENT)
        return values


def _plain(value: Any) -> Any:
    return go.number(value) if isinstance(value, float) else value


def _first_key(item: Item) -> str:
    if not item.keys:
        raise ParseError("there are blocks of one name with and without labels")
    if item.keys[0] is None:
        raise ParseError("a key has an escape that is no character")
    return item.keys[0]


def _by_name(items: Iterable[Item]) -> dict[str, list[Item]]:
    """`items` by their first keys, large and small letters being the same."""
    found: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        found[go.fold(_first_key(item))].append(item)
    return found


def _value(scalar: Scalar) -> bool | int | float | str:
    match scalar.kind:
        case "bool":
            return scalar.text == "true"
        case "float":
            return _float(scalar)
        case "number":
            return _int(scalar)
    return _text(scalar)


def _text(scalar: Scalar) -> str:
    if scalar.text is None:
        raise ParseError("a text has an escape that is no character")
    return scalar.text


def _int(scalar: Scalar) -> int:
    value = go.parse_int(text := _text(scalar))
    if value is None:
        raise ParseError(f"{text[:40]!r} is not a whole number of 64 bits")
    return value


def _float(scalar: Scalar) -> float:
    value = go.parse_float(text := _text(scalar))
    if value is None:
        raise ParseError(f"{text[:40]!r} is not a number")
    return value


def _replaced(scalar: Scalar, old: bool | int | float | str) -> bool | int | float | str:
    """What `scalar` is worth, made to the type of the value that it replaces."""
    match old, scalar.kind:
        case bool(), "bool":
            return _value(scalar)
        case str(), "string" | "number":
            return _text(scalar)
        case float(), "float" | "number":
            return _float(scalar)
        case int(), "string" | "number" if not isinstance(old, bool):
            return _int(scalar)
    raise ParseError(_DIFFERENT)
