"""What policies may change: the rounds of a draft, and the engine that asks for them. The evaluator is scripted."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.decision import Door, Finding, Outcome, Patch, Result
from pratique.engine import Engine, Request
from pratique.errors import EvaluationError, PatchError
from pratique.kinds import subject_of
from pratique.mutation import (
    ANNOTATION,
    MAX_ANNOTATION_LENGTH,
    MAX_PROPOSALS,
    Draft,
    Mutation,
    Proposal,
    UpdateScope,
    annotated,
    completed,
    made_by_controller,
)
from pratique.patches import apply, find, same, tokens
from tests.pratique.test_engine import Attested
from tests.pratique.test_patches import VALUES
from tests.support.policies import binding, configuration, namespace, policy, policy_set, waiver
from tests.support.scripted import Rule, ScriptedEvaluator

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def proposal(by: str, op: str, path: str, value: Any = None, *, override: bool = False) -> Proposal:
    return Proposal(by, f"test/{by}", f"TEST-{by}", override, Patch(op, path, value))


def taken(obj: Mapping[str, Any], *proposals: Proposal) -> Draft:
    """The draft after one round, whatever the order."""
    drafts = [Draft.of(obj).with_proposals(each) for each in itertools.permutations(proposals)]
    assert all(draft.object == drafts[0].object and draft.changes == drafts[0].changes for draft in drafts)
    return drafts[0]


def refused(obj: Mapping[str, Any], *proposals: Proposal) -> PatchError:
    """The error, which is the same whatever the order."""
    errors = []
    for each in itertools.permutations(proposals):
        with pytest.raises(PatchError) as caught:
            Draft.of(obj).with_proposals(each)
        errors.append(caught.value)
    assert {str(error) for error in errors} == {str(errors[0])}
    return errors[0]


# One round


def test_what_is_an_object_or_a_list_stays_one() -> None:
    """An image can be written as repository and tag; a text in its place is nothing that an API server takes."""
    draft = taken(
        {
            "spec": {
                "image": {"repository": "r.example/nim", "tag": "1"},
                "images": ["a"],
                "name": "a",
                "labels": {"a": 1},
            }
        },
        proposal("p", "replace", "/spec/image", "r.example/nim:1@sha256:0", override=True),
        proposal("q", "add", "/spec/images", {"0": "a"}, override=True),
        proposal("r", "replace", "/spec/name", {"a": "b"}, override=True),
        proposal("s", "replace", "/spec/labels", {"b": 2}, override=True),
    )
    assert draft.object["spec"] == {
        "image": {"repository": "r.example/nim", "tag": "1"},
        "images": ["a"],
        "name": {"a": "b"},
        "labels": {"b": 2},
    }
    assert set(draft.kept) == {
        "test/p would replace /spec/image, which the author has set to an object",
        "test/q would add /spec/images, which the author has set to a list",
    }


def test_parents_are_made_and_shared() -> None:
    draft = taken(
        {"spec": {}},
        proposal("a", "add", "/metadata/labels/example.com~1team", "x"),
        proposal("b", "add", "/metadata/labels/cost", "y"),
        proposal("c", "add", "/spec/list/-", 1),
        proposal("d", "add", "/spec/list/-", 2),
    )
    assert draft.patches == (
        Patch("add", "/metadata", {"labels": {"cost": "y", "example.com/team": "x"}}),
        Patch("add", "/spec/list", [1, 2]),
    )


def test_what_the_author_set_stays() -> None:
    draft = taken(
        {"spec": {"a": 1, "b": False, "c": "", "d": [], "e": {"x": 1}}},
        *(proposal("p", "add", f"/spec/{name}", 2) for name in "abcde"),
    )
    assert draft.patches == ()
    assert draft.kept == tuple(f"test/p would add /spec/{name}, which the author has set" for name in "abcde")


def test_null_is_not_set() -> None:
    assert taken({"spec": {"a": None}}, proposal("p", "add", "/spec/a", 2)).patches == (Patch("replace", "/spec/a", 2),)
    assert taken({"spec": None}, proposal("p", "add", "/spec/a", 2)).patches == (Patch("replace", "/spec", {"a": 2}),)


def test_override_changes_what_the_author_set() -> None:
    obj = {"spec": {"a": 1, "b": 2, "c": [1, 2, 3]}}
    draft = taken(
        obj,
        proposal("p", "replace", "/spec/a", 9, override=True),
        proposal("p", "remove", "/spec/b", override=True),
        proposal("p", "remove", "/spec/c/0", override=True),
        proposal("p", "remove", "/spec/c/1", override=True),
        proposal("q", "add", "/spec/c/-", 4),
    )
    assert draft.object == {"spec": {"a": 9, "c": [3, 4]}}
    assert apply(obj, draft.patches) == draft.object


def test_a_parent_that_the_author_set_to_something_else_is_left() -> None:
    draft = taken({"spec": {"a": "text"}}, proposal("p", "add", "/spec/a/b", 1))
    assert (draft.patches, draft.kept) == ((), ("test/p would add /spec/a/b, where the author has set a parent",))


def test_what_is_so_already_is_nothing() -> None:
    obj = {"spec": {"a": 1}}
    draft = Draft.of(obj)
    quiet = [
        proposal("p", "add", "/spec/a", 1),
        proposal("p", "replace", "/spec/a", 1),
        proposal("p", "remove", "/spec/b"),
    ]
    assert draft.with_proposals(quiet) is draft


def test_two_policies_may_want_the_same() -> None:
    draft = taken({}, proposal("a", "add", "/spec/x", {"y": 1}), proposal("b", "add", "/spec/x", {"y": 1}))
    assert draft.object == {"spec": {"x": {"y": 1}}}
    draft = taken({}, proposal("a", "add", "/spec/x", {"y": 1}), proposal("b", "add", "/spec/x/y", 1))
    assert draft.object == {"spec": {"x": {"y": 1}}}
    draft = taken({}, proposal("a", "add", "/spec/x", {"y": 1}), proposal("b", "add", "/spec/x/z", 1))
    assert draft.object == {"spec": {"x": {"y": 1, "z": 1}}}


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            proposal("a", "add", "/spec/x", 1),
            proposal("b", "add", "/spec/x", 2),
            "test/a (binding a) wants to add /spec/x as 1 and test/b (binding b) wants to add /spec/x as 2",
        ),
        (
            proposal("a", "add", "/spec/x", {"y": 1}),
            proposal("b", "add", "/spec/x/y", 2),
            'test/a (binding a) wants to add /spec/x as {"y":1} and test/b (binding b) wants to add /spec/x/y as 2',
        ),
        (
            proposal("a", "add", "/spec/x", "text"),
            proposal("b", "add", "/spec/x/y", 2),
            'test/a (binding a) wants to add /spec/x as "text" and test/b (binding b) wants to add /spec/x/y as 2',
        ),
        (
            proposal("a", "replace", "/spec/set", 2, override=True),
            proposal("b", "remove", "/spec/set", override=True),
            "test/a (binding a) wants to replace /spec/set as 2 and test/b (binding b) wants to remove /spec/set",
        ),
    ],
)
def test_two_policies_that_want_different_things_are_named(one: Proposal, other: Proposal, said: str) -> None:
    error = refused({"spec": {"set": 1}}, one, other)
    assert str(error) == f"{said}; unbind one of the two"
    assert error.bindings == ("a", "b")


def test_a_policy_that_contradicts_itself_is_named() -> None:
    error = refused({}, proposal("a", "add", "/spec/x", 1), proposal("a", "add", "/spec/x", 2))
    assert "test/a (binding a) wants to add /spec/x as 1 and test/a (binding a)" in str(error)


def test_a_later_round_cannot_undo_what_another_policy_did() -> None:
    draft = Draft.of({}).with_proposals([proposal("a", "add", "/spec/x", 1)])
    with pytest.raises(PatchError, match=r"test/a .* and test/b"):
        draft.with_proposals([proposal("b", "replace", "/spec/x", 2)])
    assert draft.with_proposals([proposal("a", "replace", "/spec/x", 2)]).object == {"spec": {"x": 2}}


@pytest.mark.parametrize(
    "path", ["", "/kind", "/apiVersion", "/status/phase", "/metadata", "/metadata/name", "/metadata/ownerReferences/-"]
)
def test_what_an_object_is_cannot_be_changed(path: str) -> None:
    refused({"metadata": {}}, proposal("a", "add", path, "x", override=True))


@pytest.mark.parametrize(
    ("op", "path"), [("replace", "/spec/none"), ("add", "/spec/list/0"), ("add", "/spec/list/7/x"), ("replace", "/x/-")]
)
def test_patches_that_point_at_nothing_or_move_other_items_are_errors(op: str, path: str) -> None:
    assert refused({"spec": {"list": [{}]}}, proposal("a", op, path, 1)).bindings == ("a",)


def test_there_are_not_endlessly_many() -> None:
    with pytest.raises(PatchError, match="more than"):
        Draft.of({}).with_proposals([proposal("a", "add", f"/spec/{n}", 1) for n in range(MAX_PROPOSALS + 1)])


def test_a_list_in_a_list_is_appended() -> None:
    draft = Draft.of({"spec": {}}).with_proposals([proposal("p", "add", "/spec/a/-/-", 1)])
    assert draft.object == {"spec": {"a": [[1]]}}
    assert same(apply({"spec": {}}, draft.patches), draft.object)


PATHS = st.lists(st.sampled_from(["a", "b", "a/b", "a~b", "0", "1", "-", "labels"]), min_size=1, max_size=4)
PROPOSALS = st.lists(
    st.builds(
        lambda by, op, path, value, override: proposal(by, op, path, value, override=override),
        st.sampled_from("pqr"),
        st.sampled_from(["add", "remove", "replace"]),
        PATHS.map(lambda path: "/spec/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in path)),
        VALUES,
        st.booleans(),
    ),
    max_size=6,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "a/b", "a~b", "0"]), VALUES), PROPOSALS)
def test_a_round_gives_a_patch_that_applies_or_an_error(spec: dict[str, Any], proposals: list[Proposal]) -> None:
    obj = {"metadata": {"name": "x"}, "spec": spec}
    try:
        draft = Draft.of(obj).with_proposals(proposals)
    except PatchError:
        return
    assert same(apply(obj, draft.patches), draft.object)
    assert draft.object["metadata"] == {"name": "x"}


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every scalar in `value` that is not null, with its place."""
    if isinstance(value, dict):
        return [leaf for name, member in value.items() for leaf in leaves(member, (*path, name))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, (*path, str(index)))]
    return [] if value is None else [(path, value)]


