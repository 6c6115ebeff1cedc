"""What is known of autoscalers and resource claims: with a real API server, and with one that answers as told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pratique.kinds import Autoscaler, subject_of
from pratique.kinds.context import AUTOSCALERS, RESOURCE_CLAIMS
from pratique.subject import Workload
from tests.support import workloads
from tests.support.cluster import Cluster
from tests.support.processes import HANG_SECONDS, wait_until
from tests.support.scripted_api import listed, scripted_api
from webhook import cluster as cluster_module
from webhook import cluster_context as module
from webhook.cluster import MAX_WATCHES, ApiServer, ParentLookup, connect
from webhook.cluster_context import ClusterContext, KnownObjects, Source

LLM = ("apps", "Deployment", "team", "llm")
LONG_AGO = 0.0
FOLLOWED = [
    "horizontalpodautoscalers.autoscaling",
    "scaledobjects.keda.sh",
    "podautoscalers.autoscaling.aibrix.ai",
    "resourceclaims.resource.k8s.io",
    "resourceclaimtemplates.resource.k8s.io",
]


def hpa(name: str, most: int, *, target: str = "llm", version: int = 1, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "team", "resourceVersion": str(version)},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "maxReplicas": most,
        },
        "status": status,
    }


def claim_template(name: str, count: int) -> dict[str, Any]:
    request = {"name": "g", "exactly": {"deviceClassName": "gpu.nvidia.com", "count": count}}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name, "namespace": "team"},
        "spec": {"spec": {"devices": {"requests": [request]}}},
    }


class Counted(ClusterContext):
    """Keeps which autoscalers changed."""

    def __init__(self, api: ApiServer) -> None:
        super().__init__(api)
        self.told: list[str] = []

    def _put(self, source: Source, autoscaler: Autoscaler | None) -> None:
        self.told.append(source[2])
        super()._put(source, autoscaler)


@contextmanager
def following(kubeconfig: Path) -> Iterator[ClusterContext]:
    api = ApiServer(connect(kubeconfig=kubeconfig))
    context = ClusterContext(api)
    context.start()
    try:
        yield context
    finally:
        context.close()
        api.close()


def until(ready: Callable[[], bool], what: str) -> None:
    wait_until(ready, what=what)


def served(*resources: tuple[str, str, str], version: str = "v1") -> Callable[[str], tuple[int, Any] | None]:
    """What an API server says of groups and versions; None where it is asked something else."""

    def answer(path: str) -> tuple[int, Any] | None:
        parts = path.partition("?")[0].strip("/").split("/")
        if len(parts) > 3:
            return None
        found = [{"name": name, "kind": kind} for group, kind, name in resources if group == parts[1]]
        if not found or (len(parts) == 3 and parts[2] != version):
            return 404, {}
        if len(parts) == 2:
            return 200, {"preferredVersion": {"version": version}, "versions": [{"version": version}]}
        return 200, {"resources": [*found, {"name": f"{found[0]['name']}/status", "kind": found[0]["kind"]}]}

    return answer


HPA_SERVED = served(("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers"))


def workload(obj: dict[str, Any]) -> Workload:
    subject = subject_of(obj, namespace="team")
    assert isinstance(subject, Workload)
    return subject


def test_without_an_api_server_nothing_is_known_and_nothing_in_doubt() -> None:
    nothing = KnownObjects()
    nothing.admitted(("autoscaling", "HorizontalPodAutoscaler", "team/x"), Autoscaler(LLM, 9))
    assert (nothing.context.max_replicas, nothing.doubt(subject_of(workloads.deployment("llm", namespace="t")))) == (
        {},
        "",
    )


def test_there_is_a_connection_for_each_watch() -> None:
    assert len(AUTOSCALERS) + len(RESOURCE_CLAIMS) + len(("namespaces", "policybindings", "waivers")) <= MAX_WATCHES


def test_events_change_what_they_are_about_and_nothing_else(tmp_path: Path) -> None:
    watches = 0

    def answer(path: str) -> tuple[int, Any]:
        nonlocal watches
        if (said := HPA_SERVED(path)) is not None:
            return said
        if "watch=true" not in path:
            return listed(3, hpa("a", 5), hpa("b", 7), hpa("c", 2, target="other"))
        watches += 1
        if watches == 1:
            return 200, [
                {"type": "MODIFIED", "object": hpa("a", 5, version=4, currentReplicas=3)},
                {"type": "DELETED", "object": hpa("b", 7, version=5)},
                {"type": "MODIFIED", "object": hpa("c", 3, version=6)},
                {"type": "ADDED", "object": hpa("d", 4, version=7, target="new")},
                {"type": "ADDED", "object": {**hpa("broken", 4, version=8), "spec": {"scaleTargetRef": []}}},
            ]
        return 0, None

    with scripted_api(answer) as api:
        server = ApiServer(connect(kubeconfig=api.kubeconfig(tmp_path)))
        context = Counted(server)
        context.start()
        until(lambda: watches == 2, "the events were read")

        assert context.context.max_replicas == {LLM: 5, ("apps", "Deployment", "team", "new"): 4}
        assert sorted(context.told) == ["team/a", "team/b", "team/b", "team/c", "team/c", "team/d"]
        state = context.state()["horizontalpodautoscalers.autoscaling"]
        assert isinstance(state, dict)
        assert (state["served"], state["known"], state["problem"]) == (True, 3, "")
        context.close()
        server.close()


def test_a_kind_that_is_not_served_says_nothing_and_is_found_when_its_crd_comes_and_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "SERVED_SECONDS", 0.05)
    installed = False
    scaled = {
        "metadata": {"name": "s", "namespace": "team", "resourceVersion": "1"},
        "spec": {"scaleTargetRef": {"name": "llm"}, "maxReplicaCount": 9},
    }

    def answer(path: str) -> tuple[int, Any]:
        if not installed:
            return 404, {}
        if (said := served(("keda.sh", "ScaledObject", "scaledobjects"), version="v1alpha1")(path)) is not None:
            return said
        return (410, {}) if "watch=true" in path else listed(3, scaled)

    with scripted_api(answer) as api, following(api.kubeconfig(tmp_path)) as context:
        assert asyncio.run(context.wait_synced(seconds=HANG_SECONDS))
        assert list(context.state()) == FOLLOWED
        assert {state["served"] for state in context.state().values() if isinstance(state, dict)} == {False}
        assert context.doubt(workload(workloads.deployment("llm", namespace="team"))) == ""

        installed = True
        until(lambda: context.context.max_replicas == {LLM: 9}, "the ScaledObject is known")
        assert {resource: known for resource, known, _ in context.ages_seconds() if known} == {
            "scaledobjects.keda.sh": 1
        }
        installed = False
        until(lambda: context.context.max_replicas == {}, "it is gone with its CRD")


def test_what_is_not_known_or_was_not_confirmed_for_long_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = True

    def answer(path: str) -> tuple[int, Any]:
        if broken and path.startswith("/apis/autoscaling/v1/"):
            return 403, {}
        if (said := HPA_SERVED(path)) is not None:
            return said
        return (0, None) if "watch=true" in path else listed(3)

    scaled = workload(workloads.deployment("llm", namespace="team"))
    without_gpus = workload(workloads.deployment("web", namespace="team", gpus=0))
    pod = workload(workloads.pod("p", namespace="team"))
    claiming = workloads.pod("c", namespace="team")
    claiming["spec"]["resourceClaims"] = [{"name": "g", "resourceClaimTemplateName": "h100"}]

    with scripted_api(answer) as api, following(api.kubeconfig(tmp_path)) as context:
        until(lambda: "not let" in context.doubt(scaled), "the refusal is seen")
        assert context.doubt(scaled) == (
            "how far autoscalers let this Deployment grow is not known: the horizontalpodautoscalers.autoscaling cannot"
            " be watched: the API server does not let the webhook read"
            " /apis/autoscaling/v1/horizontalpodautoscalers?limit=500 (HTTP 403); grant it `get`, `list` and `watch`"
        )
        assert [context.doubt(other) for other in (without_gpus, pod)] == ["", ""]
        broken = False
        assert asyncio.run(context.wait_synced(seconds=HANG_SECONDS))
        assert [context.doubt(each) for each in (scaled, workload(claiming))] == ["", ""]

        monkeypatch.setattr(cluster_module, "STALE_SECONDS", LONG_AGO)
        assert context.doubt(scaled).endswith("has not confirmed the horizontalpodautoscalers.autoscaling for 0 s")
        assert context.doubt(workload(claiming)).startswith("what the resource claims of this Pod hold is not known")
        assert context.doubt(pod) == ""


def test_one_that_was_admitted_counts_before_the_watch_brings_it_and_only_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ADMITTED_SECONDS", 0.2)
    source = ("autoscaling", "HorizontalPodAutoscaler", "team/a")

    def answer(path: str) -> tuple[int, Any]:
        if (said := HPA_SERVED(path)) is not None:
            return said
        return (0, None) if "watch=true" in path else listed(3, hpa("a", 5))

    async def admit(context: ClusterContext) -> tuple[int | None, int | None]:
        assert await context.wait_synced(seconds=HANG_SECONDS)
        context.admitted(source, Autoscaler(LLM, 9))
        at_once = context.context.max_replicas.get(LLM)
        async with asyncio.timeout(HANG_SECONDS):
            while context.context.max_replicas.get(LLM) == at_once:  # noqa: ASYNC110 - what is waited for is no event
                await asyncio.sleep(0.01)
        return at_once, context.context.max_replicas.get(LLM)

    with scripted_api(answer) as api, following(api.kubeconfig(tmp_path)) as context:
        assert asyncio.run(admit(context)) == (9, 5)


# With a real API server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        running.create_namespace("team")
        yield running


@pytest.mark.e2e
def test_autoscalers_and_claims_of_a_real_api_server_are_followed(cluster: Cluster) -> None:
    client = cluster.client()
    made = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"} | hpa("a", 5)
    del made["metadata"]["resourceVersion"], made["status"]
    with following(cluster.kubeconfig()) as context:
        assert asyncio.run(context.wait_synced(seconds=HANG_SECONDS))
        assert [key for key, state in context.state().items() if isinstance(state, dict) and not state["served"]] == [
            "scaledobjects.keda.sh",
            "podautoscalers.autoscaling.aibrix.ai",
        ]
        assert client.create(made).ok
        assert client.create(claim_template("h100", 8)).ok
        until(lambda: context.context.max_replicas == {LLM: 5}, "the autoscaler is known")
        key = ("ResourceClaimTemplate", "team", "h100")
        until(lambda: context.context.claims == {key: {"gpu.nvidia.com": Fraction(8)}}, "the claim is known")

        path = "/apis/autoscaling/v2/namespaces/team/horizontalpodautoscalers/a"
        assert client.merge(path, {"spec": {"maxReplicas": 7}}).ok
        until(lambda: context.context.max_replicas == {LLM: 7}, "its change is known")
        assert client.delete(path).ok
        until(lambda: context.context.max_replicas == {}, "that it is gone is known")


@pytest.mark.e2e
def test_the_target_of_an_autoscaler_is_found_by_its_kind(cluster: Cluster) -> None:
    cluster.client().create(workloads.deployment("server", namespace="team", replicas=3))
    lookup = ParentLookup(ApiServer(connect(kubeconfig=cluster.kubeconfig())))

    async def found() -> list[Any]:
        targets = [
            ("apps", "Deployment"),
            ("apps", "StatefulSet"),
            ("", "ReplicationController"),
            ("none.example", "X"),
        ]
        return [
            await lookup.target_of_autoscaler(*target, "team", "server", deadline=time.monotonic() + HANG_SECONDS)
            for target in (*targets, ("apps", "Deployment"))
        ]

    first, *others, again = asyncio.run(found())
    assert (first["kind"], first["spec"]["replicas"], others, again) == ("Deployment", 3, [None, None, None], first)
