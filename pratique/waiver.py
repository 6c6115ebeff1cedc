"""Waivers: time-boxed, reasoned exceptions, approved by somebody other than their requester."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pratique.matching import Match, MatchInputs


@dataclass(frozen=True, slots=True)
class Waiver:
    """An exception from `policies` for what `match` covers, until `expires`.

    Without `parameters` the policies are waived whole; with them, their limits are raised up to there. `unattested`
    says why the approval is not proven; a waiver counts only where it is empty. `digest` is over the canonical
    document.
    """

    name: str
    policies: frozenset[str]
    match: Match
    parameters: Mapping[str, Any]
    reason: str
    requested_by: str
    approved_by: str
    expires: datetime
    digest: str
    unattested: str
    ticket: str = ""
    compensating_control: str = ""
    source: str = field(default="", compare=False)

    def covers(self, policy: str, inputs: MatchInputs) -> bool:
        """Whether this waiver is meant for `policy` on that subject, whether or not it counts."""
        return policy in self.policies and self.match.matches(inputs).applies

    def why_not(self, now: datetime) -> str:
        """Why the waiver does not count at `now`; empty if it does."""
        if self.unattested:
            return self.unattested
        if now >= self.expires:
            return f"it expired at {self.expires:%Y-%m-%dT%H:%M:%SZ}"
        return ""


class ApprovalVerifier(Protocol):
    """Proves who approved a waiver. One implementation for files (signatures), one for the cluster (the identity that
    the webhook saw)."""

    def why_unattested(self, document: Mapping[str, Any], *, source: str) -> str:
        """Why the approval in `document` is not proven; empty if it is."""


class NoApprovals:
    """Where no approver is configured, nothing can be approved."""

    def why_unattested(self, document: Mapping[str, Any], *, source: str) -> str:
        return "its approval is not attested: no approver's key or identity is configured"
