"""What the engine makes of an evaluator's answers. The evaluator is scripted here; real ones are in
tests/evaluators."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pratique.cache import DecisionCache
from pratique.configuration import Configuration
from pratique.decision import Decision, Door, Enforcement, Evaluation, Finding, Outcome, Patch, Result, combine
from pratique.engine import Engine, Request
from pratique.errors import EvaluationError, RuleError
from pratique.evaluator import PolicyResult
from pratique.facts import Absent, Fact, Known, Unavailable
from pratique.fields import Reads
from pratique.image import parse_image
from pratique.kinds import subject_of
from pratique.policy import PolicyMetadata
from pratique.subject import Subject
from pratique.waiver import image_matches
from tests.support.policies import BUNDLE, binding, configuration, namespace, policy, policy_set, waiver
from tests.support.scripted import Rule, ScriptedEvaluator

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
LIMIT = policy("gpu/limit", id="GPU-001", parameters={"max_gpus": {"type": "integer", "default": 4}})
PRIVILEGED = policy("workload/privileged", id="WORKLOAD-002")


class Attested:
    """Every approval is proven: for tests of what waivers do once they count."""

    def approved(self, document: Mapping[str, Any], policies: Sequence[PolicyMetadata]) -> Mapping[str, Any]:
        return document


def nothing(_: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return []


def over_limit(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    peak, limit = document["subject"]["gpus"]["peak"], document["parameters"]["max_gpus"]
    return [{"message": f"{peak} GPUs, at most {limit}", "path": "/spec"}] if peak > limit else []


def breaks(error: Exception) -> Rule:
    def rule(_: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        raise error

    return rule


def pod(gpus: int = 0, *, uid: str = "", name: str = "p", ns: str = "team-a", **labels: str) -> dict[str, Any]:
    limits = {"resources": {"limits": {"nvidia.com/gpu": gpus}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": ns, "uid": uid, "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "r.io/a:v1", **limits}]},
    }


def engine(
    rules: Mapping[str, Rule],
    *documents: object,
    policies: Sequence[PolicyMetadata] = (LIMIT, PRIVILEGED),
    **options: Any,
) -> tuple[Engine, ScriptedEvaluator]:
    loaded = policy_set(*policies)
    scripted = options.pop("evaluator", None) or ScriptedEvaluator(rules)
    config: Configuration = configuration(loaded, *documents, approvals=Attested())
    options.setdefault("clock", lambda: NOW)
    return Engine(policies=loaded, configuration=config, evaluator=scripted, **options), scripted


def decide(made: Engine, obj: Mapping[str, Any], *, door: Door = Door.ADMISSION, **request: Any) -> Decision:
    deadline = time.monotonic() + 60
    return asyncio.run(made.decide(subject_of(obj), door, request=Request(**request), deadline=deadline))


def test_a_decision_says_everything_about_itself() -> None:
    made, _ = engine({"gpu/limit": over_limit}, binding("gpus", "gpu/limit"))
    decision = decide(made, pod(16, uid="u-1", tier="gold"), user="ada", groups=("dev",), dry_run=True)
    assert decision.outcome is Outcome.DENIED
    assert decision.evaluations == (
        Evaluation(
            binding="gpus",
            policy="gpu/limit",
            policy_id="GPU-001",
            title="Title of gpu/limit",
            severity=LIMIT.severity,
            remediation="Mend gpu/limit.",
            result=Result.FAIL,
            enforcement=Enforcement.DENY,
            on_undecided=Enforcement.DENY,
            findings=(Finding("16 GPUs, at most 4", "/spec"),),
        ),
    )
    assert (decision.time, decision.door, decision.user, decision.groups, decision.dry_run, decision.cached) == (
        NOW,
        Door.ADMISSION,
        "ada",
        ("dev",),
        True,
        False,
    )
    assert (decision.subject.kind, decision.subject.namespace, decision.subject.name, decision.subject.uid) == (
        "Pod",
        "team-a",
        "p",
        "u-1",
    )
    assert (decision.bundle_digest, decision.configuration_digest) == (BUNDLE, made.configuration.digest)
    assert (decision.engine, decision.engine_version) == ("scripted", "1")
    assert decision.match_inputs.labels == {"tier": "gold"}


def test_nothing_bound_is_a_state_of_its_own() -> None:
    made, scripted = engine({}, binding("gpus", "gpu/limit", match={"kinds": ["Deployment"]}))
    decision = decide(made, pod(16))
    assert (decision.outcome, decision.no_match, scripted.documents) == (Outcome.ALLOWED, True, [])


def test_the_input_holds_the_subject_the_parameters_and_nothing_else() -> None:
    made, scripted = engine({"gpu/limit": nothing}, binding("gpus", "gpu/limit", parameters={"max_gpus": 8}))
    decide(made, pod(1), user="ada", old={"secret": True})
    (document,) = scripted.documents
    assert sorted(document) == ["parameters", "policies", "subject"]
    assert document["parameters"] == {"max_gpus": 8}
    assert document["policies"] == ["gpu/limit"]
    assert "identity" not in document["subject"]


def test_needs_bring_what_they_name() -> None:
    names = ["identity", "user", "old", "object", "namespace", "now"]
    needy = policy("x/y", id="X-001", needs=names)
    made, scripted = engine({"x/y": nothing}, binding("b", "x/y"), namespace("team-a", tier="gold"), policies=[needy])
    decide(made, pod(1, uid="u"), user="ada", groups=("dev",), old={"before": 1}, operation="UPDATE")
    (document,) = scripted.documents
    assert document["user"] == {"name": "ada", "groups": ["dev"]}
    assert document["old"] == {"before": 1}
    assert document["namespace"] == {"name": "team-a", "labels": {"tier": "gold"}}
    assert document["now"] == "2026-11-21T08:00:00Z"
    assert document["object"]["metadata"]["uid"] == "u"
    assert document["subject"]["identity"]["uid"] == "u"


ENV, PORTS = Reads(container=frozenset({"env"})), Reads(container=frozenset({"ports"}))
FIELD: Mapping[str, Any] = {"field": {"type": "string", "default": "name"}}


@pytest.mark.parametrize(
    ("policies", "spec", "sent"),
    [
        ([policy("x/env", id="X-001", reads=ENV)], {}, {"env"}),
        ([policy("x/env", id="X-001", reads=ENV), policy("x/ports", id="X-002", reads=PORTS)], {}, {"env", "ports"}),
        ([policy("x/env", id="X-001", reads=ENV), policy("x/all", id="X-002")], {}, {"env", "ports", "tty"}),
        ([policy("x/env", id="X-001", reads=ENV, parameters=FIELD)], {"parameters": {"field": "tty"}}, {"env", "tty"}),
    ],
    ids=["one policy", "two policies", "one that reads all", "a field named by a parameter"],
)
def test_the_fields_that_are_read_are_sent_and_no_others(
    policies: Sequence[PolicyMetadata], spec: dict[str, Any], sent: set[str]
) -> None:
    names = [item.name for item in policies]
    bindings = [binding(name.replace("/", "-"), name, **spec) for name in names]
    made, scripted = engine(dict.fromkeys(names, nothing), *bindings, policies=policies)
    obj = pod()
    obj["spec"]["containers"] = [{"name": "main", "image": "r.io/a:v1", "env": [], "ports": [], "tty": True}]
    decide(made, obj)
    (document,) = scripted.documents
    (container,) = document["subject"]["pods"][0]["containers"]
    assert container.keys() == {"path", "role", "name", "image"} | sent


def test_a_waivers_parameters_name_fields_too() -> None:
    named = policy("x/field", id="X-001", reads=Reads(), parameters=FIELD)

    def has_field(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        (container,) = document["subject"]["pods"][0]["containers"]
        found = document["parameters"]["field"] in container
        return [{"message": "it is there", "path": ""}] if found else []

    made, _ = engine(
        {"x/field": has_field},
        binding("b", "x/field"),
        waiver("w", ["x/field"], parameters={"field": "resources"}),
        policies=[named],
    )
    assert decide(made, pod(1)).outcome is Outcome.DENIED


def test_bindings_share_a_document_unless_they_contradict() -> None:
    made, scripted = engine(
        {"gpu/limit": nothing, "workload/privileged": nothing},
        binding("a", "gpu/limit", parameters={"max_gpus": 8}),
        binding("b", "gpu/limit", parameters={"max_gpus": 2}),
        binding("c", "workload/privileged"),
    )
    decide(made, pod(1))
    assert [(document["policies"], document["parameters"]) for document in scripted.documents] == [
        (["gpu/limit", "workload/privileged"], {"max_gpus": 8}),
        (["gpu/limit"], {"max_gpus": 2}),
    ]


def test_policies_with_other_needs_share_a_document_but_for_identity() -> None:
    needs: dict[str, list[str]] = {"x/none": [], "x/object": ["object"], "x/user": ["user"], "x/who": ["identity"]}
    policies = [policy(name, id=f"X-00{index}", needs=needs[name]) for index, name in enumerate(needs)]
    made, scripted = engine(
        dict.fromkeys(needs, nothing), *(binding(name[2:], name) for name in needs), policies=policies
    )
    decide(made, pod(1), user="ada")
    assert [(document["policies"], sorted(document)) for document in scripted.documents] == [
        (["x/none", "x/object", "x/user"], ["object", "parameters", "policies", "subject", "user"]),
        (["x/who"], ["parameters", "policies", "subject"]),
    ]
    assert ["identity" in document["subject"] for document in scripted.documents] == [False, True]


def test_what_one_policy_lacks_leaves_the_others_of_its_document_their_answers() -> None:
    policies = [policy("x/none", id="X-001"), policy("x/labels", id="X-002", needs=["namespace"])]
    made, scripted = engine(
        {"x/none": nothing, "x/labels": nothing}, binding("a", "x/none"), binding("b", "x/labels"), policies=policies
    )
    decision = decide(made, pod(1))
    assert [(item.binding, item.result, item.reason) for item in decision.evaluations] == [
        ("a", Result.PASS, ""),
        ("b", Result.ERROR, "the labels of namespace team-a are not known"),
    ]
    (document,) = scripted.documents
    assert (document["policies"], "namespace" in document) == (["x/none"], False)


def test_bindings_of_one_policy_with_equal_parameters_share_its_answer() -> None:
    made, scripted = engine(
        {"gpu/limit": over_limit},
        binding("a", "gpu/limit", parameters={"max_gpus": 2}),
        binding("b", "gpu/limit", parameters={"max_gpus": 2}, enforcement="warn"),
    )
    decision = decide(made, pod(4))
    (document,) = scripted.documents
    assert document["policies"] == ["gpu/limit"]
    assert [(item.binding, item.result, item.enforcement) for item in decision.evaluations] == [
        ("a", Result.FAIL, Enforcement.DENY),
        ("b", Result.FAIL, Enforcement.WARN),
    ]


def test_two_bindings_of_one_policy_are_judged_apart() -> None:
    made, _ = engine(
        {"gpu/limit": over_limit},
        binding("strict", "gpu/limit", parameters={"max_gpus": 2}, enforcement="warn"),
        binding("wide", "gpu/limit", parameters={"max_gpus": 8}),
    )
    decision = decide(made, pod(4))
    assert [(item.binding, item.result) for item in decision.evaluations] == [
        ("strict", Result.FAIL),
        ("wide", Result.PASS),
    ]
    assert decision.outcome is Outcome.ALLOWED


@pytest.mark.parametrize(
    ("enforcement", "outcome"),
    [("deny", Outcome.DENIED), ("warn", Outcome.ALLOWED), ("audit", Outcome.ALLOWED)],
)
def test_enforcement_decides_what_a_failure_means(enforcement: str, outcome: Outcome) -> None:
    made, _ = engine({"gpu/limit": over_limit}, binding("gpus", "gpu/limit", enforcement=enforcement))
    decision = decide(made, pod(16))
    assert (decision.outcome, decision.evaluations[0].result) == (outcome, Result.FAIL)


def test_off_at_a_door_is_not_run_there() -> None:
    made, scripted = engine({"gpu/limit": over_limit}, binding("gpus", "gpu/limit", enforcement={"ci": "off"}))
    assert decide(made, pod(16), door=Door.CI).no_match
    assert scripted.documents == []
    assert decide(made, pod(16)).outcome is Outcome.DENIED


@pytest.mark.parametrize(("on_undecided", "outcome"), [("deny", Outcome.UNDECIDED), ("warn", Outcome.ALLOWED)])
def test_what_could_not_be_evaluated_is_never_a_pass(on_undecided: str, outcome: Outcome) -> None:
    made, _ = engine(
        {"gpu/limit": breaks(EvaluationError("the engine is down"))},
        binding("gpus", "gpu/limit", onUndecided=on_undecided),
    )
    decision = decide(made, pod(1))
    (evaluation,) = decision.evaluations
    assert (decision.outcome, evaluation.result, evaluation.reason) == (outcome, Result.ERROR, "the engine is down")


def test_a_refusal_beats_doubt() -> None:
    made, _ = engine(
        {"gpu/limit": over_limit, "workload/privileged": breaks(RuleError("to_number: wrong type"))},
        binding("a", "gpu/limit"),
        binding("b", "workload/privileged"),
    )
    assert decide(made, pod(16)).outcome is Outcome.DENIED


def test_one_broken_rule_leaves_the_others_their_answers() -> None:
    made, _ = engine(
        {"gpu/limit": nothing, "workload/privileged": breaks(RuleError("to_number: wrong type"))},
        binding("a", "gpu/limit"),
        binding("b", "workload/privileged"),
    )
    decision = decide(made, pod(1))
    assert [(item.result, item.reason) for item in decision.evaluations] == [
        (Result.PASS, ""),
        (Result.ERROR, "to_number: wrong type"),
    ]
    assert decision.outcome is Outcome.UNDECIDED


def test_a_broken_engine_is_asked_once_and_not_policy_by_policy() -> None:
    made, scripted = engine(
        {"gpu/limit": breaks(EvaluationError("down")), "workload/privileged": nothing},
        binding("a", "gpu/limit"),
        binding("b", "workload/privileged"),
    )
    decision = decide(made, pod(1))
    assert [item.result for item in decision.evaluations] == [Result.ERROR, Result.ERROR]
    assert len(scripted.documents) == 1


def test_an_answer_for_another_bundle_does_not_count() -> None:
    scripted = ScriptedEvaluator({"gpu/limit": nothing}, bundle_digest="sha256:" + "9" * 64)
    made, _ = engine({}, binding("gpus", "gpu/limit"), evaluator=scripted)
    decision = decide(made, pod(1))
    assert decision.outcome is Outcome.UNDECIDED
    assert "the engine answered for bundle sha256:999" in decision.evaluations[0].reason


def test_unknown_namespace_labels_are_undecided_and_known_ones_are_used() -> None:
    spec = {"namespaceSelector": {"matchLabels": {"tier": "gold"}}}
    made, _ = engine({"gpu/limit": over_limit}, binding("gpus", "gpu/limit", match=spec))
    decision = decide(made, pod(16))
    (evaluation,) = decision.evaluations
    assert (decision.outcome, evaluation.result) == (Outcome.UNDECIDED, Result.NOT_EVALUATED)
    assert evaluation.reason == "the labels of namespace team-a are not known"
    made, _ = engine(
        {"gpu/limit": over_limit}, binding("gpus", "gpu/limit", match=spec), namespace("team-a", tier="gold")
    )
    assert decide(made, pod(16)).outcome is Outcome.DENIED


def test_a_policy_that_needs_the_namespace_is_undecided_without_it() -> None:
    needy = policy("x/y", id="X-001", needs=["namespace"])
    made, scripted = engine({"x/y": nothing}, binding("b", "x/y"), policies=[needy])
    assert decide(made, pod(1)).outcome is Outcome.UNDECIDED
    assert scripted.documents == []


def test_a_namespace_is_selected_by_its_own_labels() -> None:
    guard = policy("ns/guard", id="NS-001", subjects=["resource"])
    made, _ = engine(
        {"ns/guard": lambda _: [{"message": "no", "path": "/metadata"}]},
        binding("b", "ns/guard", match={"namespaceSelector": {"matchLabels": {"tier": "gold"}}}),
        policies=[guard],
    )
    gold = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "labels": {"tier": "gold"}}}
    plain = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    assert decide(made, gold).outcome is Outcome.DENIED
    assert decide(made, plain).no_match


# --- findings


class Patching(ScriptedEvaluator):
    """Answers with fixed violations and patches."""

    def __init__(self, violations: list[dict[str, Any]], patches: list[dict[str, Any]]) -> None:
        super().__init__({})
        self.result = PolicyResult(violations, patches)

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Any:
        answers = await ScriptedEvaluator({"gpu/limit": nothing}).evaluate(documents, deadline=deadline)
        return [replace(answer, by_policy={"gpu/limit": self.result}) for answer in answers]


def test_findings_are_in_a_stable_order_with_the_patch_that_belongs_to_each() -> None:
    violations = [
        {"message": "b", "path": "/spec/containers/1"},
        {"message": "a", "path": "/spec/containers/0"},
        {"message": "a", "path": "/spec/containers/0"},
    ]
    patches: list[dict[str, Any]] = [
        {"op": "replace", "path": "/spec/containers/1/x", "value": 1},
        {"op": "remove", "path": "/spec/containers/0/y"},
    ]
    made, _ = engine({}, binding("gpus", "gpu/limit"), evaluator=Patching(violations, patches))
    obj = pod(1)
    obj["spec"]["containers"] = [{"name": "a", "image": "a", "y": 1}, {"name": "b", "image": "b", "x": 2}]
    assert decide(made, obj).evaluations[0].findings == (
        Finding("a", "/spec/containers/0", (Patch("remove", "/spec/containers/0/y"),)),
        Finding("b", "/spec/containers/1", (Patch("replace", "/spec/containers/1/x", 1),)),
    )


def test_no_patch_is_lost() -> None:
    patches: list[dict[str, Any]] = [{"op": "add", "path": "/metadata/labels", "value": {}}]
    made, _ = engine({}, binding("gpus", "gpu/limit"), evaluator=Patching([{"message": "a", "path": "/spec"}], patches))
    bare = pod(1)
    del bare["metadata"]["labels"]
    assert decide(made, bare).evaluations[0].findings == (
        Finding("a", "/spec", (Patch("add", "/metadata/labels", {}),)),
    )


def test_the_patches_of_findings_apply_one_after_the_other() -> None:
    """A person can use them as they stand: the first makes the parent, and what is there already is left out."""
    violations = [{"message": "a", "path": "/metadata/labels/a"}, {"message": "b", "path": "/metadata/labels/b"}]
    patches: list[dict[str, Any]] = [
        {"op": "add", "path": "/metadata/labels/a", "value": "1"},
        {"op": "add", "path": "/metadata/labels/b", "value": "2"},
    ]
    made, _ = engine({}, binding("gpus", "gpu/limit"), evaluator=Patching(violations, patches))
    bare = pod(1)
    del bare["metadata"]["labels"]
    assert [finding.patches for finding in decide(made, bare).evaluations[0].findings] == [
        (Patch("add", "/metadata/labels", {"a": "1"}),),
        (Patch("add", "/metadata/labels/b", "2"),),
    ]
    assert [finding.patches for finding in decide(made, pod(1, a="1")).evaluations[0].findings] == [
        (),
        (Patch("add", "/metadata/labels/b", "2"),),
    ]


def test_a_patch_that_cannot_be_applied_is_not_shown() -> None:
    patches: list[dict[str, Any]] = [{"op": "replace", "path": "/spec/nothing/here", "value": 1}]
    made, _ = engine({}, binding("gpus", "gpu/limit"), evaluator=Patching([{"message": "a", "path": "/spec"}], patches))
    assert decide(made, pod(1)).evaluations[0].findings == (Finding("a", "/spec"),)


# --- cache


def test_pods_of_one_template_are_one_evaluation() -> None:
    made, scripted = engine(
        {"gpu/limit": over_limit}, binding("gpus", "gpu/limit"), cache=DecisionCache(max_bytes=2**20)
    )
    first = decide(made, pod(16, uid="1", name="a"))
    second = decide(made, pod(16, uid="2", name="b"))
    assert (first.cached, second.cached, len(scripted.documents)) == (False, True, 1)
    assert first.evaluations == second.evaluations
    assert (first.id, first.subject.digest) != (second.id, second.subject.digest)


@pytest.mark.parametrize(
    ("need", "change"),
    [
        ("identity", {"obj": pod(1, uid="2")}),
        ("user", {"user": "grace"}),
        ("old", {"old": {"before": 2}}),
        ("namespace", {"labels": {"tier": "silver"}}),
        ("now", {}),
    ],
)
def test_what_a_policy_needs_is_part_of_the_key(need: str, change: dict[str, Any]) -> None:
    needy = policy("x/y", id="X-001", needs=[need])
    labels: dict[str, str] = {"tier": "gold"}
    made, scripted = engine(
        {"x/y": nothing},
        binding("b", "x/y"),
        policies=[needy],
        cache=DecisionCache(max_bytes=2**20),
        namespace_labels=lambda _: dict(labels),
    )
    same: dict[str, Any] = {"user": "ada", "old": {"before": 1}}
    decide(made, pod(1, uid="1"), **same)
    again = decide(made, pod(1, uid="1"), **same)
    assert again.cached is (need != "now")
    asked = len(scripted.documents)
    labels.update(change.pop("labels", {}))
    obj = change.pop("obj", pod(1, uid="1"))
    assert not decide(made, obj, **{**same, **change}).cached
    assert len(scripted.documents) == asked + 1


def test_an_error_is_not_kept() -> None:
    made, scripted = engine(
        {"gpu/limit": breaks(EvaluationError("down"))},
        binding("gpus", "gpu/limit"),
        cache=DecisionCache(max_bytes=2**20),
    )
    assert decide(made, pod(1)).outcome is Outcome.UNDECIDED
    scripted.rules = {"gpu/limit": nothing}
    assert decide(made, pod(1)).outcome is Outcome.ALLOWED


def test_another_configuration_has_other_keys_in_a_shared_cache() -> None:
    cache = DecisionCache(max_bytes=2**20)
    wide, _ = engine({"gpu/limit": over_limit}, binding("gpus", "gpu/limit", parameters={"max_gpus": 16}), cache=cache)
    tight, _ = engine({"gpu/limit": over_limit}, binding("gpus", "gpu/limit"), cache=cache)
    assert decide(wide, pod(8)).outcome is Outcome.ALLOWED
    assert decide(tight, pod(8)).outcome is Outcome.DENIED


def test_doors_do_not_share_evaluations() -> None:
    made, _ = engine(
        {"gpu/limit": over_limit},
        binding("gpus", "gpu/limit", enforcement={"ci": "warn"}),
        cache=DecisionCache(max_bytes=2**20),
    )
    assert decide(made, pod(16), door=Door.CI).outcome is Outcome.ALLOWED
    assert decide(made, pod(16)).outcome is Outcome.DENIED


# --- facts


class Source:
    """A fact source with fixed facts."""

    name = "signatures"

    def __init__(self, **facts: Fact) -> None:
        self.facts = facts

    def keys(self, subject: Subject) -> Sequence[str]:
        return ["image"]

    async def gather(self, keys: Sequence[str], *, deadline: float) -> Mapping[str, Fact]:
        return self.facts


@pytest.mark.parametrize(
    ("sources", "reason"),
    [
        ({}, "no source of signatures is configured at this door"),
        ({"signatures": Source()}, "signatures gave no answer for image"),
        ({"signatures": Source(image=Unavailable("could not reach the registry"))}, "could not reach the registry"),
    ],
)
def test_a_policy_is_not_run_on_a_guess(sources: dict[str, Source], reason: str) -> None:
    signed = policy("image/signed", id="IMAGE-009", needs=["facts.signatures"])
    made, scripted = engine({"image/signed": nothing}, binding("b", "image/signed"), policies=[signed], facts=sources)
    decision = decide(made, pod(1))
    assert (decision.outcome, decision.evaluations[0].reason) == (Outcome.UNDECIDED, reason)
    assert scripted.documents == []


def test_known_and_absent_facts_reach_the_policy_and_the_record() -> None:
    signed = policy("image/signed", id="IMAGE-009", needs=["facts.signatures"])
    known = Known({"by": "team"}, NOW, NOW + timedelta(days=1), "sha256:abc")
    for fact, shown, digests in (
        (known, {"status": "known", "value": {"by": "team"}}, {"signatures:image": "sha256:abc"}),
        (Absent("not signed"), {"status": "absent", "reason": "not signed"}, None),
    ):
        made, scripted = engine(
            {"image/signed": nothing},
            binding("b", "image/signed"),
            policies=[signed],
            facts={"signatures": Source(image=fact)},
            cache=DecisionCache(max_bytes=2**20),
        )
        decision = decide(made, pod(1))
        assert scripted.documents[0]["facts"] == {"signatures": {"image": shown}}
        assert decision.evaluations[0].facts == digests


def test_every_engine_reads_expressions_and_takes_other_sources_too() -> None:
    judged = policy("platform/rules", id="PLATFORM-009", needs=["facts.expressions"], subjects=["resource"])
    registry = {
        "apiVersion": "ai.platform.internal/v1",
        "kind": "ModelRegistry",
        "metadata": {"name": "models"},
        "spec": {"policies": [{"name": "size", "rule": "model.size_gb < 200"}]},
    }
    for sources in ({}, {"signatures": Source()}):
        made, scripted = engine(
            {"platform/rules": nothing}, binding("b", "platform/rules"), policies=[judged], facts=sources
        )
        assert decide(made, registry).outcome is Outcome.ALLOWED
        assert scripted.documents[0]["facts"] == {
            "expressions": {
                "model.size_gb < 200": {"status": "known", "value": {"valid": True, "fields": ["model.size_gb"]}}
            }
        }


# --- waivers


def test_a_waived_finding_is_exempt_and_not_dropped() -> None:
    made, _ = engine({"gpu/limit": over_limit}, binding("gpus", "gpu/limit"), waiver("w", ["gpu/limit"]))
    decision = decide(made, pod(16))
    (evaluation,) = decision.evaluations
    assert (decision.outcome, evaluation.result) == (Outcome.ALLOWED, Result.EXEMPT)
    assert evaluation.findings == (Finding("16 GPUs, at most 4", "/spec"),)
    assert evaluation.reason == "waiver w until 2027-01-01T00:00:00Z: a benchmark that was agreed on"
    assert [waiver.split(":")[0] for waiver in evaluation.waivers] == ["w@sha256"]


@pytest.mark.parametrize(
    ("clock", "outcome"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), Outcome.ALLOWED),
        (datetime(2027, 1, 1, tzinfo=UTC), Outcome.DENIED),
    ],
)
def test_a_waiver_ends_at_its_second(clock: datetime, outcome: Outcome) -> None:
    made, _ = engine(
        {"gpu/limit": over_limit}, binding("gpus", "gpu/limit"), waiver("w", ["gpu/limit"]), clock=lambda: clock
    )
    decision = decide(made, pod(16))
    assert decision.outcome is outcome
    if outcome is Outcome.DENIED:
        assert decision.notes == ("waiver w does not count: it expired at 2027-01-01T00:00:00Z",)


@pytest.mark.parametrize(("gpus", "outcome"), [(16, Outcome.ALLOWED), (17, Outcome.DENIED)])
def test_a_waiver_can_raise_a_limit_and_no_further(gpus: int, outcome: Outcome) -> None:
    made, _ = engine(
        {"gpu/limit": over_limit},
        binding("gpus", "gpu/limit"),
        waiver("w", ["gpu/limit"], parameters={"max_gpus": 16}),
    )
    decision = decide(made, pod(gpus))
    assert decision.outcome is outcome
    assert decision.evaluations[0].findings == (Finding(f"{gpus} GPUs, at most 4", "/spec"),)


@pytest.mark.parametrize(
    "spec",
    [
        {"match": {"names": ["other"]}},
        {"match": {"namespaces": {"include": ["team-b"]}}},
        {"match": {"kinds": ["Job"]}},
        {"policies": ["workload/privileged"]},
    ],
)
def test_a_waiver_for_something_else_does_nothing(spec: dict[str, Any]) -> None:
    policies = spec.pop("policies", ["gpu/limit"])
    made, _ = engine({"gpu/limit": over_limit}, binding("gpus", "gpu/limit"), waiver("w", policies, **spec))
    decision = decide(made, pod(16))
    assert (decision.outcome, decision.notes) == (Outcome.DENIED, ())


def test_a_waiver_can_be_for_images_and_covers_no_object_with_another() -> None:
    made, _ = engine(
        {"gpu/limit": over_limit},
        binding("gpus", "gpu/limit"),
        waiver("w", ["gpu/limit"], match={"images": ["registry.example.com/nccl-tests", "docker.io/library/*"]}),
    )

    def outcome(*images: str) -> Outcome:
        manifest = pod(16)
        (first,) = manifest["spec"]["containers"]
        manifest["spec"]["containers"] = [{**first, "image": images[0], "name": "c0"}]
        manifest["spec"]["initContainers"] = [{"name": f"i{at}", "image": image} for at, image in enumerate(images[1:])]
        return decide(made, manifest).outcome

    assert outcome("registry.example.com/nccl-tests:1") is Outcome.ALLOWED
    assert outcome("registry.example.com/nccl-tests@sha256:" + "a" * 64, "busybox") is Outcome.ALLOWED
    assert outcome("registry.example.com/nccl-tests:1", "registry.example.com/other") is Outcome.DENIED
    assert outcome("registry.example.com/nccl-tests:1", "Not An Image") is Outcome.DENIED
    assert outcome("evil.example.com/registry.example.com/nccl-tests:1") is Outcome.DENIED


@pytest.mark.parametrize(
    ("glob", "image", "matches"),
    [
        ("docker.io/library/nginx", "nginx", True),
        ("nginx", "nginx", False),
        ("docker.io/library/nginx:1", "nginx:1", True),
        ("docker.io/library/nginx:1", "nginx:2", False),
        ("docker.io/library/nginx:1", "nginx:1@sha256:" + "a" * 64, False),
        ("docker.io/library/nginx:*", "nginx:1@sha256:" + "a" * 64, True),
        ("docker.io/library/nginx@sha256:*", "nginx@sha256:" + "a" * 64, True),
        ("localhost:5000/*", "localhost:5000/team/x:1", True),
        ("*", "Not An Image", False),
        ("*", "", False),
    ],
)
def test_an_image_glob_is_of_the_whole_name(glob: str, image: str, matches: bool) -> None:
    assert image_matches(glob, parse_image(image, "/image")) is matches


def test_a_broken_engine_waives_nothing() -> None:
    calls = 0

    def rule(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise EvaluationError("down")
        return over_limit(document)

    made, _ = engine(
        {"gpu/limit": rule},
        binding("gpus", "gpu/limit"),
        waiver("w", ["gpu/limit"], parameters={"max_gpus": 99}),
    )
    assert decide(made, pod(16)).outcome is Outcome.DENIED


def test_no_evaluation_is_no_refusal_and_no_doubt() -> None:
    assert combine([]) is Outcome.ALLOWED
