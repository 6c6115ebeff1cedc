"""What policies are told of expressions: Rego cannot read them, so the host does, and gives what it found as facts.

The one source of facts that needs neither network nor configuration: every Engine has it (`pratique.engine`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pratique.canonical import canonical_json, sha256
from pratique.errors import ExpressionError
from pratique.expression import MAX_LENGTH, Expression
from pratique.facts import Fact, Known
from pratique.subject import Resource, Subject

MAX_RULES = 100
"""Rules of one object that are read: protects the time of a decision. A policy refuses what was not read."""

_RULES: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("ai.platform.internal", "ModelRegistry"): ("spec", "policies", "rule"),
}
"""Where the expressions of each kind are: the names on the way to a list of objects, and that of their field."""

_BEGINNING, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""What a text means holds at all times."""


class ExpressionSource:
    """A `FactSource` whose keys are the rules of the subject themselves.

    The value of a rule says whether it is an expression: `{"valid": true, "fields": [...]}` with the fields that it
    reads, or `{"valid": false, "error": ..., "position": ...}`.
    """

    name = "expressions"

    def keys(self, subject: Subject) -> Sequence[str]:
        """The rules in `subject`, but for those that are too long or too many; what is malformed holds none."""
        if not isinstance(subject, Resource):
            return ()
        place = _RULES.get((subject.gvk.group, subject.gvk.kind))
        if place is None:
            return ()
        outer, inner, field = place
        items = _member(_member(subject.object, outer), inner)
        texts = [_member(item, field) for item in items[:MAX_RULES]] if isinstance(items, list) else []
        return tuple(dict.fromkeys(text for text in texts if isinstance(text, str) and len(text) <= MAX_LENGTH))

    async def gather(self, keys: Sequence[str], *, deadline: float) -> Mapping[str, Fact]:
        """What each of `keys` is. It takes no time worth a deadline: `keys` are few and short."""
        return {key: _fact(key) for key in keys}


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _fact(text: str) -> Known:
    value: dict[str, Any]
    try:
        value = {"valid": True, "fields": list(Expression.parse(text).fields)}
    except ExpressionError as error:
        value = {"valid": False, "error": error.message, "position": error.position}
    return Known(value, _BEGINNING, _END, sha256(canonical_json([text, value])))