@given(st.dictionaries(st.sampled_from(["a", "b", "a/b", "a~b", "0"]), VALUES), PROPOSALS)
def test_without_override_every_value_of_the_author_is_still_there(
    spec: dict[str, Any], proposals: list[Proposal]
) -> None:
    obj = {"spec": spec}
    meek = [proposal(each.binding, each.patch.op, each.patch.path, each.patch.value) for each in proposals]
    try:
        draft = Draft.of(obj).with_proposals(meek)
    except PatchError:
        return
    assert [path for path, value in leaves(obj) if not same(find(draft.object, path), value)] == []


# The annotation


def test_the_annotation_says_who_changed_what() -> None:
    draft = taken({"spec": {}}, proposal("b", "add", "/spec/y", 1), proposal("a", "add", "/spec/x", 1))
    annotations = annotated(draft)["metadata"]["annotations"]
    assert annotations == {ANNOTATION: '{"TEST-a":["/spec/x"],"TEST-b":["/spec/y"]}'}


def test_nothing_changed_is_no_annotation() -> None:
    obj = {"metadata": {"annotations": {ANNOTATION: "whatever"}}}
    assert annotated(Draft.of(obj)) is obj


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"TEST-z":["/spec/z"]}', {"TEST-a": ["/spec/x"], "TEST-z": ["/spec/z"]}),
        ('{"TEST-z":["/spec/gone"]}', {"TEST-a": ["/spec/x"]}),
        ('{"TEST-a":["/spec/z"]}', {"TEST-a": ["/spec/x", "/spec/z"]}),
        ("not ours", {"TEST-a": ["/spec/x"]}),
        ("[1]", {"TEST-a": ["/spec/x"]}),
        ('{"TEST-z":[1, "no pointer"], "TEST-y": 3}', {"TEST-a": ["/spec/x"]}),
    ],
)
def test_an_earlier_annotation_is_kept_as_far_as_it_is_true(before: str, after: dict[str, list[str]]) -> None:
    obj = {"metadata": {"annotations": {ANNOTATION: before, "other": "stays"}}, "spec": {"z": 1}}
    annotations = annotated(taken(obj, proposal("a", "add", "/spec/x", 1)))["metadata"]["annotations"]
    assert json.loads(annotations.pop(ANNOTATION)) == after
    assert annotations == {"other": "stays"}


