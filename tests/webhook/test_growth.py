"""Autoscalers at the Kubernetes door: a limit is not passed by making one after what it scales was admitted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pratique.decision import Outcome, Result
from pratique.kinds import Autoscaler, Context
from pratique.subject import Resource
from tests.support import workloads
from tests.support.builders import review
from tests.support.scripted import ScriptedEvaluator
from tests.webhook.serving import Served, engine_of
from webhook.cluster import ParentLookup
from webhook.cluster_context import KnownObjects, Source

LLM = workloads.deployment("llm", namespace="team-a", gpus=2)
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llm"}


def hpa(most: int = 2, *, target: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "llm", "namespace": "team-a", **metadata},
        "spec": {"scaleTargetRef": target or DEPLOYMENT, "minReplicas": 1, "maxReplicas": most},
    }


def scaled_object(most: int | None) -> dict[str, Any]:
    spec = {"scaleTargetRef": {"name": "llm"}} | ({} if most is None else {"maxReplicaCount": most})
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "llm", "namespace": "team-a"},
        "spec": spec,
    }


class Known(KnownObjects):
    """Knows what the test says, and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Source, Autoscaler]] = []
        self.most: dict[tuple[str, str, str, str], int] = {}
        self.reason = ""

    @property
    def context(self) -> Context:
        return Context(self.most)

    def doubt(self, subject: Resource) -> str:
        return self.reason if subject.gvk.kind == "Deployment" else ""

    def admitted(self, source: Source, autoscaler: Autoscaler) -> None:
        self.told.append((source, autoscaler))


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def judging(known: Known) -> Iterator[Served]:
    """With a policy like gpu/limit: at most 4 GPUs."""

    def limit(document: Any) -> list[dict[str, str]]:
        peak = document["subject"].get("gpus", {}).get("peak", 0)
        return [{"message": f"{peak} GPUs", "path": "/spec"}] if peak > 4 else []

    with Served.with_engine(engine_of(ScriptedEvaluator({"gpu/limit": limit})), known=known) as served:
        served.parents.known["apps", "deployments", "team-a", "llm"] = LLM
        yield served


def test_an_autoscaler_within_the_limit_is_let_in_and_known_at_once(judging: Served, known: Known) -> None:
    assert judging.judge(review(hpa(2)))["allowed"]
    own, target = judging.rows.decisions
    assert (str(own.subject), own.no_match) == ("HorizontalPodAutoscaler team-a/llm", True)
    assert (str(target.subject), target.operation, target.subresource) == ("Deployment team-a/llm", "UPDATE", "scale")
    assert known.told == [
        (
            ("autoscaling", "HorizontalPodAutoscaler", "team-a/llm"),
            Autoscaler(("apps", "Deployment", "team-a", "llm"), 2),
        )
    ]


@pytest.mark.parametrize("obj", [hpa(9), scaled_object(9), scaled_object(None)], ids=["hpa", "keda", "keda-default"])
def test_an_autoscaler_beyond_the_limit_is_refused(judging: Served, known: Known, obj: dict[str, Any]) -> None:
    response = judging.judge(review(obj))
    target, own = judging.rows.decisions
    most = obj["spec"].get("maxReplicas") or obj["spec"].get("maxReplicaCount") or 100
    assert (response["allowed"], response["status"]["code"]) == (False, 403)
    assert f"{2 * most} GPUs" in response["status"]["message"]
    assert f"{obj['kind']} team-a/llm lets it grow to {most} replicas" in response["status"]["message"]
    assert (str(target.subject), target.outcome) == ("Deployment team-a/llm", Outcome.DENIED)
    assert (own.subject.kind, own.outcome) == (obj["kind"], Outcome.ALLOWED)
    assert known.told == []


def test_raising_it_is_judged_as_making_it(judging: Served) -> None:
    assert judging.judge(review(hpa(3), operation="UPDATE", old=hpa(2)))["status"]["code"] == 403
    assert judging.judge(review(hpa(1), operation="UPDATE", old=hpa(1, generation=1)))["allowed"]


def test_turning_it_to_another_target_is_judged(judging: Served) -> None:
    other = hpa(9, target={**DEPLOYMENT, "name": "other"})
    assert judging.judge(review(hpa(9), operation="UPDATE", old=other))["status"]["code"] == 403


