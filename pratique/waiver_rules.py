"""The built-in rules about Waiver and PolicyBinding objects in a cluster. Pure: who did what when comes in, evaluations
come out.

A Waiver is made by its requester, whom the webhook stamps into it, and approved by an update that sets `approvedBy` and
nothing else, by a member of an approver group, whom the webhook attests in an annotation (`pratique.approvers`,
`WITNESSED_TYPE`). From then on it stays as it is. These rules are no Rego, because what is judged here is the request
and not the object; they have ids, are recorded like all others, and no binding can switch them off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pratique.approvers import ApproverList, same_person
from pratique.builtin import APPROVED, REQUESTED, UNCHANGED, evaluation
from pratique.configuration import APPROVAL_ANNOTATION
from pratique.decision import Evaluation, Finding, Patch
from pratique.pointer import escape
from pratique.policy import PolicyMetadata
from pratique.waiver import written_time

CLOCK_TOLERANCE = timedelta(minutes=1)
"""Between the stamp and the verdict; the two may be made by two replicas."""

_APPROVAL_FIELDS = ("approvedBy", "approvedAt")


@dataclass(frozen=True, slots=True)
class WaiverRequest:
    """One CREATE (`old` is None) or UPDATE of a Waiver, by whom and when; the objects as the API server has them."""

    new: Mapping[str, Any]
    old: Mapping[str, Any] | None
    user: str
    groups: tuple[str, ...]
    now: datetime
    dry_run: bool = False

    @property
    def spec(self) -> Mapping[str, Any]:
        return _spec(self.new)

    @property
    def old_spec(self) -> Mapping[str, Any]:
        return _spec(self.old or {})

    @property
    def approves(self) -> bool:
        """Whether this is what approves the waiver."""
        return self.old is not None and "approvedBy" not in self.old_spec and "approvedBy" in self.spec


def _spec(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = obj.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _annotation(obj: Mapping[str, Any] | None) -> object:
    metadata = (obj or {}).get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return annotations.get(APPROVAL_ANNOTATION) if isinstance(annotations, Mapping) else None


# Stamps


def stamps(request: WaiverRequest) -> list[Patch]:
    """What is written into the object: who asked for it, or when it was approved. Whether they may is judged later."""
    if not isinstance(request.new.get("spec"), Mapping):
        return []
    if request.old is None and request.spec.get("requestedBy") != request.user:
        return [Patch("add", "/spec/requestedBy", request.user)]
    if request.approves and not _is_now(request.spec.get("approvedAt"), request.now):
        return [Patch("add", "/spec/approvedAt", written_time(request.now))]
    return []


def annotation_patches(obj: Mapping[str, Any], value: str) -> list[Patch]:
    """What puts the attested approval into `obj`."""
    patches = []
    metadata = obj.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("annotations"), Mapping):
        patches.append(Patch("add", "/metadata/annotations", {}))
    patches.append(Patch("add", f"/metadata/annotations/{escape(APPROVAL_ANNOTATION)}", value))
    return patches


def _is_now(text: object, now: datetime) -> bool:
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return False
    return time is not None and time.tzinfo is not None and abs(time - now) <= CLOCK_TOLERANCE


# Rules


def judge_waiver(
    request: WaiverRequest,
    *,
    policies: Sequence[PolicyMetadata],
    approvers: ApproverList | None,
    unattested: str,
) -> tuple[Evaluation, ...]:
    """The evaluation of each rule that this request is about.

    `policies` are those that the waiver is from. `unattested` says why the object as it is now does not hold an
    attested approval.
    """
    if request.old is not None and "approvedBy" in request.old_spec:
        return (evaluation(UNCHANGED, _unchanged(request)),)
    if request.approves:
        return (evaluation(APPROVED, _approved(request, policies, approvers, unattested)),)
    return (evaluation(REQUESTED, _requested(request)),)


def _requested(request: WaiverRequest) -> list[Finding]:
    findings = []
    who = request.spec.get("requestedBy")
    if request.old is None:
        if who != request.user:
            findings.append(
                Finding(f"you are {request.user}, not {who}: the webhook fills this in", "/spec/requestedBy")
            )
    elif who != request.old_spec.get("requestedBy"):
        asked = request.old_spec.get("requestedBy")
        findings.append(Finding(f"{asked} asked for this waiver, and that stays so", "/spec/requestedBy"))
    elif request.spec != request.old_spec and request.user != who:
        findings.append(Finding(f"{who} asked for this waiver; you are {request.user}, and cannot change it", "/spec"))
    findings += [
        Finding("a waiver is approved after it was asked for, by an update that sets approvedBy", f"/spec/{name}")
        for name in _APPROVAL_FIELDS
        if name in request.spec
    ]
    if _annotation(request.new) is not None:
        path = f"/metadata/annotations/{escape(APPROVAL_ANNOTATION)}"
        findings.append(Finding("nobody approved this waiver yet, so nothing attests that", path))
    return findings


def _approved(
    request: WaiverRequest, policies: Sequence[PolicyMetadata], approvers: ApproverList | None, unattested: str
) -> list[Finding]:
    findings = []
    spec, old = request.spec, request.old_spec
    changed = sorted(
        name
        for name in {*spec, *old} - set(_APPROVAL_FIELDS)
        if name not in spec or name not in old or spec[name] != old[name]
    )
    findings += [
        Finding("an approval changes nothing else: approve what was asked for", f"/spec/{escape(name)}")
        for name in changed
    ]
    by = spec["approvedBy"]
    if by != request.user:
        findings.append(Finding(f"you are {request.user}, and cannot approve in the name of {by}", "/spec/approvedBy"))
    requester = old.get("requestedBy")
    if isinstance(requester, str) and same_person(request.user, requester):
        findings.append(
            Finding(f"{requester} asked for this waiver; somebody else must approve it", "/spec/approvedBy")
        )
    if approvers is None:
        findings.append(Finding("no list of approvers is configured, so nobody can approve", "/spec/approvedBy"))
    elif not approvers.for_groups(request.groups, policies):
        names = ", ".join(policy.name for policy in policies)
        message = f"{request.user} is in no group that may approve waivers from {names}"
        findings.append(Finding(message, "/spec/approvedBy"))
    if not _is_now(spec.get("approvedAt"), request.now):
        findings.append(Finding("the time of the approval is now; leave it out, it is filled in", "/spec/approvedAt"))
    elif approvers is not None and (why := _too_long(spec, policies, approvers)):
        findings.append(Finding(why, "/spec/expires"))
    if not findings and unattested and not request.dry_run:
        findings.append(Finding(f"the approval is not attested: {unattested}", "/spec/approvedBy"))
    return findings


def _too_long(spec: Mapping[str, Any], policies: Sequence[PolicyMetadata], approvers: ApproverList) -> str:
    try:
        start, end = datetime.fromisoformat(spec["approvedAt"]), datetime.fromisoformat(spec["expires"])
    except (KeyError, TypeError, ValueError):
        return "when it ends cannot be read"
    if end.tzinfo is None:
        return "when it ends has no time zone"
    if end <= start:
        return "it is over already"
    return approvers.why_too_long(policies, start=start, end=end)


def _unchanged(request: WaiverRequest) -> list[Finding]:
    message = f"{request.old_spec['approvedBy']} approved this waiver as it was"
    findings = [Finding(message, "/spec")] if request.spec != request.old_spec else []
    if _annotation(request.new) != _annotation(request.old):
        path = f"/metadata/annotations/{escape(APPROVAL_ANNOTATION)}"
        findings.append(Finding(f"{message}, and this attests it", path))
    return findings