def test_a_long_annotation_names_the_policies_only() -> None:
    draft = Draft.of({}).with_proposals([proposal("a", "add", f"/spec/field-{n:06}", 1) for n in range(400)])
    text = annotated(draft)["metadata"]["annotations"][ANNOTATION]
    assert (text, len(text) < MAX_ANNOTATION_LENGTH) == ('{"TEST-a":[]}', True)


# Updates, and what controllers make


def deployment(**spec: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "a", "image": "r.io/a:v1"}], **spec}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": template}}


def updated(old: Mapping[str, Any], new: Mapping[str, Any], *proposals: Proposal) -> tuple[Patch, ...]:
    group = old["apiVersion"].rpartition("/")[0]
    scope = UpdateScope.of(old, group=group, kind=old["kind"])
    return Draft.of(new, scope=scope).with_proposals(proposals).patches


def pod(**spec: Any) -> dict[str, Any]:
    containers = [{"name": "a", "image": "r.io/a:v1"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "team-a"},
        "spec": {"containers": containers, **spec},
    }


X = proposal("x", "add", "/spec/x", 1)


def test_an_update_of_something_else_leaves_the_object_as_it_was_accepted() -> None:
    labelled = pod() | {"metadata": {"name": "p", "labels": {"a": "b"}}}
    assert updated(pod(), labelled, X, proposal("y", "add", "/spec/list/-", 1)) == ()
    image = pod(containers=[{"name": "a", "image": "r.io/a:v2"}])
    assert updated(pod(), image, X) == ()


