"""Waivers: time-boxed, reasoned exceptions, approved by somebody other than their requester."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from pratique.errors import VerificationError
from pratique.matching import Match, MatchInputs
from pratique.policy import PolicyMetadata
from pratique.selector import glob_matches
from pratique.subject import ImageRef


@dataclass(frozen=True, slots=True)
class Waiver:
    """An exception from `policies` for what `match` covers, from `approved_at` until `expires`.

    Without `parameters` the policies are waived whole; with them, their limits are raised up to there. `images` are
    globs: where there are any, every image of the object must match one. `unattested` says why the approval is not
    proven; a waiver counts only where it is empty. `document` is the document as it was approved, `digest` is over its
    canonical form.
    """

    name: str
    policies: frozenset[str]
    match: Match
    parameters: Mapping[str, Any]
    reason: str
    requested_by: str
    approved_by: str
    expires: datetime
    digest: str
    unattested: str
    ticket: str = ""
    compensating_control: str = ""
    images: tuple[str, ...] = ()
    approved_at: datetime | None = None
    source: str = field(default="", compare=False)
    document: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def adds(self, policy: PolicyMetadata) -> bool:
        """Whether it only adds to lists of `policy`, so that several such waivers of one object add up."""
        return bool(self.parameters) and self.parameters.keys() <= policy.additive

    @property
    def reference(self) -> str:
        """How evaluations name this waiver: two of one name that differ in anything are told apart."""
        return f"{self.name}@{self.digest}"

    def covers(self, policy: str, inputs: MatchInputs, images: Sequence[ImageRef]) -> bool:
        """Whether this waiver is meant for `policy` on that subject, whether or not it counts."""
        return policy in self.policies and self.match.matches(inputs).applies and self._covers_images(images)

    def _covers_images(self, images: Sequence[ImageRef]) -> bool:
        if not self.images:
            return True
        return bool(images) and all(any(image_matches(glob, image) for glob in self.images) for image in images)

    def why_not(self, now: datetime) -> str:
        """Why the waiver does not count at `now`; empty if it does. It counts from the second of its approval until
        before that of its end."""
        if self.unattested:
            return self.unattested
        if now >= self.expires:
            return f"it expired at {written_time(self.expires)}"
        if self.approved_at is not None and now < self.approved_at:
            return f"it counts from {written_time(self.approved_at)} on, which its approval says"
        return ""


def raised(parameters: Mapping[str, Any], waivers: Sequence[Waiver], policy: PolicyMetadata) -> dict[str, Any]:
    """`parameters` of a binding as `waivers` raise them: lists of additive parameters are united, of others the last
    waiver's value counts."""
    found = dict(parameters)
    for waiver in waivers:
        for name, value in waiver.parameters.items():
            if name in policy.additive:
                held = found.get(name, [])
                value = [*held, *(each for each in value if each not in held)]
            found[name] = value
    return found


def image_matches(glob: str, image: ImageRef) -> bool:
    """Whether `image` matches `glob`: its registry and repository, or with tag and digest where the glob has any.

    Names are compared with the defaults filled in (`nginx` is `docker.io/library/nginx`); a reference that does not
    parse matches nothing.
    """
    if image.error or not image.repository:
        return False
    name = f"{image.registry}/{image.repository}"
    if ":" not in glob.rpartition("/")[2] and "@" not in glob:
        return glob_matches(glob, name)
    tag = f":{image.tag}" if image.tag else ""
    digest = f"@{image.digest}" if image.digest else ""
    return glob_matches(glob, name + tag + digest)


def written_time(time: datetime) -> str:
    """`time` as documents and messages have it: UTC, to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


class ApprovalVerifier(Protocol):
    """Proves that a waiver was approved, and by whom. Implemented by `pratique.approvers.SignedApprovals`, and by
    `NoApprovals` where nobody can approve."""

    def approved(self, document: Mapping[str, Any], policies: Sequence[PolicyMetadata]) -> Mapping[str, Any]:
        """The `document` of a waiver from `policies` as it was approved: complete with `approvedBy` and `approvedAt`.

        Raises:
            VerificationError: there is no approval that counts; the sentence goes on after "it does not count:".
        """


class NoApprovals:
    """Where no approver is configured, nothing can be approved."""

    def approved(self, document: Mapping[str, Any], policies: Sequence[PolicyMetadata]) -> Mapping[str, Any]:
        """Raises: VerificationError, always."""
        raise VerificationError("its approval is not attested: no approver's key or identity is configured")
