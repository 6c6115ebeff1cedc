"""Break-glass users: whom the rules about Pratique's own webhook do not stop, in an emergency. Each time is recorded.

It takes the right to change webhook configurations to repair a cluster whose webhook refuses everything, and somebody
has to be able to hand it out. All other rules hold for these users as for everybody.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from pratique.decision import Decision, Evaluation, Result, combine

log = logging.getLogger(__name__)

BYPASSED_POLICIES = frozenset({"rbac/own-webhook", "rbac/webhook-configurations"})
"""The policies that a break-glass user is not stopped by."""


def with_bypasses(decision: Decision, break_glass_users: frozenset[str]) -> Decision:
    """`decision`, with what those policies refuse, or could not say, `exempt` if its user is a break-glass user.

    The findings stay, the reason and a note say that it is a bypass, and it is logged as a warning.
    """
    if decision.user not in break_glass_users:
        return decision
    reason = f"BYPASS: {decision.user} is a break-glass user"
    evaluations = tuple(
        replace(each, result=Result.EXEMPT, reason=_reason(each, reason)) if _stops(each) else each
        for each in decision.evaluations
    )
    bypassed = sorted({each.policy_id for each in decision.evaluations if _stops(each)})
    if not bypassed:
        return decision
    log.warning(
        "decision %s on %s: break-glass user %s bypassed %s",
        decision.id,
        decision.subject,
        decision.user,
        ", ".join(bypassed),
    )
    note = f"{reason}, so {', '.join(bypassed)} did not refuse"
    return replace(decision, evaluations=evaluations, outcome=combine(evaluations), notes=(*decision.notes, note))


def _stops(evaluation: Evaluation) -> bool:
    return evaluation.policy in BYPASSED_POLICIES and (evaluation.refuses or evaluation.unsettled)


def _reason(evaluation: Evaluation, reason: str) -> str:
    return f"{reason} ({evaluation.reason})" if evaluation.reason else reason
