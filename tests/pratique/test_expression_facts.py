"""What policies are told of the rules of a ModelRegistry."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from pratique.expression import MAX_LENGTH
from pratique.expression_facts import MAX_RULES, ExpressionSource
from pratique.facts import facts_document
from pratique.kinds import subject_of
from pratique.subject import ModelCall


def registry(policies: Any, *, kind: str = "ModelRegistry", group: str = "ai.platform.internal") -> dict[str, Any]:
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": "models"},
        "spec": {"policies": policies},
    }


def keys(policies: Any, **options: str) -> tuple[str, ...]:
    return tuple(ExpressionSource().keys(subject_of(registry(policies, **options))))


def test_each_rule_is_a_key_once() -> None:
    rules = [{"name": "a", "rule": "model.a"}, {"name": "b", "rule": "!("}, {"name": "c", "rule": "model.a"}]
    assert keys(rules) == ("model.a", "!(")


def test_other_kinds_have_no_rules() -> None:
    rules = [{"rule": "model.a"}]
    assert keys(rules, kind="AIWorkspace") == ()
    assert keys(rules, group="example.com") == ()
    call = ModelCall("search", "sha256:0", b"", {"policies": rules})
    assert ExpressionSource().keys(call) == ()


@pytest.mark.parametrize(
    "policies",
    [
        None,
        "x",
        7,
        [],
        {"a": {"rule": "model.a"}},
        ["x", None, 7, ["x"], {}, {"rule": None}, {"rule": 1}, {"rule": []}],
    ],
)
def test_what_is_malformed_has_no_rules(policies: Any) -> None:
    assert keys(policies) == ()


def test_what_is_too_long_or_too_many_is_not_read() -> None:
    assert keys([{"rule": "a".ljust(MAX_LENGTH)}, {"rule": "a".ljust(MAX_LENGTH + 1)}]) == ("a".ljust(MAX_LENGTH),)
    assert len(keys([{"rule": f"model.a == {number}"} for number in range(MAX_RULES + 1)])) == MAX_RULES


def test_a_fact_says_whether_the_rule_is_an_expression() -> None:
    rules = ["model.size_gb < 200 && model.size_gb > model.least", "model.size_gb <"]
    gathered = asyncio.run(ExpressionSource().gather(rules, deadline=time.monotonic() + 60))
    assert facts_document(gathered) == {
        rules[0]: {"status": "known", "value": {"valid": True, "fields": ["model.size_gb", "model.least"]}},
        rules[1]: {
            "status": "known",
            "value": {"valid": False, "error": "the end stands where a value is expected", "position": 16},
        },
    }
