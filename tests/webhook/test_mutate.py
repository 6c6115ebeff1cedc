"""`/mutate` over HTTP, with the defaults switched on and both engines: the answer is what an API server applies."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from evaluators.select import choose_engine, start_evaluator
from pratique.decision import Outcome, Patch, Result
from pratique.evaluator import Evaluator
from pratique.ledger import LedgerError
from pratique.live import Live
from pratique.mutation import ANNOTATION
from pratique.patches import apply
from pratique.policy import PolicySet
from tests.support import workloads
from tests.support.builders import UID, review, scale_review
from tests.support.defaults import defaults_on
from tests.support.evaluators import DownEvaluator
from tests.webhook.serving import ROOT, Served, engine_of

pytestmark = pytest.mark.slow

NAMESPACE = """
---
apiVersion: v1
kind: Namespace
metadata: {name: team-a, labels: {team: a, cost-center: cc-4711, data-classification: internal}}
"""
PATH = "/mutate?timeout=30s"


@pytest.fixture(scope="module", params=["opa", "regopy"])
def mutating(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The webhook with the defaults switched on."""
    config: Path = tmp_path_factory.mktemp("config")
    (config / "defaults.yaml").write_text(defaults_on() + NAMESPACE)
    choice = choose_engine(request.param, tools_cache=ROOT / ".cache" / "tools", environ=os.environ)

    async def evaluator(policies: PolicySet, asked: frozenset[str]) -> Evaluator:
        return await start_evaluator(choice, policies, asked=asked)

    async def start() -> Live:
        live = Live(policies=ROOT / "policies", config=config, start_evaluator=evaluator)
        await live.start()
        return live

    with Served(start) as webhook:
        yield webhook


def patches_of(response: dict[str, Any]) -> list[Patch]:
    assert (response["allowed"], response.get("patchType", "JSONPatch")) == (True, "JSONPatch")
    assert ("patch" in response) == ("patchType" in response)
    return [Patch(**operation) for operation in json.loads(base64.b64decode(response.get("patch", "W10=")))]


def mutated(served: Served, obj: dict[str, Any], **request: Any) -> dict[str, Any]:
    """The object as the API server would have it."""
    result: dict[str, Any] = apply(obj, patches_of(served.judge(review(obj, **request), path=PATH)))
    return result


def job() -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "train", "namespace": "team-a"},
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "train",
                            "image": workloads.image("train"),
                            "resources": {"limits": {"nvidia.com/gpu": "1"}},
                        }
                    ],
                    "restartPolicy": "Never",
                }
            }
        },
    }


def test_a_job_gets_every_default_in_one_patch(mutating: Served) -> None:
    before = len(mutating.rows.decisions)
    response = mutating.judge(review(job()), path=PATH)
    patches = patches_of(response)
    paths = [patch.path for patch in patches]
    assert paths == [
        "/metadata/annotations",
        "/metadata/labels",
        "/spec/activeDeadlineSeconds",
        "/spec/template/metadata",
        *(path for path in paths if path.startswith("/spec/template/spec/")),
    ]
    after = apply(job(), patches)
    assert after["metadata"]["labels"] == {
        "cost-center": "cc-4711",
        "data-classification": "internal",
        "kueue.x-k8s.io/queue-name": "default",
        "team": "a",
    }
    assert after["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
    assert sorted(json.loads(after["metadata"]["annotations"][ANNOTATION])) == [
        "DEFAULT-001", "DEFAULT-002", "DEFAULT-003", "DEFAULT-004", "DEFAULT-005", "DEFAULT-006", "DEFAULT-007",
    ]  # fmt: skip
    (decision,) = mutating.rows.decisions[before:]
    assert (decision.mutating, decision.outcome) == (True, Outcome.ALLOWED)
    assert response["auditAnnotations"] == {
        "decision-id": decision.id,
        "mutated-by": "DEFAULT-001,DEFAULT-002,DEFAULT-003,DEFAULT-004,DEFAULT-005,DEFAULT-006,DEFAULT-007",
    }
    assert {each.policy_id for each in decision.with_result(Result.MUTATED)} == set(
        response["auditAnnotations"]["mutated-by"].split(",")
    )


def test_invoked_again_on_its_own_result_it_has_nothing_to_say_and_nothing_to_record(mutating: Served) -> None:
    after = mutated(mutating, job())
    before = len(mutating.rows.decisions)
    assert mutating.judge(review(after), path=PATH) == {"uid": UID, "allowed": True}
    assert len(mutating.rows.decisions) == before


def test_invoked_again_after_another_webhook_it_adds_what_is_missing_now(mutating: Served) -> None:
    after = mutated(mutating, job())
    del after["metadata"]["labels"]["team"]
    again = mutated(mutating, after)
    assert again["metadata"]["labels"]["team"] == "a"
    assert again["metadata"]["annotations"] == mutated(mutating, job())["metadata"]["annotations"]


def test_the_verdict_on_what_was_changed_has_nothing_to_warn_of(mutating: Served) -> None:
    assert "warnings" in mutating.judge(review(job()))
    assert "warnings" not in mutating.judge(review(mutated(mutating, job())))


def test_an_update_neither_loses_a_default_nor_gets_a_new_one(mutating: Served) -> None:
    plain, complete = job(), mutated(mutating, job())
    labelled = deepcopy(plain)
    labelled["metadata"]["labels"] = {"mine": "x"}
    assert mutated(mutating, labelled, operation="UPDATE", old=plain) == labelled
    assert mutated(mutating, plain, operation="UPDATE", old=complete) == complete


def test_pods_of_a_controller_get_defaults_but_what_it_compares_does_not(mutating: Served) -> None:
    owner = {"ownerReferences": [{"controller": True, "kind": "X", "name": "x", "apiVersion": "x/v1", "uid": "1"}]}
    template = job()["spec"]["template"]["spec"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "team-a"}, "spec": template}
    pod["metadata"] |= owner
    owned = job()
    owned["metadata"] |= owner
    assert "securityContext" in mutated(mutating, pod)["spec"]
    assert mutated(mutating, owned) == owned


