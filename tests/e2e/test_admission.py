"""What a person at `kubectl` sees, and what is judged: with the real API server, on both engines."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support import workloads
from tests.support.cluster import Client, Cluster, location
from tests.support.webhook import Webhook, prepare, revoke

_REFUSAL = """\
Error from server (Forbidden): error when creating "STDIN": admission webhook "validate.pratique.dev" denied the \
request: Pod NAMESPACE/server is refused: 2 rules are broken.
Decision ID

GPU-001 (high) GPUs stay within the approved limit
  at /spec: this Pod can use 8 GPUs (it starts with nvidia.com/gpu: 8); at most 4 are allowed
  fix: Ask for fewer GPUs: lower the GPU limit of the container, or the number of replicas or parallel pods. If the \
work needs them, ask the owner of your team's budget for a waiver before you apply it again.

IMAGE-001 (high) Images are pinned by digest
  at /spec/containers/0/image: container "server": the image "registry.internal/serving/vllm:latest" has no digest; \
required is name@sha256: and 64 hexadecimal digits
  fix: Write the image as name:tag@sha256:... . Find the digest with crane digest IMAGE or docker buildx imagetools \
inspect IMAGE; your build pipeline prints it after a push.

To ask for a waiver, send the people who run the policies of this cluster:
  policy GPU-001, binding gpu-limit
  policy IMAGE-001, binding image-digest
  decision ID
  why you need it, and until when. Somebody other than you must approve it.
