"""Counts round trips: how often a client that is infinitely fast waits for a network that is infinitely wide."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

import httpx

from attestations.registry_settings import RegistrySettings
from attestations.transport import connect

_IDLE_TURNS = 100
"""So many turns of the event loop in which nothing new is asked mean that the client waits."""


@dataclass
class Rounds:
    """Real connections in lockstep: answers are kept until all requests that are under way have theirs, and the client
    has nothing more to ask. `rounds` has the paths of each round. Give `connect` to a client."""

    rounds: list[list[str]] = field(default_factory=list)
    _waiting: int = 0
    _ready: list[tuple[asyncio.Future[None], str]] = field(default_factory=list)

    def connect(self, context: ssl.SSLContext | None, settings: RegistrySettings) -> httpx.AsyncBaseTransport:
        return _Lockstep(connect(context, settings), self)

    async def hold(self, path: str) -> None:
        """Returns when the round of this answer is over."""
        future = asyncio.get_running_loop().create_future()
        self._ready.append((future, path))
        if len(self._ready) == self._waiting:
            asked = self._waiting
            for _ in range(_IDLE_TURNS):
                await asyncio.sleep(0)
                if self._waiting != asked:
                    break  # somebody asked more: that request ends the round
            else:
                self._end()
        await future

    def ask(self) -> None:
        self._waiting += 1

    def _end(self) -> None:
        self.rounds.append(sorted(path for _, path in self._ready))
        ready, self._ready, self._waiting = self._ready, [], 0
        for future, _ in ready:
            future.set_result(None)


@dataclass
class _Lockstep(httpx.AsyncBaseTransport):
    inner: httpx.AsyncBaseTransport
    counter: Rounds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.counter.ask()
        response = await self.inner.handle_async_request(request)
        content = b"".join([chunk async for chunk in response.aiter_raw()])
        await response.aclose()
        await self.counter.hold(request.url.path)
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(content))

    async def aclose(self) -> None:
        await self.inner.aclose()
