"""Documents that no API server would let through: a value of every kind at every place.

Both engines say the same of each, and no policy that found something in the
whole document loses sight of it because a part next to it is malformed.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest

from pratique.errors import EvaluationError
from pratique.evaluator import Evaluator
from pratique.policy import PolicySet
from tests.policies.conftest import ENGINES, SECONDS, Engines

pytestmark = pytest.mark.slow

MISSING = object()
VALUES: tuple[Any, ...] = (
    MISSING,
    None,
    "",
    "x",
    '"',
    "\\d\n",
    "ü\u2028",
    0,
    7,
    -1.5,
    2.0,
    2**53 + 1,
    1e300,
    True,
    False,
    [],
    ["x"],
    {},
    {"x": 1},
)

_CONTAINER = {
    "path": "/spec/containers/0",
    "role": "main",
    "name": "server",
    "image": {
        "path": "/spec/containers/0/image",
        "reference": "vllm",
        "registry": "docker.io",
        "repository": "library/vllm",
        "tag": "latest",
        "digest": "",
        "error": "",
    },
    "ports": [{"containerPort": 8000}],
    "readinessProbe": {"httpGet": {"path": "/health"}},
    "resources": {"limits": {"cpu": "1", "nvidia.com/gpu": 8}},
    "securityContext": {"privileged": True},
}
_SUBJECT = {
    "type": "workload",
    "apiVersion": "v1",
    "kind": "Pod",
    "namespace": "default",
    "labels": {"team": "Search"},
    "annotations": {},
    "pods": [{"path": "/spec", "labels": {}, "annotations": {}, "restartPolicy": "Always", "containers": [_CONTAINER]}],
    "images": [_CONTAINER["image"]],
    "models": [],
    "gpus": {"now": 8, "peak": 8, "by_resource": {"nvidia.com/gpu": 8}},
}
POLICIES = (
    "defaults/gpu-toleration",
    "defaults/job-deadline",
    "defaults/namespace-labels",
    "defaults/queue-label",
    "defaults/run-as-non-root",
    "defaults/seccomp",
    "defaults/service-account-token",
    "defaults/topology-spread",
    "gpu/limit",
    "image/approved-registries",
    "image/digest",
    "labels/cost-attribution",
    "workload/health-checks",
    "workload/privileged",
    "workload/resource-limits",
)
"""Those that find something in the whole document; the others have a document each in `test_malformed_fields.py`."""
_SUBMITTED = (
    "/labels",
    *(f"/pods/0/containers/0/{field}" for field in ("name", "ports", "readinessProbe", "resources", "securityContext")),
)
"""The parts that come from the submitter as they are; the host makes the others itself, and always."""
_HARMLESS = {
    "/pods/0/containers/0/ports": ("missing", "None", "[]"),
    "/pods/0/containers/0/ports/0": ("missing",),
    "/pods/0/containers/0/securityContext": ("missing", "None", "{}", "{'x': 1}"),
    "/pods/0/containers/0/securityContext/privileged": ("missing", "None", "False"),
}
"""The values that make the container comply: it has no port then, or is not privileged."""

_SILENT = frozenset({"defaults/job-deadline", "defaults/queue-label", "defaults/topology-spread"})
"""Policies of other kinds than the Pod here: they find nothing in it, and must find nothing alike."""

_ABOUT = {"defaults/gpu-toleration": "/pods/0/containers/0/resources"}
"""Policies that want something because of what stands at a place: without it, they want nothing."""

Answer = Mapping[str, list[tuple[str, str]]]


def _variants(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """`value` with one part replaced or removed, by the path of the part and what it became."""
    if path:
        for replacement in VALUES:
            document = copy.deepcopy(_SUBJECT)
            *parents, last = path
            parent: Any = document
            for token in parents:
                parent = parent[token]
            if replacement is MISSING:
                del parent[last]
            else:
                parent[last] = replacement
            shown = "missing" if replacement is MISSING else repr(replacement)
            yield f"/{'/'.join(map(str, path))} {shown}", document
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _variants(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _variants(part, (*path, index))


_DOCUMENTS = dict(_variants(_SUBJECT))


@pytest.fixture(scope="module")
def answers(policies: PolicySet, engines: Engines) -> Mapping[str, Mapping[str, Answer]]:
    """By engine, document and policy: the findings; nothing at all for a policy that the engine did not answer for."""
    return {engine: engines.run(engine, lambda evaluator: _answers(evaluator, policies)) for engine in ENGINES}


async def _answers(evaluator: Evaluator, policies: PolicySet) -> dict[str, Answer]:
    parameters: dict[str, Any] = {}
    for policy in POLICIES:
        parameters |= policies.policies[policy].defaults
    found: dict[str, Answer] = {}
    for name, subject in {"whole": _SUBJECT, **_DOCUMENTS}.items():
        answer: dict[str, list[tuple[str, str]]] = {}
        try:
            answer = await _ask(evaluator, list(POLICIES), subject, parameters)
        except EvaluationError:
            for policy in POLICIES:
                with contextlib.suppress(EvaluationError):
                    answer |= await _ask(evaluator, [policy], subject, parameters)
        found[name] = answer
    return found


async def _ask(
    evaluator: Evaluator, policies: list[str], subject: object, parameters: object
) -> dict[str, list[tuple[str, str]]]:
    body = orjson.dumps(
        {
            "policies": policies,
            "subject": subject,
            "object": {"spec": {"selector": {"matchLabels": {"app": "llm"}}}},
            "namespace": {"name": "default", "labels": {"cost-center": "cc-4711"}},
            "parameters": parameters,
        }
    )
    (results,) = await evaluator.evaluate([body], deadline=time.monotonic() + SECONDS)
    return {
        policy: sorted((violation["path"], violation["message"]) for violation in result.violations)
        for policy, result in results.by_policy.items()
    }


def test_the_engines_agree(answers: Mapping[str, Mapping[str, Answer]]) -> None:
    opa, regopy = (answers[engine] for engine in ENGINES)
    assert {name: (opa[name], regopy[name]) for name in opa if opa[name] != regopy[name]} == {}


@pytest.mark.parametrize("engine", ENGINES)
def test_no_finding_is_lost(answers: Mapping[str, Mapping[str, Answer]], engine: str) -> None:
    found = answers[engine]
    assert {policy for policy, findings in found["whole"].items() if not findings} == _SILENT
    lost = []
    for name, answer in found.items():
        place, _, value = name.partition(" ")
        if place.startswith(_SUBMITTED) and value not in _HARMLESS.get(place, ()):
            lost += [
                (name, policy)
                for policy in found["whole"].keys() - _SILENT
                if not answer.get(policy) and not place.startswith(_ABOUT.get(policy, "nowhere"))
            ]
    assert lost == []
