"""Waivers in a cluster: one person asks, another approves, each with a client certificate of their own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pratique.crd import definitions
from tests.e2e.conftest import FAST, deny_and_warn, make_namespace
from tests.support import workloads
from tests.support.approvals import approvers, ed25519, private_pem, public_pem, request
from tests.support.cluster import REPOSITORY, Client, Cluster
from tests.support.definitions import serve_definitions
from tests.support.processes import wait_until
from tests.support.webhook import Webhook, prepare, unregister

ADA, GRACE = "ada@example.com", "grace@example.com"
APPROVERS_GROUP = "platform-security"
WITNESS = ed25519(60)
WAIVERS = "/apis/pratique.dev/v1alpha1/waivers"
_USERS = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "waivers"},
        "rules": [
            {
                "apiGroups": ["pratique.dev"],
                "resources": ["waivers", "policybindings"],
                "verbs": ["get", "list", "create", "update", "patch", "delete"],
            }
        ],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "waivers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "waivers"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user} for user in (ADA, GRACE)],
    },
]


@pytest.fixture(scope="module")
def crds(cluster: Cluster, admin: Client) -> None:
    """The definitions of the chart, served."""
    serve_definitions(admin, definitions().values())
    for obj in _USERS:
        assert admin.apply(obj).ok


@pytest.fixture(scope="module")
def waiving(cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """A registered webhook that attests approvals."""
    folder = tmp_path_factory.mktemp("waiving")
    config, policies = folder / "config", folder / "policies"
    config.mkdir()
    (config / "bindings.yaml").write_text(deny_and_warn())
    shutil.copytree(REPOSITORY / "policies", policies, ignore=shutil.ignore_patterns("bindings"))
    entry = {"name": "security", "policies": ["*"], "groups": [APPROVERS_GROUP]}
    trusted = folder / "approvers.yaml"
    trusted.write_text(json.dumps(approvers(entry, witnesses=[public_pem(WITNESS)], maximumDays={"high": 3650})))
    key = folder / "approval.pem"
    key.touch(mode=0o600)
    key.write_bytes(private_pem(WITNESS))
    probe = workloads.pod("probe", namespace=make_namespace(cluster), faults=(workloads.Fault.TAG,))
    with Webhook(
        folder,
        config=config,
        policies=policies,
        engine="opa",
        kubeconfig=prepare(cluster),
        arguments=(*FAST, "--approvers", str(trusted), "--approval-key", str(key), "--cluster-config"),
    ) as webhook:
        webhook.register(cluster, probe=probe, patient=True)
        try:
            yield webhook
        finally:
            unregister(cluster.client())


@pytest.fixture
def ada(cluster: Cluster) -> Client:
    return cluster.client(ADA, ("team-a",))


@pytest.fixture
def grace(cluster: Cluster) -> Client:
    return cluster.client(GRACE, (APPROVERS_GROUP,))


def asked(name: str, **spec: Any) -> dict[str, Any]:
    """A waiver for a namespace that is not there, unless `spec` says otherwise."""
    policies = spec.pop("policies", ["gpu/limit"])
    spec.setdefault("match", {"namespaces": {"include": ["nowhere"]}})
    document = request(name, policies, expires="2030-01-01T00:00:00Z", **spec)
    del document["spec"]["requestedBy"]
    return document


def approving(client: Client, name: str, by: str) -> Any:
    return client.merge(f"{WAIVERS}/{name}", {"spec": {"approvedBy": by}})


def test_one_asks_and_another_approves(waiving: Webhook, ada: Client, grace: Client) -> None:
    made = ada.request("POST", WAIVERS, asked("approved"))
    assert (made.status, made.message) == (201, "")
    assert made.body["spec"]["requestedBy"] == ADA
    answer = approving(grace, "approved", GRACE)
    assert (answer.status, answer.message) == (200, "")
    spec = answer.body["spec"]
    assert (spec["requestedBy"], spec["approvedBy"]) == (ADA, GRACE)
    assert spec["approvedAt"].endswith("Z")
    assert "pratique.dev/approval" in answer.body["metadata"]["annotations"]
    refused = ada.merge(f"{WAIVERS}/approved", {"spec": {"parameters": {"max_gpus": 999}}})
    assert refused.status == 403
    assert "at /spec: grace@example.com approved this waiver as it was" in refused.message
    records = [row.record for row in waiving.decisions("") if row.name == "approved"]
    assert [(record["outcome"], record["user"], record["evaluations"][1]["policy_id"]) for record in records] == [
        ("allowed", ADA, "PRATIQUE-002"),
        ("allowed", GRACE, "PRATIQUE-003"),
        ("denied", ADA, "PRATIQUE-004"),
    ]
    assert ada.delete(f"{WAIVERS}/approved").ok


@pytest.mark.parametrize("groups", [("team-a",), (APPROVERS_GROUP,)])
def test_who_asks_cannot_approve(cluster: Cluster, waiving: Webhook, groups: tuple[str, ...]) -> None:
    client = cluster.client(ADA, groups)
    name = f"own-{groups[0]}"
    assert client.request("POST", WAIVERS, asked(name)).status == 201
    refused = approving(client, name, ADA)
    assert refused.status == 403
    assert "ada@example.com asked for this waiver; somebody else must approve it" in refused.message
    assert "approvedBy" not in client.get(f"{WAIVERS}/{name}").body["spec"]


def test_who_is_in_no_approver_group_cannot_approve(cluster: Cluster, waiving: Webhook, ada: Client) -> None:
    assert ada.request("POST", WAIVERS, asked("stranger")).status == 201
    refused = approving(cluster.client(GRACE, ("team-b",)), "stranger", GRACE)
    assert refused.status == 403
    assert "is in no group that may approve waivers from gpu/limit" in refused.message


def test_nobody_asks_in_the_name_of_another(waiving: Webhook, ada: Client) -> None:
    forged = asked("forged")
    forged["spec"]["requestedBy"] = "eve@example.com"
    assert ada.request("POST", WAIVERS, forged).body["spec"]["requestedBy"] == ADA
    born = asked("born")
    born["spec"]["approvedBy"] = ADA
    refused = ada.request("POST", WAIVERS, born)
    assert (refused.status, "a waiver is approved after it was asked for" in refused.message) == (403, True)


def test_kubectl_applies_and_shows_columns(cluster: Cluster, waiving: Webhook) -> None:
    manifest = json.dumps(asked("columns"))
    for outcome in ("created", "unchanged"):
        done = cluster.kubectl("apply", "-f", "-", input=manifest, user=ADA, groups=("team-a",))
        assert (done.returncode, done.stdout, done.stderr) == (0, f"waiver.pratique.dev/columns {outcome}\n", "")
    patch = json.dumps({"spec": {"approvedBy": GRACE}})
    done = cluster.kubectl(
        *("patch", "waiver", "columns", "--type", "merge", "-p", patch), user=GRACE, groups=(APPROVERS_GROUP,)
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = cluster.kubectl("get", "waiver", "columns", user=ADA, groups=("team-a",)).stdout.splitlines()
    assert shown[0].split() == ["NAME", "POLICIES", "REQUESTED", "BY", "APPROVED", "BY", "EXPIRES", "READY", "AGE"]
    assert shown[1].split()[:5] == ["columns", '["gpu/limit"]', ADA, GRACE, "2030-01-01T00:00:00Z"]


def test_a_binding_that_could_not_be_loaded_is_refused(waiving: Webhook, ada: Client) -> None:
    head = {"apiVersion": "pratique.dev/v1alpha1", "kind": "PolicyBinding", "metadata": {"name": "b"}}
    path = "/apis/pratique.dev/v1alpha1/policybindings"
    refused = ada.request("POST", path, head | {"spec": {"policy": "gpu/none"}})
    assert (refused.status, "at /spec/policy: there is no policy 'gpu/none'" in refused.message) == (403, True)
    assert ada.request("POST", path, head | {"spec": {"policy": "gpu/limit", "enforcement": {"ci": "warn"}}}).ok
    assert ada.delete(f"{path}/b").ok


def test_the_files_of_the_chart_are_taken_by_kubectl(cluster: Cluster, crds: None) -> None:
    folder: Path = REPOSITORY / "charts" / "pratique" / "crds"
    for name in definitions():
        done = cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", folder / name)
        assert (done.returncode, done.stderr) == (0, "")


# Read from the cluster


def condition(client: Client, path: str) -> tuple[str, str, str]:
    for each in client.get(path).body.get("status", {}).get("conditions", []):
        if each["type"] == "Ready":
            return each["status"], each["reason"], each["message"]
    return "", "", ""


def until(webhook: Webhook, ready: Any, what: str) -> None:
    wait_until(ready, what=what, process=webhook.process)


def test_an_approved_waiver_lets_in_what_it_covers_and_says_so(
    cluster: Cluster, waiving: Webhook, ada: Client, grace: Client
) -> None:
    namespace = make_namespace(cluster)
    pod = workloads.pod("big", namespace=namespace, faults=(workloads.Fault.GPUS,))
    path = f"{WAIVERS}/big"
    waiver = asked("big", parameters={"max_gpus": 8}, match={"namespaces": {"include": [namespace]}, "kinds": ["Pod"]})
    admin = cluster.client()
    assert admin.create(pod, dry_run=True).status == 403
    assert ada.request("POST", WAIVERS, waiver).status == 201
    pending = ("False", "DoesNotCount", "it is not approved: there is no signature for it")
    until(waiving, lambda: condition(ada, path) == pending, "the status says that it is not approved")
    refused = admin.create(pod, dry_run=True)
    assert "Note: waiver big does not count: it is not approved: there is no signature for it" in refused.message
    assert approving(grace, "big", GRACE).ok
    counts = ("True", "InForce", "until 2030-01-01T00:00:00Z")
    until(waiving, lambda: condition(ada, path) == counts, "the status says that it counts")
    assert admin.create(pod, dry_run=True).status == 201
    (row,) = [row for row in waiving.decisions(namespace) if row.outcome == "allowed"]
    (exempt,) = [each for each in row.record["evaluations"] if each["result"] == "exempt"]
    assert [each.split(":")[0] for each in exempt["waivers"]] == ["big@sha256"]
    assert ada.delete(path).ok
    until(waiving, lambda: admin.create(pod, dry_run=True).status == 403, "without the waiver it is refused again")


def test_a_binding_of_the_cluster_is_enforced_with_those_of_the_files(
    cluster: Cluster, waiving: Webhook, ada: Client
) -> None:
    namespace = make_namespace(cluster)
    path = "/apis/pratique.dev/v1alpha1/policybindings"
    admin = cluster.client()
    pod = workloads.pod("any", namespace=namespace)
    pod["metadata"]["labels"] = {}
    assert admin.create(pod, dry_run=True).status == 201
    document = {
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "PolicyBinding",
        "metadata": {"name": "cost"},
        "spec": {"policy": "labels/cost-attribution", "match": {"namespaces": {"include": [namespace]}}},
    }
    assert ada.request("POST", path, document).status == 201
    until(waiving, lambda: admin.create(pod, dry_run=True).status == 403, "the binding is in force")
    until(waiving, lambda: condition(ada, f"{path}/cost") == ("True", "InForce", ""), "its status says so")
    taken = ada.request("POST", path, document | {"metadata": {"name": "gpu-limit"}})
    assert (taken.status, "has a PolicyBinding named gpu-limit; name it otherwise" in taken.message) == (403, True)
    assert ada.delete(f"{path}/cost").ok
    until(waiving, lambda: admin.create(pod, dry_run=True).status == 201, "the binding is gone")


def test_an_object_that_came_past_the_webhook_breaks_nothing_and_is_told(
    cluster: Cluster, waiving: Webhook, ada: Client
) -> None:
    unregister(cluster.client())
    bad = asked("past", policies=["gpu/none"])
    bad["spec"]["requestedBy"] = ADA
    forged = asked("forged-past", approvedBy=GRACE, approvedAt="2026-11-21T00:00:00Z", requestedBy=ADA)
    forged["spec"]["requestedBy"] = ADA
    try:
        assert ada.request("POST", WAIVERS, forged).status == 201
        until(
            waiving,
            lambda: condition(ada, f"{WAIVERS}/forged-past")[2] == "it is not approved: there is no signature for it",
            "a forged approval does not count",
        )
        assert ada.request("POST", WAIVERS, bad).status == 201
        until(waiving, lambda: condition(ada, f"{WAIVERS}/past")[1] == "NotLoaded", "its status says why")
        status, _, message = condition(ada, f"{WAIVERS}/past")
        assert (status, message.startswith("/spec/policies/0: there is no policy 'gpu/none'")) == ("False", True)
        state = waiving.get("/readyz?verbose").json()
        assert state["problem"].startswith("waivers.pratique.dev/past: /spec/policies/0: there is no policy")
        assert (state["ready"], state["bindings"]) == (True, 4)
    finally:
        for name in ("past", "forged-past"):
            ada.delete(f"{WAIVERS}/{name}")
        cluster.apply(waiving.configuration())
    until(waiving, lambda: waiving.get("/readyz?verbose").json()["problem"] == "", "what is there loads again")
