"""The rules that are built in: about Pratique's own objects in a cluster. No binding can switch them off.

They are recorded like policies, under names and ids of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pratique.decision import Enforcement, Evaluation, Finding, Result, Severity
from pratique.policy import PolicyMetadata


def _rule(name: str, number: int, title: str, remediation: str) -> PolicyMetadata:
    return PolicyMetadata(
        name=f"pratique/{name}",
        id=f"PRATIQUE-{number:03}",
        title=title,
        description="",
        severity=Severity.CRITICAL,
        subjects=frozenset({"resource"}),
        needs=frozenset({"user", "old", "now"}),
        parameters={},
        remediation=remediation,
        controls={},
        references=(),
        file="pratique/builtin.py",
        line=1,
    )


LOADABLE = _rule(
    "loadable",
    1,
    "Bindings and waivers can be loaded",
    "Correct the field that is named; `pratique policy show` has it.",
)
REQUESTED = _rule(
    "waiver-request",
    2,
    "A waiver says who asked for it",
    "Leave requestedBy, approvedBy and approvedAt out when you ask, and change only waivers that you asked for.",
)
APPROVED = _rule(
    "waiver-approval",
    3,
    "A waiver is approved by an approver who did not ask for it",
    "Have a member of an approver group set spec.approvedBy to their own user name, and nothing else.",
)
UNCHANGED = _rule(
    "waiver-unchanged",
    4,
    "A waiver stays as it was approved",
    "Make another waiver and have it approved; delete this one if it is not to count any more.",
)
RULES: Mapping[str, PolicyMetadata] = {rule.name: rule for rule in (LOADABLE, REQUESTED, APPROVED, UNCHANGED)}
"""Every built-in rule, by name."""


def evaluation(rule: PolicyMetadata, findings: Sequence[Finding]) -> Evaluation:
    """What `rule` came to."""
    return Evaluation(
        binding=rule.name,
        policy=rule.name,
        policy_id=rule.id,
        title=rule.title,
        severity=rule.severity,
        remediation=rule.remediation,
        result=Result.FAIL if findings else Result.PASS,
        enforcement=Enforcement.DENY,
        on_undecided=Enforcement.DENY,
        findings=tuple(findings),
    )