@pytest.mark.parametrize("subresource", ["status", "ephemeralcontainers", "resize"])
def test_subresources_are_left_alone(mutating: Served, subresource: str) -> None:
    pod = workloads.pod("p", namespace="team-a")
    document = review(pod, operation="UPDATE", old=pod, subresource=subresource)
    assert mutating.judge(document, path=PATH) == {"uid": UID, "allowed": True}


def test_scales_and_deletes_are_left_alone(mutating: Served) -> None:
    nothing = {"uid": UID, "allowed": True}
    assert mutating.judge(scale_review("d", namespace="team-a", replicas=3), path=PATH) == nothing
    assert mutating.judge(review(None, operation="DELETE", old=job()), path=PATH) == nothing


def test_a_namespace_that_is_not_known_is_undecided_and_recorded(mutating: Served) -> None:
    stranger = job()
    stranger["metadata"]["namespace"] = "elsewhere"
    response = mutating.judge(review(stranger), path=PATH)
    assert (response["allowed"], response["status"]["code"]) == (False, 500)
    assert "the labels of namespace elsewhere are not known" in response["status"]["message"]
    decision = mutating.rows.decisions[-1]
    assert (decision.outcome, decision.mutating) == (Outcome.UNDECIDED, True)
    assert decision.id in response["status"]["message"]


def test_what_cannot_be_read_is_refused(mutating: Served) -> None:
    broken = job()
    broken["spec"]["template"]["spec"]["containers"] = "none"
    assert mutating.judge(review(broken), path=PATH)["status"]["code"] == 400


def test_what_is_not_recorded_does_not_count(mutating: Served) -> None:
    mutating.rows.failure = LedgerError("the disk is full; free some space")
    try:
        response = mutating.judge(review(job()), path=PATH)
    finally:
        mutating.rows.failure = None
    assert (response["allowed"], response["status"]["code"], "patch" in response) == (False, 500, False)


def test_it_is_counted(mutating: Served) -> None:
    before = mutating.metric("pratique_mutations_total", outcome="changed")
    mutated(mutating, job())
    assert mutating.metric("pratique_mutations_total", outcome="changed") == before + 1


def test_before_anything_is_in_force_it_refuses() -> None:
    with Served.with_engine(None) as served:
        assert served.judge(review(job()), path=PATH)["status"]["code"] == 500


@pytest.mark.parametrize(("on_undecided", "allowed"), [("deny", False), ("warn", True)])
def test_an_engine_that_is_down_changes_nothing(on_undecided: str, allowed: bool) -> None:
    engine = engine_of(DownEvaluator({}), mutate=True, onUndecided=on_undecided)
    policies = engine.policies.policies
    assert not policies["gpu/limit"].has_patches
    with Served.with_engine(engine) as served:
        assert served.judge(review(job()), path=PATH) == {"uid": UID, "allowed": True}, "it patches nothing anyway"
    engine = engine_of(DownEvaluator({}), has_patches=True, mutate=True, onUndecided=on_undecided)
    with Served.with_engine(engine) as served:
        response = served.judge(review(job()), path=PATH)
    assert (response["allowed"], "patch" in response) == (allowed, False)
    told = response["warnings"] if allowed else [response["status"]["message"]]
    assert "GPU-001" in told[0]
    assert "the engine is down" in told[0]
