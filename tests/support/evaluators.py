"""Evaluators that are broken in a way of their own, where what the others make of that is the subject."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence

from pratique.errors import EvaluationError
from pratique.evaluator import Results
from tests.support.policies import BUNDLE
from tests.support.processes import HANG_SECONDS
from tests.support.scripted import Rule, ScriptedEvaluator


class GatedEvaluator(ScriptedEvaluator):
    """Answers only once `open` was set, from whatever thread; `asked` counts those who came to the gate."""

    def __init__(self, rules: Mapping[str, Rule], *, bundle_digest: str = BUNDLE) -> None:
        super().__init__(rules, bundle_digest=bundle_digest)
        self.open = threading.Event()
        self.asked = 0

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        self.asked += 1
        await asyncio.to_thread(self.open.wait, HANG_SECONDS)
        return await super().evaluate(documents, deadline=deadline)


class DeafEvaluator(ScriptedEvaluator):
    """Never answers, and does not know what a deadline is."""

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets that event")


class DownEvaluator(ScriptedEvaluator):
    """Says that it cannot run."""

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        raise EvaluationError("the engine is down")


class BuggyEvaluator(ScriptedEvaluator):
    """Raises what an Evaluator must not raise."""

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        raise ZeroDivisionError("secret detail of the implementation")
