"""Configuration is read whole or not at all, and every problem names file, document and field."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from pratique.configuration import load_configuration
from pratique.decision import Door, Enforcement
from pratique.errors import ConfigError
from tests.support.policies import binding, configuration, namespace, policy, policy_set, waiver

POLICIES = policy_set(
    policy("gpu/limit", id="GPU-001", parameters={"max_gpus": {"type": "integer", "minimum": 0, "default": 4}}),
    policy("labels/cost", id="LABELS-001", parameters={"labels": {"type": "object"}}),
)
GOOD = binding("gpus", "gpu/limit")


def without(document: dict[str, Any], *path: str) -> dict[str, Any]:
    copy: dict[str, Any] = yaml.safe_load(yaml.safe_dump(document))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return copy


def test_defaults_are_filled_in() -> None:
    (found,) = configuration(POLICIES, GOOD).bindings
    assert found.parameters == {"max_gpus": 4}
    assert found.enforcement == dict.fromkeys(Door, Enforcement.DENY)
    assert found.on_undecided == dict.fromkeys(Door, Enforcement.DENY)
    assert found.mutate is False


def test_enforcement_is_a_word_or_a_word_for_each_door() -> None:
    loaded = configuration(
        POLICIES,
        binding("a", "gpu/limit", enforcement="warn"),
        binding("b", "gpu/limit", enforcement={"scan": "audit", "gateway": "off"}, onUndecided={"ci": "warn"}),
    )
    assert [dict(item.enforcement) for item in loaded.bindings] == [
        dict.fromkeys(Door, Enforcement.WARN),
        {"admission": "deny", "ci": "deny", "scan": "audit", "gateway": "off"},
    ]
    assert loaded.bindings[1].on_undecided == {"admission": "deny", "ci": "warn", "scan": "deny", "gateway": "deny"}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("text", "test.yaml: line 1, /: this is text, not a document with apiVersion and kind"),
        ({"kind": "Pod"}, "test.yaml: line 1, /kind: the kind 'Pod' is not known here"),
        (
            {**GOOD, "apiVersion": "v1"},
            "/apiVersion: the apiVersion of a PolicyBinding is pratique.dev/v1alpha1, not 'v1'",
        ),
        ({**GOOD, "extra": 1}, "/: Additional properties are not allowed ('extra' was unexpected)"),
        (binding("x", "gpu/limit", enforcment="deny"), "/spec: Additional properties are not allowed ('enforcment'"),
        (without(GOOD, "metadata", "name"), '/metadata: "name" is a required property'),
        (without(GOOD, "spec", "policy"), '/spec: "policy" is a required property'),
        (binding("x", "gpu/limits"), "/spec/policy: there is no policy 'gpu/limits' in the bundle"),
        (
            binding("x", "gpu/limit", parameters={"max": 1}),
            "/spec/parameters/max: gpu/limit has no parameter 'max'; it has: max_gpus",
        ),
        (binding("x", "gpu/limit", parameters={"max_gpus": "4"}), "/spec/parameters/max_gpus: "),
        (
            binding("x", "gpu/limit", parameters={"max_gpus": -1}),
            "/spec/parameters/max_gpus: -1 is less than the minimum of 0",
        ),
        (binding("x", "labels/cost"), "/spec/parameters: labels/cost needs the parameter 'labels'"),
        (
            binding("x", "gpu/limit", enforcement="block"),
            "/spec/enforcement: 'block' is none of deny, warn, audit, off",
        ),
        (
            binding("x", "gpu/limit", enforcement={"ci": "no"}),
            "/spec/enforcement/ci: 'no' is none of deny, warn, audit",
        ),
        (
            binding("x", "gpu/limit", enforcement={"admision": "deny"}),
            "/spec/enforcement: Additional properties are not allowed ('admision' was unexpected)",
        ),
        (binding("x", "gpu/limit", enforcement=True), "/spec/enforcement: True is none of deny, warn, audit, off"),
        (binding("x", "gpu/limit", onUndecided="allow"), "/spec/onUndecided: 'allow' is none of deny, warn"),
        (
            binding("x", "gpu/limit", match={"operations": ["CREAT"]}),
            "/operations/0: 'CREAT' is none of CREATE, UPDATE",
        ),
        (binding("x", "gpu/limit", match={"operations": []}), "/spec/match/operations: "),
        (binding("x", "gpu/limit", match={"kind": ["Pod"]}), "/spec/match: Additional properties"),
        (
            binding("x", "gpu/limit", match={"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}),
            "/spec/match/selector/matchExpressions/0/values: the operator In needs values",
        ),
        (
            binding(
                "x",
                "gpu/limit",
                match={"selector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}},
            ),
            "the operator Exists takes no values",
        ),
        (without(waiver("w", ["gpu/limit"]), "spec", "expires"), '/spec: "expires" is a required property'),
        (waiver("w", ["gpu/limit"], expires="tomorrow"), "/spec/expires: 'tomorrow' is not a time"),
        (
            waiver("w", ["gpu/limit"], expires="2027-01-01T00:00:00"),
            "/spec/expires: '2027-01-01T00:00:00' has no time zone",
        ),
        (
            waiver("w", ["gpu/limit"], expires="2025-01-01T00:00:00Z"),
            "/spec/expires: the waiver ends before it was approved",
        ),
        (
            waiver("w", ["gpu/limit"], approvedBy="ada@example.com"),
            "/spec/approvedBy: ada@example.com cannot approve their own request",
        ),
        (waiver("w", ["gpu/none"]), "/spec/policies/0: there is no policy 'gpu/none'"),
        (waiver("w", ["gpu/limit"], parameters={"max_gpus": "many"}), "/spec/parameters/max_gpus: "),
        (waiver("w", []), "/spec/policies: "),
        (waiver("w", ["gpu/limit"], reason=""), "/spec/reason: "),
    ],
)
def test_a_bad_document_is_a_problem_with_its_place(document: object, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configuration(POLICIES, document, GOOD)
    assert problem in str(caught.value)
    assert "test.yaml: line 1" in str(caught.value)


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        configuration(POLICIES, binding("x", "no/one"), binding("y", "no/two"), GOOD, GOOD)
    assert [problem.where for problem in caught.value.problems] == [
        "line 1, /spec/policy",
        "line 2, /spec/policy",
        "line 4, /metadata/name",
    ]


def test_nothing_bound_is_an_error() -> None:
    with pytest.raises(ConfigError, match="there is no PolicyBinding: nothing would ever be judged"):
        configuration(POLICIES, namespace("team-a"))


def test_digest_is_of_the_meaning_and_not_of_the_order() -> None:
    other = binding("other", "gpu/limit")
    assert configuration(POLICIES, GOOD, other).digest == configuration(POLICIES, other, GOOD).digest
    assert (
        configuration(POLICIES, GOOD).digest
        != configuration(POLICIES, binding("gpus", "gpu/limit", mutate=True)).digest
    )


def test_waivers_without_an_approver_to_trust_do_not_count() -> None:
    (found,) = configuration(POLICIES, GOOD, waiver("w", ["gpu/limit"])).waivers
    assert found.why_not(datetime(2026, 6, 1, tzinfo=UTC)) == (
        "its approval is not attested: no approver's key or identity is configured"
    )


def test_a_folder_is_read_in_order_and_dot_folders_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "..data").mkdir()
    (tmp_path / "sub" / "b.yml").write_text(yaml.safe_dump(GOOD))
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(namespace("team-a", environment="production")))
    (tmp_path / "..data" / "c.yaml").write_text("not: ours")
    (tmp_path / "notes.txt").write_text("not ours")
    loaded = load_configuration(tmp_path, POLICIES)
    assert loaded.namespaces == {"team-a": {"environment": "production"}}
    assert [item.name for item in loaded.bindings] == ["gpus"]


def test_one_file_is_a_configuration_too(tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    file.write_text(json.dumps(binding("g", "gpu/limit")))
    assert [item.name for item in load_configuration(file, POLICIES).bindings] == ["g"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: [1,", "bad.yaml: line"),
        (b"\xff\xfe", "bad.yaml: line 1: this is not UTF-8 text"),
        (b"kind: PolicyBinding\nkind: Waiver\n", "bad.yaml: line 2: the key 'kind' is there twice"),
    ],
)
def test_a_file_that_cannot_be_read_stops_the_load(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "good.yaml").write_text(yaml.safe_dump(GOOD))
    (tmp_path / "bad.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_configuration(tmp_path, POLICIES)
    assert problem in str(caught.value)


def test_missing_and_empty_folders_say_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        load_configuration(tmp_path / "nowhere", POLICIES)
    with pytest.raises(ConfigError, match="there is no YAML or JSON file here"):
        load_configuration(tmp_path, POLICIES)


def test_a_file_that_is_not_there_any_more_stops_the_load(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(yaml.safe_dump(GOOD))
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"gone.yaml: this cannot be read: No such file or directory"):
        load_configuration(tmp_path, POLICIES)
