"""The decision cache: evaluations by the digest of everything that they are a function of."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from pratique.decision import Evaluation

Evaluations = tuple[Evaluation, ...]

_BYTES_PER_ENTRY = 600
_BYTES_PER_EVALUATION = 400
"""Estimates of what an entry costs in memory beside its texts, measured with tracemalloc on CPython 3.11."""


class DecisionCache:
    """Evaluations by key, the least recently used first to go; at most `max_bytes` of them.

    What is being evaluated is not evaluated again: who asks for it meanwhile waits for the one that does.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.hits = 0
        self.misses = 0
        self.bytes = 0
        self._entries: OrderedDict[bytes, tuple[Evaluations, int]] = OrderedDict()
        self._pending: dict[bytes, asyncio.Future[Evaluations | None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    async def get_or_evaluate(
        self,
        key: bytes,
        evaluate: Callable[[], Awaitable[Evaluations]],
        *,
        deadline: float,
        settled: Callable[[Evaluations], bool],
    ) -> Evaluations:
        """The evaluations for `key`; kept only if `settled`.

        A waiter whose leader came to nothing settled, or is not done by the waiter's `deadline`, evaluates for itself.
        """
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            self.hits += 1
            return entry[0]
        pending = self._pending.get(key)
        if pending is not None:
            await asyncio.wait({pending}, timeout=max(0.0, deadline - time.monotonic()))
            shared = pending.result() if pending.done() and not pending.cancelled() else None
            if shared is not None:
                self.hits += 1
                return shared
            self.misses += 1
            return await evaluate()
        self.misses += 1
        future: asyncio.Future[Evaluations | None] = asyncio.get_running_loop().create_future()
        self._pending[key] = future
        kept: Evaluations | None = None
        try:
            evaluations = await evaluate()
            if settled(evaluations):
                kept = evaluations
                self._put(key, evaluations)
            return evaluations
        finally:
            del self._pending[key]
            future.set_result(kept)

    def _put(self, key: bytes, evaluations: Evaluations) -> None:
        size = _size(key, evaluations)
        if size > self.max_bytes:
            return
        self._entries[key] = (evaluations, size)
        self.bytes += size
        while self.bytes > self.max_bytes:
            _, (_, freed) = self._entries.popitem(last=False)
            self.bytes -= freed


def _size(key: bytes, evaluations: Evaluations) -> int:
    texts = sum(
        len(finding.message) + len(finding.path) + 200 for evaluation in evaluations for finding in evaluation.findings
    )
    return _BYTES_PER_ENTRY + len(key) + texts + _BYTES_PER_EVALUATION * len(evaluations)
