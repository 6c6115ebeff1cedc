"""To what a binding applies. Each case breaks exactly one condition."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pratique.matching import MatchInputs, MatchResult
from pratique.selector import glob_matches
from tests.support.policies import binding, configuration, policy, policy_set

POLICIES = policy_set(policy("gpu/limit", id="GPU-001"), policy("net/ports", id="NET-001", subjects=["resource"]))
INPUTS = MatchInputs(
    group="apps",
    kind="Deployment",
    type="workload",
    namespace="team-a",
    name="llm",
    namespace_labels={"environment": "production"},
    labels={"tier": "gold"},
    operation="CREATE",
    subresource="",
    user="ada",
    groups=("developers", "system:authenticated"),
)


def match(spec: dict[str, Any], inputs: MatchInputs = INPUTS) -> MatchResult:
    (found,) = configuration(POLICIES, binding("b", "gpu/limit", match=spec)).bindings
    return found.match.matches(inputs)


def test_a_label_that_is_no_text_is_no_value_of_a_selector() -> None:
    """The API server refuses such labels; a file on disk may hold them."""
    labels: dict[str, Any] = {"environment": {"name": "production"}}
    odd = replace(INPUTS, labels={"tier": ["gold"]}, namespace_labels=labels)
    assert not match({"selector": {"matchLabels": {"tier": "gold"}}}, odd).applies
    assert not match({"namespaceSelector": {"matchLabels": {"environment": "production"}}}, odd).applies
    not_gold = {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["gold"]}]}
    assert match({"selector": not_gold}, odd).applies


def test_everything_of_the_default_operations_matches_without_conditions() -> None:
    assert match({}) == MatchResult("yes")


@pytest.mark.parametrize(
    "spec",
    [
        {"kinds": ["Deployment"]},
        {"kinds": ["apps/Deployment"]},
        {"kinds": ["apps/*"]},
        {"kinds": ["Deploy*"]},
        {"kinds": ["workload"]},
        {"kinds": ["Pod", "Deployment"]},
        {"namespaces": {"include": ["team-*"]}},
        {"namespaces": {"exclude": ["kube-*"]}},
        {"namespaceSelector": {"matchLabels": {"environment": "production"}}},
        {
            "namespaceSelector": {
                "matchExpressions": [{"key": "environment", "operator": "In", "values": ["production"]}]
            }
        },
        {"namespaceSelector": {"matchExpressions": [{"key": "exempt", "operator": "DoesNotExist"}]}},
        {"selector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}},
        {"selector": {"matchExpressions": [{"key": "other", "operator": "NotIn", "values": ["x"]}]}},
        {"operations": ["CREATE"]},
        {"users": {"exclude": ["grace"]}},
        {"groups": {"exclude": ["admins"]}},
    ],
)
def test_what_matches(spec: dict[str, Any]) -> None:
    assert match(spec) == MatchResult("yes")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"kinds": ["Pod"]}, "kind Deployment is not among Pod"),
        ({"kinds": ["batch/*"]}, "kind Deployment is not among batch/*"),
        ({"kinds": ["deployment"]}, "kind Deployment is not among deployment"),
        ({"namespaces": {"include": ["team-b"]}}, "namespace team-a is not among team-b"),
        ({"namespaces": {"exclude": ["team-?"]}}, "namespace team-a is excluded by team-?"),
        (
            {"namespaceSelector": {"matchLabels": {"environment": "development"}}},
            "the labels of namespace team-a do not match the namespaceSelector",
        ),
        ({"selector": {"matchLabels": {"tier": "silver"}}}, "the object's labels do not match the selector"),
        (
            {"selector": {"matchExpressions": [{"key": "other", "operator": "In", "values": ["x"]}]}},
            "the object's labels do not match the selector",
        ),
        (
            {"selector": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["gold"]}]}},
            "the object's labels do not match the selector",
        ),
        ({"operations": ["DELETE"]}, "operation CREATE is not among DELETE"),
        ({"users": {"exclude": ["ad*"]}}, "user ada is excluded by ad*"),
        ({"groups": {"exclude": ["developers"]}}, "group developers is excluded"),
    ],
)
def test_what_does_not_match_says_why(spec: dict[str, Any], reason: str) -> None:
    assert match(spec) == MatchResult("no", reason)


def test_unknown_namespace_labels_are_unknown_and_never_no() -> None:
    inputs = replace(INPUTS, namespace_labels=None)
    spec = {"namespaceSelector": {"matchLabels": {"environment": "production"}}}
    assert match(spec, inputs) == MatchResult("unknown", "the labels of namespace team-a are not known")


def test_a_cluster_scoped_object_has_no_namespace_to_select() -> None:
    inputs = replace(INPUTS, namespace="", namespace_labels=None)
    assert match({"namespaceSelector": {"matchLabels": {"a": "b"}}}, inputs).applies
    assert match({"namespaces": {"exclude": ["*"]}}, inputs).applies
    assert match({"namespaces": {"include": ["*-a"]}}, inputs).reason == "a cluster-scoped object is not among *-a"


@pytest.mark.parametrize("subresource", ["", "scale", "ephemeralcontainers", "resize", "one-that-comes-later"])
def test_subresources_that_can_change_a_spec_are_judged(subresource: str) -> None:
    assert match({}, replace(INPUTS, operation="UPDATE", subresource=subresource)).applies


def test_a_status_cannot_change_what_is_judged() -> None:
    inputs = replace(INPUTS, operation="UPDATE", subresource="status")
    assert match({}, inputs).reason == "subresource status cannot change what is judged"


def test_an_object_on_its_way_out_is_let_go() -> None:
    inputs = replace(INPUTS, operation="UPDATE", being_deleted=True)
    assert match({}, inputs).reason == "the object is being deleted"
    assert match({}, replace(inputs, operation="CREATE")).applies


def test_connect_is_matched_by_its_own_operation() -> None:
    inputs = replace(INPUTS, kind="PodExecOptions", group="", type="resource", operation="CONNECT", subresource="exec")
    assert match({"operations": ["CONNECT"]}, inputs).applies
    assert match({}, inputs).reason == "operation CONNECT is not among CREATE, UPDATE"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("a*c", "abbc", True),
        ("a*c", "abcd", False),
        ("a?c", "abc", True),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("a*", "a\nb", True),
        ("", "", True),
    ],
)
def test_globs_cover_the_whole_text(pattern: str, text: str, expected: bool) -> None:
    assert glob_matches(pattern, text) is expected