"""
_WARNINGS = [
    f'Warning: WORKLOAD-003 at /spec/containers/2/{probe}: container "exporter" has ports and no {probe}; {cut}'
    for probe, cut in (("livenessProbe", "required is one …"), ("readinessProbe", "required is on…"))
]


def test_a_bad_pod_is_refused_with_the_whole_reason(cluster: Cluster, webhook: Webhook, namespace: str) -> None:
    bad = workloads.pod("server", namespace=namespace, faults=(workloads.Fault.TAG, workloads.Fault.GPUS))

    done = cluster.kubectl("apply", "-f", "-", input=json.dumps(bad))

    assert done.returncode == 1
    assert done.stdout == ""
    assert _without_id(done.stderr) == _REFUSAL.replace("NAMESPACE", namespace)


def test_a_good_pod_is_accepted_in_silence(cluster: Cluster, webhook: Webhook, namespace: str) -> None:
    good = workloads.pod("server", namespace=namespace)

    done = cluster.kubectl("apply", "-f", "-", input=json.dumps(good))

    assert (done.returncode, done.stdout, done.stderr) == (0, "pod/server created\n", "")


def test_a_warning_is_printed_by_kubectl(cluster: Cluster, webhook: Webhook, namespace: str) -> None:
    sloppy = workloads.pod("server", namespace=namespace, faults=(workloads.Fault.NO_PROBES,))

    done = cluster.kubectl("apply", "-f", "-", input=json.dumps(sloppy))

    assert (done.returncode, done.stdout) == (0, "pod/server created\n")
    assert done.stderr.splitlines() == _WARNINGS


def test_an_ephemeral_container_is_judged(cluster: Cluster, admin: Client, webhook: Webhook, namespace: str) -> None:
    assert admin.create(workloads.pod("server", namespace=namespace)).ok

    done = cluster.kubectl("-n", namespace, "debug", "server", "--image=busybox", "--container=debugger")
    pinned = cluster.kubectl("-n", namespace, "debug", "server", f"--image={workloads.image('busybox')}")

    assert done.returncode == 1
    assert "/spec/ephemeralContainers/0/image" in done.stderr
    assert pinned.returncode == 0, pinned.stderr


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ReplicaSet"])
def test_a_limit_cannot_be_passed_by_scaling_afterwards(
    cluster: Cluster, admin: Client, webhook: Webhook, namespace: str, kind: str
) -> None:
    workload = _of_kind(kind, workloads.deployment("server", namespace=namespace, replicas=1, gpus=2))
    assert admin.create(workload).ok

    within = cluster.kubectl("-n", namespace, "scale", f"{kind}/server", "--replicas=2")
    beyond = cluster.kubectl("-n", namespace, "scale", f"{kind}/server", "--replicas=3")

    assert within.returncode == 0, within.stderr
    assert beyond.returncode == 1
    assert "can use 6 GPUs" in beyond.stderr
    assert admin.get(location(workload)).body["spec"]["replicas"] == 2


def test_scaling_what_cannot_be_looked_up_is_undecided(
    cluster: Cluster, admin: Client, webhook: Webhook, namespace: str
) -> None:
    workload = workloads.deployment("server", namespace=namespace)
    assert admin.create(workload).ok
    revoke(admin)
    try:
        refused = admin.merge(f"{location(workload)}/scale", {"spec": {"replicas": 2}})
    finally:
        prepare(cluster)

    assert refused.status == 500
    assert "could not be looked up: the API server does not let the webhook read" in refused.message
    assert [row.outcome for row in webhook.decisions(namespace)] == ["allowed", "undecided"]


def test_a_deployment_is_judged_and_its_pods_are_judged_too(
    cluster: Cluster, admin: Client, webhook: Webhook, namespace: str
) -> None:
    """No controller runs here: the pods are made as the ReplicaSet controller makes them, by its own account."""
    controller = cluster.service_account("replicaset-controller")
    good = workloads.deployment("good", namespace=namespace, replicas=2)
    bad = workloads.deployment("bad", namespace=namespace, faults=(workloads.Fault.PRIVILEGED,))

    assert admin.create(good).ok
    assert controller.create(workloads.replica(good)).ok
    assert controller.create(workloads.replica(good)).ok
    assert admin.create(bad).status == 403
    assert controller.create(workloads.replica(bad)).status == 403

    assert [(row.kind, row.outcome) for row in webhook.decisions(namespace)] == [
        ("Deployment", "allowed"),
        ("Pod", "allowed"),
        ("Pod", "allowed"),
        ("Deployment", "denied"),
        ("Pod", "denied"),
    ]


def test_a_dry_run_is_judged_and_recorded_as_one(cluster: Cluster, webhook: Webhook, namespace: str) -> None:
    good, bad = (
        json.dumps(workloads.pod(name, namespace=namespace, faults=faults))
        for name, faults in (("good", ()), ("bad", (workloads.Fault.TAG,)))
    )

    accepted = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=good)
    refused = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=bad)

    assert (accepted.returncode, accepted.stdout) == (0, "pod/good created (server dry run)\n")
    assert refused.returncode == 1
    assert [(row.name, row.outcome, row.dry_run) for row in webhook.decisions(namespace)] == [
        ("good", "allowed", True),
        ("bad", "denied", True),
    ]


@pytest.mark.parametrize("controller", ["replicaset", "statefulset", "job"])
def test_pods_of_one_template_share_one_evaluation(
    cluster: Cluster, webhook: Webhook, namespace: str, controller: str
) -> None:
    """They went through the real ServiceAccount admission plugin, so that no two of them are equal."""
    deployment = workloads.deployment("server", namespace=namespace)
    pods = {
        "replicaset": [workloads.replica(deployment) for _ in range(8)],
        "statefulset": [workloads.ordinal("server", index, namespace=namespace) for index in range(8)],
        "job": [workloads.job_pod("server", index, namespace=namespace) for index in range(8)],
    }[controller]
    client = cluster.service_account(f"{controller}-controller")

    created = [client.create(pod) for pod in pods]

    assert {answer.status for answer in created} == {201}
    assert len({json.dumps(answer.body["spec"], sort_keys=True) for answer in created}) == 8
    assert [row.cached for row in webhook.decisions(namespace)] == [False] + 7 * [True]


def test_the_audit_log_of_the_api_server_names_the_decision(
    cluster: Cluster, admin: Client, webhook: Webhook, namespace: str
) -> None:
    assert admin.create(workloads.pod("server", namespace=namespace)).ok

    assert cluster.audit_log is not None
    events = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]
    annotations = [
        {
            name.removeprefix("validate.pratique.dev/"): value
            for name, value in event["annotations"].items()
            if name.startswith("validate.pratique.dev/")
        }
        for event in events
        if event["objectRef"].get("namespace") == namespace and event["objectRef"]["resource"] == "pods"
    ]
    [row] = webhook.decisions(namespace)
    assert annotations == [
        {
            "decision-id": row.id,
            "outcome": "allowed",
            "bundle-digest": row.bundle_digest,
            "policy-ids": "GPU-001,IMAGE-001,WORKLOAD-002,WORKLOAD-003",
        }
    ]


def _of_kind(kind: str, deployment: dict[str, Any]) -> dict[str, Any]:
    return deployment | {"kind": kind}


def _without_id(text: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
