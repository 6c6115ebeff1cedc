"""An Evaluator that answers from a table: for tests of what the engine makes of answers, where the engine is the
subject."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pratique.evaluator import PolicyResult, Results
from pratique.policy import PolicySet
from tests.support.policies import BUNDLE

Rule = Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]]
"""The violations (or patches) of one policy for one input document; may raise an EvaluationError."""


class ScriptedEvaluator:
    """Runs Python rules instead of Rego. `documents` keeps everything that was asked, parsed."""

    name = "scripted"
    version = "1"
    restarts = 0

    def __init__(
        self, rules: Mapping[str, Rule], *, patches: Mapping[str, Rule] | None = None, bundle_digest: str = BUNDLE
    ) -> None:
        self.rules = rules
        self.patches = patches or {}
        self.bundle_digest = bundle_digest
        self.documents: list[dict[str, Any]] = []

    async def load(self, policies: PolicySet, *, asked: Collection[str] | None = None) -> None:
        """There is nothing to load."""

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        answers = []
        for body in documents:
            document = json.loads(body)
            self.documents.append(document)
            by_policy = {
                name: PolicyResult(
                    self.rules[name](document) if name in self.rules else [],
                    self.patches[name](document) if name in self.patches else [],
                )
                for name in document["policies"]
            }
            answers.append(Results(self.bundle_digest, by_policy))
        return answers

    async def close(self) -> None:
        """There is nothing to close."""
