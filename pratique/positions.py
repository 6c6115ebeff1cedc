"""Where in the text of a file the parts of a document stand: the line and column of a JSON pointer.

The one place that knows it, for YAML (several documents, anchors, aliases, merge keys, flow style) and for JSON. A
member of an object is where its key is, an item of a list where it begins. What an alias or a merge key brings is where
it was written. What is missing is at the deepest part of its path that is there.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined] # typeshed leaves it out

import yaml

from pratique.patches import list_index
from pratique.pointer import split

_MERGE = "tag:yaml.org,2002:merge"
_SCALAR = re.compile(r"[^\s,\]}]+")
_SPACE = re.compile(r"\s*")
_KEPT_TREES = 4
"""Documents are located one after the other; only a List is asked for again and again."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Line and column, both counted from 1, the column in characters. Line 0: not known."""

    line: int = 0
    column: int = 0


NOWHERE = Position()


class Text:
    """The text of one file. All its documents share it."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _starts(self) -> array[int]:
        return array("Q", [0, *(match.end() for match in re.finditer("\n", self.text))])

    def at(self, offset: int) -> Position:
        """The position of the character at `offset`."""
        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1] + 1)

    def line_start(self, offset: int) -> int:
        """Where the line of the character at `offset` begins."""
        return self._starts[bisect_right(self._starts, offset) - 1]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One document of `text`: the characters from `start` up to `end`."""

    text: Text
    start: int
    end: int
    is_json: bool = False

    def positions(self, paths: Iterable[str]) -> Mapping[str, Position]:
        """Where each of `paths` (RFC 6901) is, or the deepest part of it that is there."""
        tree = _tree(self)
        return {path: self.text.at(self._offset(tree, path)) for path in paths}

    def _offset(self, tree: _Node | None, path: str) -> int:
        if tree is None:  # it was read once, but cannot be read by itself (a %TAG directive stands before it)
            return self.start
        node, offset = tree, tree.offset
        for token in split(path):
            found = node.member(token)
            if found is None:
                break
            offset, node = found
        return offset


@dataclass(slots=True)
class _Node:
    """A value at `offset`. `members` are the key and the value of each; `items` those of a list."""

    offset: int
    members: dict[str, tuple[int, _Node]] | None = None
    items: list[_Node] | None = None

    def member(self, token: str) -> tuple[int, _Node] | None:
        if self.members is not None:
            return self.members.get(token)
        if self.items is not None:
            index = list_index(self.items, token)
            if index is not None and index < len(self.items):
                return self.items[index].offset, self.items[index]
        return None


@lru_cache(maxsize=_KEPT_TREES)
def _tree(place: Place) -> _Node | None:
    if place.is_json:
        return _json_tree(place)
    start = place.text.line_start(place.start)
    loader = yaml.CSafeLoader(place.text.text[start : place.end])
    try:
        root = loader.get_node() if loader.check_node() else None
    except (yaml.YAMLError, ValueError):
        return None
    finally:
        loader.dispose()
    return None if root is None else _yaml_tree(root, start, {})


def _yaml_tree(node: yaml.Node, base: int, known: dict[int, _Node]) -> _Node:
    if id(node) in known:  # an alias
        return known[id(node)]
    made = known[id(node)] = _Node(base + node.start_mark.index)
    if isinstance(node, yaml.SequenceNode):
        made.items = [_yaml_tree(item, base, known) for item in node.value]
    elif isinstance(node, yaml.MappingNode):
        made.members = {}
        merged: list[_Node] = []
        for key, value in node.value:
            child = _yaml_tree(value, base, known)
            if key.tag == _MERGE:
                merged += child.items if child.items is not None else [child]
            elif isinstance(key, yaml.ScalarNode):
                made.members[key.value] = (base + key.start_mark.index, child)
        for other in merged:  # what is written here counts first, then the earlier of those that are merged
            made.members = {**(other.members or {}), **made.members}
    return made


def _json_tree(place: Place) -> _Node | None:
    try:
        return _json_value(place.text.text, _space(place.text.text, place.start))[0]
    except (IndexError, JSONDecodeError, AttributeError):
        return None


def _json_value(text: str, at: int) -> tuple[_Node, int]:
    """The value that begins at `at` in a text that is known to be JSON, and where it ends."""
    node = _Node(at)
    if text[at] == '"':
        return node, scanstring(text, at + 1)[1]
    if text[at] not in "{[":
        return node, _SCALAR.match(text, at).end()  # type: ignore[union-attr] # AttributeError is caught
    is_object = text[at] == "{"
    members: dict[str, tuple[int, _Node]] = {}
    items: list[_Node] = []
    at = _space(text, at + 1)
    while text[at] not in "}]":
        key_at, key = at, ""
        if is_object:
            key, at = scanstring(text, at + 1)
            at = _space(text, _space(text, at) + 1)  # over the colon
        child, at = _json_value(text, at)
        if is_object:
            members[key] = (key_at, child)
        else:
            items.append(child)
        at = _space(text, at)
        if text[at] == ",":
            at = _space(text, at + 1)
    node.members, node.items = (members, None) if is_object else (None, items)
    return node, at + 1


def _space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr] # it matches everywhere
