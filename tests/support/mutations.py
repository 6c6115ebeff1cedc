"""What can happen to bytes and to JSON between who signed and who verifies: flips, drops, swaps, cuts, and more."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any

Path = tuple[str | int, ...]

DEEP: Any = json.loads("[" * 150 + "]" * 150)
REPLACEMENTS: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        2**63,
        2**64,
        10**400,
        1.5,
        1e308,
        "",
        "0",
        "-1",
        "9" * 30,
        "x",
        "AAAA",
        "\x00",
        "\ud800",
        [],
        {},
    ),
    *([{}], [None], {"a": 1}, DEEP, "253402300800", "9999-12-31T23:59:59Z"),
)


def altered_bytes(content: bytes, random: Random, count: int) -> Iterator[bytes]:
    """About `count` texts that differ from `content` a little."""
    yield from (altered for altered in _altered(content, random, count) if altered != content)


def _altered(content: bytes, random: Random, count: int) -> Iterator[bytes]:
    for _ in range(count):
        at = random.randrange(len(content))
        to = min(len(content), at + random.randrange(1, 9))
        match random.randrange(7):
            case 0:
                yield content[:at] + bytes([content[at] ^ 1 << random.randrange(8)]) + content[at + 1 :]
            case 1:
                yield content[:at] + bytes([random.randrange(256)]) + content[at + 1 :]
            case 2:
                yield content[:at] + content[to:]
            case 3:
                yield content[:at] + content[at:to] * 2 + content[to:]
            case 4:
                yield content[:at]
            case 5:
                yield content[:at] + bytes(random.randrange(256) for _ in range(3)) + content[at:]
            case _:
                other = random.randrange(len(content))
                first, second = sorted((at, other))
                swapped = bytearray(content)
                swapped[first], swapped[second] = swapped[second], swapped[first]
                yield bytes(swapped)


def altered_fields(document: Any) -> Iterator[tuple[Path, Any]]:
    """`document` with each of its fields dropped, doubled, or replaced; with the way to the field."""
    for path in paths(document):
        yield path, _with(document, path, drop=True)
        for value in REPLACEMENTS:
            yield path, _with(document, path, value)
    leaves = [path for path in paths(document) if not isinstance(_at(document, path), dict | list)]
    for first, second in pairwise(leaves):  # neighbours swapped
        swapped = _with(document, first, _at(document, second))
        yield first, _with(swapped, second, _at(document, first))


def altered_base64(document: Any, random: Random, count: int) -> Iterator[tuple[Path, Any]]:
    """`document` with what its fields encode in base64 altered, `count` times each; what is JSON there is altered as
    JSON too."""
    for path in paths(document):
        value = _at(document, path)
        if not isinstance(value, str) or len(value) < 8:
            continue
        try:
            content = base64.b64decode(value, validate=True)
        except ValueError:
            continue
        for altered in altered_bytes(content, random, count):
            yield path, _with(document, path, base64.b64encode(altered).decode())
        try:
            inner = json.loads(content)
        except ValueError:
            continue
        for _, changed in altered_fields(inner):
            yield path, _with(document, path, base64.b64encode(as_json(changed)).decode())


def doubled_keys(content: bytes) -> Iterator[bytes]:
    """The JSON `content` with one of its keys twice, the second time with another value."""
    at = content.find(b'{"')
    while at >= 0:
        key = content[at + 1 : content.index(b'"', at + 2) + 1]
        yield content[: at + 1] + key + b":null," + content[at + 1 :]
        at = content.find(b'{"', at + 1)


def paths(document: Any, path: Path = ()) -> Iterator[Path]:
    """The ways to all that is in `document`."""
    children: Any = ()
    if isinstance(document, dict):
        children = document.items()
    elif isinstance(document, list):
        children = enumerate(document)
    for name, child in children:
        yield (*path, name)
        yield from paths(child, (*path, name))


def as_json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode(errors="surrogatepass")


def _at(document: Any, path: Path) -> Any:
    for name in path:
        document = document[name]
    return document


def _with(document: Any, path: Path, value: Any = None, *, drop: bool = False) -> Any:
    changed = copy.deepcopy(document)
    parent = _at(changed, path[:-1])
    if drop:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return changed
