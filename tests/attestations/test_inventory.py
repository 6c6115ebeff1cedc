"""The inventory of an input: what all of its objects come to, and what is not known of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from attestations.inventory import Inventory
from pratique.facts import Absent, Fact, Known, Unavailable
from pratique.kinds import subject_of
from pratique.subject import ModelCall
from tests.support import workloads

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
SEARCH = "gpus/team=search"
VAULT = "networkpolicies/vault"


def deployment(name: str = "llm", gpus: int = 1, **metadata: Any) -> dict[str, Any]:
    made = workloads.deployment(name, namespace="team-a", gpus=gpus)
    made["metadata"] = {"name": name, "namespace": "team-a", "labels": {"team": "search"}, **metadata}
    return made


def pod(name: str, gpus: int = 1, **metadata: Any) -> dict[str, Any]:
    return workloads.pod(name, namespace="team-a", labels={"team": "search"}, gpus=gpus) | {
        "metadata": {"name": name, "namespace": "team-a", "labels": {"team": "search"}, **metadata}
    }


def owned(uid: str) -> dict[str, Any]:
    return {"ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "controller": True, "uid": uid}]}


def network_policy(name: str = "deny", namespace: str | None = "vault", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], **spec},
    }


NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "vault"}}


def facts(objects: Sequence[Any], *keys: str, **options: Any) -> dict[str, Fact]:
    inventory = Inventory(objects, collected_at=NOW, **options)
    return dict(asyncio.run(inventory.gather(keys, deadline=0.0)))


def value(objects: Sequence[Any], key: str, **options: Any) -> Any:
    fact = facts(objects, key, **options)[key]
    assert isinstance(fact, Known), fact
    assert (fact.collected_at, fact.digest.startswith("sha256:")) == (NOW, True)
    return fact.value


def test_what_is_asked_about_each_subject() -> None:
    inventory = Inventory([], collected_at=NOW)
    made = deployment(labels={"team": "search", "example.com/tier": "a", "number": 7})
    assert inventory.keys(subject_of(made)) == (SEARCH, "gpus/example.com/tier=a", "networkpolicies/team-a")
    assert inventory.keys(subject_of(NAMESPACE)) == (VAULT,)
    assert inventory.keys(subject_of(network_policy())) == ()
    assert inventory.keys(ModelCall("team-a", "sha256:00", b"", {})) == ()


def test_the_gpus_of_all_workloads_with_a_label() -> None:
    other = deployment("other", 8, labels={"team": "payments"})
    objects = [deployment(gpus=2), deployment("embedder", 3), other, NAMESPACE, "text", None]
    assert value(objects, SEARCH) == {"peak": 5, "objects": 2}
    assert value(objects, "gpus/team=payments") == {"peak": 8, "objects": 1}
    assert facts(objects, "gpus/team=nobody")["gpus/team=nobody"] == Absent(
        "no workload of the input has the label team=nobody"
    )


def test_what_is_there_twice_counts_once_at_its_largest() -> None:
    assert value([deployment(gpus=2), deployment(gpus=6), deployment(gpus=4)], SEARCH) == {"peak": 6, "objects": 1}
    generated = [pod("", generateName="x-"), pod("", generateName="x-")]
    assert value(generated, SEARCH) == {"peak": 2, "objects": 2}


def test_what_a_controller_made_counts_with_what_it_was_made_of() -> None:
    dump = [
        deployment(gpus=1, uid="d"),
        pod("replicas-1", 1, uid="p1", **owned("d")),
        pod("replicas-2", 1, uid="p2", **owned("d")),
        pod("deeper", 1, uid="p3", **owned("p2")),
    ]
    assert value(dump, SEARCH) == {"peak": 3, "objects": 1}


@pytest.mark.parametrize(
    "claiming",
    [
        pod("big", 16, uid="b", **owned("d")),
        pod("big", 16, uid="b", **owned("b")),
        pod("big", 16, **owned("d")),
        pod("big", 16, uid="b", ownerReferences=[{"controller": True}, "x"]),
    ],
    ids=["of a small one", "of itself", "without a uid", "malformed"],
)
def test_to_claim_an_owner_hides_nothing(claiming: dict[str, Any]) -> None:
    assert value([deployment(gpus=1, uid="d"), claiming], SEARCH)["peak"] >= 16


def test_an_owner_in_a_circle_ends() -> None:
    circle = [pod("a", 1, uid="a", **owned("b")), pod("b", 1, uid="b", **owned("a"))]
    assert value(circle, SEARCH)["peak"] == 2


def test_what_cannot_be_counted_makes_the_sum_unknown() -> None:
    broken = deployment("broken")
    broken["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = "many"
    odd = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "odd", "labels": "x"}, "spec": {}}
    found = facts([deployment(), broken, odd], SEARCH)[SEARCH]
    assert isinstance(found, Unavailable)
    assert found.reason.startswith("the GPUs of Deployment broken cannot be counted: ")


def test_of_an_input_that_could_not_be_read_whole_nothing_is_known() -> None:
    assert facts([deployment(), NAMESPACE], SEARCH, VAULT, unread="a.yaml: broken") == dict.fromkeys(
        (SEARCH, VAULT), Unavailable("the input is not known as a whole: a.yaml: broken")
    )


CLOSED = {"names": ["deny"], "ingress": ["deny"], "egress": ["deny"], "open_ingress": [], "open_egress": []}
NONE: dict[str, list[str]] = {key: [] for key in CLOSED}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, CLOSED),
        ({"podSelector": None}, CLOSED),
        ({"podSelector": {"matchLabels": None, "matchExpressions": []}}, CLOSED),
        (
            {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}},
            CLOSED | {"ingress": [], "egress": []},
        ),
        ({"podSelector": "x"}, CLOSED | {"ingress": [], "egress": []}),
        ({"policyTypes": []}, CLOSED | {"egress": []}),
        ({"policyTypes": None, "egress": [{"to": [{"podSelector": {}}]}]}, CLOSED),
        ({"policyTypes": ["Egress"], "ingress": [{}]}, CLOSED | {"ingress": []}),
        ({"ingress": [{}]}, CLOSED | {"open_ingress": ["deny"]}),
        ({"ingress": [None]}, CLOSED | {"open_ingress": ["deny"]}),
        ({"ingress": [{"from": [], "ports": []}]}, CLOSED | {"open_ingress": ["deny"]}),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "::/0"}}]}]}, CLOSED | {"open_ingress": ["deny"]}),
        ({"egress": [{"to": [{"ipBlock": {"cidr": "1.2.3.4/0"}}]}]}, CLOSED | {"open_egress": ["deny"]}),
        ({"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}]}, CLOSED),
        ({"egress": [{"to": [{"ipBlock": {"cidr": "everything"}}, {"ipBlock": []}]}]}, CLOSED),
        ({"egress": [{"ports": [{"port": 1, "endPort": "65535"}, {"port": "http"}]}]}, CLOSED),
        ({"egress": "all"}, CLOSED),
    ],
)
def test_what_a_policy_comes_to(spec: dict[str, Any], expected: Any) -> None:
    assert value([NAMESPACE, network_policy(**spec)], VAULT) == expected


def test_policies_are_those_of_the_namespace_and_of_kubernetes() -> None:
    cilium = network_policy("cilium") | {"apiVersion": "cilium.io/v2"}
    broken = network_policy("broken") | {"spec": None}
    unnamed = network_policy() | {"metadata": {"namespace": "vault"}}
    objects = [NAMESPACE, network_policy(namespace="other"), cilium, broken, unnamed]
    assert value(objects, VAULT) == NONE
    assert value([NAMESPACE, network_policy(namespace=None)], VAULT, namespace="vault") == CLOSED


def test_without_the_namespace_its_policies_are_not_known() -> None:
    assert facts([network_policy()], VAULT)[VAULT] == Absent(
        "the input does not hold the namespace vault, hence perhaps not its NetworkPolicies"
    )
