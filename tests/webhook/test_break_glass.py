"""Break-glass users: what does not stop them, and that each time is on record."""

from __future__ import annotations

import json
import logging

import pytest

from pratique.decision import Enforcement, Outcome, Result
from pratique.engine import Engine
from tests.support.decisions import decision, evaluation
from tests.support.policies import binding, configuration, policy, policy_set
from tests.support.scripted import ScriptedEvaluator
from tests.webhook.serving import BREAK_GLASS, Served, captured
from webhook.break_glass import BYPASSED_POLICIES, with_bypasses

USERS = frozenset({"ada@example.com"})
OWN = evaluation("RBAC-009", policy="rbac/webhook-configurations", binding="webhook-configurations")


def test_what_refuses_is_exempt_and_says_that_it_is_a_bypass(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        made = with_bypasses(decision(OWN), USERS)

    (found,) = made.evaluations
    assert (made.outcome, found.result, found.findings) == (Outcome.ALLOWED, Result.EXEMPT, OWN.findings)
    assert found.reason == "BYPASS: ada@example.com is a break-glass user"
    assert made.notes == ("BYPASS: ada@example.com is a break-glass user, so RBAC-009 did not refuse",)
    assert [record.getMessage() for record in caplog.records] == [
        f"decision {made.id} on Job team-a/finetune: break-glass user ada@example.com bypassed RBAC-009"
    ]


def test_what_could_not_be_evaluated_does_not_stop_them_either() -> None:
    down = evaluation(
        "RBAC-009", policy="rbac/webhook-configurations", result=Result.ERROR, reason="the engine is down"
    )
    (found,) = with_bypasses(decision(down), USERS).evaluations
    assert (found.result, found.reason) == (
        Result.EXEMPT,
        "BYPASS: ada@example.com is a break-glass user (the engine is down)",
    )


def test_all_other_rules_hold_for_them() -> None:
    made = with_bypasses(decision(OWN, evaluation("GPU-001")), USERS)
    assert (made.outcome, [each.result for each in made.evaluations]) == (
        Outcome.DENIED,
        [Result.EXEMPT, Result.FAIL],
    )


@pytest.mark.parametrize("users", [frozenset(), frozenset({"ada", "ADA@example.com"})])
def test_nobody_else_bypasses_anything(users: frozenset[str]) -> None:
    made = decision(OWN)
    assert with_bypasses(made, users) is made


def test_what_stops_nobody_is_no_bypass() -> None:
    warned = evaluation("RBAC-009", policy="rbac/webhook-configurations", enforcement=Enforcement.WARN)
    for made in (decision(evaluation("GPU-001")), decision(warned), decision()):
        assert with_bypasses(made, USERS) is made


def test_the_policies_are_those_of_the_library() -> None:
    assert sorted(BYPASSED_POLICIES) == ["rbac/own-webhook", "rbac/webhook-configurations"]


def test_the_webhook_lets_them_through_and_records_it() -> None:
    policies = policy_set(policy("rbac/webhook-configurations", id="RBAC-009"))
    engine = Engine(
        policies=policies,
        configuration=configuration(policies, binding("b", "rbac/webhook-configurations")),
        evaluator=ScriptedEvaluator({"rbac/webhook-configurations": lambda _: [{"path": "", "message": "no"}]}),
    )
    review = json.loads(captured("pod-create"))
    with Served.with_engine(engine) as webhook:
        assert webhook.judge(review)["allowed"] is False
        review["request"]["userInfo"]["username"] = BREAK_GLASS
        assert webhook.judge(review)["allowed"] is True

    refused, bypassed = webhook.rows.decisions
    assert (refused.notes, bypassed.notes) == (
        (),
        (f"BYPASS: {BREAK_GLASS} is a break-glass user, so RBAC-009 did not refuse",),
    )
