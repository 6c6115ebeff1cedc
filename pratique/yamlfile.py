"""YAML files as Kubernetes' tools read them: several documents, strict, with the line of everything that is wrong.

Differs from YAML 1.1 as PyYAML reads it where `kubectl` does too (sigs.k8s.io/yaml): times and `1:30` stay text, `y`
and `n` are booleans, `1e3` is a whole number, keys are text, duplicate keys are errors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pratique.errors import ConfigError, Problem

MAX_EXPANDED_NODES = 2_000_000
"""Protects against aliases of aliases: a file of one kilobyte can stand for a billion nodes."""

MAX_DEPTH = 200
"""The nesting that is accepted, as for JSON."""

_MAX_COMPOSED_DEPTH = 4000
"""Protects the process: the binding of libyaml builds nodes by recursion in C, and from some ten thousand levels on its
stack overflows, which no `except` catches."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: `index` counts from 0, `line` from 1; it is 0 where there are no lines. It is in the
    characters from `start` up to `end` of the text (a byte order mark not counted)."""

    file: str
    index: int
    line: int
    value: Any
    start: int = 0
    end: int = 0

    @property
    def where(self) -> str:
        return f"line {self.line}" if self.line else ""


_LARGEST_WHOLE = 2**53
"""Up to here each whole number has a float of its own."""

_REPLACED = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class _Loader(yaml.CSafeLoader):
    """CSafeLoader with kubectl's scalars."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_NOT_IN_JSON = {f"tag:yaml.org,2002:{name}" for name in ("binary", "omap", "pairs", "set", "timestamp")}
_Loader.yaml_constructors = {
    tag: constructor for tag, constructor in yaml.CSafeLoader.yaml_constructors.items() if tag not in _NOT_IN_JSON
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"[yYnN]$"), list("yYnN"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0[0-9]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"[-+]?(?:[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$"
        r"|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
    ),
    list("-+.0123456789"),
)


_BOOLEANS = {**yaml.CSafeLoader.bool_values, "y": True, "n": False}


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    try:
        if digits.startswith("0o"):
            return sign * int(digits[2:], 8)
        if len(digits) > 1 and digits.startswith("0") and digits.isdigit():
            return sign * int(digits, 10 if set(digits) & {"8", "9"} else 8)
        return sign * int(digits, 0)
    except ValueError as error:
        raise yaml.MarkedYAMLError(
            problem=f"{node.value[:40]!r} is not a whole number that can be read", problem_mark=node.start_mark
        ) from error


def _construct_bool(loader: _Loader, node: yaml.ScalarNode) -> bool:
    word = loader.construct_scalar(node).lower()
    if word not in _BOOLEANS:
        raise yaml.MarkedYAMLError(
            problem=f"{node.value[:40]!r} is neither true nor false", problem_mark=node.start_mark
        )
    return _BOOLEANS[word]


def _construct_float(loader: _Loader, node: yaml.ScalarNode) -> float | int:
    try:
        number = float(loader.construct_scalar(node))
    except ValueError:
        number = math.inf
    if not math.isfinite(number):
        raise yaml.MarkedYAMLError(problem=f"{node.value} is not a number that JSON has", problem_mark=node.start_mark)
    return int(number) if number.is_integer() and abs(number) <= _LARGEST_WHOLE else number


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise yaml.MarkedYAMLError(problem="expected a mapping node", problem_mark=node.start_mark)
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(
                problem="a key must be text, not a list or an object", problem_mark=key_node.start_mark
            )
        if key_node.value in seen:
            raise yaml.MarkedYAMLError(
                problem=f"the key {key_node.value!r} is there twice, first at line {seen[key_node.value]}; keep one",
                problem_mark=key_node.start_mark,
            )
        seen[key_node.value] = key_node.start_mark.line + 1
    loader.flatten_mapping(node)
    return {key_node.value: loader.construct_object(value_node, deep=True) for key_node, value_node in node.value}


_Loader.add_constructor("tag:yaml.org,2002:bool", _construct_bool)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)
_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


