"""Every case is decided once by each engine; the tests look at what came of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import pytest

from evaluators.select import choose_engine, start_evaluator
from pratique.configuration import Configuration, build
from pratique.decision import Decision, Door, Evaluation
from pratique.engine import Engine, Request
from pratique.evaluator import Evaluator, Results
from pratique.facts import FactSource
from pratique.kinds import subject_of
from pratique.policy import PolicySet
from pratique.yamlfile import Document
from pratiquectl.check import fact_sources
from pratiquectl.manifests import Manifest
from tests.policies.cases import REPOSITORY, Case, load_cases, patched

ENGINES = ("opa", "regopy")
NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
"""The time of every decision."""
SECONDS = 10.0
"""For one decision; the engines need milliseconds."""


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

    async def load(self, policies: PolicySet) -> None:
        await self._evaluator.load(policies)

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        self.documents += [orjson.loads(document) for document in documents]
        return await self._evaluator.evaluate(documents, deadline=deadline)

    async def close(self) -> None:
        await self._evaluator.close()


@pytest.fixture(scope="session")
def policies() -> PolicySet:
    return PolicySet.load(REPOSITORY / "policies")


@pytest.fixture(scope="session")
def outcomes(policies: PolicySet) -> Mapping[tuple[str, str], Outcome]:
    """What came of each case, by engine and case; and of each case with its patches applied, as `<case> patched`."""
    return {
        (engine, case): outcome
        for engine in ENGINES
        for case, outcome in asyncio.run(_decide_all(engine, policies)).items()
    }


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
    engine = Engine(
        policies=policies,
        configuration=_configuration(case, policies),
        evaluator=recorder,
        facts=facts_of(case),
        clock=lambda: NOW,
    )
    decision = await engine.decide(
        subject_of(case.object), Door.CI, request=Request(), deadline=time.monotonic() + SECONDS
    )
    return Outcome(decision, tuple(recorder.documents))


def facts_of(case: Case) -> Mapping[str, FactSource]:
    """What the case's object and those beside it say, as for `pratique check`."""
    objects = [case.object, *case.beside]
    found = [Manifest("case", 1, obj) for obj in objects]
    return {source.name: source for source in fact_sources(found, namespace="default", now=NOW)}


def _configuration(case: Case, policies: PolicySet) -> Configuration:
    binding = {
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "PolicyBinding",
        "metadata": {"name": "case"},
        "spec": {"policy": case.policy, "parameters": case.parameters},
    }
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": case.object["metadata"].get("namespace", "default"), "labels": case.namespace_labels},
    }
    documents = [Document(case.id, index, 1, value) for index, value in enumerate((binding, namespace))]
    return build(documents, policies)
