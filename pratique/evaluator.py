"""The direction that must hold: the engine asks an Evaluator, and never knows which one it is.

Implementations live in `evaluators/`: the OPA binary and regopy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pratique.policy import PolicySet


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """What one policy said of one document: its `violations` and `patches` exactly as Rego returned them, in Rego's
    set order. Where there are no violations, there are no patches: nothing is to be put right."""

    violations: Sequence[Mapping[str, Any]]
    patches: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """The answer to one document: one `PolicyResult` for each policy asked for, and the digest of the bundle that gave
    it."""

    bundle_digest: str
    by_policy: Mapping[str, PolicyResult]


class Evaluator(Protocol):
    """An engine that runs Rego over one bundle, loaded once.

    A changed bundle is a new Evaluator: the old one serves until the new one has answered its probe, and decisions
    in flight finish on the one they started with, so that no decision ever mixes two bundles.
    """

    name: str
    """`opa` or `regopy`."""
    version: str
    restarts: int
    """How often a child process had to be started again since `load`."""

    async def load(self, policies: PolicySet, *, asked: Collection[str] | None = None) -> None:
        """Start the engine on `policies` and wait until it answers for this digest.

        `asked` names those that it will be asked for; None stands for all. An engine need not hold the others, and has
        no result for them; but it accepts the bundle as a whole, or not at all.

        Raises:
            EvaluationError: the engine cannot run, or does not accept the bundle.
        """

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        """Evaluate each document (JSON; its key `policies` lists the policy names to run) and answer in the same order.

        `deadline` is a `time.monotonic()` instant. Every policy named is present in the answer.

        Raises:
            EvaluationError: anything else than a whole, well-formed answer in time.
        """

    async def close(self) -> None:
        """Finish what is in flight, then end every child process. Idempotent."""
