"""Bindings: a policy put to use. Where it matches, with which parameters, how strictly at each door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pratique.decision import Door, Enforcement
from pratique.matching import Match, MatchInputs, MatchResult, no
from pratique.policy import PolicyMetadata


@dataclass(frozen=True, slots=True)
class Binding:
    """A policy put to use. `parameters` are complete: checked against the policy's schema, defaults filled in."""

    name: str
    policy: PolicyMetadata
    parameters: Mapping[str, Any]
    match: Match
    enforcement: Mapping[Door, Enforcement]
    on_undecided: Mapping[Door, Enforcement]
    mutate: bool = False
    source: str = field(default="", compare=False)

    def applies_to(self, inputs: MatchInputs, door: Door) -> MatchResult:
        """Whether this binding is to be evaluated at `door`."""
        if inputs.type not in self.policy.subjects:
            return no(f"the policy judges {' and '.join(sorted(self.policy.subjects))} objects only")
        if self.enforcement[door] is Enforcement.OFF:
            return no(f"enforcement is off at the {door} door")
        return self.match.matches(inputs)
