"""Wire to what is judged, and decisions to wire: without HTTP and without an engine."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from copy import deepcopy
from fractions import Fraction
from typing import Any

import pytest

from pratique.decision import Enforcement, Patch, Result
from pratique.errors import EvidenceUnavailable, InputError
from pratique.kinds import ContentCache
from pratique.mutation import Draft, Mutation, Proposal
from pratique.subject import GroupVersionKind, Resource, Workload
from tests.support import workloads
from tests.support.builders import UID, encoded, review, scale_review
from tests.support.decisions import ID, decision, evaluation
from tests.webhook.serving import REVIEWS, captured
from webhook.review import (
    MAX_ANNOTATION_LENGTH,
    BadReview,
    GroupVersionResource,
    Review,
    answer,
    consent,
    mutation_answer,
    read_review,
    refusal,
    request_of,
    scaled_subject,
    scaled_unknown,
    status_document,
    subject_under_review,
    uid_of,
)

POD = workloads.pod("web", namespace="team-a")


def subject(document: Any) -> Resource:
    body = document if isinstance(document, bytes) else encoded(document)
    return subject_under_review(read_review(body), cache=ContentCache())


def changed(path: str, value: Any) -> bytes:
    """The review of a pod in which the field at `path` below `request` is `value`."""
    document = deepcopy(review(POD))
    target = document["request"]
    *parents, last = path.split(".")
    for name in parents:
        target = target[name]
    target[last] = value
    return encoded(document)


def without(name: str) -> bytes:
    document = review(POD)
    del document["request"][name]
    return encoded(document)


# Reading


def test_a_captured_review_is_read_whole() -> None:
    body = captured("deployment-update")
    request = json.loads(body)["request"]
    assert read_review(body) == Review(
        uid=request["uid"],
        kind=GroupVersionKind("apps", "v1", "Deployment"),
        resource=GroupVersionResource("apps", "v1", "deployments"),
        subresource="",
        request_kind=GroupVersionKind("apps", "v1", "Deployment"),
        namespace="team-a",
        name="llm-server",
        operation="UPDATE",
        user=request["userInfo"]["username"],
        groups=tuple(request["userInfo"]["groups"]),
        dry_run=False,
        object=request["object"],
        old_object=request["oldObject"],
        options=request["options"],
    )


@pytest.mark.parametrize("path", sorted(REVIEWS.glob("*.json")), ids=lambda path: path.stem)
def test_every_captured_review_has_a_subject(path: Any) -> None:
    body = path.read_bytes()
    found = read_review(body)
    if found.scales:
        made = scaled_subject(found, workloads.deployment("llm-server", namespace="team-a"), cache=ContentCache())
    else:
        made = subject_under_review(found, cache=ContentCache())
    expected = "" if found.kind.kind == "Namespace" else found.namespace
    assert (made.identity.name, made.namespace) == (found.name, expected)


def test_the_uid_at_the_beginning_is_that_of_the_review() -> None:
    for path in REVIEWS.glob("*.json"):
        assert uid_of(path.read_bytes()) == json.loads(path.read_bytes())["request"]["uid"]


def test_the_uid_is_found_wherever_it_stands() -> None:
    document = review(POD)
    reordered = {"request": document["request"], "apiVersion": "other", "kind": "other"}
    assert uid_of(encoded(reordered)) == UID
    assert uid_of(b"{}") == ""
    assert uid_of(b"\xff") == ""


@pytest.mark.parametrize(
    ("body", "uid", "message"),
    [
        (b"[]", "", "the body is a list, not an AdmissionReview; send a JSON object"),
        (b"null", "", "the body is a NoneType, not an AdmissionReview; send a JSON object"),
        (
            encoded({"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview", "request": {"uid": "u"}}),
            "u",
            "this is 'AdmissionReview' of 'admission.k8s.io/v1beta1', not AdmissionReview of admission.k8s.io/v1;"
            " send that",
        ),
        (
            encoded({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}),
            "",
            "the AdmissionReview has no request; there is nothing to judge",
        ),
        (
            without("uid"),
            "",
            "/request/uid is missing, or is not a text of at most 128 characters; nothing can be answered",
        ),
        (
            changed("uid", 5),
            "",
            "/request/uid is missing, or is not a text of at most 128 characters; nothing can be answered",
        ),
        (
            changed("uid", "u" * 129),
            "",
            "/request/uid is missing, or is not a text of at most 128 characters; nothing can be answered",
        ),
        (without("kind"), UID, "/request/kind does not say version and kind"),
        (changed("kind.kind", 1), UID, "/request/kind/kind is 1, not text"),
        (without("resource"), UID, "/request/resource does not say version and resource"),
        (
            changed("operation", "PATCH"),
            UID,
            "/request/operation is 'PATCH', none of CONNECT, CREATE, DELETE, UPDATE",
        ),
        (changed("userInfo.groups", "system:masters"), UID, "/request/userInfo/groups is not a list of texts"),
        (changed("userInfo.groups", [1]), UID, "/request/userInfo/groups is not a list of texts"),
        (changed("dryRun", "yes"), UID, "/request/dryRun is 'yes', neither true nor false"),
        (changed("object", None), UID, "/request/object is missing; there is nothing to judge in CREATE"),
        (changed("object", [POD]), UID, "/request/object is a list, not an object"),
        (changed("oldObject", "x"), UID, "/request/oldObject is a str, not an object"),
        (
            changed("object.kind", "ConfigMap"),
            UID,
            "/request/object is 'ConfigMap' of 'v1', but /request/kind says 'Pod' of 'v1'",
        ),
        (
            changed("object.apiVersion", "v2"),
            UID,
            "/request/object is 'Pod' of 'v2', but /request/kind says 'Pod' of 'v1'",
        ),
        (
            changed("namespace", "kube-system"),
            UID,
            "/request/object is in namespace 'team-a', but /request/namespace is 'kube-system'",
        ),
        (
            encoded(review(POD, operation="DELETE")),
            UID,
            "/request/object is set, but a DELETE has an oldObject only",
        ),
        (
            encoded(review(None, operation="DELETE", old=POD) | {"apiVersion": 1}),
            UID,
            "this is 'AdmissionReview' of 1, not AdmissionReview of admission.k8s.io/v1; send that",
        ),
        (
            changed("operation", "DELETE").replace(b'"object":{', b'"object":null,"was":{'),
            UID,
            "/request/oldObject is missing; there is nothing to judge",
        ),
    ],
)
def test_what_is_no_review_is_refused_with_its_place(body: bytes, uid: str, message: str) -> None:
    with pytest.raises(BadReview, match=f"^{re.escape(message)}$") as caught:
        read_review(body)
    assert caught.value.uid == uid


# What is judged


def test_a_deleted_object_is_judged_as_it_was() -> None:
    judged = subject(review(None, operation="DELETE", old=POD))
    assert isinstance(judged, Workload)
    assert judged.object == POD


def test_only_what_was_being_deleted_before_the_update_is_on_its_way_out() -> None:
    marked = {**POD, "metadata": {**POD["metadata"], "deletionTimestamp": "2026-11-21T08:00:00Z"}}
    assert subject(review(marked, operation="UPDATE", old=marked)).being_deleted
    assert not subject(review(marked, operation="UPDATE", old=POD)).being_deleted
    assert not subject(review(marked, operation="UPDATE")).being_deleted


def test_a_connection_is_a_plain_resource_named_by_the_request() -> None:
    judged = subject(captured("pod-exec"))
    assert not isinstance(judged, Workload)
    assert (judged.gvk.kind, judged.identity.name, judged.namespace) == ("PodExecOptions", "notebook", "team-a")


def test_a_connection_without_options_is_judged() -> None:
    pods = {"group": "", "version": "v1", "resource": "pods"}
    document = review(None, operation="CONNECT", subresource="proxy", resource=pods, name="web", namespace="team-a")
    document["request"] |= {"kind": {"group": "", "version": "v1", "kind": "PodProxyOptions"}, "requestKind": None}
    judged = subject(document)
    assert (judged.gvk.kind, judged.identity.name, judged.object) == (
        "PodProxyOptions",
        "web",
        {"apiVersion": "v1", "kind": "PodProxyOptions"},
    )


def test_an_object_without_a_namespace_is_in_that_of_the_request() -> None:
    obj = {**POD, "metadata": {"name": "web"}}
    assert subject(review(obj, namespace="team-b")).namespace == "team-b"


def test_a_namespace_is_in_no_namespace() -> None:
    assert subject(captured("namespace-create")).namespace == ""


def test_a_generated_name_stays_open() -> None:
    identity = subject(review({**POD, "metadata": {"generateName": "web-", "namespace": "team-a"}}, namespace="team-a"))
    assert (identity.identity.name, identity.identity.generate_name) == ("", "web-")


def test_a_scale_is_judged_as_what_it_makes_of_its_parent() -> None:
    parent = workloads.deployment("llm", namespace="team-a", replicas=1, gpus=2)
    found = read_review(encoded(scale_review("llm", namespace="team-a", replicas=8)))
    judged = scaled_subject(found, parent, cache=ContentCache())
    request = request_of(found, parent=parent)
    assert isinstance(judged, Workload)
    assert (judged.gvk.kind, judged.content.gpus.peak, request.subresource) == ("Deployment", Fraction(16), "scale")
    assert request.old == parent


def test_a_scale_to_nothing_leaves_its_replicas_out() -> None:
    parent = workloads.deployment("llm", namespace="team-a", replicas=3)
    found = read_review(encoded(scale_review("llm", namespace="team-a", replicas=0)))
    judged = scaled_subject(found, parent, cache=ContentCache())
    assert isinstance(judged, Workload)
    assert judged.content.pods[0].replicas.max == 0


@pytest.mark.parametrize("spec", [None, {}, {"size": 3}, []])
def test_a_parent_that_does_not_say_its_replicas_cannot_be_judged(spec: object) -> None:
    found = read_review(encoded(scale_review("llm", namespace="team-a", replicas=8)))
    parent: Mapping[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
    with pytest.raises(EvidenceUnavailable, match=r"has no spec\.replicas"):
        scaled_subject(found, parent, cache=ContentCache())


@pytest.mark.parametrize("replicas", [-1, "3", True, 1.5])
def test_a_scale_to_no_number_is_bad_input(replicas: object) -> None:
    document = scale_review("llm", namespace="team-a", replicas=8)
    document["request"]["object"]["spec"]["replicas"] = replicas
    with pytest.raises(InputError, match="where a count is expected"):
        scaled_subject(
            read_review(encoded(document)),
            workloads.deployment("llm", namespace="team-a"),
            cache=ContentCache(),
        )


def test_what_is_scaled_but_not_known_keeps_kind_and_name() -> None:
    found = read_review(encoded(scale_review("llm", namespace="team-a", replicas=8)))
    stand_in = scaled_unknown(found, cache=ContentCache())
    assert isinstance(stand_in, Workload)
    assert (stand_in.gvk.kind, stand_in.namespace, stand_in.identity.name) == ("Deployment", "team-a", "llm")


def test_what_is_scaled_and_of_no_kind_that_we_know_has_none() -> None:
    document = scale_review("llm", namespace="team-a", replicas=8, resource="widgets", group="example.com")
    stand_in = scaled_unknown(read_review(encoded(document)), cache=ContentCache())
    assert not isinstance(stand_in, Workload)
    assert (stand_in.gvk, stand_in.identity.name) == (GroupVersionKind("example.com", "v1", ""), "llm")


def test_who_and_how_go_to_the_engine() -> None:
    body = encoded(review(POD, operation="UPDATE", old=POD, dry_run=True, subresource="resize"))
    request = request_of(read_review(body))
    assert (request.operation, request.subresource, request.user, request.dry_run, request.old) == (
        "UPDATE",
        "resize",
        "ada@example.com",
        True,
        POD,
    )
    assert request.groups == ("data-science", "system:authenticated")


def test_a_delete_has_no_old_object_besides_the_one_judged() -> None:
    body = encoded(review(None, operation="DELETE", old=POD))
    assert request_of(read_review(body)).old is None


# Answering

PASSED = evaluation(result=Result.PASS)


def envelope(response: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": dict(response)}


def audited(outcome: str, policies: str) -> dict[str, str]:
    return {
        "decision-id": ID,
        "outcome": outcome,
        "bundle-digest": "sha256:" + "1" * 64,
        "policy-ids": policies,
    }


def test_golden_allowed() -> None:
    assert json.loads(answer("u", decision(PASSED))) == envelope(
        {"uid": "u", "allowed": True, "auditAnnotations": audited("allowed", "GPU-001")}
    )


def test_golden_no_match() -> None:
    assert json.loads(answer("u", decision())) == envelope(
        {"uid": "u", "allowed": True, "auditAnnotations": audited("allowed", "")}
    )


def test_golden_denied() -> None:
    message = f"""Job team-a/finetune is refused: 1 rule is broken.
