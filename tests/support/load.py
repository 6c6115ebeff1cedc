"""Many requests at once: a list of objects in parallel, or a stream that goes on until told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import urllib3

from tests.support.cluster import Response
from tests.support.processes import wait_until

_CALL_FAILED = "failed calling webhook"
_REFUSED = "denied the request: "
_BACK_OFF_SECONDS = 0.02
"""After a refusal for want of a webhook: leaves the processor to the webhook that starts."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One object submitted: what came back, when (`time.monotonic()`) it was sent and how long it took."""

    name: str
    response: Response
    at: float
    seconds: float

    @property
    def admitted(self) -> bool:
        return self.response.ok

    @property
    def answered(self) -> bool:
        """Whether the webhook itself gave the verdict, not the API server in its place."""
        return self.admitted or _REFUSED in self.response.message

    @property
    def unreachable(self) -> bool:
        """Whether the API server refused because the webhook did not answer."""
        return _CALL_FAILED in self.response.message

    @property
    def reason(self) -> str:
        """The webhook's own words, without what the API server puts in front."""
        return self.response.message.partition(_REFUSED)[2]


Submit = Callable[[Mapping[str, Any]], Response]


def attempt(submit: Submit, obj: Mapping[str, Any]) -> Attempt:
    """Submit one object. A connection that breaks counts as a response with status 0: not admitted."""
    at = time.monotonic()
    try:
        response = submit(obj)
    except urllib3.exceptions.HTTPError as error:
        response = Response(0, {"text": str(error)})
    metadata = response.body.get("metadata") or {}
    name = metadata.get("name") or obj["metadata"].get("name", "")
    return Attempt(name, response, at, time.monotonic() - at)


def all_at_once(submit: Submit, objects: Sequence[Mapping[str, Any]], *, parallel: int) -> list[Attempt]:
    """Submit all `objects`, `parallel` at a time, and return the attempts in their order."""
    with ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(lambda obj: attempt(submit, obj), objects))


class Stream:
    """Threads that submit one object after the other, made by `make(number)`, within a `with` block."""

    def __init__(self, submit: Submit, make: Callable[[int], Mapping[str, Any]], *, parallel: int) -> None:
        self._submit = submit
        self._make = make
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._number = 0
        self._attempts: list[Attempt] = []
        self._threads = [threading.Thread(target=self._run, name=f"stream-{index}") for index in range(parallel)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def attempts(self) -> list[Attempt]:
        """What has been answered so far, in order of the answers."""
        with self._lock:
            return list(self._attempts)

    def wait_for(self, wanted: Callable[[Attempt], bool], *, count: int, what: str) -> None:
        """Return when `count` more attempts of the wanted kind, *sent* after this call, have been answered.

        Raises:
            TimeoutError: not in time.
        """
        since = time.monotonic()
        wait_until(
            lambda: sum(1 for done in self.attempts if done.at >= since and wanted(done)) >= count,
            what=what,
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                self._number += 1
                number = self._number
            done = attempt(self._submit, self._make(number))
            with self._lock:
                self._attempts.append(done)
            if done.unreachable:
                self._stop.wait(_BACK_OFF_SECONDS)
