"""YAML, as sigs.k8s.io/yaml reads it: `y` is true, `0o7` is 7, times are text, the last of two equal keys counts.

A file is cut at lines that are `---` and nothing else. What stands between two of them is read up to its first end.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import math
import re
from collections.abc import Iterator
from typing import Any, cast

import yaml

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.limits import MAX_DEPTH
from pratiquectl.conftest.parsers.source import Source

_SAFE_TO_COMPOSE = 4000
"""Nesting that the binding of libyaml can build: it does so by recursion in C, whose end no `except` catches."""

_FEW_NODES = 1000
_FEW_ALIASED = 100
_NODES_OF_ANY_RATIO = 400_000
_NODES_OF_LOWEST_RATIO = 4_000_000

_PREFIX = "tag:yaml.org,2002:"
_PLAIN = ""
_TEXT = f"{_PREFIX}str"
_RESOLVED = frozenset(f"{_PREFIX}{name}" for name in ("str", "bool", "int", "float", "null", "timestamp"))

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_UNUSUAL = re.compile(rb"\\/|^%YAML|(?:^|[\s\[{,])![\s]", re.MULTILINE)
"""What is looked at more closely, because libyaml and its port to Go differ in it."""

_VERSION = re.compile(rb"(?:\s*(?:#[^\n]*)?\n)*%YAML[ \t]+([0-9.]+)")
_ESCAPED_SLASH = re.compile(r"(?<!\\)(?:\\\\)*\\/")
_INTEGER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_BINARY = re.compile(r"(-?)0b([+-]?[01]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:(?:[Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2}))"
    r"|(?: ([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?))?"
)


def documents(source: Source) -> list[Any]:
    """The documents in order, an empty one as None."""
    return [_load(part) for part in _parts(source.content)]


def _parts(content: bytes) -> list[bytes]:
    line_end = b"\r\n" if b"\r\n" in content else b"\n"
    separator = line_end + b"---" + line_end
    parts = content.split(separator)
    if content.startswith(b"%") and len(parts) > 1:
        # What stands before the first line of dashes are directives for the document behind it.
        return [parts[0] + separator + parts[1], *parts[2:]]
    return parts


class _Loader(yaml.CSafeLoader):
    """Leaves what a scalar means to us."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: tuple[bool, bool] | bool) -> str:
        plain = implicit[0] if isinstance(implicit, tuple) else implicit
        return _PLAIN if plain else _TEXT


