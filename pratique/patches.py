"""JSON Patch (RFC 6902) on plain JSON values: find, apply, compare. Pure: nothing that is given is changed.

Of the operations there are `add`, `remove`, `replace` and `test`: policies have no use for `move` and `copy`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pratique.decision import Patch
from pratique.errors import PatchError
from pratique.pointer import pointer, tokens_of

Tokens = tuple[str, ...]
"""A JSON pointer as its unescaped tokens."""

END = "-"
"""The place behind the last item of a list (RFC 6901, section 4)."""

MISSING = object()
"""What `find` returns where there is nothing; null is something."""

_INDEX = re.compile(r"0|[1-9][0-9]*")  # RFC 6901, section 4: no leading zeros


def tokens(path: str) -> Tokens:
    """The unescaped tokens of a JSON pointer."""
    return tuple(tokens_of(path))


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal (RFC 6902, section 4.6): `true` is not 1, as it is for Python."""
    if one is other:  # what `apply` left alone
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def find(document: Any, path: Tokens) -> Any:
    """The value at `path`; `MISSING` where there is none."""
    value = document
    for token in path:
        if isinstance(value, dict):
            value = value.get(token, MISSING)
        elif isinstance(value, list) and (index := list_index(value, token)) is not None and index < len(value):
            value = value[index]
        else:
            return MISSING
    return value


def list_index(value: Sequence[Any], token: str) -> int | None:
    """Which place in a list `token` means: at most its length; None where it means none."""
    if token == END:
        return len(value)
    if not _INDEX.fullmatch(token) or int(token) > len(value):
        return None
    return int(token)


def apply(document: Any, patches: Iterable[Patch]) -> Any:
    """`document` with all `patches` applied in order, exactly as RFC 6902 says; parts that stay are shared with it.

    Raises:
        PatchError: an operation has no target, or is a `test` that fails. Nothing is half applied.
    """
    for patch in patches:
        document = _applied(document, patch, tokens(patch.path))
    return document


def _applied(value: Any, patch: Patch, path: Tokens) -> Any:
    if not path:  # the whole document (RFC 6902, section 4)
        if patch.op == "remove":
            raise _no_target(patch)
        if patch.op == "test" and not same(value, patch.value):
            raise PatchError(f"the test of {patch.path or '/'} fails: the value is another one")
        return value if patch.op == "test" else patch.value
    first, rest = path[0], path[1:]
    if isinstance(value, dict):
        if rest or patch.op == "test":
            if first not in value:
                raise _no_target(patch)
            return {**value, first: _applied(value[first], patch, rest)}
        if patch.op != "add" and first not in value:
            raise _no_target(patch)
        if patch.op == "remove":
            return {name: member for name, member in value.items() if name != first}
        return {**value, first: patch.value}
    index = list_index(value, first) if isinstance(value, list) else None
    if index is None:
        raise _no_target(patch)
    if patch.op == "add" and not rest:  # before the item that is there (RFC 6902, section 4.1)
        return [*value[:index], patch.value, *value[index:]]
    if index == len(value):
        raise _no_target(patch)
    if patch.op == "remove" and not rest:
        return [*value[:index], *value[index + 1 :]]
    return [*value[:index], _applied(value[index], patch, rest), *value[index + 1 :]]


def _no_target(patch: Patch) -> PatchError:
    return PatchError(f"{patch.op} {patch.path or '/'}: there is no such place in the object")


def with_parents(document: Any, path: Tokens, value: Any) -> Patch | None:
    """The one `add` that puts `value` at `path`, with the parents that are missing (or null) as objects around it.

    The parent of `-` is a list. None where something on the way is neither object nor list, or a list without the item.
    """
    parent = document
    for position, token in enumerate(path):
        if isinstance(parent, list):
            index = list_index(parent, token)
            last = position == len(path) - 1
            if index is None or (index == len(parent) and not last):
                return None
            if last:
                break
            parent = parent[index]
            continue
        if not isinstance(parent, dict):
            return None
        child = parent.get(token)
        if child is None:
            for outer in reversed(path[position + 1 :]):
                value = [value] if outer == END else {outer: value}
            return Patch("add", pointer(*path[: position + 1]), value)
        parent = child
    return Patch("add", pointer(*path), value)


def difference(before: Any, after: Any) -> tuple[Patch, ...]:
    """The operations that make `after` of `before`, in a stable order: members by name, items of lists in their order.

    No operation touches what is alike in both, and none is there twice: what is added together is one `add`.
    """
    return tuple(_difference(before, after, ()))


def _difference(before: Any, after: Any, path: tuple[str | int, ...]) -> Iterator[Patch]:
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            place = (*path, name)
            if name not in after:
                yield Patch("remove", pointer(*place))
            elif name not in before:
                yield Patch("add", pointer(*place), after[name])
            else:
                yield from _difference(before[name], after[name], place)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_difference(before, after, path)
    elif not same(before, after):
        yield Patch("replace", pointer(*path), after)


def _list_difference(before: list[Any], after: list[Any], path: tuple[str | int, ...]) -> Iterator[Patch]:
    """What is alike at both ends stays; what is between is compared item by item, then filled up or cut."""
    shorter = min(len(before), len(after))
    first = next((index for index in range(shorter) if not same(before[index], after[index])), shorter)
    tail = next((back for back in range(shorter - first) if not same(before[-1 - back], after[-1 - back])), None)
    tail = shorter - first if tail is None else tail
    old, new = len(before) - tail, len(after) - tail
    for index in range(first, min(old, new)):
        yield from _difference(before[index], after[index], (*path, index))
    for index in range(old - 1, new - 1, -1):
        yield Patch("remove", pointer(*path, index))
    for index in range(old, new):
        yield Patch("add", pointer(*path, index), after[index])
