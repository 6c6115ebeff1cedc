"""What policies change, seen with the real API server: its admission plugins, its defaults, its idea of a patch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Govern, deny_and_warn, make_namespace
from tests.support import workloads
from tests.support.cluster import Client, Cluster, location
from tests.support.defaults import defaults_on
from tests.support.webhook import Webhook

ANNOTATION = "pratique.dev/mutated"
_LABELS = {"team": "search", "cost-center": "cc-4711", "data-classification": "internal"}


@pytest.fixture(scope="module", params=["opa", "regopy"])
def webhook(request: pytest.FixtureRequest, govern: Govern) -> Iterator[Webhook]:
    """A webhook with the defaults switched on beside what it denies."""
    with govern(engine=request.param, bindings=f"{deny_and_warn()}---\n{defaults_on()}") as running:
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """A namespace with labels to take over."""
    return make_namespace(cluster, **_LABELS)


def containers() -> list[dict[str, Any]]:
    resources = {"limits": {"nvidia.com/gpu": "1", "cpu": "1", "memory": "1Gi"}}
    return [{"name": "main", "image": workloads.image("train"), "resources": resources}]


def job(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "train", "namespace": namespace},
        "spec": {"template": {"spec": {"containers": containers(), "restartPolicy": "Never"}}},
    }


def deployment(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "server", "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "server"}},
            "template": {"metadata": {"labels": {"app": "server"}}, "spec": {"containers": containers()}},
        },
    }


def live_object(cluster: Cluster, obj: dict[str, Any]) -> dict[str, Any]:
    """The object as `kubectl get -o yaml` prints it."""
    name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
    done = cluster.kubectl("-n", namespace, "get", obj["kind"].lower(), name, "-o", "yaml")
    assert done.returncode == 0, done.stderr
    live: dict[str, Any] = yaml.safe_load(done.stdout)
    return live


def test_the_changes_are_visible_and_say_whose_they_are(cluster: Cluster, webhook: Webhook, namespace: str) -> None:
    done = cluster.kubectl("apply", "-f", "-", input=json.dumps(job(namespace)))

    assert (done.returncode, done.stdout, done.stderr) == (0, "job.batch/train created\n", "")
    live = live_object(cluster, job(namespace))
    pod = live["spec"]["template"]["spec"]
    assert live["metadata"]["labels"] == {**_LABELS, "kueue.x-k8s.io/queue-name": "default"}
    assert _LABELS.items() <= live["spec"]["template"]["metadata"]["labels"].items()
    assert live["spec"]["activeDeadlineSeconds"] == 43200
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert json.loads(live["metadata"]["annotations"][ANNOTATION]) == {
        "DEFAULT-001": [
            *(f"/metadata/labels/{name}" for name in sorted(_LABELS)),
            *(f"/spec/template/metadata/labels/{name}" for name in sorted(_LABELS)),
        ],
        "DEFAULT-002": ["/spec/template/spec/automountServiceAccountToken"],
        "DEFAULT-003": ["/spec/template/spec/securityContext/seccompProfile"],
        "DEFAULT-004": ["/spec/template/spec/securityContext/runAsNonRoot"],
        "DEFAULT-005": ["/spec/activeDeadlineSeconds"],
        "DEFAULT-006": ["/spec/template/spec/tolerations/0"],
        "DEFAULT-007": ["/metadata/labels/kueue.x-k8s.io~1queue-name"],
    }
    changed, judged = webhook.decisions(namespace)
    assert (changed.record["mutating"], judged.record["mutating"]) == (True, False)
    assert changed.record["subject"]["digest"] != judged.record["subject"]["digest"]


@pytest.mark.parametrize("server_side", [False, True])
@pytest.mark.parametrize("make", [job, deployment])
def test_applying_again_and_again_changes_nothing(
    cluster: Cluster, webhook: Webhook, namespace: str, make: Any, server_side: bool
) -> None:
    """The author's manifest, and then what `kubectl get` gave: neither moves the object an inch."""
    obj = make(namespace)
    apply = ("apply", *(["--server-side", "--force-conflicts"] if server_side else []), "-f", "-")
    assert cluster.kubectl(*apply, input=json.dumps(obj)).returncode == 0
    first = live_object(cluster, obj)

    exported = json.loads(json.dumps(first))
    for name in ("resourceVersion", "uid", "creationTimestamp", "managedFields", "generation"):
        exported["metadata"].pop(name, None)
    for manifest in (obj, obj, exported, exported):
        done = cluster.kubectl(*apply, input=json.dumps(manifest))
        assert done.returncode == 0, done.stderr
        again = live_object(cluster, obj)
        if (
            manifest is obj
        ):  # that of a Deployment counts changes of its annotations too, and kubectl notes what it sent
            assert again["metadata"]["generation"] == first["metadata"]["generation"]
        assert again["spec"] == first["spec"]
        assert again["metadata"]["labels"] == first["metadata"]["labels"]
        assert again["metadata"]["annotations"][ANNOTATION] == first["metadata"]["annotations"][ANNOTATION]


