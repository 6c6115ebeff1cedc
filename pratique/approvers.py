"""Who may approve waivers, for how long, and the proof that they did.

The list of approvers is trusted, so it lies apart from what it approves: whoever can write a waiver must not be able to
name its approver. An approval is a DSSE envelope (see docs/adr/0012) around the waiver's document in canonical form
(RFC 8785), complete with `approvedBy` and `approvedAt`. It is a function of the list, the waiver and the envelopes
alone, so that a recorded configuration gives the same waivers again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import rfc8785

from pratique import schemas
from pratique.canonical import parse_json
from pratique.decision import Severity
from pratique.dsse import Envelope, parse_envelope
from pratique.errors import ConfigError, InputError, Problem, VerificationError
from pratique.keys import PublicKey, key_id, read_public_key
from pratique.pointer import pointer
from pratique.policy import PolicyMetadata
from pratique.selector import glob_matches
from pratique.yamlfile import Document, load_documents

PAYLOAD_TYPE = "application/vnd.pratique.waiver.v1alpha1+json"
"""What an approval in a file signs: the waiver's document."""

WITNESSED_TYPE = "application/vnd.pratique.witnessed-waiver.v1alpha1+json"
"""What a webhook signs that saw an approval in a cluster: the waiver's document, and the groups of who approved it."""

MAX_APPROVERS_FILE_BYTES = 4 * 2**20
"""Protects the process from a path that was given by mistake."""

DEFAULT_MAXIMUM_DAYS: Mapping[Severity, int] = {
    Severity.LOW: 365,
    Severity.MEDIUM: 180,
    Severity.HIGH: 90,
    Severity.CRITICAL: 30,
}
"""From approval to end, where the list does not say: the worse what is waived, the sooner somebody looks again."""

_VALIDATOR = jsonschema_rs.validator_for(schemas.APPROVER_LIST)
_APPROVAL_FIELDS = ("approvedBy", "approvedAt")


@dataclass(frozen=True, slots=True)
class Approver:
    """Somebody who may approve waivers from the policies that match `policies`: in files with one of `keys`, in a
    cluster as a member of one of `groups`."""

    name: str
    policies: tuple[str, ...]
    keys: tuple[PublicKey, ...] = ()
    groups: frozenset[str] = frozenset()

    def why_not_for(self, policies: Sequence[PolicyMetadata]) -> str:
        """Which of `policies` this approver may not waive, as a sentence; empty if they may all."""
        for policy in policies:
            if not any(glob_matches(pattern, policy.name) for pattern in self.policies):
                return f"{self.name} is not an approver of {policy.name}"
        return ""


