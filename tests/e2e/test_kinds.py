"""Every kind of the tables, applied to a real API server under the ready-made bindings.

Kubernetes' own kinds go through its schemas and defaults; the others through definitions that take any field, so that
the API server really sends them. `kinds.yaml` says what each manifest comes to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from pratique.configuration import build
from pratique.decision import Door, Enforcement
from pratique.kinds import KINDS
from pratique.policy import PolicySet
from pratique.yamlfile import load_documents
from tests.e2e.conftest import Govern, make_namespace
from tests.support.cluster import REPOSITORY, Client, Cluster
from tests.support.kind_manifests import (
    EXPECTED,
    chart_definitions,
    definitions,
    is_cluster_scoped,
    manifests,
    ready_made_bindings,
    verdict,
)
from tests.support.processes import wait_until
from tests.support.webhook import Row, Webhook

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture(scope="module")
def kinds(cluster: Cluster, admin: Client) -> Iterator[None]:
    """All kinds, served; those that are only for these tests are gone afterwards."""
    made = [*chart_definitions(), *definitions()]
    for definition in made:
        answer = admin.apply(definition)
        assert answer.ok, (definition["metadata"]["name"], answer.message)

    def served() -> bool:
        found = (admin.get(f"{_CRDS}/{definition['metadata']['name']}").body for definition in made)
        return all(_established(each) == "True" for each in found)

    wait_until(served, timeout_seconds=120, what="all kinds are served")
    yield
    for definition in definitions():
        admin.delete(f"{_CRDS}/{definition['metadata']['name']}")


def _established(definition: Mapping[str, Any]) -> str:
    conditions = definition.get("status", {}).get("conditions") or []
    return next((str(each["status"]) for each in conditions if each["type"] == "Established"), "")


@pytest.fixture(scope="module")
def webhook(kinds: None, govern: Govern) -> Iterator[Webhook]:
    """A webhook with the ready-made bindings."""
    with govern(engine="opa", bindings=ready_made_bindings()) as running:
        yield running


def _row(webhook: Webhook, namespace: str) -> dict[str, Row]:
    rows = (*webhook.decisions(namespace), *webhook.decisions(""))
    return {row.name: row for row in rows}


def test_every_manifest_comes_to_what_is_expected_of_it(cluster: Cluster, webhook: Webhook) -> None:
    expected = yaml.safe_load(EXPECTED.read_text())
    namespace = make_namespace(cluster)
    objects = manifests(namespace)
    assert list(objects) == list(expected)

    done = cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(objects.values()), timeout_seconds=600)

    rows = _row(webhook, namespace)
    found: dict[str, Any] = {}
    for name, obj in objects.items():
        row = rows.get(obj["metadata"]["name"])
        assert row is not None, (name, done.stderr)
        seen = [(each["policy_id"], each["result"], each["enforcement"]) for each in row.record["evaluations"]]
        found[name] = {"object": f"{obj['apiVersion']} {obj['kind']}", **verdict(row.outcome, seen)}
    assert found == expected
    _kubectl_said_so(done.stdout, done.stderr, objects, expected)


def _kubectl_said_so(
    output: str, errors: str, objects: Mapping[str, Mapping[str, Any]], expected: Mapping[str, Any]
) -> None:
    """What is allowed was created; each refusal names its object and every rule that it breaks."""
    created = {line.removesuffix(" created").rpartition("/")[2] for line in output.splitlines()}
    refusals = {
        text.partition(" is refused: ")[0].split()[-1].rpartition("/")[2]: text
        for text in errors.split('admission webhook "validate.pratique.dev" denied the request: ')[1:]
    }
    for name, obj in objects.items():
        short = obj["metadata"]["name"]
        if expected[name]["outcome"] == "allowed":
            assert short in created, name
        else:
            assert all(f"\n{policy_id} (" in refusals[short] for policy_id in expected[name]["refused"]), name
    assert len(created) + len(refusals) == len(objects)


def test_at_least_thirty_kinds_are_both_refused_and_allowed() -> None:
    outcomes: dict[str, set[str]] = {}
    for each in yaml.safe_load(EXPECTED.read_text()).values():
        outcomes.setdefault(each["object"].rpartition(" ")[2], set()).add(each["outcome"])
    assert {outcome for found in outcomes.values() for outcome in found} == {"allowed", "denied"}
    assert sum(found == {"allowed", "denied"} for found in outcomes.values()) >= 30


def test_the_registration_names_what_a_binding_covers_and_nothing_else(webhook: Webhook, admin: Client) -> None:
    """What the API server holds, compared with what each binding says of each kind."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/pratique"
    (registered,) = admin.get(path).body["webhooks"]
    asked = {
        (group, resource)
        for rule in registered["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if "CREATE" in rule["operations"]
    }
    configuration = build(load_documents(ready_made_bindings(), "bindings"), PolicySet.load(REPOSITORY / "policies"))
    bindings = [each for each in configuration.bindings if each.enforcement[Door.ADMISSION] is not Enforcement.OFF]
    covered = {
        (group, entry.resource)
        for (group, kind), entry in KINDS.items()
        if any(
            "workload" in each.policy.subjects
            and "CREATE" in each.match.operations
            and each.match.covers_kind(group, kind, "workload")
            for each in bindings
        )
    }
    own = {("pratique.dev", "policybindings"), ("pratique.dev", "waivers")}
    plain = {
        (group, resource)
        for group, resource in asked - covered - own
        if not any("resource" in each.policy.subjects for each in bindings)
    }
    assert covered == {(group, entry.resource) for (group, _), entry in KINDS.items()}
    assert {(group, name) for group, name in covered | own if not {(group, name), ("*", name)} & asked} == set()
    assert plain == set()


def test_a_narrow_binding_registers_its_kind_alone(
    cluster: Cluster, kinds: None, admin: Client, govern: Govern, webhook: Webhook
) -> None:
    """The API server then judges a LeaderWorkerSet and lets a JobSet pass unseen."""
    narrow = yaml.safe_dump(
        {
            "apiVersion": "pratique.dev/v1alpha1",
            "kind": "PolicyBinding",
            "metadata": {"name": "digest"},
            "spec": {"policy": "image/digest", "match": {"kinds": ["LeaderWorkerSet", "Pod"]}},
        }
    )
    namespace = make_namespace(cluster)
    found = {obj["kind"]: obj for name, obj in manifests(namespace).items() if not name.endswith("put right")}
    with govern(engine="opa", bindings=narrow) as narrowed:
        refused, passed = admin.create(found["LeaderWorkerSet"]), admin.create(found["JobSet"])
        assert (refused.status, passed.status) == (403, 201), (refused.message, passed.message)
        assert [row.kind for row in narrowed.decisions(namespace)] == ["LeaderWorkerSet"]
        rules = admin.get("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/pratique").body
        resources = {(rule["apiGroups"][0], *rule["resources"]) for rule in rules["webhooks"][0]["rules"]}
        assert resources == {
            ("autoscaling", "horizontalpodautoscalers"),  # what lets a bound kind grow is judged with it
            ("autoscaling.aibrix.ai", "podautoscalers"),
            ("keda.sh", "scaledobjects"),
            ("", "pods"),
            ("", "pods/ephemeralcontainers", "pods/resize"),
            ("leaderworkerset.x-k8s.io", "leaderworkersets"),
            ("leaderworkerset.x-k8s.io", "leaderworkersets/scale"),
            ("pratique.dev", "policybindings", "waivers"),
        }
    cluster.apply(webhook.configuration())


def test_what_is_in_no_namespace_is_told_by_its_name() -> None:
    assert {kind for _, kind in KINDS if is_cluster_scoped(kind)} == {
        *("ClusterServingRuntime", "ClusterStorageContainer", "ClusterTask", "ClusterTrainingRuntime"),
        "ClusterWorkflowTemplate",
    }
