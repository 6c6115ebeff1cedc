"""A limit holds whichever comes first: what is scaled, or what scales it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Govern
from tests.support import workloads
from tests.support.cluster import Client, Cluster
from tests.support.processes import wait_until
from tests.support.webhook import Webhook

_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "scaledobjects.keda.sh"},
    "spec": {
        "group": "keda.sh",
        "names": {"kind": "ScaledObject", "plural": "scaledobjects"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@pytest.fixture(scope="module")
def webhook(govern: Govern) -> Iterator[Webhook]:
    with govern(engine="opa") as running:
        yield running


def hpa(namespace: str, most: int, name: str = "llm") -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llm"},
            "minReplicas": 1,
            "maxReplicas": most,
        },
    }


def scaled_object(namespace: str, most: int) -> dict[str, Any]:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "llm", "namespace": namespace},
        "spec": {"scaleTargetRef": {"name": "llm"}, "maxReplicaCount": most},
    }


def llm(namespace: str, *, replicas: int = 1) -> dict[str, Any]:
    return workloads.deployment("llm", namespace=namespace, gpus=1, replicas=replicas)


def test_an_autoscaler_cannot_raise_a_deployment_beyond_the_limit(
    webhook: Webhook, admin: Client, namespace: str
) -> None:
    assert admin.create(llm(namespace)).ok
    refused = admin.create(hpa(namespace, 9))
    assert refused.status == 403
    assert "this Deployment can use 9 GPUs" in refused.message
    assert admin.create(hpa(namespace, 4)).ok
    path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/llm"
    assert admin.merge(path, {"spec": {"maxReplicas": 5}}).status == 403
    assert admin.merge(path, {"spec": {"maxReplicas": 2}}).ok
    rows = [(row.kind, row.outcome) for row in webhook.decisions(namespace) if row.kind != "ConfigMap"]
    assert rows.count(("Deployment", "denied")) == 2


def test_a_deployment_is_judged_with_the_autoscaler_that_was_there_first(
    webhook: Webhook, admin: Client, namespace: str
) -> None:
    assert admin.create(hpa(namespace, 9)).ok
    at_once = admin.create(llm(namespace))
    assert at_once.status == 403
    assert "this Deployment can use 9 GPUs" in at_once.message
    time.sleep(11)  # longer than what was only admitted is believed: from here on it is the watch that knows
    assert admin.create(llm(namespace)).status == 403
    assert admin.delete(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/llm").ok
    wait_until(lambda: admin.create(llm(namespace), dry_run=True).ok, what="it is known to be gone")


@pytest.mark.parametrize("first", ["autoscaler", "deployment"])
def test_kubectl_apply_of_both_in_either_order(webhook: Webhook, cluster: Cluster, namespace: str, first: str) -> None:
    objects = [hpa(namespace, 9), llm(namespace)]
    done = cluster.kubectl(
        "apply", "-f", "-", input=yaml.safe_dump_all(objects if first == "autoscaler" else objects[::-1])
    )
    assert done.returncode == 1
    assert done.stderr.count("this Deployment can use 9 GPUs") == 1


def test_an_autoscaler_whose_crd_came_later_is_found(webhook: Webhook, admin: Client, namespace: str) -> None:
    assert admin.create(_CRD).ok
    try:
        wait_until(lambda: admin.create(scaled_object(namespace, 9)).ok, what="the CRD is established")
        assert "this Deployment can use 9 GPUs" in admin.create(llm(namespace)).message

        def followed() -> bool:
            state = json.loads(webhook.get("/readyz?verbose").data)["cluster_context"]["scaledobjects.keda.sh"]
            return state["served"] is True and state["known"] == 1

        wait_until(followed, what="the ScaledObjects are followed")
        time.sleep(11)
        assert admin.create(llm(namespace)).status == 403
        assert 'pratique_context_objects{resource="scaledobjects.keda.sh"} 1.0' in webhook.get("/metrics").data.decode()
    finally:
        admin.delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/scaledobjects.keda.sh")


def test_claims_of_the_cluster_are_counted(webhook: Webhook, admin: Client, namespace: str) -> None:
    request = {"name": "g", "exactly": {"deviceClassName": "gpu.nvidia.com", "count": 8}}
    template = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": "eight", "namespace": namespace},
        "spec": {"spec": {"devices": {"requests": [request]}}},
    }
    assert admin.create(template).ok
    pod = workloads.pod("server", namespace=namespace, gpus=0)
    pod["spec"]["resourceClaims"] = [{"name": "g", "resourceClaimTemplateName": "eight"}]
    wait_until(lambda: "can use 8 GPUs" in admin.create(pod, dry_run=True).message, what="the claim counts")
