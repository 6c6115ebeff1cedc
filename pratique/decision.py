"""Findings, evaluations and decisions, and how the ones combine into the others. Pure data: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from pratique.matching import MatchInputs


class Door(StrEnum):
    """Where a decision was asked for."""

    ADMISSION = "admission"
    CI = "ci"
    SCAN = "scan"
    GATEWAY = "gateway"


class Outcome(StrEnum):
    """Three outcomes, never two."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNDECIDED = "undecided"


class Result(StrEnum):
    """What one binding came to on one subject."""

    PASS = "pass"  # noqa: S105 - a result, not a password
    FAIL = "fail"
    EXEMPT = "exempt"
    ERROR = "error"
    NOT_EVALUATED = "not_evaluated"
    MUTATED = "mutated"
    """At the mutating door only: the object was changed; the findings say where."""


class Enforcement(StrEnum):
    """How strictly a binding acts at a door: `deny` refuses, `warn` tells the user, `audit` only records, `off` is not
    run."""

    DENY = "deny"
    WARN = "warn"
    AUDIT = "audit"
    OFF = "off"


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low up to 3 for critical."""
        return _SEVERITIES.index(self)


_SEVERITIES = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Patch:
    """One operation of RFC 6902 that would help the object to comply: `add`, `replace` or `remove` at a JSON pointer.

    As a policy returns it, an `add` may have parents that the object lacks; everywhere else it applies as it stands.
    """

    op: str
    path: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation: what was found and what is required, at a JSON pointer (RFC 6901) into the submitted object."""

    message: str
    path: str
    patches: tuple[Patch, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of one binding on one subject. `reason` says why for everything but `pass` and `fail`.

    `waivers` are the `Waiver.reference` of those that exempt it: one, or several that add up."""

    binding: str
    policy: str
    policy_id: str
    title: str
    severity: Severity
    remediation: str
    result: Result
    enforcement: Enforcement
    on_undecided: Enforcement
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    waivers: tuple[str, ...] = ()
    facts: Mapping[str, str] | None = None

    @property
    def refuses(self) -> bool:
        """Whether this evaluation alone makes the object denied."""
        return self.result is Result.FAIL and self.enforcement is Enforcement.DENY

    @property
    def unsettled(self) -> bool:
        """Whether this evaluation could not be made although it was to be enforced."""
        return (
            self.result in (Result.ERROR, Result.NOT_EVALUATED)
            and self.enforcement is Enforcement.DENY
            and self.on_undecided is Enforcement.DENY
        )


@dataclass(frozen=True, slots=True)
class SubjectRef:
    """Which object a decision is about, without the object. `digest` is sha256 over its canonical JSON."""

    group: str
    version: str
    kind: str
    namespace: str
    name: str
    uid: str
    digest: str

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}"


@dataclass(frozen=True, slots=True)
class Decision:
    """All evaluations of one subject at one door.

    `no_match` is a state of its own: nothing was bound to this subject, which is not the same as having passed.
    `notes` are sentences that the reader needs beside the findings (a waiver that did not count, say). `mutating` tells
    the record of a change from a verdict: what was changed is judged afterwards, and is another decision.
    """

    id: str
    time: datetime
    door: Door
    subject: SubjectRef
    operation: str
    subresource: str
    user: str
    groups: tuple[str, ...]
    dry_run: bool
    outcome: Outcome
    evaluations: tuple[Evaluation, ...]
    bundle_digest: str
    configuration_digest: str
    engine: str
    engine_version: str
    cached: bool
    milliseconds: float
    match_inputs: MatchInputs
    notes: tuple[str, ...] = ()
    mutating: bool = False

    @property
    def no_match(self) -> bool:
        return not self.evaluations

    def with_result(self, *results: Result) -> Sequence[Evaluation]:
        return [evaluation for evaluation in self.evaluations if evaluation.result in results]


def combine(evaluations: Sequence[Evaluation]) -> Outcome:
    """The outcome of all evaluations together: a refusal beats doubt, doubt beats consent."""
    if any(evaluation.refuses for evaluation in evaluations):
        return Outcome.DENIED
    if any(evaluation.unsettled for evaluation in evaluations):
        return Outcome.UNDECIDED
    return Outcome.ALLOWED


def doubted(decision: Decision, reason: str) -> Decision:
    """`decision`, made on less than is needed: what was found stands, what was not found could not be evaluated."""
    evaluations = tuple(
        replace(evaluation, result=Result.NOT_EVALUATED, reason=reason)
        if evaluation.result in (Result.PASS, Result.EXEMPT)
        else evaluation
        for evaluation in decision.evaluations
    )
    return replace(decision, evaluations=evaluations, outcome=combine(evaluations))
