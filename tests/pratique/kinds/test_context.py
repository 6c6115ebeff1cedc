"""What other objects of the same input say of one: autoscalers, resource claims."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import yaml

from pratique.canonical import canonical_json
from pratique.kinds import ContentCache, Context, context_of, subject_of
from pratique.subject import Gpus, Resource, Workload

GPU = {"limits": {"nvidia.com/gpu": 1}}


def deployment(name: str = "llm", *, replicas: int = 2, **pod: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "r.io/a:1", "resources": GPU}], **pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "team-a"},
        "spec": {"replicas": replicas, "template": {"spec": spec}},
    }


def scaler(api_version: str, kind: str, target: Any, namespace: str | None = "team-a", **spec: Any) -> dict[str, Any]:
    metadata = {"name": "s"} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": metadata,
        "spec": {"scaleTargetRef": target, **spec},
    }


DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llm"}
HPA = scaler("autoscaling/v2", "HorizontalPodAutoscaler", DEPLOYMENT, minReplicas=1, maxReplicas=9)


def gpus(obj: dict[str, Any], context: Context, namespace: str = "") -> Gpus:
    subject = subject_of(obj, context=context, namespace=namespace)
    assert isinstance(subject, Workload)
    return subject.content.gpus


@pytest.mark.parametrize(
    ("scalers", "peak"),
    [
        ([HPA], 9),
        ([scaler("autoscaling/v1", "HorizontalPodAutoscaler", DEPLOYMENT, maxReplicas=5)], 5),
        ([scaler("autoscaling/v2", "HorizontalPodAutoscaler", DEPLOYMENT, maxReplicas=1)], 2),
        ([scaler("keda.sh/v1alpha1", "ScaledObject", {"name": "llm"}, maxReplicaCount=7)], 7),
        ([scaler("keda.sh/v1alpha1", "ScaledObject", {"name": "llm"})], 100),
        ([scaler("autoscaling.aibrix.ai/v1alpha1", "PodAutoscaler", DEPLOYMENT, maxReplicas=6)], 6),
        ([HPA, scaler("keda.sh/v1alpha1", "ScaledObject", {"name": "llm"}, maxReplicaCount=12)], 12),
        ([scaler("autoscaling/v2", "HorizontalPodAutoscaler", {**DEPLOYMENT, "name": "other"}, maxReplicas=9)], 2),
        (
            [scaler("autoscaling/v2", "HorizontalPodAutoscaler", {**DEPLOYMENT, "kind": "StatefulSet"}, maxReplicas=9)],
            2,
        ),
        ([scaler("autoscaling/v2", "HorizontalPodAutoscaler", DEPLOYMENT, "team-b", maxReplicas=9)], 2),
        ([scaler("autoscaling/v2", "HorizontalPodAutoscaler", DEPLOYMENT, None, maxReplicas=9)], 9),
        ([scaler("autoscaling/v2", "HorizontalPodAutoscaler", DEPLOYMENT, maxReplicas="nine")], 2),
        ([scaler("autoscaling/v2", "HorizontalPodAutoscaler", [], maxReplicas=9), "text", None, {}], 2),
    ],
)
def test_an_autoscaler_raises_the_peak(scalers: list[Any], peak: int) -> None:
    found = gpus(deployment(), context_of(scalers, namespace="team-a"))
    assert (found.now, found.peak) == (Fraction(2), Fraction(peak))


def test_groups_of_pods_grow_together() -> None:
    template = {"spec": {"containers": [{"name": "c", "image": "r.io/a:1", "resources": GPU}]}}
    group = {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {"name": "llm", "namespace": "team-a"},
        "spec": {"replicas": 1, "leaderWorkerTemplate": {"size": 4, "workerTemplate": template}},
    }
    target = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "name": "llm"}
    context = context_of([scaler("autoscaling/v2", "HorizontalPodAutoscaler", target, maxReplicas=3)])
    assert gpus(group, context).peak == 12


def test_the_context_is_part_of_every_key() -> None:
    cache = ContentCache()

    def subject(context: Context | None) -> Resource:
        return (
            subject_of(deployment(), cache=cache, context=context) if context else subject_of(deployment(), cache=cache)
        )

    plain, grown, again = subject(None), subject(context_of([HPA])), subject(context_of([HPA]))
    elsewhere = subject(context_of([scaler("autoscaling/v2", "HorizontalPodAutoscaler", {"name": "x"}, maxReplicas=9)]))
    assert plain.key == elsewhere.key != grown.key == again.key
    assert isinstance(plain, Workload)
    assert isinstance(grown, Workload)
    assert [plain.content.gpus.peak, grown.content.gpus.peak] == [Fraction(2), Fraction(9)]


# --- resource claims (DRA)


def template(name: str, *requests: dict[str, Any], kind: str = "ResourceClaimTemplate") -> dict[str, Any]:
    spec: dict[str, Any] = {"devices": {"requests": list(requests)}}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "team-a"},
        "spec": {"spec": spec} if kind == "ResourceClaimTemplate" else spec,
    }


BY_TEMPLATE = [{"name": "gpu", "resourceClaimTemplateName": "h100"}]
CPU_ONLY = [{"name": "c", "image": "r.io/a:1"}]


@pytest.mark.parametrize(
    ("requests", "each"),
    [
        ([{"name": "g", "exactly": {"deviceClassName": "gpu.nvidia.com", "count": 2}}], {"gpu.nvidia.com": 2}),
        ([{"name": "g", "exactly": {"deviceClassName": "gpu.nvidia.com"}}], {"gpu.nvidia.com": 1}),
        ([{"name": "g", "deviceClassName": "gpu.nvidia.com", "count": 4}], {"gpu.nvidia.com": 4}),
        (
            [{"name": "g", "firstAvailable": [{"deviceClassName": "big"}, {"deviceClassName": "small", "count": 2}]}],
            {"small": 2},
        ),
        ([{"name": "n", "exactly": {"deviceClassName": "rdma.nvidia.com"}}], {}),
        ([{"name": "n", "exactly": {"deviceClassName": "compute-domain-daemon.nvidia.com"}}], {}),
        (
            [{"name": "a", "deviceClassName": "gpu.amd.com"}, {"name": "b", "deviceClassName": "gpu.amd.com"}],
            {"gpu.amd.com": 2},
        ),
    ],
)
def test_a_claim_that_is_known(requests: list[dict[str, Any]], each: dict[str, int]) -> None:
    obj = deployment(replicas=3, containers=CPU_ONLY, resourceClaims=BY_TEMPLATE)
    found = gpus(obj, context_of([template("h100", *requests)]))
    assert found.by_resource == {name: 3 * amount for name, amount in each.items()}
    assert found.now == found.peak == 3 * sum(each.values())


def test_a_claim_that_is_not_known_may_be_an_accelerator() -> None:
    obj = deployment(replicas=3, containers=CPU_ONLY, resourceClaims=BY_TEMPLATE)
    assert gpus(obj, context_of([])) == Gpus(Fraction(3), Fraction(3), {"resourceclaimtemplates/h100": Fraction(3)})


def test_a_claim_of_its_own_name_is_shared_by_all_pods() -> None:
    shared = [{"name": "gpu", "resourceClaimName": "one"}]
    obj = deployment(replicas=3, containers=CPU_ONLY, resourceClaims=shared)
    claim = template("one", {"name": "g", "deviceClassName": "gpu.nvidia.com", "count": 2}, kind="ResourceClaim")
    assert gpus(obj, context_of([claim])).peak == 2
    assert gpus(obj, context_of([])).peak == 1


def test_claims_are_part_of_the_key_of_who_has_some() -> None:
    context = context_of([template("h100", {"name": "g", "deviceClassName": "gpu.nvidia.com", "count": 2})])
    with_claim = deployment(containers=CPU_ONLY, resourceClaims=BY_TEMPLATE)
    assert subject_of(with_claim).key != subject_of(with_claim, context=context).key
    assert subject_of(deployment()).key == subject_of(deployment(), context=context).key


def test_claims_of_others_do_not_part_the_pods_of_one_template() -> None:
    mine = template("h100", {"name": "g", "deviceClassName": "gpu.nvidia.com", "count": 2})
    request = {"name": "g", "deviceClassName": "gpu.nvidia.com"}
    made_for_pods = [template(f"server-{number}-gpu-x7k2p", request, kind="ResourceClaim") for number in range(3)]
    pod = deployment(containers=CPU_ONLY, resourceClaims=BY_TEMPLATE)
    first, second = (subject_of(pod, context=context_of([mine, *some])) for some in ([], made_for_pods))
    other = subject_of(pod, context=context_of([template("h100", {**request, "count": 4})]))
    assert first.key == second.key != other.key


def test_a_claim_that_is_named_in_embedded_text_is_found() -> None:
    """What is in the text of a Workflow's step is a manifest of its own."""
    text = yaml.safe_dump(deployment(replicas=1, containers=CPU_ONLY, resourceClaims=BY_TEMPLATE))
    assert b"h100" in canonical_json(text)
    context = context_of([template("h100", {"name": "g", "deviceClassName": "gpu.nvidia.com", "count": 2})])
    assert context.claims_named_in(canonical_json([text]), "team-a").keys() == {
        ("ResourceClaimTemplate", "team-a", "h100")
    }


@pytest.mark.parametrize("name", [None, 7, "", "Upper", "a b", "-a"])
def test_a_claim_that_no_cluster_would_take_says_nothing(name: Any) -> None:
    made = template("x", {"name": "g", "deviceClassName": "gpu.nvidia.com"})
    made["metadata"]["name"] = name
    assert context_of([made]).claims == {}
