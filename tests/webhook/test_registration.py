"""Registration: the API server asks about what is bound, and about nothing less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pratique.binding import Binding
from pratique.errors import ConfigError
from pratique.kinds import KINDS
from tests.support.policies import binding, configuration, policy, policy_set
from webhook.registration import RESOURCES, Registration, ServiceReference, registered

_POLICIES = policy_set(
    policy("test/workload", id="W-1"),
    policy("test/resource", id="R-1", subjects=["resource"]),
    policy("test/both", id="B-1", subjects=["resource", "workload"]),
    policy("test/call", id="C-1", subjects=["call"]),
)
_REGISTRATION = Registration(endpoint="https://pratique.example:8443/base/", ca_bundle=b"PEM")


def _bindings(*documents: object) -> tuple[Binding, ...]:
    return configuration(_POLICIES, *documents).bindings


def _rules(*documents: object, kind: int = 0) -> list[tuple[str, list[str], list[str]]]:
    """Group, operations and resources of each rule of the validating (0) or mutating (1) configuration."""
    (webhook,) = registered(_bindings(*documents), _REGISTRATION).documents[kind]["webhooks"]
    return [(rule["apiGroups"][0], rule["operations"], rule["resources"]) for rule in webhook["rules"]]


def _notes(*documents: object) -> tuple[str, ...]:
    return registered(_bindings(*documents), _REGISTRATION).notes


def test_the_whole_document() -> None:
    validating, mutating = registered(
        _bindings(binding("b", "test/workload", match={"kinds": ["batch/CronJob"], "operations": ["CREATE"]})),
        Registration(
            endpoint=ServiceReference("pratique-system", "pratique", 8443, "/base"),
            ca_bundle=b"PEM",
            excluded_namespaces=("pratique-system", "kube-system"),
        ),
    ).documents

    webhook = dict(validating["webhooks"][0])
    conditions = webhook.pop("matchConditions")
    assert webhook == {
        "name": "validate.pratique.dev",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "service": {
                "namespace": "pratique-system",
                "name": "pratique",
                "port": 8443,
                "path": "/base/validate",
            },
            "caBundle": "UEVN",
        },
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {
            "matchExpressions": [
                {
                    "key": "kubernetes.io/metadata.name",
                    "operator": "NotIn",
                    "values": ["kube-system", "pratique-system"],
                }
            ]
        },
        "rules": [
            {
                "apiGroups": ["batch"],
                "apiVersions": ["*"],
                "operations": ["CREATE"],
                "resources": ["cronjobs"],
                "scope": "*",
            }
        ],
        "sideEffects": "None",
        "timeoutSeconds": 5,
    }
    assert [condition["name"] for condition in conditions] == [
        "not-leases",
        "not-events",
        "not-node-status",
        "not-access-reviews",
    ]
    assert mutating == {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "pratique", "labels": {"app.kubernetes.io/name": "pratique"}},
        "webhooks": [],
    }


def test_a_url_is_extended_by_the_path() -> None:
    document = registered(_bindings(binding("b", "test/workload")), _REGISTRATION).documents[0]

    assert document["webhooks"][0]["clientConfig"]["url"] == "https://pratique.example:8443/base/validate"


@pytest.mark.parametrize(
    "url", ["http://h", "https://", "https://user@h", "https://h?x=1", "https://h#x", "pratique.example"]
)
def test_a_url_that_the_api_server_would_not_take(url: str) -> None:
    with pytest.raises(ConfigError, match="is not of the form https://HOST"):
        Registration(endpoint=url, ca_bundle=b"")


def test_pods_are_asked_about_through_every_way_that_changes_them() -> None:
    assert _rules(binding("b", "test/workload", match={"kinds": ["Pod"]})) == [
        ("", ["CREATE", "UPDATE"], ["pods"]),
        ("", ["UPDATE"], ["pods/ephemeralcontainers", "pods/resize"]),
    ]


_AUTOSCALERS = [
    ("autoscaling", ["CREATE", "UPDATE"], ["horizontalpodautoscalers"]),
    ("autoscaling.aibrix.ai", ["CREATE", "UPDATE"], ["podautoscalers"]),
    ("keda.sh", ["CREATE", "UPDATE"], ["scaledobjects"]),
]


def test_what_can_be_scaled_is_asked_about_when_it_is_and_so_is_what_scales_it() -> None:
    assert _rules(binding("b", "test/workload", match={"kinds": ["apps/*"]})) == [
        ("apps", ["CREATE", "UPDATE"], ["daemonsets", "deployments", "replicasets", "statefulsets"]),
        ("apps", ["UPDATE"], ["deployments/scale", "replicasets/scale", "statefulsets/scale"]),
        *_AUTOSCALERS,
    ]


@pytest.mark.parametrize(
    ("match", "asked"),
    [
        ({"kinds": ["StatefulSet"]}, True),
        ({"kinds": ["Pod"]}, False),
        ({"kinds": ["Deployment"], "operations": ["CREATE"]}, False),
    ],
)
def test_autoscalers_are_asked_about_where_what_they_scale_is_bound(match: dict[str, Any], asked: bool) -> None:
    rules = _rules(binding("b", "test/workload", match=match))
    assert [rule for rule in rules if rule in _AUTOSCALERS] == (_AUTOSCALERS if asked else [])


def test_autoscalers_are_never_mutated_for_what_they_scale() -> None:
    rules = _rules(binding("b", "test/workload", match={"kinds": ["apps/Deployment"]}, mutate=True), kind=1)
    assert rules == [("apps", ["CREATE", "UPDATE"], ["deployments"])]


def test_the_resource_of_a_kind_is_what_kubernetes_calls_it() -> None:
    of_kubernetes = {key: kind.resource for key, kind in KINDS.items() if key in RESOURCES}
    assert of_kubernetes == {key: RESOURCES[key] for key in of_kubernetes}


@pytest.mark.parametrize("kinds", [[], ["workload"], ["*"]])
def test_a_policy_for_workloads_is_narrowed_to_what_ends_in_pods(kinds: list[str]) -> None:
    resources = [
        (group, name)
        for group, _, names in _rules(binding("b", "test/workload", match={"kinds": kinds} if kinds else {}))
        for name in names
        if "/" not in name
    ]

    expected = {(group, kind.resource) for (group, _), kind in KINDS.items()}
    assert set(resources) == expected | {(group, resource) for group, _, (resource,) in _AUTOSCALERS}


def test_bindings_share_rules_and_operations_add_up() -> None:
    rules = _rules(
        binding("a", "test/resource", match={"kinds": ["v1/Secret", "/ConfigMap"], "operations": ["DELETE"]}),
        binding("b", "test/resource", match={"kinds": ["networking.k8s.io/Ingress"]}),
        binding("c", "test/workload", match={"kinds": ["Job"], "operations": ["CREATE"]}),
        binding("d", "test/workload", match={"kinds": ["Job"], "operations": ["DELETE"]}),
    )

    assert ("networking.k8s.io", ["CREATE", "UPDATE"], ["ingresses"]) in rules
    assert ("batch", ["CREATE", "DELETE"], ["jobs"]) in rules


def test_the_platform_s_own_kinds_are_asked_about_by_their_resources() -> None:
    kinds = [f"ai.platform.internal/{kind}" for kind in ("AIModel", "AIWorkspace", "ModelRegistry")]
    rules = _rules(
        *(binding(kind, "test/resource", match={"kinds": [kind], "operations": ["CREATE"]}) for kind in kinds)
    )
    assert rules == [("ai.platform.internal", ["CREATE"], ["aimodels", "aiworkspaces", "modelregistries"])]


def test_a_kind_without_group_is_meant_in_every_group() -> None:
    assert _rules(binding("b", "test/resource", match={"kinds": ["Service"], "operations": ["CREATE"]})) == [
        ("*", ["CREATE"], ["services"])
    ]


def test_a_kind_whose_resource_is_not_known_widens_to_its_group() -> None:
    document = binding("b", "test/resource", match={"kinds": ["example.com/Widget"]})

    assert _rules(document) == [
        ("example.com", ["CREATE", "UPDATE"], ["*"]),
        ("example.com", ["UPDATE"], ["*/ephemeralcontainers", "*/resize", "*/scale"]),
    ]
    assert _notes(document) == (
        "b judges example.com/Widget, whose resource is not known: the API server asks about every"
        " resource of group example.com",
    )


@pytest.mark.parametrize(
    ("kinds", "group", "note"),
    [
        ([], "*", "b names no kinds: the API server asks about every resource"),
        (
            ["Widget"],
            "*",
            "b names the kind Widget, whose resource is not known: the API server asks about every resource;"
            " write group/Widget to have it ask about that group only",
        ),
        (["*Service"], "*", "b names the kinds *Service: the API server asks about every resource of every group"),
        (["*/Service?"], "*", "b names the kinds */Service?: the API server asks about every resource of every group"),
        (["apps/*"], "apps", "b names the kinds apps/*: the API server asks about every resource of group apps"),
    ],
)
def test_what_cannot_be_narrowed_is_asked_about_whole_and_said(kinds: Sequence[str], group: str, note: str) -> None:
    match: dict[str, Any] = {"operations": ["CREATE"]} | ({"kinds": kinds} if kinds else {})
    document = binding("b", "test/resource", match=match)

    assert _rules(document) == [(group, ["CREATE"], ["*"])]
    assert _notes(document) == (note,)


def test_a_wide_rule_takes_in_the_narrow_ones() -> None:
    assert _rules(
        binding("all", "test/resource", match={"operations": ["CREATE", "UPDATE"]}),
        binding("pods", "test/workload", match={"kinds": ["Pod"], "operations": ["CREATE", "UPDATE", "DELETE"]}),
    ) == [
        ("", ["DELETE"], ["pods"]),
        ("*", ["CREATE", "UPDATE"], ["*"]),
        ("*", ["UPDATE"], ["*/ephemeralcontainers", "*/resize", "*/scale"]),
    ]


def test_connecting_is_asked_about_where_it_is_bound() -> None:
    exec_only = binding("b", "test/resource", match={"kinds": ["PodExecOptions"], "operations": ["CONNECT"]})
    anything = binding("b", "test/resource", match={"operations": ["CONNECT"]})

    assert _rules(exec_only) == [("*", ["CONNECT"], ["pods/exec"])]
    assert _rules(anything) == [("*", ["CONNECT"], ["*/*"])]


def test_the_mutating_webhook_is_asked_about_what_mutates_and_whole_objects_only() -> None:
    documents = (
        binding("a", "test/workload", match={"kinds": ["Deployment"]}),
        binding(
            "b", "test/workload", match={"kinds": ["Pod"], "operations": ["CREATE", "UPDATE", "DELETE"]}, mutate=True
        ),
    )

    assert _rules(*documents, kind=1) == [("", ["CREATE", "UPDATE"], ["pods"])]
    webhook = registered(_bindings(*documents), _REGISTRATION).documents[1]["webhooks"][0]
    assert webhook["reinvocationPolicy"] == "IfNeeded"
    assert webhook["clientConfig"]["url"] == "https://pratique.example:8443/base/mutate"


@pytest.mark.parametrize("spec", [{"enforcement": "off"}, {"enforcement": {"admission": "off", "ci": "deny"}}])
def test_what_admission_does_not_enforce_is_not_asked_about(spec: dict[str, Any]) -> None:
    for document in registered(_bindings(binding("b", "test/workload", **spec)), _REGISTRATION).documents:
        assert document["webhooks"] == []


def test_a_policy_for_model_calls_is_none_of_the_api_servers_business() -> None:
    assert registered(_bindings(binding("b", "test/call")), _REGISTRATION).documents[0]["webhooks"] == []


def test_the_order_of_the_bindings_does_not_matter() -> None:
    documents = [
        binding("a", "test/both", match={"kinds": ["Pod", "Secret"]}),
        binding("b", "test/workload"),
        binding("c", "test/resource", match={"kinds": ["v*/Thing", "batch/Job"], "operations": ["DELETE"]}),
    ]

    forward = registered(_bindings(*documents), _REGISTRATION)
    backward = registered(tuple(reversed(_bindings(*documents))), _REGISTRATION)

    assert forward.documents == backward.documents
