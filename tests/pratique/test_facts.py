"""Facts are gathered side by side, in a part of the time; none is ever silently missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pratique.facts import GATHERING_SHARE, Fact, Known, Unavailable, gather_facts
from pratique.kinds import subject_of
from pratique.subject import Subject
from tests.support.processes import HANG_SECONDS

SUBJECT = subject_of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}})
SECONDS = 1000.0
DAY = datetime(2026, 11, 29, tzinfo=UTC)


def known(value: str) -> Known:
    return Known(value, digest="sha256:0", collected_at=DAY, expires_at=DAY)


class Source:
    """Knows `x`, is asked for `y` too, and answers once all `others` were asked."""

    def __init__(self, name: str, asked: asyncio.Barrier) -> None:
        self.name = name
        self.deadline = 0.0
        self._asked = asked

    def keys(self, subject: Subject) -> Sequence[str]:
        return ["x", "y"]

    async def gather(self, keys: Sequence[str], *, deadline: float) -> Mapping[str, Fact]:
        self.deadline = deadline
        async with asyncio.timeout(HANG_SECONDS):
            await self._asked.wait()
        return {"x": known(self.name)}


def test_sources_are_asked_side_by_side_and_leave_time_for_policies() -> None:
    async def act() -> None:
        barrier = asyncio.Barrier(2)
        sources = {name: Source(name, barrier) for name in ("sbom", "signatures")}
        before = time.monotonic()
        facts = await gather_facts(sources, ["sbom", "signatures", "models"], SUBJECT, deadline=before + SECONDS)
        for name, source in sources.items():
            assert facts[name] == {
                "x": known(name),
                "y": Unavailable(f"{name} gave no answer for y"),
            }
            # The share is of the time that is left when gathering begins, a moment later than `before`.
            share = (source.deadline - before) / SECONDS
            assert GATHERING_SHARE <= share < GATHERING_SHARE + HANG_SECONDS / SECONDS
        assert facts["models"] == {"": Unavailable("no source of models is configured at this door")}

    assert GATHERING_SHARE + HANG_SECONDS / SECONDS < 0.9
    asyncio.run(act())
