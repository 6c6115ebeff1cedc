"""The webhook over HTTP: with real engines and policies, then with engines that do what real ones seldom do."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from attestations.recorded import RecordedFacts
from pratique.decision import Door, Outcome, Result
from pratique.facts import Known
from pratique.ledger import Ledger, LedgerError
from pratique.subject import Resource
from tests.support import workloads
from tests.support.builders import UID, encoded, review, scale_review
from tests.support.evaluators import BuggyEvaluator, DeafEvaluator, DownEvaluator
from tests.support.scripted import Rule, ScriptedEvaluator
from tests.webhook.serving import REVIEWS, Served, captured, engine_of
from webhook.cluster import ParentLookup

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)
GOOD = workloads.pod("good", namespace="team-a")
BAD = workloads.pod("bad", namespace="team-a", faults=[workloads.Fault.GPUS])
PASSES: Mapping[str, Rule] = {"gpu/limit": lambda document: []}
FAILS: Mapping[str, Rule] = {"gpu/limit": lambda document: [{"message": "too many GPUs", "path": "/spec"}]}

# With real engines


def test_a_pod_in_order_is_allowed(served: Served) -> None:
    response = served.judge(captured("pod-create"))
    decision = served.rows.decisions[-1]
    assert response == {
        "uid": json.loads(captured("pod-create"))["request"]["uid"],
        "allowed": True,
        "auditAnnotations": {
            "decision-id": decision.id,
            "outcome": "allowed",
            "bundle-digest": decision.bundle_digest,
            "policy-ids": "GPU-001,IMAGE-001,IMAGE-002,LABELS-001,WORKLOAD-001,WORKLOAD-002,WORKLOAD-003",
        },
    }


def test_a_pod_that_breaks_rules_is_denied_with_every_reason(served: Served) -> None:
    response = served.judge(captured("pod-create-violating"))
    decision = served.rows.decisions[-1]
    assert (response["allowed"], response["status"]["code"], response["status"]["reason"]) == (
        False,
        403,
        "Forbidden",
    )
    failed = {evaluation.policy_id: evaluation.findings for evaluation in decision.with_result(Result.FAIL)}
    assert set(failed) == {"IMAGE-001", "WORKLOAD-001", "WORKLOAD-002"}
    message = response["status"]["message"]
    assert decision.id in message
    for findings in failed.values():
        for finding in findings:
            assert f"at {finding.path}: {finding.message}" in message


REFUSED = {
    "cronjob-create": {"GPU-001"},
    "deployment-scale": {
        "GPU-001", "IMAGE-001", "IMAGE-002", "LABELS-001", "WORKLOAD-001", "WORKLOAD-002", "WORKLOAD-003"
    },
    "job-create": {"GPU-001"},
    "pod-create-minimal": {"IMAGE-001", "IMAGE-002", "LABELS-001", "WORKLOAD-001"},
    "pod-create-violating": {"IMAGE-001", "WORKLOAD-001", "WORKLOAD-002"},
    "pod-ephemeralcontainers": {"IMAGE-001", "IMAGE-002"},
}  # fmt: skip
"""The captured reviews that are refused, and the policies that did not pass. The parent of the scale is not known."""


@pytest.mark.parametrize("name", sorted(path.stem for path in REVIEWS.glob("*.json")))
def test_every_captured_review_gets_a_recorded_decision(served: Served, name: str) -> None:
    before = len(served.rows.decisions)
    response = served.judge(captured(name))
    (decision,) = served.rows.decisions[before:]
    assert (response["allowed"], response["auditAnnotations"]["decision-id"]) == (name not in REFUSED, decision.id)
    not_passed = {each.policy_id for each in decision.evaluations if each.result is not Result.PASS}
    assert not_passed == REFUSED.get(name, set())


def test_ephemeral_containers_are_judged(served: Served) -> None:
    document = json.loads(captured("pod-ephemeralcontainers"))
    document["request"]["object"]["spec"]["ephemeralContainers"][0]["image"] = "docker.io/library/busybox:latest"
    response = served.judge(document)
    assert "/spec/ephemeralContainers/0/image" in response["status"]["message"]
    assert served.rows.decisions[-1].subresource == "ephemeralcontainers"


def test_a_status_cannot_break_a_rule(served: Served) -> None:
    response = served.judge(review(BAD, operation="UPDATE", old=BAD, subresource="status"))
    decision = served.rows.decisions[-1]
    assert (response["allowed"], decision.no_match, decision.subresource) == (True, True, "status")


def test_a_resize_is_judged(served: Served) -> None:
    response = served.judge(review(BAD, operation="UPDATE", old=GOOD, subresource="resize"))
    assert response["status"]["code"] == 403


def test_an_exec_is_recorded_under_the_name_of_the_pod(served: Served) -> None:
    response = served.judge(captured("pod-exec"))
    decision = served.rows.decisions[-1]
    assert (response["allowed"], decision.no_match, decision.operation) == (True, True, "CONNECT")
    assert str(decision.subject) == "PodExecOptions team-a/notebook"


def test_a_deletion_is_recorded_with_what_is_deleted(served: Served) -> None:
    assert served.judge(review(None, operation="DELETE", old=BAD))["allowed"]
    decision = served.rows.decisions[-1]
    assert (decision.operation, str(decision.subject), decision.no_match) == ("DELETE", "Pod team-a/bad", True)


def test_what_was_let_in_is_told_where_its_pods_are_still_to_come() -> None:
    kept = workloads.deployment("d", namespace="team-a")
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES))) as passing:
        for asked in (
            review(GOOD),
            review(None, operation="DELETE", old=kept),
            review(kept, operation="UPDATE", old=kept, subresource="status"),
        ):
            assert passing.judge(asked)["allowed"]
        assert passing.evidence.foreseen == []
        assert passing.judge(review(kept))["allowed"]
        assert passing.judge(review(kept, operation="UPDATE", old=kept))["allowed"]
        assert [each.gvk.kind for each in passing.evidence.foreseen if isinstance(each, Resource)] == ["Deployment"] * 2
    with Served.with_engine(engine_of(ScriptedEvaluator(FAILS))) as failing:
        assert not failing.judge(review(kept))["allowed"]
        assert failing.evidence.foreseen == []
        assert failing.evidence.doubted == []


def test_evidence_is_doubted_where_it_is_why_somebody_is_refused() -> None:
    fact = Known({"signers": ["ci"]}, NOW, NOW + timedelta(hours=1), "sha256:1")
    recorded = {"signatures": RecordedFacts("signatures", {"a": fact}, keys="none", clock=lambda: NOW)}
    for rules, enforcement, doubted in ((FAILS, "deny", ["bad"]), (FAILS, "warn", []), (PASSES, "deny", [])):
        engine = engine_of(ScriptedEvaluator(rules), facts=recorded, enforcement=enforcement)
        with Served.with_engine(engine) as served:
            assert served.judge(review(BAD))["allowed"] is not bool(doubted)
            assert [each.identity.name for each in served.evidence.doubted if isinstance(each, Resource)] == doubted


def test_a_dry_run_is_judged_and_recorded_as_such(served: Served) -> None:
    assert not served.judge(review(BAD, dry_run=True))["allowed"]
    assert served.rows.decisions[-1].dry_run


def test_scaling_is_judged_with_the_template_of_the_parent(served: Served) -> None:
    parent = workloads.deployment("llm", namespace="team-a", gpus=2)
    served.parents.known["apps", "deployments", "team-a", "llm"] = parent
    assert served.judge(scale_review("llm", namespace="team-a", replicas=2))["allowed"]
    response = served.judge(scale_review("llm", namespace="team-a", replicas=3))
    assert "this Deployment can use 6 GPUs" in response["status"]["message"]
    decision = served.rows.decisions[-1]
    assert (str(decision.subject), decision.subresource) == ("Deployment team-a/llm", "scale")


def test_scaling_something_unknown_is_undecided(served: Served) -> None:
    response = served.judge(scale_review("ghost", namespace="team-a", replicas=1))
    decision = served.rows.decisions[-1]
    assert (response["allowed"], response["status"]["code"], decision.outcome) == (False, 500, Outcome.UNDECIDED)
    assert {evaluation.reason for evaluation in decision.evaluations} == {
        "what is scaled could not be looked up: the API server knows no deployments team-a/ghost"
    }


def test_scaling_something_of_an_unknown_kind_is_undecided(served: Served) -> None:
    response = served.judge(scale_review("x", namespace="team-a", replicas=1, resource="things", group="example.com"))
    assert response["status"]["code"] == 500


def test_scaling_where_no_binding_applies_needs_no_parent(served: Served) -> None:
    response = served.judge(scale_review("ghost", namespace="kube-system", replicas=1))
    assert (response["allowed"], served.rows.decisions[-1].no_match) == (True, True)


def test_scaling_a_parent_that_is_no_object_is_bad_input(served: Served) -> None:
    parent = workloads.deployment("broken", namespace="team-a")
    parent["spec"]["template"]["spec"]["containers"] = "none"
    served.parents.known["apps", "deployments", "team-a", "broken"] = parent
    response = served.judge(scale_review("broken", namespace="team-a", replicas=1))
    assert response["status"]["code"] == 400


def test_the_mutating_door_changes_nothing_and_records_nothing(served: Served) -> None:
    before = len(served.rows.decisions)
    assert served.judge(review(BAD), path="/mutate?timeout=30s") == {"uid": UID, "allowed": True}
    assert len(served.rows.decisions) == before


def test_the_mutating_door_refuses_what_is_no_review(served: Served) -> None:
    document = review(GOOD)
    document["request"]["operation"] = "PATCH"
    assert served.judge(document, path="/mutate")["status"]["code"] == 400


def test_pods_of_one_template_are_one_evaluation(served: Served) -> None:
    for number in (1, 2, 3):
        assert served.judge(captured(f"pod-of-replicaset-{number}"))["allowed"]
    assert [decision.cached for decision in served.rows.decisions[-2:]] == [True, True]


def test_ready_tells_what_is_in_force(served: Served) -> None:
    engine = served.live.engine
    assert engine is not None
    assert served.get("/healthz").body == b"ok\n"
    ready = served.get("/readyz")
    assert (ready.status, ready.body) == (200, b"ok\n")
    state = served.get("/readyz?verbose").json
    assert state == {
        "ready": True,
        "draining": False,
        "loaded_at": f"{served.live.loaded_at:%Y-%m-%dT%H:%M:%SZ}",
        "problem": "",
        "engine": engine.evaluator.name,
        "engine_version": engine.evaluator.version,
        "engine_restarts": 0,
        "bundle_digest": engine.policies.digest,
        "configuration_digest": engine.configuration.digest,
        "policies": len(engine.policies.policies),
        "bindings": len(engine.configuration.bindings),
        "waivers": 0,
    }


def test_metrics_count_what_happened(served: Served) -> None:
    def counted() -> tuple[float, float, float]:
        return (
            served.metric("pratique_decisions_total", door="admission", outcome="denied"),
            served.metric("pratique_evaluations_total", door="admission", binding="gpu-limit", result="fail"),
            served.metric("pratique_review_seconds_count"),
        )

    before = counted()
    served.judge(review(workloads.pod("counted", namespace="team-a", faults=[workloads.Fault.GPUS], variant=77)))
    served.wait_until(lambda: counted() == tuple(value + 1 for value in before))
    text = served.get("/metrics").body.decode()
    engine = served.live.engine
    assert engine is not None
    assert f'bundle="{engine.policies.digest}"' in text
    assert f'configuration="{engine.configuration.digest}"' in text
    for name in (
        "pratique_policy_seconds_bucket",
        "pratique_record_seconds_count",
        "pratique_cache_hits_total",
        "pratique_cache_misses_total",
        "pratique_cache_bytes",
        "pratique_engine_restarts_total",
        "pratique_reload_problem 0.0",
        "pratique_reload_success_timestamp_seconds",
        "process_resident_memory_bytes",
    ):
        assert name in text
    assert served.metric("pratique_reviews_in_flight") == 0
    assert served.metric("pratique_reviews_bytes") == 0


# With engines that misbehave


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [({}, False), ({"onUndecided": "warn"}, True), ({"enforcement": "warn"}, True)],
)
def test_an_engine_that_is_down_is_undecided(spec: dict[str, Any], allowed: bool) -> None:
    with Served.with_engine(engine_of(DownEvaluator(PASSES), **spec)) as webhook:
        response = webhook.judge(review(GOOD))
        assert response["allowed"] is allowed
        assert webhook.rows.decisions[-1].evaluations[0].result is Result.ERROR
        if allowed:
            assert response["warnings"] == ["GPU-001 could not be evaluated: the engine is down"]
        else:
            assert response["status"]["code"] == 500
            assert "could not be evaluated: the engine is down" in response["status"]["message"]


def test_an_engine_that_never_answers_is_refused_within_the_timeout() -> None:
    with Served.with_engine(engine_of(DeafEvaluator(PASSES))) as webhook:
        response = webhook.judge(review(GOOD), path="/validate?timeout=1s")
        message = "the review could not be judged and recorded within the time that the API server gives; retry"
        assert (response["allowed"], response["status"]) == (
            False,
            {"code": 500, "reason": "InternalError", "message": message},
        )
        assert webhook.metric("pratique_rejected_total", reason="deadline") == 1
        assert webhook.get("/healthz").status == 200


def test_a_bad_timeout_counts_as_none(caplog: pytest.LogCaptureFixture) -> None:
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES))) as webhook:
        assert webhook.judge(review(GOOD), path="/validate?timeout=soon")["allowed"]
    assert "has a bad timeout" in caplog.text


def test_a_bug_refuses_and_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with Served.with_engine(engine_of(BuggyEvaluator(PASSES))) as webhook:
        response = webhook.judge(review(GOOD))
        assert (response["allowed"], response["status"]["code"]) == (False, 500)
        assert response["status"]["message"] == (
            "the review could not be judged because of a bug in Pratique; see its log"
        )
        assert webhook.metric("pratique_rejected_total", reason="bug") == 1
        assert webhook.rows.decisions == []
    assert "ZeroDivisionError: secret detail" in caplog.text


@pytest.mark.parametrize("failure", [LedgerError("the disk is full"), OSError("no such disk")])
def test_a_decision_that_is_not_recorded_is_refused(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES))) as webhook:
        webhook.rows.failure = failure
        response = webhook.judge(review(GOOD))
        assert (response["allowed"], response["status"]["code"]) == (False, 500)
        if isinstance(failure, LedgerError):
            assert response["status"]["message"] == (
                "the decision could not be recorded, so it does not count: the disk is full"
            )
        assert webhook.metric("pratique_decisions_total", door=Door.ADMISSION, outcome=Outcome.ALLOWED) == 0
        webhook.rows.failure = None
        assert webhook.judge(review(GOOD))["allowed"]


def test_nothing_is_allowed_before_policies_are_in_force() -> None:
    with Served.with_engine(None) as webhook:
        response = webhook.judge(review(GOOD))
        assert response["status"]["message"] == "no policies are in force yet; retry in a moment"
        ready = webhook.get("/readyz")
        assert (ready.status, ready.body) == (503, b"not ready\n")
        assert webhook.get("/readyz?verbose").json == {
            "ready": False,
            "draining": False,
            "loaded_at": None,
            "problem": "",
        }
        assert "pratique_ready 0.0" in webhook.get("/metrics").body.decode()


def test_a_failed_reload_shows_while_the_last_good_serves() -> None:
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES))) as webhook:
        webhook.live.problem = "bindings.yaml: line 3: something is wrong"
        webhook.live.loaded_at = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)
        assert webhook.get("/readyz").status == 200
        state = webhook.get("/readyz?verbose").json
        assert (state["problem"], state["loaded_at"]) == (webhook.live.problem, "2026-11-21T08:00:00Z")
        assert webhook.metric("pratique_reload_problem") == 1


def test_draining_says_not_ready_and_still_judges() -> None:
    with Served.with_engine(engine_of(ScriptedEvaluator(FAILS))) as webhook:
        webhook.app.drain()
        assert webhook.get("/readyz").status == 503
        assert webhook.judge(review(GOOD))["status"]["code"] == 403


def test_warnings_come_with_an_allowed_object() -> None:
    with Served.with_engine(engine_of(ScriptedEvaluator(FAILS), enforcement="warn")) as webhook:
        assert webhook.judge(review(GOOD))["warnings"] == ["GPU-001 at /spec: too many GPUs"]


def test_a_swapped_engine_serves_the_next_review() -> None:
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES))) as webhook:
        assert webhook.judge(review(GOOD))["allowed"]
        webhook.live.engine = engine_of(ScriptedEvaluator(FAILS))
        assert not webhook.judge(review(GOOD))["allowed"]


def test_the_old_object_reaches_the_engine() -> None:
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES))) as webhook:
        old = deepcopy(GOOD)
        assert webhook.post(encoded(review(GOOD, operation="UPDATE", old=old))).response["allowed"]
        assert webhook.rows.decisions[-1].operation == "UPDATE"


def test_without_an_api_server_every_scale_is_undecided() -> None:
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES)), parents=ParentLookup(None)) as webhook:
        response = webhook.judge(scale_review("llm", namespace="team-a", replicas=1))
        assert response["status"]["code"] == 500
        assert (
            "no API server is configured; start the webhook with --kubeconfig or --in-cluster"
            in response["status"]["message"]
        )


def test_a_bug_with_a_review_of_no_uid_is_an_http_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(body: bytes) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("webhook.app.read_review", broken)
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES))) as webhook:
        reply = webhook.post(b"{}")
        assert (reply.status, reply.json["kind"], reply.json["code"]) == (500, "Status", 500)


def test_the_ledger_shows_in_the_metrics(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "decisions.sqlite3", logs=False)
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES)), recorder=ledger) as webhook:
        assert webhook.judge(review(GOOD))["allowed"]
        assert webhook.metric("pratique_ledger_recorded_total") == 1
        assert webhook.metric("pratique_ledger_commits_total") == 1
        assert webhook.metric("pratique_ledger_failed_total") == 0
        assert webhook.metric("pratique_ledger_waiting") == 0
    asyncio.run(ledger.close())


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