def _load(content: bytes) -> Any:
    """The first document of `content`.

    Raises:
        ParseError: it is not YAML, or cannot be a JSON value.
    """
    _check_depth(content)
    try:
        texts = _checked_source(content) if _UNUSUAL.search(content) else frozenset()
        node = _first_node(content)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise ParseError(f"{where}{error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ParseError(f"this cannot be read as YAML: {error}") from error
    return None if node is None else _Builder(texts).value(node, 0, aliased=False)


def _first_node(content: bytes) -> yaml.Node | None:
    loader = _Loader(content)
    try:
        return loader.get_node() if loader.check_node() else None
    except yaml.composer.ComposerError as error:
        if "occurrence" not in f"{error.context}{error.problem}":
            raise
    finally:
        loader.dispose()
    return _compose(yaml.parse(content, Loader=_Loader))


def _compose(events: Iterator[Any]) -> yaml.Node | None:
    """The first document of `events`, in which an anchor can be set anew: aliases mean the last before them."""
    anchors: dict[str, yaml.Node] = {}
    open_nodes: list[yaml.CollectionNode] = []
    keys: list[yaml.Node | None] = []
    for event in events:
        kind = type(event)
        starts = kind in (yaml.SequenceStartEvent, yaml.MappingStartEvent)
        node: Any
        if kind is yaml.AliasEvent:
            if event.anchor not in anchors:
                raise yaml.MarkedYAMLError(problem=f"unknown anchor {event.anchor!r}", problem_mark=event.start_mark)
            node = anchors[event.anchor]
        elif kind is yaml.ScalarEvent:
            tag = event.tag or (_PLAIN if event.implicit[0] else _TEXT)
            node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        elif starts:
            node_kind = yaml.MappingNode if kind is yaml.MappingStartEvent else yaml.SequenceNode
            node = node_kind(event.tag or _PLAIN, [], event.start_mark, event.end_mark)
        elif kind in (yaml.SequenceEndEvent, yaml.MappingEndEvent):
            ended = open_nodes.pop()
            keys.pop()
            if not open_nodes:
                return ended
            continue
        else:
            continue
        if kind is not yaml.AliasEvent and event.anchor:
            anchors[event.anchor] = node
        if open_nodes:
            if isinstance(open_nodes[-1], yaml.SequenceNode):
                open_nodes[-1].value.append(node)
            elif (key := keys[-1]) is None:
                keys[-1] = node
            else:
                open_nodes[-1].value.append((key, node))
                keys[-1] = None
        elif not starts:
            return cast(yaml.Node, node)
        if starts:
            open_nodes.append(node)
            keys.append(None)
    return None


def _checked_source(content: bytes) -> frozenset[tuple[int, int]]:
    """Where scalars are that the tag `!` makes texts.

    Raises:
        ParseError: the text is YAML to libyaml, but not to the library that conftest uses.
    """
    if (match := _VERSION.match(content)) and match[1] != b"1.1":
        raise ParseError(f"this is YAML {match[1].decode()}; a %YAML directive can only say 1.1")
    texts = set()
    text = content.decode("utf-8-sig", errors="replace")
    events: Iterator[Any] = yaml.parse(content, Loader=yaml.CSafeLoader)
    for event in events:
        kind = type(event)
        if kind is yaml.DocumentEndEvent:
            break
        if kind is not yaml.ScalarEvent:
            continue
        raw = text[event.start_mark.index : event.end_mark.index]
        if event.style == '"' and _ESCAPED_SLASH.search(raw):
            raise ParseError(f"line {event.start_mark.line + 1}: \\/ is no escape of YAML 1.1")
        if event.tag == "!":
            texts.add((event.start_mark.line, event.start_mark.column))
    return frozenset(texts)


def _check_depth(content: bytes) -> None:
    """Refuse what is nested so deep that it cannot be built at all."""
    longest = max(map(len, content.split(b"\n")))
    # A block collection begins to the right of the one around it, but for a list in an object: two for each column.
    if content.count(b"[") + content.count(b"{") + 2 * longest <= _SAFE_TO_COMPOSE:
        return
    depth = 0
    try:
        for event in yaml.parse(content, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise ParseError(f"the YAML is nested more than {MAX_DEPTH} levels deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.DocumentEndEvent):
                return
    except (yaml.YAMLError, ValueError):
        pass  # building the nodes ends at the same place, and says what is wrong there


class _Builder:
    """Makes the value of one document, and counts what aliases make of it."""

    def __init__(self, texts: frozenset[tuple[int, int]]) -> None:
        self._texts = texts
        self._built = 0
        self._built_aliased = 0
        self._seen: set[int] = set()
        self._open: set[int] = set()

    def value(self, node: yaml.Node, depth: int, *, aliased: bool) -> Any:
        """The value of `node`, which is `aliased` if it is part of something that stands elsewhere in the file."""
        self._count(node, aliased=aliased)
        if isinstance(node, yaml.ScalarNode):
            if self._texts and (node.start_mark.line, node.start_mark.column) in self._texts:
                return node.value
            return _json_scalar(_scalar(node), node)
        identity = id(node)
        if identity in self._open:
            raise _error(node, "an alias refers to what it is part of")
        if depth > MAX_DEPTH:
            raise _error(node, f"the YAML is nested more than {MAX_DEPTH} levels deep")
        aliased = aliased or identity in self._seen
        self._seen.add(identity)
        self._open.add(identity)
        built: Any = {}
        if isinstance(node, yaml.MappingNode):
            self._fill(built, node, depth, aliased=aliased)
        else:
            built = [self.value(item, depth + 1, aliased=aliased) for item in node.value]
        self._open.discard(identity)
        return built

    def _fill(self, built: dict[str, Any], node: yaml.MappingNode, depth: int, *, aliased: bool) -> None:
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == "<<" and key.tag in (_PLAIN, f"{_PREFIX}merge"):
                self._merge(built, value, depth + 1, aliased=aliased)
            else:
                self._count(key, aliased=aliased)
                built[_key(key)] = self.value(value, depth + 1, aliased=aliased)

    def _merge(self, built: dict[str, Any], node: yaml.Node, depth: int, *, aliased: bool) -> None:
        """What is merged counts as if it were written where the merge is: later keys win."""
        # Of a list, the first wins.
        merged = reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]
        for item in merged:
            if not isinstance(item, yaml.MappingNode):
                raise _error(node, "only an object, or a list of objects, can be merged with <<")
            identity = id(item)
            if identity in self._open:
                raise _error(item, "an alias refers to what it is part of")
            if depth > MAX_DEPTH:
                raise _error(item, f"the YAML is nested more than {MAX_DEPTH} levels deep")
            self._count(item, aliased=aliased)
            inside = aliased or identity in self._seen
            self._seen.add(identity)
            self._open.add(identity)
            self._fill(built, item, depth, aliased=inside)
            self._open.discard(identity)

    def _count(self, node: yaml.Node, *, aliased: bool) -> None:
        """Refuse a document most of which is made by aliases, by the measure that Kubernetes' tools have."""
        self._built += 1
        if not (aliased or id(node) in self._seen):
            return
        self._built_aliased += 1
        if self._built_aliased <= _FEW_ALIASED or self._built <= _FEW_NODES:
            return
        over = (self._built - _NODES_OF_ANY_RATIO) / (_NODES_OF_LOWEST_RATIO - _NODES_OF_ANY_RATIO)
        if self._built_aliased / self._built > 0.99 - 0.89 * min(1.0, max(0.0, over)):
            raise _error(node, "the document stands for far more than is written, by aliases of aliases")


def _scalar(node: yaml.ScalarNode) -> Any:
    tag, text = node.tag, node.value
    if tag == f"{_PREFIX}binary":
        try:
            return go.text(base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True))
        except (binascii.Error, ValueError) as error:
            raise _error(node, "a !!binary value is not base64") from error
    if tag == _TEXT or (tag and tag not in _RESOLVED):
        return text
    value = _resolved(text)
    if tag == _PLAIN:
        return value
    wanted = tag.removeprefix(_PREFIX)
    if wanted == "timestamp" and _is_time(text):
        return text
    if wanted == "float" and isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return float(value)
    kinds = {"null": type(None), "bool": bool, "int": int, "float": float}
    if wanted == "timestamp" or type(value) is not kinds[wanted]:
        raise _error(node, f"{text[:40]!r} is not of the type !!{wanted}")
    return value


def _resolved(text: str) -> Any:
    """What a plain scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == ".":
        number = go.parse_float(text)
        return text if number is None else number
    if first not in "+-0123456789":
        return text
    plain = text.replace("_", "")
    if match := _INTEGER.fullmatch(plain):
        digits = match[2].lower()
        octal = len(digits) > 1 and digits[0] == "0" and digits[1] not in "xb"
        value = int(digits.replace("o", ""), 8) if octal else int(digits, 0)
        value = -value if match[1] == "-" else value
        if -(2**63) <= value < (2**63 if match[1] else 2**64):
            return value
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        if math.isfinite(number):
            return number
    if match := _BINARY.fullmatch(plain):
        value = int(match[2], 2)
        if not match[1] or match[2][0] not in "+-":
            value = -value if match[1] else value
            if -(2**63) <= value < 2**63:
                return value
    return text


def _json_scalar(value: Any, node: yaml.Node) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return go.number(float(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _error(node, f"{node.value} is not a number that JSON has")
        return go.number(value)
    return value


def _key(node: yaml.Node) -> str:
    """A key as text: keys of JSON objects are."""
    if not isinstance(node, yaml.ScalarNode):
        raise _error(node, "a key is a list or an object")
    key = _scalar(node)
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int) and key < 2**63:
        return str(key)
    if isinstance(key, float):
        written = go.format_float(key, bits=32)
        return {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}.get(written, written)
    raise _error(node, f"{node.value!r} cannot be a key")


def _is_time(text: str) -> bool:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return False
    numbers = [int(group) for group in match.groups() if group is not None]
    try:
        datetime.datetime(*numbers)  # type: ignore[arg-type]  # three numbers or six
    except ValueError:
        return False
    return True


def _error(node: yaml.Node, message: str) -> ParseError:
    return ParseError(f"line {node.start_mark.line + 1}: {message}")
