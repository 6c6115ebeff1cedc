"""Both engines are started once, and each decides once on every case; the tests look at what came of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
import pytest

from evaluators.select import choose_engine, start_evaluator
from pratique.decision import Decision, Evaluation
from pratique.evaluator import Evaluator, Results
from pratique.policy import PolicySet
from pratiquectl.cases import decide, facts_of
from tests.policies.cases import REPOSITORY, Case, load_cases, patched
from tests.support.processes import HANG_SECONDS

__all__ = ["ENGINES", "SECONDS", "Engines", "Outcomes", "facts_of"]

ENGINES = ("opa", "regopy")
SECONDS = 10 * HANG_SECONDS
"""For hundreds of documents at a time, by regopy, on a machine that has other things to do."""
T = TypeVar("T")


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Some fixtures have both engines judge thousands of objects, which takes minutes where the processor is shared."""
    for item in items:
        if item.path.is_relative_to(REPOSITORY / "tests" / "policies"):
            item.add_marker(pytest.mark.timeout(3 * SECONDS))


@pytest.fixture(scope="session")
def policies() -> PolicySet:
    return PolicySet.load(REPOSITORY / "policies")


class Engines:
    """Both engines on all policies, each started when it is first asked for, and the loop that they live in."""

    def __init__(self, policies: PolicySet) -> None:
        self.policies = policies
        self._runner = asyncio.Runner()
        self._started: dict[str, Evaluator] = {}

    def run(self, engine: str, act: Callable[[Evaluator], Coroutine[Any, Any, T]]) -> T:
        """What `act` makes of the engine of that name."""
        if engine not in self._started:
            choice = choose_engine(engine, tools_cache=REPOSITORY / ".cache" / "tools", environ=os.environ)
            self._started[engine] = self._runner.run(start_evaluator(choice, self.policies))
        return self._runner.run(act(self._started[engine]))

    def decide(self, engine: str, case: Case) -> Outcome:
        """What an engine makes of one case."""

        async def act(evaluator: Evaluator) -> Outcome:
            recorder = _Recorder(evaluator)
            return Outcome(await decide(case, self.policies, recorder), tuple(recorder.documents))

        return self.run(engine, act)

    def close(self) -> None:
        for evaluator in self._started.values():
            self._runner.run(evaluator.close())
        self._runner.close()


@pytest.fixture(scope="session")
def engines(policies: PolicySet) -> Iterator[Engines]:
    started = Engines(policies)
    yield started
    started.close()


class Outcomes:
    """What came of each case, and of each case with its patches applied, decided when it is first asked for."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._decided: dict[tuple[str, str], Outcome] = {}

    def of(self, engine: str, name: str) -> Outcome:
        return self._decide(engine, name, load_cases()[name])

    def of_patched(self, engine: str, name: str) -> Outcome:
        return self._decide(engine, f"{name} patched", patched(load_cases()[name]))

    def _decide(self, engine: str, name: str, case: Case) -> Outcome:
        if (engine, name) not in self._decided:
            self._decided[engine, name] = self._engines.decide(engine, case)
        return self._decided[engine, name]


@pytest.fixture(scope="session")
def outcomes(engines: Engines) -> Outcomes:
    return Outcomes(engines)
