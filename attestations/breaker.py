"""A circuit breaker for one host: a registry that is down or overloaded is left alone for a while, not asked again by
each image.

    closed     requests pass; FAILURES_TO_OPEN failures in a row, or the host's own word (Retry-After), open it;
               requests that were under way together and fail together are one failure
    open       requests are refused at once, for a time that doubles with each opening
    half open  that time is over: one request passes and the others wait for what becomes of it; it closes or reopens
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from attestations.failures import RateLimited, RegistryFailure, ServerFailed, TimedOut, TlsFailed, Unreachable

FAILURES_TO_OPEN = 5
FIRST_OPEN_SECONDS = 1.0
LONGEST_OPEN_SECONDS = 30.0
"""How late we may notice that a host is back; also the most that we obey of a Retry-After."""
SHORTEST_TIMEOUT_SECONDS = 1.0
"""A deadline that leaves less says nothing about the host when it ends."""

_COUNTED = (Unreachable, TlsFailed, ServerFailed, TimedOut, RateLimited)


class Breaker:
    """The breaker of `host`; `clock` is monotonic, in seconds."""

    def __init__(self, host: str, *, clock: Callable[[], float]) -> None:
        self._host = host
        self._clock = clock
        self._failures = 0
        self._openings = 0
        self._open_until = 0.0
        self._last_failure = 0.0
        self._is_open = False
        self._is_limited = False
        self._probe: asyncio.Event | None = None

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """One request to the host happens inside. A failure of the host that leaves the block is counted; other errors
        (and leaving without one) mean that the host answered.

        Raises:
            Unreachable, RateLimited: the breaker is open.
        """
        is_probe = await self._admit()
        started = self._clock()
        try:
            yield
        except asyncio.CancelledError:
            raise  # we lost interest: that says nothing
        except _COUNTED as failure:
            if not isinstance(failure, TimedOut) or self._clock() - started >= SHORTEST_TIMEOUT_SECONDS:
                self._failed(failure, started, is_probe=is_probe)
            raise
        except BaseException:
            self._succeeded(is_probe=is_probe)
            raise
        else:
            self._succeeded(is_probe=is_probe)
        finally:
            if is_probe and self._probe is not None:
                self._probe.set()
                self._probe = None

    def wait(self, seconds: float) -> None:
        """The host itself asked to be left alone for so long (Retry-After)."""
        self._is_open = True
        self._open_until = max(self._open_until, self._clock() + min(seconds, LONGEST_OPEN_SECONDS))

    async def _admit(self) -> bool:
        """Whether this request is the one that finds out whether the host is back."""
        while self._is_open:
            if (left := self._open_until - self._clock()) > 0:
                raise self._refusal(left)
            if self._probe is None:
                self._probe = asyncio.Event()
                return True
            await self._probe.wait()
        return False

    def _refusal(self, left: float) -> RegistryFailure:
        if self._is_limited:
            message = f"{self._host} has had too many requests from us, and is asked again in {left:.1f} s: retry then"
            return RateLimited(message, left)
        return Unreachable(f"{self._host} has failed repeatedly, and is asked again in {left:.1f} s: retry then")

    def _failed(self, failure: RegistryFailure, started: float, *, is_probe: bool) -> None:
        self._is_limited = isinstance(failure, RateLimited)
        if isinstance(failure, RateLimited) and failure.retry_after > 0:
            self.wait(failure.retry_after)
        elif is_probe:
            self._open()
        elif not self._is_open and started >= self._last_failure:
            self._last_failure = self._clock()
            self._failures += 1
            if self._failures >= FAILURES_TO_OPEN:
                self._open()

    def _open(self) -> None:
        seconds = min(FIRST_OPEN_SECONDS * 2.0 ** min(self._openings, 10), LONGEST_OPEN_SECONDS)
        self._openings += 1
        self.wait(seconds)

    def _succeeded(self, *, is_probe: bool) -> None:
        if self._is_open and not is_probe:
            return  # it was under way when the breaker opened
        self._failures = self._openings = 0
        self._is_open = self._is_limited = False
        self._open_until = 0.0
