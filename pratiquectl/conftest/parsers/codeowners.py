"""CODEOWNERS: which people or teams must review which files."""

from __future__ import annotations

import re
from typing import Any

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.source import Source

_OWNERS = (
    ("email", re.compile(r"([A-Z0-9a-z._%+\-]+@[A-Za-z0-9.\-]+\.[A-Za-z]{2,6})")),
    ("team", re.compile(r"@([a-zA-Z0-9\-]+/[a-zA-Z0-9_\-]+)")),
    ("username", re.compile(r"@([a-zA-Z0-9\-_]+)")),
)
_PATTERN = re.compile(r"(?:\\[\\]*[A-Za-z0-9*?./@_+\-() \t]?|[A-Za-z0-9*?./@_+\-()])+")
_OWNER_CHARACTERS = re.compile(r"[A-Za-z0-9.@/_%+\- \t]*")


def documents(source: Source) -> list[Any]:
    """One document: `rules` in the order of the file, None where there are none."""
    rules = []
    for index, raw in enumerate(go.text(source.content).split("\n"), 1):
        line = raw.strip(go.SPACE)
        if line and not line.startswith("#"):
            rules.append(_rule(line, index))
    return [{"rules": rules or None}]


def _rule(line: str, number: int) -> dict[str, Any]:
    rule, hash_sign, comment = line.partition("#")
    pattern = _PATTERN.match(rule)
    if pattern is None or not (pattern.end() == len(rule) or rule[pattern.end()] in " \t"):
        at = pattern.end() if pattern else 0
        raise ParseError(f"line {number}: {rule[at : at + 1]!r} cannot stand in a pattern")
    if "***" in pattern[0]:
        raise ParseError(f"line {number}: a pattern cannot have three asterisks in a row")
    owners = rule[pattern.end() :]
    if not _OWNER_CHARACTERS.fullmatch(owners):
        raise ParseError(f"line {number}: {owners.strip()[:80]!r} has a character that no owner has")
    return {
        "pattern": pattern[0],
        "owners": [_owner(owner, number) for owner in owners.split()],
        "comment": comment.strip(go.SPACE) if hash_sign else "",
        "lineNumber": number,
    }


def _owner(owner: str, number: int) -> dict[str, str]:
    for kind, pattern in _OWNERS:
        if match := pattern.fullmatch(owner):
            return {"type": kind, "value": match[1]}
    raise ParseError(f"line {number}: {owner[:80]!r} is neither an e-mail address, @team nor @user")