def test_an_update_cannot_take_a_default_away() -> None:
    assert updated(pod(x=1), pod(), X) == (Patch("add", "/spec/x", 1),)
    append = proposal("y", "add", "/spec/list/-", 7)
    assert updated(pod(list=[7]), pod(), append) == (Patch("add", "/spec/list", [7]),)
    assert updated(pod(list=[7]), pod(list=[8]), append) == (Patch("add", "/spec/list/1", 7),)
    assert updated(pod(list=[]), pod(list=[8]), append) == ()


def test_a_new_part_gets_its_defaults() -> None:
    new = pod(containers=[{"name": "a", "image": "r.io/a:v1"}, {"name": "b"}])
    first, second = (proposal("x", "add", f"/spec/containers/{n}/x", 1) for n in (0, 1))
    assert updated(pod(), new, first, second) == (Patch("add", "/spec/containers/1/x", 1),)


def test_a_template_that_changes_anyway_gets_its_defaults() -> None:
    default = proposal("x", "add", "/spec/template/spec/x", 1)
    scaled = deployment()
    scaled["spec"]["replicas"] = 3
    assert updated(deployment(), scaled, default) == ()
    assert updated(deployment(), deployment(y=1), default) == (Patch("add", "/spec/template/spec/x", 1),)
    job = {**deployment(), "apiVersion": "batch/v1", "kind": "Job"}
    changed = {**deployment(y=1), "apiVersion": "batch/v1", "kind": "Job"}
    assert updated(job, changed, default) == (), "the template of a Job is immutable, and its controller's to change"


def test_override_does_not_reach_what_was_accepted_before() -> None:
    override = proposal("x", "replace", "/spec/x", 1, override=True)
    assert updated(pod(x=2), pod(x=2, y=1), override) == ()
    assert updated(pod(x=2), pod(x=3), override) == (Patch("replace", "/spec/x", 1),)
    assert updated(pod(), pod(x=3), override) == (Patch("replace", "/spec/x", 1),)


