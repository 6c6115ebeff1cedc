"""Pratique's own objects at the Kubernetes door: what is stamped into them, and the built-in rules about them.

Bindings may judge these objects too; the built-in evaluations come on top, and no binding takes them away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from attestations.signers import Signer, signed_envelope
from pratique.approvers import WITNESSED_TYPE, witnessed_payload
from pratique.builtin import LOADABLE, evaluation
from pratique.canonical import canonical_json
from pratique.configuration import build
from pratique.decision import Decision, Evaluation, Finding, Patch, combine
from pratique.dsse import envelope_document
from pratique.engine import Engine
from pratique.errors import ConfigError, EvidenceUnavailable, InputError
from pratique.keys import key_id
from pratique.policy import PolicyMetadata
from pratique.schemas import API_VERSION
from pratique.waiver_rules import WaiverRequest, annotation_patches, judge_waiver, stamps
from pratique.yamlfile import Document
from webhook.review import Review

KINDS = frozenset({"Waiver", "PolicyBinding"})
_GROUP = API_VERSION.partition("/")[0]


class OwnKinds:
    """Stamps and judges. `signer` holds the key with which this webhook attests the approvals that it sees; without
    one, nothing can be approved here."""

    def __init__(
        self, *, signer: Signer | None = None, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._signer = signer
        self._clock = clock

    def patches(self, review: Review, engine: Engine) -> list[Patch]:
        """What is written into the object of `review`; nothing for any other kind.

        An approval is attested only where all that is judged afterwards is in order, and never in a dry run.
        """
        request = self._waiver_request(review)
        if request is None:
            return []
        patches = stamps(request)
        stamped = replace(request, new=_stamped(request.new, patches))
        if request.approves and not request.dry_run and (envelope := self._attestation(stamped, engine)):
            patches += annotation_patches(request.new, envelope)
        return patches

    def evaluations(self, review: Review, engine: Engine) -> tuple[Evaluation, ...]:
        """The built-in evaluations of the object of `review`; none where it is not one of ours."""
        if not _concerns(review) or review.object is None:
            return ()
        problems = _problems(review.object, engine)
        if review.operation == "CREATE":
            problems += _name_taken(review, engine)
        found = [evaluation(LOADABLE, problems)]
        request = self._waiver_request(review)
        if request is not None:
            found += self._judge(request, engine, unattested=self._unattested(request, engine))
        return tuple(found)

    def _waiver_request(self, review: Review) -> WaiverRequest | None:
        if not _concerns(review) or review.kind.kind != "Waiver" or review.object is None:
            return None
        old = review.old_object if review.operation == "UPDATE" else None
        return WaiverRequest(review.object, old, review.user, review.groups, self._clock(), review.dry_run)

    def _judge(self, request: WaiverRequest, engine: Engine, *, unattested: str) -> tuple[Evaluation, ...]:
        return judge_waiver(
            request,
            policies=_policies(request, engine),
            approvers=engine.configuration.approvers,
            unattested=unattested,
        )

    def _attestation(self, request: WaiverRequest, engine: Engine) -> str:
        """The envelope, as text, in which this webhook attests what `request` approves; empty where it must not."""
        approvers = engine.configuration.approvers
        if self._signer is None or approvers is None or _problems(request.new, engine):
            return ""
        if any(each.findings for each in self._judge(request, engine, unattested="")):
            return ""
        groups = approvers.for_groups(request.groups, _policies(request, engine))
        try:
            envelope = signed_envelope(WITNESSED_TYPE, witnessed_payload(request.new, groups), self._signer)
        except (InputError, EvidenceUnavailable):
            return ""  # said by `_unattested`
        return canonical_json(envelope_document(envelope)).decode()

    def _unattested(self, request: WaiverRequest, engine: Engine) -> str:
        """Why the object does not hold an approval that will count; found out by the loader that will load it."""
        approvers = engine.configuration.approvers
        if approvers is None:
            return "no list of approvers is configured"
        if self._signer is None:
            return "this webhook has no key to attest it with; set approval_key"
        if key_id(self._signer.public_key) not in {key_id(key) for key in approvers.witnesses}:
            return "the key of this webhook is not among the witnesses in the list of approvers"
        trusted = Document("approvers", 0, 1, approvers.document)
        try:
            (waiver,) = build(
                [Document("object", 0, 1, request.new)], engine.policies, approvers=trusted, unbound=True
            ).waivers
        except (ConfigError, InputError) as error:
            return str(error)
        return waiver.unattested


def with_evaluations(decision: Decision, more: tuple[Evaluation, ...]) -> Decision:
    """`decision` with `more` evaluations, and the outcome that they have together."""
    if not more:
        return decision
    evaluations = tuple(sorted((*decision.evaluations, *more), key=lambda each: each.binding))
    return replace(decision, evaluations=evaluations, outcome=combine(evaluations))


def _concerns(review: Review) -> bool:
    return (
        review.kind.group == _GROUP
        and review.kind.kind in KINDS
        and review.operation in ("CREATE", "UPDATE")
        and not review.subresource
    )


def _policies(request: WaiverRequest, engine: Engine) -> list[PolicyMetadata]:
    names = request.spec.get("policies")
    known = engine.policies.policies
    return [known[name] for name in names if name in known] if isinstance(names, list) else []


def _problems(obj: Mapping[str, Any], engine: Engine) -> list[Finding]:
    """Why `obj` could not be loaded, as far as it alone tells."""
    try:
        build([Document("object", 0, 1, obj)], engine.policies, unbound=True)
    except ConfigError as error:
        return [Finding(problem.message, problem.where.partition(", ")[2].rstrip("/")) for problem in error.problems]
    return []


def _name_taken(review: Review, engine: Engine) -> list[Finding]:
    """A file of the configuration may have a document of that name. Together they would not load, and whoever may ask
    for a waiver could keep every other change from coming into force."""
    configuration = engine.configuration
    if review.kind.kind == "Waiver":
        sources = [waiver.source for waiver in configuration.waivers if waiver.name == review.name]
    else:
        sources = [binding.source for binding in configuration.bindings if binding.name == review.name]
    if any(not source.endswith(f".{_GROUP}/{review.name}") for source in sources):
        message = (
            f"a file of the webhook's configuration has a {review.kind.kind} named {review.name}; name it otherwise"
        )
        return [Finding(message, "/metadata/name")]
    return []


def _stamped(obj: Mapping[str, Any], patches: list[Patch]) -> Mapping[str, Any]:
    """`obj` with `patches` of fields of its spec."""
    if not patches:
        return obj
    spec = dict(obj["spec"])
    spec.update({patch.path.removeprefix("/spec/"): patch.value for patch in patches})
    return {**obj, "spec": spec}
