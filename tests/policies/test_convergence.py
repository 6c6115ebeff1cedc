"""All policies that patch, bound together: on every case, every example and on generated objects.

What they change converges, applies as RFC 6902 says, and leaves what the author wrote; what a denial prints helps.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attestations.images import images_of
from evaluators.select import choose_engine, start_evaluator
from pratique.canonical import canonical_json, sha256
from pratique.configuration import build
from pratique.decision import Decision, Door, Result
from pratique.engine import Engine, Request
from pratique.errors import InputError, Problem
from pratique.evaluator import Evaluator
from pratique.facts import Fact, Known
from pratique.kinds import subject_of
from pratique.mutation import Mutation
from pratique.patches import apply, find, same, tokens
from pratique.policy import PolicySet
from pratique.subject import Subject
from pratique.yamlfile import Document, load_documents
from pratiquectl.cases import NOW
from reports.text import explanation
from tests.policies.cases import REPOSITORY, Case, load_cases
from tests.policies.conftest import ENGINES, SECONDS, facts_of
from tests.pratique.kinds import batch_cases, serving_cases
from tests.support.defaults import defaults_on

pytestmark = pytest.mark.slow

_CASES = load_cases()
_LABELS = {"team": "search", "cost-center": "cc-4711", "data-classification": "restricted"}
_BASELINE = REPOSITORY / "policies" / "bindings" / "baseline.yaml"


def _examples() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted((REPOSITORY / "examples").glob("*.yaml")):
        for document in load_documents(file.read_bytes(), file.name):
            if isinstance(document, Document) and isinstance(document.value, dict) and "kind" in document.value:
                for index, obj in enumerate(document.value.get("items") or [document.value]):
                    yield f"{file.name} {document.index} {index}", obj


_OBJECTS: Mapping[str, dict[str, Any]] = {
    **{name: case.object for name, case in _CASES.items()},
    **dict(_examples()),
    **{case.name: case.object for case in (*batch_cases.CASES, *serving_cases.CASES)},
}
_DIFFERENT = [*{canonical_json(obj): name for name, obj in reversed([*_OBJECTS.items()])}.values()]
"""Twins may differ in what surrounds the object: what is the same object changes in the same way."""


class _Digests:
    """Every tag leads to the same digest."""

    name = "digests"

    def keys(self, subject: Subject) -> Sequence[str]:
        return sorted(images_of(subject))

    async def gather(self, keys: Sequence[str], *, deadline: float) -> Mapping[str, Fact]:
        value = {"digest": "sha256:" + "d" * 64}
        return dict.fromkeys(keys, Known(value, NOW, datetime.max.replace(tzinfo=UTC), sha256(canonical_json(value))))


class _Judge:
    """An engine of one kind with all policies, and the loop that it lives in."""

    def __init__(self, policies: PolicySet, evaluator: Evaluator, runner: asyncio.Runner) -> None:
        self._policies, self._evaluator, self._runner = policies, evaluator, runner
        texts = (defaults_on(), defaults_on("evidence/bindings.yaml"), _BASELINE.read_bytes())
        bindings = [document for text in texts for document in load_documents(text, "bindings")]
        self.overriding = {name for name, policy in policies.policies.items() if policy.override}
        self._engine = Engine(
            policies=policies,
            configuration=build(bindings, policies),
            evaluator=evaluator,
            facts={_Digests.name: _Digests()},
            namespace_labels=lambda name: _LABELS,
        )

    def mutate(self, obj: dict[str, Any]) -> Mutation:
        subject = subject_of(obj, namespace="search")
        return self._runner.run(
            self._engine.mutate(
                subject, Door.CI, request=Request(), deadline=time.monotonic() + SECONDS, all_bindings=True
            )
        )

    def decide(self, case: Case, obj: dict[str, Any]) -> Decision:
        """The decision on `obj`, which is that of `case` or what became of it."""
        binding = {
            "apiVersion": "pratique.dev/v1alpha1",
            "kind": "PolicyBinding",
            "metadata": {"name": "case"},
            "spec": {"policy": case.policy, "parameters": case.parameters},
        }
        documents: list[Document | Problem] = [Document("case", 0, 1, binding)]
        engine = Engine(
            policies=self._policies,
            configuration=build(documents, self._policies),
            evaluator=self._evaluator,
            facts=facts_of(case),
            namespace_labels=lambda name: case.namespace_labels,
        )
        subject = subject_of(obj)
        return self._runner.run(engine.decide(subject, Door.CI, request=Request(), deadline=time.monotonic() + SECONDS))


@pytest.fixture(scope="module", params=ENGINES)
def judge(request: pytest.FixtureRequest, policies: PolicySet) -> Iterator[_Judge]:
    choice = choose_engine(request.param, tools_cache=REPOSITORY / ".cache" / "tools", environ=os.environ)
    with asyncio.Runner() as runner:
        evaluator = runner.run(start_evaluator(choice, policies))
        yield _Judge(policies, evaluator, runner)
        runner.run(evaluator.close())


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _leaves(member, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, str(index)))
    elif value is not None:
        yield path, value


def _kind(value: Any) -> str:
    """What the schema of an API tells apart: a text in place of an object is not taken."""
    return "object" if isinstance(value, dict) else "list" if isinstance(value, list) else "other"


def _check(judge: _Judge, obj: dict[str, Any]) -> None:
    before = json.dumps(obj)
    mutation = judge.mutate(obj)
    assert [each.reason for each in mutation.decision.with_result(Result.ERROR, Result.NOT_EVALUATED)] == []
    assert json.dumps(obj) == before
    changed = apply(obj, mutation.annotated_patches)
    assert same(apply(obj, mutation.patches), mutation.object)
    overridden = {
        finding.path
        for each in mutation.decision.with_result(Result.MUTATED)
        if each.policy in judge.overriding
        for finding in each.findings
    }
    assert [
        place for place in overridden if _kind(find(obj, tokens(place))) != _kind(find(changed, tokens(place)))
    ] == []
    lost = [
        "/".join(("", *path))
        for path, value in _leaves(obj)
        if not same(find(changed, path), value)
        and not any("/".join(("", *path, "")).startswith(f"{place}/") for place in overridden)
    ]
    assert lost == []
    assert judge.mutate(changed).patches == ()


@pytest.mark.parametrize("name", _DIFFERENT)
def test_what_all_policies_change_converges(judge: _Judge, name: str) -> None:
    _check(judge, _OBJECTS[name])


_WORDS = st.sampled_from(["team", "a/b", "a~b", "kueue.x-k8s.io/queue-name", "x"])
_ODD = st.sampled_from([None, "", "text", 0, 1.5, True, False, [], {}, ["x"], {"x": 1}])
_CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        "runAsNonRoot": st.booleans() | _ODD,
        "runAsUser": st.sampled_from([0, 1000]) | _ODD,
        "seccompProfile": st.just({"type": "Unconfined"}) | _ODD,
        "privileged": st.booleans() | _ODD,
    },
)
_CONTAINER = st.fixed_dictionaries(
    {"name": st.just("server"), "image": st.just("registry.internal/a:v1")},
    optional={
        "securityContext": _CONTEXT | _ODD,
        "resources": st.just({"limits": {"nvidia.com/gpu": 1}}) | _ODD,
    },
)
_POD: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"containers": st.lists(_CONTAINER, min_size=1, max_size=3)},
    optional={
        "securityContext": _CONTEXT | _ODD,
        "automountServiceAccountToken": st.booleans() | _ODD,
        "tolerations": st.just([{"operator": "Exists"}]) | _ODD,
        "topologySpreadConstraints": _ODD,
        "affinity": _ODD,
        "os": st.just({"name": "windows"}) | _ODD,
        "volumes": st.none() | st.just([]) | st.just([{"name": "kube-api-access-x7k2p", "projected": {}}]),
    },
)
_LABELLED: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"labels": st.none() | st.dictionaries(_WORDS, _ODD, max_size=3)}
)
_TEMPLATE: st.SearchStrategy[Any] = st.fixed_dictionaries({"spec": _POD}, optional={"metadata": st.none() | _LABELLED})


@st.composite
def _submitted(draw: st.DrawFn) -> dict[str, Any]:
    api_version, kind = draw(st.sampled_from([("v1", "Pod"), ("apps/v1", "Deployment"), ("batch/v1", "Job")]))
    metadata = draw(_LABELLED) | {"name": "x", "namespace": "search"}
    spec = draw(_POD)
    if kind != "Pod":
        optional = {"replicas": st.integers(0, 3), "activeDeadlineSeconds": _ODD}
        spec = {"template": draw(_TEMPLATE), "selector": {"matchLabels": {"app": "x"}}}
        spec |= draw(st.fixed_dictionaries({}, optional=optional))
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(obj=_submitted())
def test_generated_objects_converge_too(judge: _Judge, obj: dict[str, Any]) -> None:
    try:
        subject_of(obj)
    except InputError:
        return
    mutation = judge.mutate(obj)
    if failed := {each.binding for each in mutation.decision.with_result(Result.ERROR)}:
        # A rule that cannot read a malformed field gives no answer, and changes nothing.
        assert failed.isdisjoint(change.binding for change in mutation.changes)
        return
    _check(judge, obj)


@pytest.mark.parametrize("name", [name for name, case in _CASES.items() if case.patches])
def test_the_patch_that_a_denial_prints_makes_the_object_pass(judge: _Judge, name: str) -> None:
    case = _CASES[name]
    printed = re.findall(r"^  patch: (\[.*\])$", explanation(judge.decide(case, case.object)), re.MULTILINE)
    patches = [patch for line in printed for patch in json.loads(line)]
    assert patches != []
    fixed = _patched_by_the_book(case.object, patches)
    assert [each.findings for each in judge.decide(case, fixed).with_result(Result.FAIL)] == []


def _patched_by_the_book(document: Any, patches: list[dict[str, Any]]) -> Any:
    """RFC 6902 written down once more, with nothing of ours: the test must not share a mistake with the code."""
    document = json.loads(json.dumps(document))
    for patch in patches:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in patch["path"].split("/")[1:]]
        target = document
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        if isinstance(target, list):
            match patch["op"]:
                case "add":
                    target.insert(len(target) if last == "-" else int(last), patch["value"])
                case "replace":
                    target[int(last)] = patch["value"]
                case "remove":
                    del target[int(last)]
        elif patch["op"] == "add":
            target[last] = patch["value"]
        else:
            assert last in target
            if patch["op"] == "replace":
                target[last] = patch["value"]
            else:
                del target[last]
    return document