@pytest.mark.parametrize(
    ("api_version", "kind", "metadata", "expected"),
    [
        ("apps/v1", "ReplicaSet", {"ownerReferences": [{"controller": True}]}, True),
        ("apps/v1", "ReplicaSet", {"ownerReferences": [{"kind": "Deployment"}]}, False),
        ("v1", "Pod", {"ownerReferences": [{"controller": True}]}, False),
        ("v1", "Pod", {"annotations": {"kubernetes.io/config.mirror": "x"}}, True),
        ("v1", "Pod", {}, False),
        ("v1", "Pod", {"ownerReferences": "x", "annotations": []}, False),
    ],
)
def test_what_a_controller_compares_is_its_own(
    api_version: str, kind: str, metadata: dict[str, Any], expected: bool
) -> None:
    assert made_by_controller({"apiVersion": api_version, "kind": kind, "metadata": metadata}) is expected


# What a person is shown


def test_patches_of_findings_are_complete() -> None:
    findings = [
        Finding("a", "/x", (Patch("add", "/spec/a/b", 1), Patch("add", "/spec/list/-", 1))),
        Finding("b", "/y", (Patch("add", "/spec/a/c", 2),)),
        Finding("c", "/z", (Patch("remove", "/spec/gone/0"),)),
        Finding("d", "/z", (Patch("remove", "/spec/old/0"), Patch("remove", "/spec/old/1"))),
    ]
    assert completed({"spec": {"old": [1, 2, 3]}}, findings) == (
        Finding("a", "/x", (Patch("add", "/spec/a", {"b": 1}), Patch("add", "/spec/list", [1]))),
        Finding("b", "/y", (Patch("add", "/spec/a/c", 2),)),
        Finding("c", "/z"),
        Finding("d", "/z", (Patch("remove", "/spec/old/1"), Patch("remove", "/spec/old/0"))),
    )


# The engine

SECCOMP = policy("test/seccomp", id="TEST-001", has_patches=True)
LABELS = policy(
    "test/labels",
    id="TEST-002",
    has_patches=True,
    needs=["namespace"],
    parameters={"name": {"type": "string", "default": "team"}},
)
PRIVILEGED = policy("test/privileged", id="TEST-003", has_patches=True, override=True)
PLAIN = policy("test/plain", id="TEST-004")


