"""The decision cache: bounded, single-flight, and never the keeper of an error."""

from __future__ import annotations

import asyncio
import time

from pratique.cache import DecisionCache, Evaluations
from pratique.decision import Enforcement, Evaluation, Finding, Result, Severity


def evaluations(message: str = "m", result: Result = Result.FAIL) -> Evaluations:
    finding = Finding(message, "/spec")
    return (
        Evaluation(
            binding="b",
            policy="a/b",
            policy_id="A-001",
            title="t",
            severity=Severity.LOW,
            remediation="r",
            result=result,
            enforcement=Enforcement.DENY,
            on_undecided=Enforcement.DENY,
            findings=(finding,),
        ),
    )


def settled(found: Evaluations) -> bool:
    return found[0].result is not Result.ERROR


def test_what_is_being_evaluated_is_not_evaluated_again() -> None:
    cache, calls = DecisionCache(max_bytes=2**20), 0

    async def evaluate() -> Evaluations:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.01)
        return evaluations()

    async def story() -> list[Evaluations]:
        deadline = time.monotonic() + 60
        ask = (cache.get_or_evaluate(b"k", evaluate, deadline=deadline, settled=settled) for _ in range(50))
        return await asyncio.gather(*ask)

    answers = asyncio.run(story())
    assert (calls, answers) == (1, [evaluations()] * 50)
    assert (cache.hits, cache.misses, len(cache)) == (49, 1, 1)


def test_a_waiter_evaluates_for_itself_when_its_leader_came_to_nothing() -> None:
    cache, calls = DecisionCache(max_bytes=2**20), 0

    async def evaluate() -> Evaluations:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.01)
        return evaluations(result=Result.ERROR if calls == 1 else Result.PASS)

    async def story() -> list[Evaluations]:
        deadline = time.monotonic() + 60
        ask = (cache.get_or_evaluate(b"k", evaluate, deadline=deadline, settled=settled) for _ in range(2))
        return await asyncio.gather(*ask)

    first, second = asyncio.run(story())
    assert (first[0].result, second[0].result) == (Result.ERROR, Result.PASS)
    assert len(cache) == 0


def test_a_waiter_does_not_wait_beyond_its_deadline() -> None:
    cache = DecisionCache(max_bytes=2**20)

    async def slow() -> Evaluations:
        await asyncio.sleep(30)
        return evaluations()

    async def quick() -> Evaluations:
        return evaluations("quick")

    async def story() -> Evaluations:
        leader = asyncio.create_task(cache.get_or_evaluate(b"k", slow, deadline=time.monotonic() + 60, settled=settled))
        await asyncio.sleep(0)
        answer = await cache.get_or_evaluate(b"k", quick, deadline=time.monotonic() + 0.02, settled=settled)
        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)
        return answer

    assert asyncio.run(story()) == evaluations("quick")


def test_an_exception_is_for_the_one_who_asked_and_leaves_nothing_behind() -> None:
    cache = DecisionCache(max_bytes=2**20)

    async def broken() -> Evaluations:
        raise ValueError("bug")

    async def fine() -> Evaluations:
        return evaluations()

    async def story() -> tuple[object, Evaluations]:
        deadline = time.monotonic() + 60
        first = asyncio.create_task(cache.get_or_evaluate(b"k", broken, deadline=deadline, settled=settled))
        (error,) = await asyncio.gather(first, return_exceptions=True)
        return error, await cache.get_or_evaluate(b"k", fine, deadline=deadline, settled=settled)

    error, answer = asyncio.run(story())
    assert isinstance(error, ValueError)
    assert answer == evaluations()


def test_the_least_recently_used_goes_first_and_the_bytes_are_bounded() -> None:
    cache = DecisionCache(max_bytes=10_000)

    async def story() -> None:
        async def evaluate() -> Evaluations:
            return evaluations("x" * 1000)

        for number in range(20):
            key = str(number).encode()
            await cache.get_or_evaluate(key, evaluate, deadline=time.monotonic() + 60, settled=settled)
            await cache.get_or_evaluate(b"0", evaluate, deadline=time.monotonic() + 60, settled=settled)

    asyncio.run(story())
    assert cache.bytes <= 10_000
    assert 0 < len(cache) < 20
    assert cache.misses == 20


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache = DecisionCache(max_bytes=1000)

    async def story() -> None:
        async def evaluate() -> Evaluations:
            return evaluations("x" * 2000)

        await cache.get_or_evaluate(b"k", evaluate, deadline=time.monotonic() + 60, settled=settled)

    asyncio.run(story())
    assert (len(cache), cache.bytes) == (0, 0)