@dataclass(frozen=True, slots=True)
class ApproverList:
    """The approvers by name, how long a waiver may run by severity, and the keys of the webhooks that attest approvals
    in clusters. `document` is what this was read from."""

    approvers: Mapping[str, Approver]
    maximum: Mapping[Severity, timedelta]
    witnesses: tuple[PublicKey, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def why_too_long(self, policies: Sequence[PolicyMetadata], *, start: datetime, end: datetime) -> str:
        """Why a waiver from `policies` must not run from `start` to `end`; empty if it may."""
        for policy in policies:
            most = self.maximum[policy.severity]
            if end - start > most:
                return (
                    f"it runs for {_days(end - start)} from its approval on, and one from {policy.name}"
                    f" ({policy.severity}) may run for {_days(most)}"
                )
        return ""

    def for_groups(self, groups: Iterable[str], policies: Sequence[PolicyMetadata]) -> frozenset[str]:
        """Those of `groups` whose members may approve waivers from all of `policies`."""
        mine = frozenset(groups)
        return frozenset(
            group
            for approver in self.approvers.values()
            for group in approver.groups & mine
            if not approver.why_not_for(policies)
        )


def _days(span: timedelta) -> str:
    days, rest = divmod(span, timedelta(days=1))
    more = f" and {rest}" if rest else ""
    return f"{days} {'day' if days == 1 else 'days'}{more}"


# Reading the list


def read_approvers(path: Path) -> Document:
    """The document of the one list in the file at `path`, not looked at yet.

    Raises:
        ConfigError: the file cannot be read, or does not hold one document.
    """
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_APPROVERS_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(Problem(str(path), "", f"the approvers cannot be read: {error.strerror}")) from error
    if len(text) > MAX_APPROVERS_FILE_BYTES:
        message = f"the file is larger than {MAX_APPROVERS_FILE_BYTES} bytes; is it the right one?"
        raise ConfigError(Problem(str(path), "", message))
    found = list(load_documents(text, str(path)))
    problems = [each for each in found if isinstance(each, Problem)]
    documents = [each for each in found if isinstance(each, Document)]
    if problems:
        raise ConfigError(*problems)
    if len(documents) != 1:
        raise ConfigError(Problem(str(path), "", f"there are {len(documents)} documents; write one ApproverList"))
    return documents[0]


def approver_list(document: Document) -> ApproverList:
    """The list that `document` is.

    Raises:
        ConfigError: with every problem found.
    """
    value = document.value
    problems = [
        Problem(document.file, f"line {document.line}, {pointer(*error.instance_path) or '/'}", error.message[:300])
        for error in _VALIDATOR.iter_errors(value)
    ]
    if problems:
        raise ConfigError(*problems)
    approvers: dict[str, Approver] = {}
    owners: dict[str, str] = {}
    for index, entry in enumerate(value["spec"]["approvers"]):
        name, keys = entry["name"], []

        def wrong(message: str, *path: str | int, index: int = index) -> None:
            where = pointer("spec", "approvers", index, *path)
            problems.append(Problem(document.file, f"line {document.line}, {where}", message))

        if same_person(name, *approvers):
            wrong(f"there is a second approver named {name}; keep one, with all keys", "name")
        if not entry.get("keys") and not entry.get("groups"):
            wrong(f"{name} has neither keys nor groups, and could approve nothing; give one of them")
        for position, text in enumerate(entry.get("keys") or ()):
            try:
                key = read_public_key(text)
            except InputError as error:
                wrong(str(error), "keys", position)
                continue
            if (owner := owners.setdefault(key_id(key), name)) != name:
                wrong(f"{owner} has the same key; whose signature it is would not be known", "keys", position)
            keys.append(key)
        groups = frozenset(entry.get("groups") or ())
        approvers[name] = Approver(name, tuple(entry["policies"]), tuple(keys), groups)
    witnesses = []
    for position, text in enumerate(value["spec"].get("witnesses") or ()):
        where = f"line {document.line}, {pointer('spec', 'witnesses', position)}"
        try:
            key = read_public_key(text)
        except InputError as error:
            problems.append(Problem(document.file, where, str(error)))
            continue
        if key_id(key) in owners:
            owner = owners[key_id(key)]
            problems.append(Problem(document.file, where, f"this is a key of {owner}; a webhook needs one of its own"))
        witnesses.append(key)
    if problems:
        raise ConfigError(*problems)
    given = value["spec"].get("maximumDays") or {}
    maximum = {severity: timedelta(days=given.get(severity, DEFAULT_MAXIMUM_DAYS[severity])) for severity in Severity}
    kept = {key: value[key] for key in ("apiVersion", "kind", "spec")} | {
        "metadata": {"name": value["metadata"]["name"]}
    }
    return ApproverList(approvers, maximum, tuple(witnesses), kept)


def same_person(name: str, *others: str) -> bool:
    """Whether one of `others` is `name`, however it is written: no mail system tells Ada@ from ada@."""
    return name.strip().casefold() in {other.strip().casefold() for other in others}


# Approvals


def waiver_payload(document: Mapping[str, Any]) -> bytes:
    """The bytes of a waiver's `document` that are signed: its canonical form (RFC 8785), status left out.

    Raises:
        InputError: it holds a number that this form cannot carry.
    """
    kept = {
        "apiVersion": document["apiVersion"],
        "kind": document["kind"],
        "metadata": {"name": document["metadata"]["name"]},
        "spec": document["spec"],
    }
    try:
        return rfc8785.dumps(kept)
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        raise InputError(f"the waiver holds what canonical JSON cannot carry: {error}") from error


def witnessed_payload(document: Mapping[str, Any], groups: Iterable[str]) -> bytes:
    """What a webhook signs that saw a member of `groups` approve the waiver's `document`. Raises: InputError."""
    groups_json = rfc8785.dumps(sorted(groups))
    return b'{"groups":%b,"waiver":%b}' % (groups_json, waiver_payload(document))


@dataclass(frozen=True, slots=True)
class _Claim:
    """What an envelope says, nothing of which is proven yet. `groups` is None where the approver signed in person."""

    envelope: Envelope
    document: Mapping[str, Any]
    groups: tuple[str, ...] | None


class SignedApprovals:
    """The approvals that `envelopes` prove, as `approvers` allows them."""

    def __init__(self, approvers: ApproverList, envelopes: Iterable[Envelope]) -> None:
        self._approvers = approvers
        self._claims: dict[str, list[_Claim]] = {}
        for envelope in envelopes:
            claim = _claim(envelope)
            if claim is not None:
                self._claims.setdefault(claim.document["metadata"]["name"], []).append(claim)

    def approved(self, document: Mapping[str, Any], policies: Sequence[PolicyMetadata]) -> Mapping[str, Any]:
        """The document as an approver signed it; where there are several approvals, of the first that counts.

        Raises:
            VerificationError: there is no signature, or why the first of them does not count.
        """
        failure: VerificationError | None = None
        for claim in self._claims.get(document["metadata"]["name"], ()):
            try:
                return self._proven(claim, document, policies)
            except VerificationError as error:
                failure = failure or error
        raise failure or VerificationError("it is not approved: there is no signature for it")

    def _proven(
        self, claim: _Claim, document: Mapping[str, Any], policies: Sequence[PolicyMetadata]
    ) -> Mapping[str, Any]:
        spec = claim.document["spec"]
        by = spec["approvedBy"]
        # 1. the signature is that of the approver that the payload names, or of a webhook that saw them
        approver = self._approvers.approvers.get(by)
        if claim.groups is not None:
            self._check_witness(claim.envelope)
        elif approver is None:
            raise VerificationError(f"{by} is not in the list of approvers")
        else:
            self._check_signature(claim.envelope, approver)
        # 2. it is about this document and no other
        if changed := _changes(document, claim.document):
            raise VerificationError(
                f"it was changed after {by} approved it ({', '.join(changed)}); it has to be approved again"
            )
        # 3. the approver may approve it
        if same_person(spec["requestedBy"], by):
            raise VerificationError(f"{by} both asked for it and approved it; somebody else must approve it")
        if claim.groups is None and approver is not None and (why := approver.why_not_for(policies)):
            raise VerificationError(why)
        if claim.groups is not None and not self._approvers.for_groups(claim.groups, policies):
            names = ", ".join(policy.name for policy in policies)
            raise VerificationError(f"{by} was in no group that may approve waivers from {names}")
        start, end = datetime.fromisoformat(spec["approvedAt"]), datetime.fromisoformat(spec["expires"])
        if end <= start:
            raise VerificationError("it ends before it was approved")
        if why := self._approvers.why_too_long(policies, start=start, end=end):
            raise VerificationError(why)
        return claim.document

    def _check_witness(self, envelope: Envelope) -> None:
        for key in self._approvers.witnesses:
            try:
                envelope.signed_by(key)
            except VerificationError:
                continue
            return
        raise VerificationError(
            "its approval is not attested by a webhook whose key is listed as a witness, or was altered after that"
        )

    def _check_signature(self, envelope: Envelope, approver: Approver) -> None:
        for key in approver.keys:
            try:
                envelope.signed_by(key)
            except VerificationError:
                continue
            return
        for other in self._approvers.approvers.values():
            for key in other.keys:
                try:
                    envelope.signed_by(key)
                except VerificationError:
                    continue
                raise VerificationError(f"its approval names {approver.name}, and is signed with a key of {other.name}")
        raise VerificationError(
            f"its signature is not by a key that is listed for {approver.name}, or was altered after it was made"
        )


def _claim(envelope: Envelope) -> _Claim | None:
    """What `envelope` says, if it says it as we write it; an envelope of another type is none of ours."""
    if envelope.payload_type not in (PAYLOAD_TYPE, WITNESSED_TYPE):
        return None
    try:
        parse_json(envelope.payload)  # strict, and bounded in depth
        value = json.loads(envelope.payload)  # numbers as the canonical form has them: doubles
        if envelope.payload_type == WITNESSED_TYPE:
            document, groups = value["waiver"], tuple(value["groups"])
            expected = witnessed_payload(document, groups)
        else:
            document, groups = value, None
            expected = waiver_payload(document)
        spec = document["spec"]
        times = [datetime.fromisoformat(spec[name]) for name in ("approvedAt", "expires")]
        texts = [spec["approvedBy"], spec["requestedBy"], document["metadata"]["name"], *(groups or ())]
    except (InputError, KeyError, TypeError, ValueError):
        return None
    if expected != envelope.payload or any(time.tzinfo is None for time in times):
        return None
    return _Claim(envelope, document, groups) if all(isinstance(text, str) for text in texts) else None


def _changes(document: Mapping[str, Any], approved: Mapping[str, Any]) -> list[str]:
    """Where `document` says another thing than what was approved. Who approved it and when it need not repeat."""
    mine = dict(document["spec"])
    theirs = dict(approved["spec"])
    for name in _APPROVAL_FIELDS:
        if name not in mine:
            theirs.pop(name, None)
    found = [
        f"/spec{pointer(name)}"
        for name in sorted({*mine, *theirs})
        if name not in mine or name not in theirs or _canonical(mine[name]) != _canonical(theirs[name])
    ]
    if (document["apiVersion"], document["kind"]) != (approved["apiVersion"], approved["kind"]):
        found.append("/apiVersion")
    return found


def _canonical(value: Any) -> bytes | None:
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError):
        return None  # it cannot have been approved so


def envelopes_of(documents: Iterable[Mapping[str, Any]]) -> list[Envelope]:
    """The envelopes in documents of the kind WaiverApproval. Raises: InputError."""
    return [parse_envelope(document["spec"]) for document in documents]
