from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from evaluators.select import choose_engine, start_evaluator
from pratique.cache import DecisionCache
from pratique.evaluator import Evaluator
from pratique.live import Live
from pratique.policy import PolicySet
from tests.webhook.serving import ROOT, Served


@pytest.fixture(scope="session", params=["opa", pytest.param("regopy", marks=pytest.mark.slow)])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """The webhook with the baseline bindings on a real engine, once with each."""
    choice = choose_engine(request.param, tools_cache=ROOT / ".cache" / "tools", environ=os.environ)

    async def evaluator(policies: PolicySet, asked: frozenset[str]) -> Evaluator:
        return await start_evaluator(choice, policies, asked=asked)

    async def start() -> Live:
        live = Live(
            policies=ROOT / "policies",
            config=ROOT / "policies" / "bindings",
            start_evaluator=evaluator,
            cache=DecisionCache(max_bytes=2**20),
        )
        await live.start()
        return live

    with Served(start) as webhook:
        yield webhook
