"""AdmissionReview v1 (k8s.io/api/admission/v1): bytes to a `Review`, that to what is judged, a `Decision` to bytes.

Pure: no I/O, no clock.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from pratique.canonical import compact_json, parse_json
from pratique.decision import Decision, Outcome, Patch, Result
from pratique.engine import Request
from pratique.errors import EvidenceUnavailable, InputError
from pratique.kinds import KINDS, NOTHING_KNOWN, Autoscaler, ContentCache, Context, autoscaler_of, subject_of
from pratique.mutation import Mutation
from pratique.shape import Object, mapping_at
from pratique.subject import Content, Gpus, GroupVersionKind, Resource, Workload
from reports.text import denial, warnings
from webhook.limits import MAX_UID_LENGTH

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
OPERATIONS = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})

MAX_ANNOTATION_LENGTH = 1024
"""One audit annotation at most: they stand in each audit event of the API server, which has a size limit of its own."""

# How the API server begins every review (encoding/json writes the fields of a struct in their order).
_BEGINNING = re.compile(
    rb'\{"kind":"AdmissionReview","apiVersion":"admission\.k8s\.io/v1","request":\{"uid":"([0-9A-Za-z-]{1,128})"'
)


@dataclass(frozen=True, slots=True)
class GroupVersionResource:
    group: str
    version: str
    resource: str


@dataclass(frozen=True, slots=True)
class Review:
    """The `request` of an AdmissionReview.

    `kind` is that of `object` and `old_object` (after `matchPolicy: Equivalent`), `request_kind` that of what the
    client sent.
    """

    uid: str
    kind: GroupVersionKind
    resource: GroupVersionResource
    subresource: str
    request_kind: GroupVersionKind | None
    namespace: str
    name: str
    operation: str
    user: str
    groups: tuple[str, ...]
    dry_run: bool
    object: Object | None
    old_object: Object | None
    options: Object | None

    @property
    def scales(self) -> bool:
        """Whether this changes the number of replicas only, without the object that has them (autoscaling/v1 Scale)."""
        return self.subresource == "scale" and self.kind.group == "autoscaling" and self.kind.kind == "Scale"


class BadReview(InputError):
    """The bytes are not an AdmissionReview that can be judged. `uid` is that of the review where it could be read."""

    def __init__(self, message: str, *, uid: str) -> None:
        super().__init__(message)
        self.uid = uid


# Reading


def read_review(body: bytes) -> Review:
    """The review in `body`.

    Ensures that the object of the operation is there and is of the kind and in the namespace that the review says.

    Raises:
        BadReview: with one clear sentence.
    """
    try:
        document = parse_json(body)
    except InputError as error:
        raise BadReview(str(error), uid=uid_at_beginning(body)) from error
    uid = _uid(document)
    try:
        return _review(document, uid)
    except InputError as error:
        raise BadReview(str(error), uid=uid) from error


def uid_at_beginning(body: bytes) -> str:
    """The uid where `body` begins as the API server writes reviews; else empty.

    For refusals only: what follows may be anything.
    """
    match = _BEGINNING.match(body)
    return match[1].decode() if match else ""


def uid_of(body: bytes) -> str:
    """The uid of the review in `body`, empty where there is none. For refusals only: nothing else is checked."""
    uid = uid_at_beginning(body)
    if uid:
        return uid
    try:
        return _uid(parse_json(body))
    except InputError:
        return ""


def _uid(document: Any) -> str:
    request = document.get("request") if isinstance(document, dict) else None
    uid = request.get("uid") if isinstance(request, dict) else None
    return uid if isinstance(uid, str) and 0 < len(uid) <= MAX_UID_LENGTH else ""


def _review(document: Any, uid: str) -> Review:
    if not isinstance(document, dict):
        raise InputError(f"the body is a {type(document).__name__}, not an AdmissionReview; send a JSON object")
    api_version, kind = document.get("apiVersion"), document.get("kind")
    if api_version != API_VERSION or kind != KIND:
        raise InputError(f"this is {_shown(kind)} of {_shown(api_version)}, not {KIND} of {API_VERSION}; send that")
    request = document.get("request")
    if not isinstance(request, dict):
        raise InputError("the AdmissionReview has no request; there is nothing to judge")
    if not uid:
        raise InputError(
            f"/request/uid is missing, or is not a text of at most {MAX_UID_LENGTH} characters; nothing can be answered"
        )
    operation = request.get("operation")
    if operation not in OPERATIONS:
        raise InputError(f"/request/operation is {_shown(operation)}, none of {', '.join(sorted(OPERATIONS))}")
    user = mapping_at(request.get("userInfo"), "/request/userInfo")
    groups = user.get("groups") or ()
    if not isinstance(groups, list | tuple) or not all(isinstance(group, str) for group in groups):
        raise InputError("/request/userInfo/groups is not a list of texts")
    dry_run = request.get("dryRun")
    if dry_run is not None and not isinstance(dry_run, bool):
        raise InputError(f"/request/dryRun is {_shown(dry_run)}, neither true nor false")
    requested = request.get("requestKind")
    resource = _texts(request.get("resource"), ("group", "version", "resource"), "/request/resource")
    review = Review(
        uid=uid,
        kind=GroupVersionKind(*_texts(request.get("kind"), ("group", "version", "kind"), "/request/kind")),
        resource=GroupVersionResource(*resource),
        subresource=_text(request, "subResource", "/request"),
        request_kind=None
        if requested is None
        else GroupVersionKind(*_texts(requested, ("group", "version", "kind"), "/request/requestKind")),
        namespace=_text(request, "namespace", "/request"),
        name=_text(request, "name", "/request"),
        operation=operation,
        user=_text(user, "username", "/request/userInfo"),
        groups=tuple(groups),
        dry_run=dry_run or False,
        object=_object(request, "object"),
        old_object=_object(request, "oldObject"),
        options=_object(request, "options"),
    )
    _check_objects(review)
    return review


def _check_objects(review: Review) -> None:
    """The object of the operation is there, and says the same of itself as the review says of it."""
    if review.operation == "DELETE":
        if review.object is not None:
            raise InputError("/request/object is set, but a DELETE has an oldObject only")
        if review.old_object is None:
            raise InputError("/request/oldObject is missing; there is nothing to judge")
    elif review.object is None and review.operation != "CONNECT":
        raise InputError(f"/request/object is missing; there is nothing to judge in {review.operation}")
    for place, obj in (("object", review.object), ("oldObject", review.old_object)):
        if obj is None:
            continue
        if obj.get("kind") != review.kind.kind or obj.get("apiVersion") != review.kind.api_version:
            raise InputError(
                f"/request/{place} is {_shown(obj.get('kind'))} of {_shown(obj.get('apiVersion'))}, but /request/kind"
                f" says {_shown(review.kind.kind)} of {_shown(review.kind.api_version)}"
            )
        metadata = obj.get("metadata")
        namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
        if namespace and namespace != review.namespace:
            raise InputError(
                f"/request/{place} is in namespace {_shown(namespace)}, but /request/namespace is"
                f" {_shown(review.namespace)}"
            )


def _texts(value: object, names: tuple[str, str, str], path: str) -> tuple[str, str, str]:
    fields = mapping_at(value, path)
    first, second, third = _text(fields, names[0], path), _text(fields, names[1], path), _text(fields, names[2], path)
    if not second or not third:
        raise InputError(f"{path} does not say {names[1]} and {names[2]}")
    return first, second, third


def _text(fields: Object, name: str, path: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"{path}/{name} is {_shown(value)}, not text")
    return value


def _object(request: Object, name: str) -> Object | None:
    value = request.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InputError(f"/request/{name} is a {type(value).__name__}, not an object")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


# What is judged


def subject_under_review(review: Review, *, cache: ContentCache, context: Context = NOTHING_KNOWN) -> Resource:
    """What `review` asks about: the object; for DELETE the object as it is; for CONNECT its options, which may be none.

    Not for `review.scales`, where the object that is scaled has to be looked up first. `context` is what is known of
    other objects.

    Raises:
        InputError: parts of the object have the wrong types.
    """
    obj = review.old_object if review.operation == "DELETE" else review.object
    if obj is None:
        obj = {"apiVersion": review.kind.api_version, "kind": review.kind.kind}
    subject = _named(subject_of(obj, namespace=_namespace(review), cache=cache, context=context), review)
    if subject.being_deleted and not _was_being_deleted(review.old_object):
        # A Kubernetes API refuses that; where one does not, a line in the manifest must not switch the rules off.
        return replace(subject, being_deleted=False)
    return subject


def scaled_subject(review: Review, parent: Object, *, cache: ContentCache) -> Resource:
    """What `review.scales` asks about: `parent`, the object that is scaled, with the replicas of the Scale.

    Raises:
        EvidenceUnavailable: `parent` has no `spec.replicas`, so where its number of replicas stands is not known.
        InputError: parts of the objects have the wrong types.
    """
    return _named(subject_of(_scaled(parent, review.object or {}), namespace=review.namespace, cache=cache), review)


def scaled_unknown(review: Review, *, cache: ContentCache) -> Resource:
    """What stands for the object that is scaled where that could not be looked up.

    It has its kind as far as the resource tells (empty otherwise), its name and namespace, no content, and the digest
    of the Scale.
    """
    scale = subject_of(review.object, namespace=review.namespace, cache=cache)
    group, version, plural = review.resource.group, review.resource.version, review.resource.resource
    for known, kind in KINDS:
        if known == group and f"{kind.lower()}s" == plural:
            gvk = GroupVersionKind(group, version, kind)
            return _stand_in(scale, gvk, namespace=review.namespace, name=review.name)
    return _named(replace(scale, gvk=GroupVersionKind(group, version, "")), review)


def _stand_in(asked: Resource, gvk: GroupVersionKind, *, namespace: str, name: str) -> Workload:
    content = Content((), (), (), Gpus(Fraction(0), Fraction(0), {}))
    identity = replace(asked.identity, name=name)
    return Workload(gvk, namespace, identity, {}, {}, {}, {}, asked.digest, asked.key, False, content)


def growth_of(review: Review) -> Autoscaler | None:
    """The autoscaler that `review` creates, or lets go further or to another target than before; None where what can
    grow stays as it is."""
    obj, old = review.object, review.old_object
    if obj is None or review.operation not in ("CREATE", "UPDATE") or review.subresource or _was_being_deleted(old):
        return None
    autoscaler = autoscaler_of(obj, review.kind.group, review.kind.kind, namespace=review.namespace)
    if autoscaler is None or old is None:
        return autoscaler
    before = autoscaler_of(old, review.kind.group, review.kind.kind, namespace=review.namespace)
    raised = before is None or before.target != autoscaler.target or before.most < autoscaler.most
    return autoscaler if raised else None


def grown_subject(
    review: Review, autoscaler: Autoscaler, target: Object, *, cache: ContentCache, context: Context
) -> Resource:
    """What `review` of an autoscaler asks about besides: `target`, with the replicas that it can have then.

    Raises:
        InputError: parts of the object have the wrong types.
    """
    most = max(autoscaler.most, context.max_replicas.get(autoscaler.target, 0))
    grown = Context({autoscaler.target: most}, context.claims)
    return subject_of(target, namespace=review.namespace, cache=cache, context=grown)


def grown_unknown(review: Review, autoscaler: Autoscaler, *, cache: ContentCache) -> Resource:
    """What stands for the target of an autoscaler where it could not be looked up: its kind and name, no content, and
    the digest of the autoscaler."""
    group, kind, namespace, name = autoscaler.target
    scaler = subject_of(review.object, namespace=review.namespace, cache=cache)
    return _stand_in(scaler, GroupVersionKind(group, "", kind), namespace=namespace, name=name)


def growth_request(review: Review, *, target: Object | None) -> Request:
    """Who lets `target` grow, for the engine: as if its replicas were set by its `scale`, as the autoscaler will."""
    return Request(
        operation="UPDATE",
        subresource="scale",
        user=review.user,
        groups=review.groups,
        dry_run=review.dry_run,
        old=target,
    )


def request_of(review: Review, *, parent: Object | None = None) -> Request:
    """Who wants to do what, for the engine; with `parent`, `old` is that with the replicas of the old Scale.

    Raises:
        EvidenceUnavailable: as for `scaled_subject`.
        InputError: as for `scaled_subject`.
    """
    old = review.old_object if review.operation != "DELETE" else None
    if parent is not None and old is not None:
        old = _scaled(parent, old)
    return Request(
        operation=review.operation,
        subresource=review.subresource,
        user=review.user,
        groups=review.groups,
        dry_run=review.dry_run,
        old=old,
    )


def _was_being_deleted(old: Object | None) -> bool:
    metadata = old.get("metadata") if old is not None else None
    return isinstance(metadata, dict) and metadata.get("deletionTimestamp") is not None


def _namespace(review: Review) -> str:
    """For a Namespace the API server gives its own name as its namespace; it is in none."""
    return "" if review.kind.kind == "Namespace" and not review.kind.group else review.namespace


def _named(subject: Resource, review: Review) -> Resource:
    """`subject` with the name that the request was for, where it says none itself (the options of a CONNECT)."""
    if subject.identity.name or not review.name:
        return subject
    return replace(subject, identity=replace(subject.identity, name=review.name))


def _scaled(parent: Object, scale: Object) -> Object:
    replicas = mapping_at(scale.get("spec"), "/spec").get("replicas", 0)  # autoscaling/v1 leaves out 0
    spec = parent.get("spec")
    if not isinstance(spec, dict) or "replicas" not in spec:
        raise EvidenceUnavailable("the object that is scaled has no spec.replicas; where it counts them is not known")
    return {**parent, "spec": {**spec, "replicas": replicas}}


# Answering


def answer(uid: str, decision: Decision, *, beside: Decision | None = None) -> bytes:
    """The AdmissionReview that answers the review `uid` with `decision`: 403 when denied, 500 when undecided.

    `beside` is another decision on the same review, which refuses nothing that `decision` does not: its warnings are
    told, too.
    """
    annotations = {
        "decision-id": decision.id,
        "outcome": decision.outcome.value,
        "bundle-digest": decision.bundle_digest,
        "policy-ids": _policy_ids(decision),
    }
    response: dict[str, Any] = {"uid": uid, "allowed": False, "auditAnnotations": annotations}
    match decision.outcome:
        case Outcome.ALLOWED:
            response["allowed"] = True
        case Outcome.DENIED:
            response["status"] = _status(403, "Forbidden", denial(decision))
        case Outcome.UNDECIDED:
            response["status"] = _status(500, "InternalError", denial(decision))
    told = [
        warning
        for each in (decision, beside)
        if each is not None and any(evaluation.result is not Result.PASS for evaluation in each.evaluations)
        for warning in warnings(each)
    ]
    if told:
        response["warnings"] = told
    return _envelope(response)


def consent(uid: str) -> bytes:
    """The AdmissionReview that allows the review `uid` at the mutating door, where nothing is to be changed."""
    return _envelope({"uid": uid, "allowed": True})


def mutation_answer(uid: str, mutation: Mutation) -> bytes:
    """The AdmissionReview that answers the review `uid` at the mutating door with what `mutation` came to.

    `patch` and `patchType` go together, and neither stands there for nothing (AdmissionResponse).

    Raises:
        PatchError: the object has no place for the annotation that says what was changed.
    """
    if mutation.undecided:
        return answer(uid, mutation.decision)
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if mutation.worth_recording:
        ids = sorted({change.policy_id for change in mutation.changes})
        response["auditAnnotations"] = {"decision-id": mutation.decision.id, "mutated-by": _joined(ids)}
    if told := warnings(mutation.decision):
        response["warnings"] = told
    if patches := mutation.annotated_patches:
        operations = [_operation(patch) for patch in patches]
        response["patchType"] = "JSONPatch"
        response["patch"] = b64encode(compact_json(operations)).decode()
    return _envelope(response)


def stamped(uid: str, patches: Sequence[Patch]) -> bytes:
    """The AdmissionReview that allows the review `uid` at the mutating door, with `patches` of our own objects."""
    operations = compact_json([_operation(patch) for patch in patches])
    return _envelope({"uid": uid, "allowed": True, "patchType": "JSONPatch", "patch": b64encode(operations).decode()})


def refusal(uid: str, *, code: int, message: str) -> bytes:
    """The AdmissionReview that refuses the review `uid` where there is no decision."""
    return _envelope({"uid": uid, "allowed": False, "status": _status(code, REASONS[code], message)})


def status_document(code: int, message: str) -> bytes:
    """A `Status` of the Kubernetes API (k8s.io/apimachinery meta/v1).

    The API server shows its message where the answer to a webhook call has an HTTP status other than 200
    (k8s.io/client-go rest, `Result.Error`).
    """
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return compact_json({**status, **_status(code, REASONS[code], message)})


REASONS = {
    400: "BadRequest",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "Timeout",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}
"""The `reason` of each status that we answer with (meta/v1 StatusReason)."""


def _envelope(response: Mapping[str, Any]) -> bytes:
    return compact_json({"apiVersion": API_VERSION, "kind": KIND, "response": response})


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {"code": code, "reason": reason, "message": message}


def _policy_ids(decision: Decision) -> str:
    """The ids of all policies that were asked, in order, cut to the length of an annotation."""
    return _joined(sorted({evaluation.policy_id for evaluation in decision.evaluations}))


def _joined(policy_ids: Sequence[str]) -> str:
    ids = ",".join(policy_ids)
    if len(ids) <= MAX_ANNOTATION_LENGTH:
        return ids
    return f"{ids[: MAX_ANNOTATION_LENGTH - 4].rpartition(',')[0]},..."


def _operation(patch: Patch) -> dict[str, Any]:
    operation = {"op": patch.op, "path": patch.path}
    return operation if patch.op == "remove" else {**operation, "value": patch.value}