def seccomp(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    pod = document["subject"]["pods"][0]
    path = f"{pod['path']}/securityContext/seccompProfile"
    there = (pod.get("securityContext") or {}).get("seccompProfile")
    return [] if there else [{"op": "add", "path": path, "value": {"type": "RuntimeDefault"}}]


def labels(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    name = document["parameters"]["name"]
    value = document["namespace"]["labels"].get(name)
    if name in document["subject"]["labels"] or value is None:
        return []
    return [{"op": "add", "path": f"/metadata/labels/{name}", "value": value}]


def endlessly(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [{"op": "add", "path": "/spec/tolerations/-", "value": {"key": "again"}}]


def breaks(_: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    raise EvaluationError("the engine is down")


def engine(patches: Mapping[str, Rule], *documents: object) -> tuple[Engine, ScriptedEvaluator]:
    policies = policy_set(SECCOMP, LABELS, PRIVILEGED, PLAIN)
    scripted = ScriptedEvaluator({}, patches=patches)
    config = configuration(policies, namespace("team-a", team="a"), *documents, approvals=Attested())
    return Engine(policies=policies, configuration=config, evaluator=scripted, clock=lambda: NOW), scripted


def mutate(made: Engine, obj: Mapping[str, Any], *, all_bindings: bool = False, **request: Any) -> Mutation:
    return asyncio.run(
        made.mutate(
            subject_of(obj),
            Door.ADMISSION,
            request=Request(**request),
            deadline=time.monotonic() + 60,
            all_bindings=all_bindings,
        )
    )


BOTH = (binding("seccomp", "test/seccomp", mutate=True), binding("labels", "test/labels", mutate=True))


def test_a_mutation_says_what_was_changed_by_whom() -> None:
    made, scripted = engine({"test/seccomp": seccomp, "test/labels": labels}, *BOTH, binding("p", "test/plain"))
    mutation = mutate(made, pod(), user="ada", dry_run=True)
    assert mutation.patches == (
        Patch("add", "/metadata/labels", {"team": "a"}),
        Patch("add", "/spec/securityContext", {"seccompProfile": {"type": "RuntimeDefault"}}),
    )
    decision = mutation.decision
    assert (decision.mutating, decision.outcome, decision.dry_run) == (True, Outcome.ALLOWED, True)
    assert [(each.binding, each.result, each.findings) for each in decision.evaluations] == [
        ("labels", Result.MUTATED, (Finding('was set to "a"', "/metadata/labels/team"),)),
        (
            "seccomp",
            Result.MUTATED,
            (Finding('was set to {"type":"RuntimeDefault"}', "/spec/securityContext/seccompProfile"),),
        ),
    ]
    asked = [document["policies"] for document in scripted.documents]
    assert asked == [["test/labels", "test/seccomp"]] * 2, "one round that changes, one that finds nothing to do"


def test_applied_to_its_own_result_it_yields_nothing() -> None:
    made, _ = engine({"test/seccomp": seccomp, "test/labels": labels}, *BOTH)
    first = mutate(made, pod())
    again = mutate(made, apply(pod(), first.annotated_patches))
    assert (again.patches, again.annotated_patches, again.worth_recording) == ((), (), False)


def test_bindings_without_mutate_change_nothing_unless_all_are_asked_for() -> None:
    made, scripted = engine({"test/seccomp": seccomp}, binding("seccomp", "test/seccomp"))
    assert (mutate(made, pod()).patches, scripted.documents) == ((), [])
    assert mutate(made, pod(), all_bindings=True).patches != ()


def test_a_policy_that_never_ends_is_named_and_changes_nothing() -> None:
    made, _ = engine(
        {"test/seccomp": endlessly, "test/labels": labels},
        *BOTH,
    )
    mutation = mutate(made, pod())
    assert (mutation.patches, mutation.changes, mutation.undecided) == ((), (), True)
    (error,) = mutation.decision.with_result(Result.ERROR)
    assert (error.binding, error.reason) == (
        "seccomp",
        "after 5 rounds the object is still changed, by test/seccomp (binding seccomp); correct the policies",
    )


@pytest.mark.parametrize(("on_undecided", "outcome"), [("deny", Outcome.UNDECIDED), ("warn", Outcome.ALLOWED)])
@pytest.mark.parametrize("enforcement", ["deny", "warn", "audit"])
def test_without_an_answer_nothing_is_changed_and_on_undecided_alone_decides(
    on_undecided: str, outcome: Outcome, enforcement: str
) -> None:
    spec = {"mutate": True, "onUndecided": on_undecided, "enforcement": enforcement}
    made, _ = engine({"test/seccomp": breaks}, binding("seccomp", "test/seccomp", **spec))
    mutation = mutate(made, pod())
    (evaluation,) = mutation.decision.evaluations
    assert (mutation.patches, mutation.decision.outcome) == ((), outcome)
    assert (evaluation.result, evaluation.reason) == (Result.ERROR, "the engine is down")
    assert mutation.worth_recording


def test_one_without_an_answer_keeps_all_others_from_changing_anything() -> None:
    made, _ = engine(
        {"test/seccomp": seccomp, "test/labels": breaks},
        binding("seccomp", "test/seccomp", mutate=True),
        binding("labels", "test/labels", mutate=True, onUndecided="warn"),
    )
    mutation = mutate(made, pod())
    assert (mutation.patches, mutation.object) == ((), pod())


def test_an_error_in_a_later_round_takes_back_all() -> None:
    def once(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return breaks(document) if "securityContext" in document["subject"]["pods"][0] else seccomp(document)

    made, _ = engine({"test/seccomp": once}, binding("seccomp", "test/seccomp", mutate=True, onUndecided="warn"))
    mutation = mutate(made, pod())
    assert (mutation.patches, mutation.object, mutation.undecided) == ((), pod(), False)


def test_labels_that_are_not_known_are_undecided() -> None:
    made, _ = engine({"test/labels": labels}, binding("labels", "test/labels", mutate=True))
    stranger = pod() | {"metadata": {"name": "p", "namespace": "elsewhere"}}
    mutation = mutate(made, stranger)
    assert (mutation.undecided, mutation.patches) == (True, ())


def test_contradicting_bindings_of_one_policy_are_both_named() -> None:
    made, _ = engine(
        {"test/seccomp": lambda document: [{"op": "add", "path": "/spec/x", "value": document["policies"][0]}],
         "test/privileged": lambda document: [{"op": "add", "path": "/spec/x", "value": 3}]},
        binding("s", "test/seccomp", mutate=True),
        binding("p", "test/privileged", mutate=True),
    )  # fmt: skip
    mutation = mutate(made, pod())
    assert [each.binding for each in mutation.decision.with_result(Result.ERROR)] == ["p", "s"]
    assert all("unbind one of the two" in each.reason for each in mutation.decision.evaluations)


def unprivileged(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    container = document["subject"]["pods"][0]["containers"][0]
    path = f"{container['path']}/securityContext/privileged"
    there = (container.get("securityContext") or {}).get("privileged")
    return [{"op": "replace", "path": path, "value": False}] if there else []


def test_a_waiver_keeps_a_change_away() -> None:
    privileged = pod(containers=[{"name": "a", "image": "r.io/a:v1", "securityContext": {"privileged": True}}])
    bound = binding("p", "test/privileged", mutate=True)
    made, _ = engine({"test/privileged": unprivileged}, bound)
    assert mutate(made, privileged).patches == (
        Patch("replace", "/spec/containers/0/securityContext/privileged", False),
    )
    made, _ = engine({"test/privileged": unprivileged}, bound, waiver("w", ["test/privileged"]))
    assert mutate(made, privileged).patches == ()
    expired = waiver("w", ["test/privileged"], expires="2026-02-01T00:00:00Z")
    made, _ = engine({"test/privileged": unprivileged}, bound, expired)
    assert mutate(made, privileged).patches != ()


def test_a_waiver_that_raises_a_parameter_counts() -> None:
    raised = waiver("w", ["test/labels"], parameters={"name": "owner"})
    made, _ = engine({"test/labels": labels}, binding("labels", "test/labels", mutate=True), raised)
    assert mutate(made, pod()).patches == ()


def test_what_a_controller_made_is_not_even_asked_about() -> None:
    made, scripted = engine({"test/seccomp": seccomp}, binding("seccomp", "test/seccomp", mutate=True))
    owned = deployment() | {"metadata": {"name": "d", "ownerReferences": [{"controller": True, "kind": "Operator"}]}}
    assert (mutate(made, owned).patches, scripted.documents) == ((), [])


def test_an_update_is_changed_within_its_scope() -> None:
    made, _ = engine({"test/seccomp": seccomp}, binding("seccomp", "test/seccomp", mutate=True))
    assert mutate(made, pod(), operation="UPDATE", old=pod()).patches == ()
    with_default = mutate(made, pod()).object
    assert mutate(made, pod(), operation="UPDATE", old=with_default).object == with_default


def test_what_cannot_be_read_afterwards_is_an_error() -> None:
    made, _ = engine(
        {"test/privileged": lambda _: [{"op": "replace", "path": "/spec/containers", "value": ["none"]}]},
        binding("p", "test/privileged", mutate=True),
    )
    mutation = mutate(made, pod())
    assert mutation.undecided
    assert "cannot be read once p changed it" in mutation.decision.evaluations[0].reason


def test_the_author_s_values_are_in_the_notes() -> None:
    made, _ = engine(
        {"test/seccomp": lambda _: [{"op": "add", "path": "/spec/containers/0/image", "value": "other"}]},
        binding("s", "test/seccomp", mutate=True),
    )
    mutation = mutate(made, pod())
    assert (mutation.patches, mutation.worth_recording) == ((), False)
    assert mutation.decision.notes == ("test/seccomp would add /spec/containers/0/image, which the author has set",)


def test_tokens_of_a_pointer() -> None:
    assert tokens("/a~1b/~01/") == ("a/b", "~1", "")
