"""Every case is decided once by each engine; the tests look at what came of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import orjson
import pytest

from evaluators.select import choose_engine, start_evaluator
from pratique.decision import Decision, Evaluation
from pratique.evaluator import Evaluator, Results
from pratique.policy import PolicySet
from pratiquectl.cases import decide, facts_of
from tests.policies.cases import REPOSITORY, Case, load_cases, patched
from tests.support.processes import HANG_SECONDS as SECONDS

__all__ = ["ENGINES", "SECONDS", "Outcomes", "facts_of"]

ENGINES = ("opa", "regopy")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one engine made of one case: the decision, and the documents that the policy was given."""

    decision: Decision
    documents: tuple[dict[str, object], ...]

    @property
    def evaluation(self) -> Evaluation:
        (evaluation,) = self.decision.evaluations
        return evaluation


class _Recorder:
    """An Evaluator that keeps the documents on their way to another one."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.name, self.version, self.restarts = evaluator.name, evaluator.version, evaluator.restarts
        self.documents: list[dict[str, object]] = []
        self._evaluator = evaluator

    async def load(self, policies: PolicySet, *, asked: Collection[str] | None = None) -> None:
        await self._evaluator.load(policies, asked=asked)

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        self.documents += [orjson.loads(document) for document in documents]
        return await self._evaluator.evaluate(documents, deadline=deadline)

    async def close(self) -> None:
        await self._evaluator.close()


@pytest.fixture(scope="session")
def policies() -> PolicySet:
    return PolicySet.load(REPOSITORY / "policies")


class Outcomes:
    """What came of each case, and of each case with its patches applied, as `<case> patched`; an engine decides on all
    of them when the first of its outcomes is asked for."""

    def __init__(self, policies: PolicySet) -> None:
        self._policies = policies
        self._decided: dict[str, Mapping[str, Outcome]] = {}

    def of(self, engine: str) -> Mapping[str, Outcome]:
        if engine not in self._decided:
            self._decided[engine] = asyncio.run(_decide_all(engine, self._policies))
        return self._decided[engine]


@pytest.fixture(scope="session")
def outcomes(policies: PolicySet) -> Outcomes:
    return Outcomes(policies)


async def _decide_all(engine: str, policies: PolicySet) -> dict[str, Outcome]:
    choice = choose_engine(engine, tools_cache=REPOSITORY / ".cache" / "tools", environ=os.environ)
    evaluator = await start_evaluator(choice, policies)
    try:
        cases = load_cases()
        cases |= {f"{name} patched": patched(case) for name, case in cases.items() if case.patches}
        return {name: await _decide(case, policies, evaluator) for name, case in cases.items()}
    finally:
        await evaluator.close()


async def decide_once(engine: str, case: Case, policies: PolicySet) -> Outcome:
    """What `engine` makes of one case that is in no file."""
    choice = choose_engine(engine, tools_cache=REPOSITORY / ".cache" / "tools", environ=os.environ)
    evaluator = await start_evaluator(choice, policies)
    try:
        return await _decide(case, policies, evaluator)
    finally:
        await evaluator.close()


async def _decide(case: Case, policies: PolicySet, evaluator: Evaluator) -> Outcome:
    recorder = _Recorder(evaluator)
    return Outcome(await decide(case, policies, recorder), tuple(recorder.documents))
