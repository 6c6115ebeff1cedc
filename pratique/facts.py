"""Facts: evidence from outside the object. Known, absent and unavailable are different types, never a default."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pratique.subject import Subject


@dataclass(frozen=True, slots=True)
class Known:
    """We looked and found `value`; `digest` is over its canonical JSON."""

    value: Any
    collected_at: datetime
    expires_at: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Absent:
    """We looked: it is not there."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """We could not look."""

    reason: str


Fact = Known | Absent | Unavailable


class FactSource(Protocol):
    """Where facts come from; implementations live in `attestations/`, but for what needs nothing outside the subject
    (`pratique.expression_facts`). Sources own their caches."""

    name: str
    """`signatures`, `sbom`, `models` ...: policies declare `needs: [facts.<name>]`."""

    def keys(self, subject: Subject) -> Sequence[str]:
        """What has to be looked up for `subject`: image digests, model names."""

    async def gather(self, keys: Sequence[str], *, deadline: float) -> Mapping[str, Fact]:
        """One fact for each key, by `deadline` (a `time.monotonic()` instant)."""


GATHERING_SHARE = 0.6
"""Of the time until the deadline of a decision, what gathering may take: policies have yet to run on what was found."""


async def gather_facts(
    sources: Mapping[str, FactSource], names: Sequence[str], subject: Subject, *, deadline: float
) -> dict[str, Mapping[str, Fact]]:
    """The facts of each source in `names` about `subject`, gathered side by side.

    Sources have `GATHERING_SHARE` of the time until `deadline`. A source that is not configured, or leaves a key
    unanswered, gives `Unavailable`: no fact is ever silently missing.
    """
    now = time.monotonic()
    deadline = now + GATHERING_SHARE * (deadline - now)

    async def one(name: str) -> Mapping[str, Fact]:
        source = sources.get(name)
        if source is None:
            return {"": Unavailable(f"no source of {name} is configured at this door")}
        keys = source.keys(subject)
        facts = await source.gather(keys, deadline=deadline)
        return {key: facts.get(key, Unavailable(f"{name} gave no answer for {key}")) for key in keys}

    return dict(zip(names, await asyncio.gather(*(one(name) for name in names)), strict=True))


def facts_document(facts: Mapping[str, Fact]) -> dict[str, Any]:
    """`input.facts.<source>`: for each key, the value or why there is none."""
    document: dict[str, Any] = {}
    for key, fact in facts.items():
        match fact:
            case Known(value=value):
                document[key] = {"status": "known", "value": value}
            case Absent(reason=reason):
                document[key] = {"status": "absent", "reason": reason}
            case Unavailable():
                raise ValueError("a policy is never run on an unavailable fact")
    return document
