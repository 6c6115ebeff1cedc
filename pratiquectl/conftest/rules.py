"""Which rules are asked: found in OPA's own parse of the modules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.gojson import quote

FAILURE = re.compile(r"(?:deny|violation)(?:_[a-zA-Z0-9]+)*")
WARNING = re.compile(r"warn(?:_[a-zA-Z0-9]+)*")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True)
class Namespace:
    """A package: the rules that are asked, each once, and how many of them there are in all.

    `path` are the segments below `data`; `has_exceptions` says whether a rule could define exceptions.
    """

    name: str
    path: tuple[str, ...]
    rules: list[str] = field(default_factory=list)
    count: int = 0
    has_exceptions: bool = False


@dataclass(frozen=True, slots=True)
class ParsedModule:
    """What is read off a module's syntax tree."""

    file: str
    package: tuple[str, ...]
    heads: tuple[str, ...]
    booleans: tuple[str, ...]
    prints: bool
    reads_file: bool


def parsed_module(policy: dict[str, Any]) -> ParsedModule:
    """A module from OPA's list of policies."""
    tree = policy["ast"]
    heads, booleans = [], []
    for rule in tree.get("rules") or ():
        head = rule["head"]
        name = head.get("name", "")
        heads.append(name)
        reference = head.get("ref") or ()
        value = head.get("value") or {}
        if not name and reference and value.get("type") == "boolean" and value.get("value") is True:
            booleans.append(str(reference[0]["value"]))
    references = list(_references(tree.get("rules") or ()))
    return ParsedModule(
        file=policy["id"],
        package=tuple(str(term["value"]) for term in tree["package"]["path"][1:]),
        heads=tuple(heads),
        booleans=tuple(booleans),
        prints=any(_starts(reference, "internal", "print") or _starts(reference, "print") for reference in references),
        reads_file=any(_may_read_file(reference) for reference in references),
    )


def _references(node: Any) -> Iterator[list[Any]]:
    if isinstance(node, list):
        for each in node:
            yield from _references(each)
    elif isinstance(node, dict):
        if node.get("type") == "ref" and isinstance(node.get("value"), list):
            yield node["value"]
        elif node.get("type") == "var" and node.get("value") == "data":
            yield [node]
        for each in node.values():
            if isinstance(each, list | dict):
                yield from _references(each)


def _starts(reference: Sequence[Any], *names: str) -> bool:
    return [term.get("value") for term in reference[: len(names)]] == list(names)


def _may_read_file(reference: Sequence[Any]) -> bool:
    """Whether it can reach `data.conftest`, which differs from file to file."""
    if not _starts(reference, "data"):
        return False
    return len(reference) < 2 or reference[1].get("type") != "string" or reference[1]["value"] == "conftest"


def refuse_booleans(modules: Iterable[ParsedModule], texts: dict[str, str]) -> None:
    """Ensures that no rule that is asked has `if` without `contains`.

    Raises:
        ConftestError: one has.
    """
    for module in modules:
        for name in module.booleans:
            if is_asked(name):
                line = _line_of(name, texts.get(module.file, ""))
                raise ConftestError(
                    "load: loading policies: rule is using 'if' keyword without 'contains' keyword: "
                    f"rule in {module.file} at line {line}"
                )


def _line_of(name: str, text: str) -> int:
    pattern = re.compile(rf"\s*{re.escape(name)}\s*[\[.]")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


def is_asked(name: str) -> bool:
    return bool(FAILURE.fullmatch(name) or WARNING.fullmatch(name))


def is_failure(name: str) -> bool:
    return bool(FAILURE.fullmatch(name))


def namespaces_of(modules: Iterable[ParsedModule]) -> dict[str, Namespace]:
    """Every package by its name, in order of the files."""
    found: dict[str, Namespace] = {}
    for module in modules:
        name = package_name(module.package)
        namespace = found.setdefault(name, Namespace(name, module.package))
        for head in module.heads:
            if is_asked(head):
                namespace.count += 1
                if head not in namespace.rules:
                    namespace.rules.append(head)
            namespace.has_exceptions |= head in ("exception", "")
    return found


def package_name(segments: Sequence[str]) -> str:
    """The package without `data.`, as Rego writes it."""
    first, *rest = segments
    return first + "".join(f".{each}" if _PLAIN.fullmatch(each) else f"[{quote(each)}]" for each in rest)


def exception_name(rule: str) -> str:
    """What an exception calls the rule: its name without the severity."""
    if rule in ("violation", "deny", "warn"):
        return ""
    for prefix in ("violation_", "deny_", "warn_"):
        rule = rule.removeprefix(prefix)
    return rule


def rule_query(namespace: str, rule: str) -> str:
    return f"data.{namespace}.{rule}"


def exception_query(namespace: str, rule: str) -> str:
    return f'data.{namespace}.exception[_][_] == "{exception_name(rule)}"'


def match_namespaces(available: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The namespaces that a pattern matches, in the order of `available`.

    Raises:
        ConftestError: a pattern is malformed.
    """
    compiled = [_glob(pattern) for pattern in patterns]
    return [name for name in available if any(pattern.fullmatch(name) for pattern in compiled)]


def has_wildcard(patterns: Iterable[str]) -> bool:
    return any(set(pattern) & set("*?[") for pattern in patterns)


def _glob(pattern: str) -> re.Pattern[str]:
    """Go's path.Match, in which `*` and `?` do not match a slash."""
    expression, at = "", 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            expression += "[^/]*"
        elif character == "?":
            expression += "[^/]"
        elif character == "[":
            found = re.compile(r"\^?(?:(?:\\.|[^\]\\-])(?:-(?:\\.|[^\]\\-]))?)+\]", re.DOTALL).match(pattern, at)
            if found is None:
                raise ConftestError(f'filter namespaces: match pattern "{pattern}": syntax error in pattern')
            inner = found[0][:-1].replace("[", "\\[")
            expression += f"[{inner}]"
            at = found.end()
        elif character == "\\" and at == len(pattern):
            raise ConftestError(f'filter namespaces: match pattern "{pattern}": syntax error in pattern')
        else:
            if character == "\\":
                character, at = pattern[at], at + 1
            expression += re.escape(character)
    return re.compile(expression, re.DOTALL)
