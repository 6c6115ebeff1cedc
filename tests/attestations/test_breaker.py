"""The breaker of a host: when it opens, for how long, and that it closes with the first sign of life."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from attestations.breaker import FAILURES_TO_OPEN, FIRST_OPEN_SECONDS, LONGEST_OPEN_SECONDS, Breaker
from attestations.failures import (
    DigestMismatch,
    NotFound,
    RateLimited,
    ServerFailed,
    TimedOut,
    TlsFailed,
    Unauthorised,
    Unreachable,
)
from pratique.errors import PratiqueError
from tests.support.clocks import Clock


class Host:
    """A breaker and its clock; `ask` is one request, which ends with the error or well."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.breaker = Breaker("registry.internal", clock=self.clock.monotonic)

    def ask(self, error: PratiqueError | None = None, *, takes: float = 0.0) -> PratiqueError | None:
        """What the caller gets: None, the error of the host, or the refusal of the breaker."""

        async def request() -> PratiqueError | None:
            try:
                async with self.breaker.request():
                    self.clock.pass_by(takes)
                    if error is not None:
                        raise error
            except PratiqueError as raised:
                return raised
            return None

        return asyncio.run(request())

    def break_down(self, error: Callable[[], PratiqueError] = lambda: Unreachable("down")) -> None:
        for _ in range(FAILURES_TO_OPEN):
            failure = error()
            assert self.ask(failure) is failure

    @property
    def is_open(self) -> bool:
        refusal = self.ask()
        return refusal is not None


@pytest.mark.parametrize("error", [Unreachable, TlsFailed, ServerFailed])
def test_opens_after_failures_in_a_row(error: type[PratiqueError]) -> None:
    host = Host()
    host.break_down(lambda: error("down"))
    refusal = host.ask()
    assert isinstance(refusal, Unreachable)
    assert str(refusal) == "registry.internal has failed repeatedly, and is asked again in 1.0 s: retry then"


def test_stays_closed_while_answers_are_between_the_failures() -> None:
    host = Host()
    for _ in range(3 * FAILURES_TO_OPEN):
        host.ask(Unreachable("down"))
        assert not host.is_open


@pytest.mark.parametrize("error", [NotFound, Unauthorised, DigestMismatch])
def test_what_a_host_answers_is_no_failure_of_it(error: type[PratiqueError]) -> None:
    host = Host()
    for _ in range(3 * FAILURES_TO_OPEN):
        host.ask(error("no"))
    assert not host.is_open


def test_short_deadlines_say_nothing_about_the_host() -> None:
    host = Host()
    for _ in range(3 * FAILURES_TO_OPEN):
        host.ask(TimedOut("0.1 s"), takes=0.1)
    assert not host.is_open
    for _ in range(FAILURES_TO_OPEN):
        host.ask(TimedOut("2 s"), takes=2.0)
    assert host.is_open


def test_is_open_longer_each_time_up_to_a_limit() -> None:
    host = Host()
    host.break_down()
    seconds = FIRST_OPEN_SECONDS
    for _ in range(10):
        host.clock.pass_by(seconds - 0.01)
        assert host.is_open
        host.clock.pass_by(0.01)
        host.ask(Unreachable("still down"))  # the probe
        seconds = min(2 * seconds, LONGEST_OPEN_SECONDS)
    host.clock.pass_by(LONGEST_OPEN_SECONDS)
    assert not host.is_open


def test_first_success_closes_it_at_once() -> None:
    host = Host()
    host.break_down()
    host.clock.pass_by(FIRST_OPEN_SECONDS)
    assert host.ask() is None
    for _ in range(FAILURES_TO_OPEN - 1):  # it counts from the beginning
        host.ask(Unreachable("down"))
    assert not host.is_open


def test_others_wait_for_the_probe_and_pass_after_it() -> None:
    host = Host()
    host.break_down()
    host.clock.pass_by(FIRST_OPEN_SECONDS)
    order = []

    async def scenario() -> None:
        answered = asyncio.Event()

        async def request(name: str) -> None:
            async with host.breaker.request():
                order.append(f"{name} asks")
                await answered.wait()
                order.append(f"{name} is answered")

        requests = [asyncio.create_task(request(name)) for name in ("first", "second", "third")]
        for _ in range(10):
            await asyncio.sleep(0)
        assert order == ["first asks"]
        answered.set()
        await asyncio.gather(*requests)

    asyncio.run(scenario())
    assert order[:2] == ["first asks", "first is answered"]
    assert len(order) == 6


def test_others_are_refused_when_the_probe_fails() -> None:
    host = Host()
    host.break_down()
    host.clock.pass_by(FIRST_OPEN_SECONDS)

    async def scenario() -> list[BaseException | None]:
        async def request() -> None:
            async with host.breaker.request():
                await asyncio.sleep(0)
                raise Unreachable("still down")

        return await asyncio.gather(*(request() for _ in range(3)), return_exceptions=True)

    first, *others = asyncio.run(scenario())
    assert str(first) == "still down"
    assert all("is asked again in 2.0 s" in str(other) for other in others)


def test_a_probe_that_is_given_up_lets_the_next_one_ask() -> None:
    host = Host()
    host.break_down()
    host.clock.pass_by(FIRST_OPEN_SECONDS)

    async def scenario() -> None:
        async def hangs() -> None:
            async with host.breaker.request():
                await asyncio.Event().wait()

        probe = asyncio.create_task(hangs())
        await asyncio.sleep(0)
        probe.cancel()
        async with host.breaker.request():
            pass

    asyncio.run(scenario())
    assert not host.is_open


def test_retry_after_is_obeyed_from_the_first_answer_on() -> None:
    host = Host()
    host.ask(RateLimited("slow down", 7.0))
    host.clock.pass_by(6.9)
    refusal = host.ask()
    assert isinstance(refusal, RateLimited)
    assert refusal.retry_after == pytest.approx(0.1)
    host.clock.pass_by(0.1)
    assert not host.is_open


def test_no_host_can_make_us_wait_for_ever() -> None:
    host = Host()
    host.ask(RateLimited("go away", 1e9))
    host.clock.pass_by(LONGEST_OPEN_SECONDS)
    assert not host.is_open


def test_limits_without_retry_after_count_as_failures() -> None:
    host = Host()
    host.break_down(lambda: RateLimited("slow down", 0.0))
    assert isinstance(host.ask(), RateLimited)


def test_what_fails_together_is_one_failure() -> None:
    host = Host()

    async def scenario() -> None:
        async def fails(after: int) -> None:
            async with host.breaker.request():
                for _ in range(after):
                    await asyncio.sleep(0)
                host.clock.pass_by(0.001)
                raise Unreachable("down")

        await asyncio.gather(*(fails(number) for number in range(3 * FAILURES_TO_OPEN)), return_exceptions=True)

    asyncio.run(scenario())
    for _ in range(FAILURES_TO_OPEN - 2):
        host.ask(Unreachable("down"))
    assert isinstance(host.ask(Unreachable("and down")), Unreachable)
    assert host.is_open


def test_an_answer_that_was_under_way_does_not_close_it() -> None:
    host = Host()

    async def scenario() -> None:
        async with host.breaker.request():
            host.breaker.wait(5.0)

    asyncio.run(scenario())
    assert host.is_open
