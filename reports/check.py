"""What `pratique check` found, for the formats to write."""

from __future__ import annotations

from dataclasses import dataclass

from pratique.decision import Decision, Outcome
from pratique.errors import Problem


@dataclass(frozen=True, slots=True)
class Judged:
    """An object of a file and the decision on it. `line` is where its document begins, 0 if that is not known."""

    file: str
    line: int
    decision: Decision


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A document that is no object of the Kubernetes API, and why it was not judged."""

    file: str
    line: int
    reason: str


Item = Judged | PassedOver | Problem
"""A Problem is a document that could not be read or judged."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was looked at, in order of file and line, and with what it was judged."""

    items: tuple[Item, ...]
    engine: str
    engine_version: str
    bundle_digest: str
    configuration_digest: str

    def judged(self, *outcomes: Outcome) -> list[Judged]:
        """The objects that were judged; with `outcomes`, those that came to one of them."""
        return [item for item in self.items if isinstance(item, Judged) and _is(item.decision, outcomes)]

    @property
    def passed_over(self) -> list[PassedOver]:
        return [item for item in self.items if isinstance(item, PassedOver)]

    @property
    def problems(self) -> list[Problem]:
        return [item for item in self.items if isinstance(item, Problem)]

    @property
    def not_bound(self) -> list[Judged]:
        """The objects that no binding matches."""
        return [item for item in self.judged() if item.decision.no_match]


def _is(decision: Decision, outcomes: tuple[Outcome, ...]) -> bool:
    return not outcomes or decision.outcome in outcomes