Decision {ID}

GPU-001 (high) GPUs stay within the approved limit
  at /spec: this Job can use 16 GPUs; at most 4 are allowed
  fix: Ask for fewer GPUs, or for a waiver from the owner of your budget.

To ask for a waiver, send the people who run the policies of this cluster:
  policy GPU-001, binding gpu-limit
  decision {ID}
  why you need it, and until when. Somebody other than you must approve it."""
    assert json.loads(answer("u", decision(evaluation(), PASSED))) == envelope(
        {
            "uid": "u",
            "allowed": False,
            "status": {"code": 403, "reason": "Forbidden", "message": message},
            "auditAnnotations": audited("denied", "GPU-001"),
        }
    )


def test_golden_undecided_and_closed() -> None:
    broken = evaluation(result=Result.ERROR, reason="the engine is down")
    message = f"""Job team-a/finetune is refused: 1 rule could not be evaluated.
Decision {ID}
It was not judged, so it may well be in order: a retry may help. If it does not,
tell the people who run the policies of this cluster, with the decision id.

GPU-001 (high) GPUs stay within the approved limit
  could not be evaluated: the engine is down"""
    assert json.loads(answer("u", decision(broken))) == envelope(
        {
            "uid": "u",
            "allowed": False,
            "status": {"code": 500, "reason": "InternalError", "message": message},
            "auditAnnotations": audited("undecided", "GPU-001"),
        }
    )


def test_golden_undecided_and_open() -> None:
    broken = evaluation(result=Result.ERROR, reason="the engine is down", on_undecided=Enforcement.WARN)
    assert json.loads(answer("u", decision(broken))) == envelope(
        {
            "uid": "u",
            "allowed": True,
            "warnings": ["GPU-001 could not be evaluated: the engine is down"],
            "auditAnnotations": audited("allowed", "GPU-001"),
        }
    )


def test_golden_warning() -> None:
    warned = evaluation(enforcement=Enforcement.WARN)
    assert json.loads(answer("u", decision(warned))) == envelope(
        {
            "uid": "u",
            "allowed": True,
            "warnings": ["GPU-001 at /spec: this Job can use 16 GPUs; at most 4 are allowed"],
            "auditAnnotations": audited("allowed", "GPU-001"),
        }
    )


def test_golden_consent() -> None:
    assert json.loads(consent("u")) == envelope({"uid": "u", "allowed": True})


def test_golden_patch() -> None:
    proposals = [
        Proposal("b", "test/b", "TEST-002", True, Patch("remove", "/spec/b")),
        Proposal("a", "test/a", "TEST-001", False, Patch("add", "/spec/a/b~1c", 1)),
    ]
    draft = Draft.of({"metadata": {"name": "x"}, "spec": {"b": 1}}).with_proposals(proposals)
    made = decision(evaluation(result=Result.MUTATED))
    response = json.loads(mutation_answer("u", Mutation(made, draft, draft.changes)))["response"]
    patch = base64.b64decode(response.pop("patch"))
    assert response == {
        "uid": "u",
        "allowed": True,
        "patchType": "JSONPatch",
        "auditAnnotations": {"decision-id": made.id, "mutated-by": "TEST-001,TEST-002"},
    }
    annotation = '{"TEST-001":["/spec/a/b~1c"],"TEST-002":["/spec/b"]}'
    assert json.loads(patch) == [
        {"op": "add", "path": "/metadata/annotations", "value": {"pratique.dev/mutated": annotation}},
        {"op": "add", "path": "/spec/a", "value": {"b/c": 1}},
        {"op": "remove", "path": "/spec/b"},
    ]


def test_golden_mutation_of_nothing() -> None:
    draft = Draft.of({"metadata": {"name": "x"}})
    unchanged = Mutation(decision(evaluation(result=Result.PASS)), draft, ())
    assert json.loads(mutation_answer("u", unchanged)) == envelope({"uid": "u", "allowed": True})


def test_golden_mutation_undecided() -> None:
    made = decision(evaluation(result=Result.ERROR, reason="the engine is down"))
    undecided = Mutation(made, Draft.of({"metadata": {"name": "x"}}), ())
    assert mutation_answer("u", undecided) == answer("u", made)
    assert json.loads(answer("u", made))["response"]["status"]["code"] == 500


def test_golden_refusal() -> None:
    assert json.loads(refusal("u", code=400, message="why")) == envelope(
        {"uid": "u", "allowed": False, "status": {"code": 400, "reason": "BadRequest", "message": "why"}}
    )


def test_golden_status() -> None:
    assert json.loads(status_document(429, "why")) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "code": 429,
        "reason": "TooManyRequests",
        "message": "why",
    }


def test_audit_annotations_fit_what_the_api_server_takes() -> None:
    many = [evaluation(f"POLICY-{number:04}", result=Result.PASS) for number in range(500)]
    found = json.loads(answer("u", decision(*many)))["response"]["auditAnnotations"]
    # k8s.io/apimachinery/pkg/util/validation, IsQualifiedName: the part after the slash
    assert all(re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", key) for key in found)
    assert all(len(value) <= MAX_ANNOTATION_LENGTH for value in found.values())
    assert found["policy-ids"].startswith("POLICY-0000,POLICY-0001,")
    assert re.search(r",POLICY-\d{4},\.\.\.$", found["policy-ids"])