def only_document(file: Path, *, max_bytes: int) -> Any:
    """The value of the one document that `file` has to hold.

    Raises:
        ConfigError: it cannot be read, has more than `max_bytes`, or does not hold one document.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except OSError as error:
        raise ConfigError(Problem(str(file), "", f"this cannot be read: {error.strerror}")) from error
    if len(content) > max_bytes:
        raise ConfigError(Problem(str(file), "", f"more than {max_bytes} bytes"))
    documents = list(load_documents(content, str(file)))
    if problems := [each for each in documents if isinstance(each, Problem)]:
        raise ConfigError(*problems)
    values = [each.value for each in documents if not isinstance(each, Problem)]
    if len(values) != 1:
        raise ConfigError(Problem(str(file), "", f"there are {len(values)} documents in it; write one"))
    return values[0]


def load_documents(text: bytes | str, file: str) -> Iterator[Document | Problem]:
    """The documents of a YAML (or JSON) text in order, empty ones left out; a Problem where one cannot be read.

    Reading ends at a Problem of syntax, because where the next document starts is not known then; after any other, it
    goes on.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            yield Problem(file, f"line {line}", "this is not UTF-8 text; save the file as UTF-8 YAML or JSON")
            return
    if (at := _far_too_deep(text)) is not None:
        yield Problem(file, f"line {at}", f"the document is nested more than {MAX_DEPTH} levels deep")
        return
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:
        yield _problem(file, error)
        return
    try:
        index = 0
        while True:
            try:
                if not loader.check_node():
                    return
                node = loader.get_node()
                if node is None:
                    return
            except (yaml.YAMLError, ValueError) as error:
                yield _problem(file, error)
                return
            except RecursionError:
                yield Problem(file, "", f"the document is nested more than {MAX_DEPTH} levels deep")
                return
            line = node.start_mark.line + 1
            try:
                _check_size(node)
                value = loader.construct_document(node)
            except (yaml.YAMLError, ValueError) as error:
                yield _problem(file, error, line)
            else:
                if value is not None:
                    yield Document(file, index, line, value, node.start_mark.index, node.end_mark.index)
            index += 1
    finally:
        loader.dispose()


def _far_too_deep(text: str) -> int | None:
    """The line at which `text` is nested deeper than can be built at all.

    Each level opens with one of these characters: a document with few of them needs no closer look.
    """
    if all(sum(map(document.count, "[{-?:")) <= _MAX_COMPOSED_DEPTH for document in text.split("\n---")):
        return None
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > _MAX_COMPOSED_DEPTH:
                    return event.start_mark.line + 1 if event.start_mark else 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.YAMLError:
        pass  # building the nodes ends at the same place, and says what is wrong there
    return None


def _check_size(root: yaml.Node) -> None:
    """Refuse what aliases make too large, too deep or endless, before anything is built from it."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node, depth: int) -> int:
        if not isinstance(node, yaml.CollectionNode):
            return 1
        identity = id(node)
        if identity in open_nodes:
            raise yaml.MarkedYAMLError(problem="an alias refers to what it is part of", problem_mark=node.start_mark)
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"the document is nested more than {MAX_DEPTH} levels deep", problem_mark=node.start_mark
            )
        if identity not in sizes:
            open_nodes.add(identity)
            total = 1
            for item in node.value:
                children = item if isinstance(item, tuple) else (item,)
                total += sum(size(child, depth + 1) for child in children)
                if total > MAX_EXPANDED_NODES:
                    raise yaml.MarkedYAMLError(
                        problem=f"the document stands for more than {MAX_EXPANDED_NODES} values; use fewer aliases",
                        problem_mark=node.start_mark,
                    )
            open_nodes.discard(identity)
            sizes[identity] = total
        return sizes[identity]

    size(root, 0)


def _problem(file: str, error: Exception, line: int = 0) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}" if mark else (f"line {line}" if line else "")
        return Problem(file, where, f"{error.problem or error.context}")
    if isinstance(error, yaml.reader.ReaderError):
        return Problem(file, f"line {line}" if line else "", "this is not a text file: it holds control characters")
    return Problem(file, f"line {line}" if line else "", f"this cannot be read as YAML: {error}")
