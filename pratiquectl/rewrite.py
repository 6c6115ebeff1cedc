"""Patches written into YAML and JSON texts so that nothing else moves: comments, order, quotes and layout stay.

ruamel.yaml does the editing. What it would lay out otherwise than the author did is taken back line by line: the text
that it writes of the document as it was is the base of a three-way merge between the author's text and the edited one.
What comes out is read again by the reader of manifests, and refused unless it is exactly the patched value.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark, YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, FoldedScalarString, LiteralScalarString
from ruamel.yaml.tokens import CommentToken

from pratique.decision import Patch
from pratique.errors import PratiqueError, Problem
from pratique.patches import apply, list_index, same, tokens
from pratique.yamlfile import load_documents

_WIDTH = 2**20
"""Lines are as long as they are."""

_START = re.compile(r"^---(?=\s|$)", re.MULTILINE)  # YAML 1.2.2, 9.1.4: at the beginning of a line, always a marker


class RewriteError(PratiqueError):
    """The text cannot be changed without changing more than was asked for."""


@dataclass(frozen=True, slots=True)
class Part:
    """One document of a text, with the marker before it: `text` as it stands, from `line` (counted from 1) on."""

    text: str
    line: int


def parts(text: str) -> Iterator[Part]:
    """The documents of a YAML text. Joined together again they are that text."""
    starts = [match.start() for match in _START.finditer(text)]
    if not starts or text[: starts[0]]:
        starts.insert(0, 0)
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield Part(text[start:end], text.count("\n", 0, start) + 1)


def rewritten_yaml(text: str, patches: Sequence[Patch]) -> str:
    """The one YAML document `text` with `patches` applied.

    Raises:
        RewriteError: it cannot be done (an anchor stands for several places, say).
    """
    after = apply(_value(text), patches)
    yaml = _yaml_like(text)
    try:
        node = yaml.load(text)
        base = _dumped(yaml, node)
        for patch in patches:
            node = _edited(node, patch)
        edited = _dumped(yaml, node)
    except (YAMLError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise RewriteError(f"the text cannot be edited: {error}") from error
    for candidate in (_merged(text, base, edited), edited):
        if _says(candidate, after):
            return candidate
    raise RewriteError(
        "the change cannot be written without changing more than it: an anchor or a merge key stands for several places"
    )


def rewritten_json(text: str, patches: Sequence[Patch]) -> str:
    """The JSON text with `patches` applied, laid out as it was.

    Raises:
        RewriteError: it cannot be done.
    """
    before = json.loads(text)
    after = apply(before, patches)
    end = text[len(text.rstrip()) :]
    lines = text.splitlines()
    indent: str | None = None
    separators = (",", ": ") if re.search(r'":\s', text) else (",", ":")
    if len(lines) == 1 and re.search(r",\s", text):
        separators = (", ", separators[1])
    elif len(lines) > 1:
        match = re.match(r"\s+", lines[1])
        indent = match.group() if match else ""

    def dumped(value: Any) -> str:
        return json.dumps(value, indent=indent, separators=separators, ensure_ascii=False) + end

    edited = dumped(after)
    for candidate in (_merged(text, dumped(before), edited), edited):
        try:
            if same(json.loads(candidate), after):
                return candidate
        except json.JSONDecodeError:
            continue
    raise RewriteError("the JSON cannot be written without changing more than was asked for")


def _value(text: str) -> Any:
    documents = list(load_documents(text, ""))
    if len(documents) != 1 or isinstance(documents[0], Problem):
        raise RewriteError("the text is not one YAML document")
    return documents[0].value


def _says(text: str, value: Any) -> bool:
    try:
        return same(_value(text), value)
    except RewriteError:
        return False


# Layout


def _yaml_like(text: str) -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    yaml.allow_duplicate_keys = False
    mapping, offset = _indentation(text)
    yaml.indent(mapping=mapping, sequence=offset + 2, offset=offset)
    yaml.explicit_start = bool(_START.match(text))
    return yaml


def _indentation(text: str) -> tuple[int, int]:
    """By how much the author indents: members of mappings, and the dashes of lists."""
    mapping = offset = None
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line, following in pairwise(lines):
        if not re.search(r":\s*(#.*)?$", line):
            continue
        column = len(line) - len(line.lstrip(" -"))
        deeper = len(following) - len(following.lstrip()) - column
        if re.match(r"\s*-(\s|$)", following):
            offset = deeper if offset is None and deeper >= 0 else offset
        elif deeper > 0 and mapping is None:
            mapping = deeper
    return mapping or 2, offset or 0


def _dumped(yaml: YAML, node: Any) -> str:
    stream = io.StringIO()
    yaml.dump(node, stream)
    return stream.getvalue()


def _merged(ours: str, base: str, theirs: str) -> str:
    """`ours` with the changes that lead from `base` to `theirs`; where both changed the same lines, `theirs`."""
    ours_lines, base_lines, theirs_lines = (text.splitlines(keepends=True) for text in (ours, base, theirs))
    in_ours, in_theirs = _matches(base_lines, ours_lines), _matches(base_lines, theirs_lines)
    stable = [index for index in range(len(base_lines)) if index in in_ours and index in in_theirs]
    merged: list[str] = []
    at_base = at_ours = at_theirs = 0
    for index in [*stable, len(base_lines)]:
        to_ours = in_ours.get(index, len(ours_lines))
        to_theirs = in_theirs.get(index, len(theirs_lines))
        mine, other = ours_lines[at_ours:to_ours], theirs_lines[at_theirs:to_theirs]
        merged += _settled(mine, base_lines[at_base:index], other)
        if index < len(base_lines):
            merged.append(ours_lines[to_ours])
        at_base, at_ours, at_theirs = index + 1, to_ours + 1, to_theirs + 1
    return "".join(merged)


def _settled(ours: list[str], base: list[str], theirs: list[str]) -> list[str]:
    """Lines that both sides may have changed: where `ours` is only laid out otherwise, line by line, that is kept."""
    if theirs == base:
        return ours
    if len(ours) != len(base):
        return theirs
    lines: list[str] = []
    for what, start, end, other_start, other_end in SequenceMatcher(None, base, theirs, autojunk=False).get_opcodes():
        lines += ours[start:end] if what == "equal" else theirs[other_start:other_end]
    return lines


def _matches(base: list[str], other: list[str]) -> dict[int, int]:
    """Which line of `base` is which of `other`."""
    blocks = SequenceMatcher(None, base, other, autojunk=False).get_matching_blocks()
    return {block.a + step: block.b + step for block in blocks for step in range(block.size)}


# Editing


def _edited(document: Any, patch: Patch) -> Any:
    path = tokens(patch.path)
    if not path:
        return _node(patch.value)
    parent = document
    for token in path[:-1]:
        parent = parent[int(token)] if isinstance(parent, CommentedSeq) else parent[token]
    last = path[-1]
    if isinstance(parent, CommentedSeq):
        index = list_index(parent, last)
        if index is None:
            raise RewriteError(f"{patch.path} is no place in the text")
        if patch.op == "remove":
            del parent[index]
        elif patch.op == "replace":
            parent[index] = _node(patch.value)
        elif index == len(parent):
            _at_end(parent, lambda: parent.append(_node(patch.value)))
        else:
            parent.insert(index, _node(patch.value))
    elif patch.op == "remove":
        del parent[last]
    elif last in parent:
        tail = _take_tail(parent, last)
        parent[last] = _node(patch.value)
        _put_tail(parent, tail, last)
    else:
        _at_end(parent, lambda: parent.__setitem__(_text(last), _node(patch.value)))
    return document


def _node(value: Any) -> Any:
    """`value` as ruamel.yaml writes it, in block style."""
    if isinstance(value, dict):
        return CommentedMap({_text(name): _node(member) for name, member in value.items()})
    if isinstance(value, list):
        return CommentedSeq(_node(item) for item in value)
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    """Text that kubectl would read as something else goes in quotes."""
    documents = list(load_documents(f"- {value}\n", ""))
    plain = len(documents) == 1 and not isinstance(documents[0], Problem) and documents[0].value == [value]
    return value if plain else DoubleQuotedScalarString(value)


def _at_end(collection: Any, append: Any) -> None:
    """Append, before the blank lines and comments that stand behind the collection: they belong to what follows."""
    tail = _take_tail(collection)
    append()
    _put_tail(collection, tail)


_NO_KEY = object()


def _last(collection: Any, key: Any = _NO_KEY) -> tuple[Any, Any, int]:
    """The innermost collection that ends where `collection` (or its member `key`) ends, its last key, and where in
    its slots the comment behind that stands."""
    while True:
        is_map = isinstance(collection, CommentedMap)
        if key is _NO_KEY:
            if not collection:
                return collection, _NO_KEY, 0
            key = next(reversed(collection)) if is_map else len(collection) - 1
        value = collection[key]
        if isinstance(value, CommentedMap | CommentedSeq) and value and not value.fa.flow_style():
            collection, key = value, _NO_KEY
            continue
        return collection, key, 2 if is_map else 0


def _take_tail(collection: Any, key: Any = _NO_KEY) -> str:
    """Remove the blank and comment lines behind `collection` and return them. A comment on its last line stays."""
    inner, last, slot = _last(collection, key)
    if last is _NO_KEY:
        return ""
    return _after_last(inner, last, slot) + _at_ends(collection if key is _NO_KEY else collection[key])


def _at_ends(collection: Any) -> str:
    """Remove the comments that ruamel.yaml keeps at the ends of collections (where the last value is in flow style)."""
    found = ""
    while isinstance(collection, CommentedMap | CommentedSeq) and collection:
        found = "".join(" " * token.column + token.value for token in collection.ca.end) + found
        collection.ca.end = []
        collection = collection[next(reversed(collection)) if isinstance(collection, CommentedMap) else -1]
    return found


def _after_last(inner: Any, last: Any, slot: int) -> str:
    comments = inner.ca.items.get(last)
    token = comments[slot] if comments else None
    if not isinstance(token, CommentToken):
        return ""
    # Behind a block scalar (`|`, `>`) there is no end of its last line: every comment is on a line of its own.
    block = isinstance(inner[last], LiteralScalarString | FoldedScalarString)
    first, newline, rest = ("", "", token.value) if block else token.value.partition("\n")
    if not rest:
        return ""
    if first:
        token.value = first + newline
    else:
        comments[slot] = None
        if not any(comments):
            del inner.ca.items[last]
    return str(rest)


def _put_tail(collection: Any, tail: str, key: Any = _NO_KEY) -> None:
    """Put the lines that `_take_tail` returned behind `collection`."""
    if not tail:
        return
    inner, last, slot = _last(collection, key)
    if last is _NO_KEY:
        return
    comments = inner.ca.items.setdefault(last, [None, None, None, None])
    token = comments[slot]
    if isinstance(token, CommentToken):
        token.value = token.value.rstrip("\n") + "\n" + tail
    else:
        comments[slot] = CommentToken("\n" + tail, CommentMark(0), None)
