"""Policies that read a plain object: a value of every kind at every place of their deny cases.

Both engines say the same of each, and answer; what cannot be read next to a violation does not hide it is for the unit
tests of each policy to show.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from pratique.document import object_document, subject_document
from pratique.errors import InputError
from pratique.evaluator import Evaluator
from pratique.kinds import subject_of
from pratique.policy import PolicySet
from tests.policies.cases import Case, load_cases
from tests.policies.conftest import ENGINES, SECONDS, Engines
from tests.policies.test_malformed import MISSING
from tests.policies.test_malformed_fields import JUDGE_OBJECTS

pytestmark = pytest.mark.slow

_VALUES: tuple[Any, ...] = (MISSING, None, "", "x", '"', 7, True, [], ["x"], {}, {"x": 1})
_AT_A_TIME = 200
"""Documents in one request."""


def _variants(part: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Each place below `part`, with each value that is put there."""
    if path:
        yield from ((path, value) for value in _VALUES)
    if isinstance(part, dict):
        for key, value in part.items():
            if path or key not in ("apiVersion", "kind", "metadata"):
                yield from _variants(value, (*path, key))
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from _variants(value, (*path, index))


def _replaced(obj: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(obj)
    *parents, last = path
    part: Any = changed
    for token in parents:
        part = part[token]
    if value is MISSING:
        del part[last]
    else:
        part[last] = value
    return changed


def _documents(case: Case, policies: PolicySet, seen: set[tuple[str | int, ...]]) -> Iterator[tuple[str, bytes]]:
    """By place and value: what the policy of `case` is given. Places of an earlier case are in `seen`, and left out."""
    policy = policies.policies[case.policy]
    identity = "identity" in policy.needs
    variants = [(path, value) for path, value in _variants(case.object) if path not in seen]
    seen.update(path for path, _ in variants)
    for path, value in variants:
        try:
            subject = subject_of(_replaced(case.object, path, value))
        except InputError:
            continue  # refused before any engine is asked
        body: dict[str, Any] = {
            "policies": [case.policy],
            "subject": subject_document(subject, identity=identity),
            "parameters": policy.defaults | case.parameters,
            "object": object_document(subject, identity=identity),
        }
        if "namespace" in policy.needs:
            body["namespace"] = {"name": "customer-experience", "labels": case.namespace_labels}
        yield (
            f"{case.id} /{'/'.join(map(str, path))} {'missing' if value is MISSING else repr(value)}",
            orjson.dumps(body),
        )


async def _answers(evaluator: Evaluator, asked: dict[str, tuple[str, bytes]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    names = list(asked)
    for first in range(0, len(names), _AT_A_TIME):
        some = names[first : first + _AT_A_TIME]
        bodies = [asked[name][1] for name in some]
        answers = await evaluator.evaluate(bodies, deadline=time.monotonic() + SECONDS)
        for name, answer in zip(some, answers, strict=True):
            result = answer.by_policy[asked[name][0]]
            found[name] = (
                sorted((item["path"], item["message"]) for item in result.violations),
                sorted(orjson.dumps(patch, option=orjson.OPT_SORT_KEYS) for patch in result.patches),
            )
    return found


@pytest.mark.parametrize("policy", JUDGE_OBJECTS)
def test_the_engines_agree_about_objects_with_any_value_anywhere(
    policy: str, policies: PolicySet, engines: Engines
) -> None:
    cases = [case for case in load_cases().values() if case.policy == policy and case.verdict == "deny"]
    seen: set[tuple[str | int, ...]] = set()
    asked = {name: (policy, body) for case in cases for name, body in _documents(case, policies, seen)}
    opa, regopy = (engines.run(engine, lambda evaluator: _answers(evaluator, asked)) for engine in ENGINES)
    assert {name: (opa[name], regopy[name]) for name in asked if opa[name] != regopy[name]} == {}
    assert any(violations for violations, _ in opa.values())