@pytest.mark.parametrize("make", [job, deployment])
def test_replacing_it_by_the_author_s_manifest_keeps_the_defaults(
    cluster: Cluster, webhook: Webhook, namespace: str, make: Any
) -> None:
    obj = make(namespace)
    assert cluster.kubectl("create", "-f", "-", input=json.dumps(obj)).returncode == 0
    first = live_object(cluster, obj)
    if obj["kind"] == "Job":  # what the API server itself has put there cannot be taken away
        obj["spec"] |= {"selector": first["spec"]["selector"]}
        own = {key: v for key, v in first["spec"]["template"]["metadata"]["labels"].items() if key not in _LABELS}
        obj["spec"]["template"]["metadata"] = {"labels": own}

    done = cluster.kubectl("replace", "-f", "-", input=json.dumps(obj))

    assert done.returncode == 0, done.stderr
    again = live_object(cluster, obj)
    assert again["spec"] == first["spec"]
    assert again["metadata"]["generation"] == first["metadata"]["generation"]
    assert again["metadata"]["annotations"][ANNOTATION] == first["metadata"]["annotations"][ANNOTATION]


def test_a_pod_of_a_controller_gets_its_defaults_when_it_is_made_and_only_then(
    cluster: Cluster, admin: Client, webhook: Webhook, namespace: str
) -> None:
    server = deployment(namespace)
    controller = cluster.service_account("replicaset-controller")
    pod = workloads.replica(server)

    made = controller.create(pod).body

    assert made["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    # The ServiceAccount plugin came first and mounted the token: to say that it is not there would be a lie.
    assert "automountServiceAccountToken" not in made["spec"]
    labelled = admin.merge(location(made), {"metadata": {"labels": {"mine": "x"}}})
    assert (labelled.status, labelled.body["spec"]) == (200, made["spec"])


def test_a_dry_run_shows_what_would_be_changed(cluster: Cluster, webhook: Webhook, namespace: str) -> None:
    manifest = json.dumps(job(namespace))
    done = cluster.kubectl("apply", "--dry-run=server", "-o", "yaml", "-f", "-", input=manifest)

    assert yaml.safe_load(done.stdout)["spec"]["activeDeadlineSeconds"] == 43200
    assert [row.dry_run for row in webhook.decisions(namespace)] == [True, True]


def test_what_is_denied_is_denied_all_the_same(cluster: Cluster, webhook: Webhook, namespace: str) -> None:
    bad = job(namespace)
    bad["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {"privileged": True}

    done = cluster.kubectl("apply", "-f", "-", input=json.dumps(bad))

    assert done.returncode == 1
    assert (
        'patch: [{"op":"replace","path":"/spec/template/spec/containers/0/securityContext/privileged","value":false}]'
        in done.stderr
    )
