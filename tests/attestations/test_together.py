"""Side by side: all results or the one failure that matters."""

from __future__ import annotations

import asyncio

import pytest

from attestations.failures import NotFound, Unreachable
from attestations.together import together


async def _value(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def _failure(error: Exception) -> int:
    await asyncio.sleep(0)
    raise error


def test_results_are_in_order() -> None:
    assert asyncio.run(together(_value(number) for number in range(20))) == list(range(20))


def test_a_failure_ends_the_others_and_is_itself() -> None:
    ended = []

    async def waits() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waits")
        return 0

    with pytest.raises(NotFound, match="gone"):
        asyncio.run(together([waits(), _failure(NotFound("gone"))]))
    assert ended == ["waits"]


def test_a_defect_comes_before_a_failure() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(together([_failure(Unreachable("down")), _failure(ZeroDivisionError())]))