@pytest.mark.parametrize(
    ("obj", "request_"),
    [
        (hpa(9), {"operation": "UPDATE", "old": hpa(9)}),
        (hpa(8), {"operation": "UPDATE", "old": hpa(9)}),
        (hpa(9), {"operation": "UPDATE", "old": hpa(2), "subresource": "status"}),
        (
            hpa(9, deletionTimestamp="2026-11-21T08:00:00Z"),
            {"operation": "UPDATE", "old": hpa(2, deletionTimestamp="2026-11-21T08:00:00Z")},
        ),
        (None, {"operation": "DELETE", "old": hpa(9)}),
    ],
    ids=["unchanged", "lowered", "status", "on its way out", "deleted"],
)
def test_what_lets_nothing_grow_is_not_looked_into(
    judging: Served, obj: dict[str, Any] | None, request_: dict[str, Any]
) -> None:
    assert judging.judge(review(obj, **request_))["allowed"]
    assert [each.subject.kind for each in judging.rows.decisions] == ["HorizontalPodAutoscaler"]


def test_an_autoscaler_that_goes_further_already_counts(judging: Served, known: Known) -> None:
    known.most["apps", "Deployment", "team-a", "llm"] = 9
    assert "18 GPUs" in judging.judge(review(hpa(2)))["status"]["message"]


def test_what_is_scaled_can_come_later_and_is_judged_then(judging: Served, known: Known) -> None:
    del judging.parents.known["apps", "deployments", "team-a", "llm"]
    assert judging.judge(review(hpa(9)))["allowed"]
    ((_, autoscaler),) = known.told
    known.most[autoscaler.target] = autoscaler.most
    assert "18 GPUs" in judging.judge(review(LLM))["status"]["message"]


def test_a_dry_run_is_judged_and_leaves_nothing_behind(judging: Served, known: Known) -> None:
    assert judging.judge(review(hpa(2), dry_run=True))["allowed"]
    assert [each.dry_run for each in judging.rows.decisions] == [True, True]
    assert known.told == []


def test_a_target_that_cannot_be_looked_up_is_undecided(judging: Served, known: Known) -> None:
    judging.parents.failure = "the API server is away"
    response = judging.judge(review(hpa(2)))
    target, _ = judging.rows.decisions
    assert (response["allowed"], response["status"]["code"]) == (False, 500)
    (evaluation,) = target.evaluations
    assert (evaluation.result, evaluation.reason) == (
        Result.NOT_EVALUATED,
        "what this HorizontalPodAutoscaler scales could not be looked up: the API server is away",
    )
    assert known.told == []


def test_without_an_api_server_an_autoscaler_is_undecided() -> None:
    engine = engine_of(ScriptedEvaluator({"gpu/limit": lambda _: []}))
    with Served.with_engine(engine, parents=ParentLookup(None)) as served:
        response = served.judge(review(hpa(2)))
    assert response["status"]["code"] == 500
    assert (
        "no API server is configured; start the webhook with --kubeconfig or --in-cluster"
        in response["status"]["message"]
    )


def test_where_nothing_judges_the_target_it_need_not_be_found() -> None:
    engine = engine_of(ScriptedEvaluator({}), match={"namespaces": {"exclude": ["team-a"]}})
    with Served.with_engine(engine, parents=ParentLookup(None)) as served:
        assert served.judge(review(hpa(2)))["allowed"]


def test_a_target_that_is_malformed_is_bad_input(judging: Served) -> None:
    judging.parents.known["apps", "deployments", "team-a", "llm"] = {**LLM, "spec": {"template": []}}
    assert judging.judge(review(hpa(2)))["status"]["code"] == 400


def test_a_warning_about_the_target_is_told() -> None:
    engine = engine_of(
        ScriptedEvaluator({"gpu/limit": lambda _: [{"message": "many GPUs", "path": "/spec"}]}), enforcement="warn"
    )
    with Served.with_engine(engine) as served:
        served.parents.known["apps", "deployments", "team-a", "llm"] = LLM
        response = served.judge(review(hpa(2)))
    assert response["allowed"]
    assert any("many GPUs" in warning for warning in response["warnings"])


# What is known when the target itself is judged


def test_an_autoscaler_that_is_known_counts(judging: Served, known: Known) -> None:
    assert judging.judge(review(LLM))["allowed"]
    known.most["apps", "Deployment", "team-a", "llm"] = 3
    assert "6 GPUs" in judging.judge(review(LLM))["status"]["message"]


def test_what_passed_in_doubt_is_undecided_and_what_was_found_stands(judging: Served, known: Known) -> None:
    known.reason = "how far autoscalers let this Deployment grow is not known: they were not listed yet"
    response = judging.judge(review(LLM))
    assert (response["status"]["code"], known.reason in response["status"]["message"]) == (500, True)
    big = workloads.deployment("llm", namespace="team-a", gpus=8)
    assert judging.judge(review(big))["status"]["code"] == 403
    assert judging.judge(review(workloads.pod("p", namespace="team-a")))["allowed"]
