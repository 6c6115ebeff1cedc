"""What hangs on an image becomes facts: discovery, verification and digesting, one after the other (ADR 24).

`examine` is pure; `ImageReader` asks whoever discovers, and is what the store reads with.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol, TypeGuard

from attestations.discovery import discover
from attestations.documents import (
    MAX_REFUSED,
    Digest,
    digested,
    document_kind,
    image_facts,
    predicate_type_named,
)
from attestations.evidence import SIGNATURE_PREDICATE, Found, Layout, Piece, Refused, Verified
from attestations.evidence_config import EvidenceConfiguration
from attestations.evidence_file import RecordedImages, choices, root_of, united
from attestations.failures import (
    NotAsked,
    RateLimited,
    ServerFailed,
    TimedOut,
    TlsFailed,
    Unauthorised,
    Unreachable,
)
from attestations.hosts import matches_host
from attestations.provenance import TrustedBuilder
from attestations.registry import RegistryClient
from attestations.statements import MODEL_SIGNATURE
from attestations.trust import TrustConfiguration
from attestations.verification import Verifier
from pratique.subject import ImageRef

VERIFIER_VERSION = "2"
"""Raised whenever the same bytes would be judged otherwise: what was kept before is read again."""

_UNSIGNED = frozenset({Layout.BUILDKIT, Layout.DOCUMENT})
_SIGNATURES = frozenset({SIGNATURE_PREDICATE, MODEL_SIGNATURE})
_NO_ANSWER = (NotAsked, RateLimited, ServerFailed, TimedOut, TlsFailed, Unauthorised, Unreachable)
"""What evidence that was carried here stands in for. Not for what a registry has and we do not take: there may be a
newer scan in it, or an index that others read otherwise."""


class Discoverer(Protocol):
    """Finds what hangs on images: a registry, or an evidence file (`RecordedImages`)."""

    async def resolve(self, image: ImageRef, *, deadline: float) -> str:
        """The digest that the tag names now. Raises: NotFound, EvidenceUnavailable."""

    async def discover(self, image: ImageRef, digest: str, *, deadline: float) -> Found:
        """All that hangs on the image with `digest`. Raises: NotFound, EvidenceUnavailable."""


@dataclass(frozen=True, slots=True)
class Registries:
    """Discovers in registries, those whose hosts match one of `allowed`: whoever writes a manifest can name any host. A
    tag costs one request more than a digest."""

    client: RegistryClient
    allowed: tuple[str, ...] = ("*",)

    async def resolve(self, image: ImageRef, *, deadline: float) -> str:
        """The digest that the tag names now. Raises: NotFound, RegistryFailure."""
        self.check(image)
        return (await self.client.resolve(image.registry, image.repository, image.tag, deadline=deadline)).digest

    async def discover(self, image: ImageRef, digest: str, *, deadline: float) -> Found:
        """All that hangs on the image with `digest`. Raises: NotFound, RegistryFailure."""
        self.check(image)
        return await discover(self.client, replace(image, digest=digest), deadline=deadline)

    def check(self, image: ImageRef) -> None:
        """Raises: NotAsked: the registry of `image` may not be asked."""
        if self.allowed != ("*",) and not any(matches_host(each, image.registry) for each in self.allowed):
            raise NotAsked(
                f"{image.registry} is none of the registries that the evidence configuration allows to ask"
                f" ({', '.join(self.allowed)})"
            )


@dataclass(frozen=True, slots=True)
class Examination:
    """What became of each piece that was found, and the facts that they come to."""

    found: Found
    outcomes: tuple[tuple[Piece, tuple[Verified | Refused | Digest, ...]], ...]
    """For each piece, once: who signed it, why it does not count, what it says; nothing where it is of no use here."""
    facts: Mapping[str, Any]
    """By `attestations.store.FACT_NAMES`: a value or, as text, why there is none."""


def examine(found: Found, verifier: Verifier, builders: Sequence[TrustedBuilder] = ()) -> Examination:
    """Verify every piece and digest what counts."""
    digests = {found.digest, *found.manifests}
    verified = [
        (piece, () if piece.layout in _UNSIGNED else verifier.verify(piece, digests))
        for piece in _each_once(found.pieces)
    ]
    counting = _by_enough([each for _, said in verified for each in said if _is_document(each)], verifier)
    outcomes: list[tuple[Piece, tuple[Verified | Refused | Digest, ...]]] = []
    for piece, said in verified:
        evidence: list[Verified | Piece] = [counting[id(each)] for each in said if id(each) in counting]
        if piece.layout in _UNSIGNED:
            evidence = [piece]
        outcomes.append((piece, (*said, *(digest for each in evidence if (digest := digested(each)) is not None))))
    flat = [each for _, said in outcomes for each in said]
    refused = [each for each in flat if isinstance(each, Refused)]
    documents = image_facts(
        [each for each in flat if isinstance(each, Digest)],
        refused,
        digest=found.digest,
        platforms=found.manifests,
        builders=builders,
    )
    signatures = [each for each in flat if isinstance(each, Verified) and each.predicate_type in _SIGNATURES]
    facts: dict[str, Any] = {"digests": {"digest": found.digest}}
    facts["signatures"] = _signatures(found, verifier, signatures, refused)
    for name, words in (
        ("sbom", "no SBOM hangs"),
        ("vulnerabilities", "no scan for vulnerabilities hangs"),
        ("provenance", "no provenance hangs"),
    ):
        value = documents[name]
        unread = f"; one thing that does cannot be read: {found.unread[0].reason}" if found.unread else ""
        facts[name] = f"{words} on {_name(found)}{unread}" if value is None else value
    return Examination(found, tuple(outcomes), facts)


def _each_once(pieces: Iterable[Piece]) -> Collection[Piece]:
    """A thousand manifests may name one layer, which is fetched once, and would be read each time."""
    return {
        (each.layout, each.covers, each.media_type, each.content, tuple(sorted(each.annotations.items()))): each
        for each in pieces
    }.values()


def _is_document(outcome: Verified | Refused) -> TypeGuard[Verified]:
    return isinstance(outcome, Verified) and outcome.predicate_type not in _SIGNATURES


def _by_enough(documents: Sequence[Verified], verifier: Verifier) -> Mapping[int, Verified]:
    """By its id, each of `documents` with those signers only whose threshold is met: by it alone, or together with
    others that say the same of the same digest, as where each key has an envelope of its own."""
    met = {id(each): set(verifier.signers_met([each])) for each in documents}
    alike: dict[bytes, list[Verified]] = {}
    for each in documents:
        if not {by.signer for by in each.signed_by} <= met[id(each)]:
            said = repr((each.subject, each.predicate_type, each.predicate)).encode(errors="surrogatepass")
            alike.setdefault(hashlib.sha256(said).digest(), []).append(each)
    for same in alike.values():
        together = set(verifier.signers_met(same))
        for each in same:
            met[id(each)] |= together
    return {
        id(each): replace(each, signed_by=tuple(by for by in each.signed_by if by.signer in met[id(each)]))
        for each in documents
    }


def _signatures(
    found: Found, verifier: Verifier, signatures: Sequence[Verified], refused: Iterable[Refused]
) -> dict[str, Any] | str:
    told = [
        {"reason": each.reason.value, "message": each.message, "covers": each.piece.covers}
        for each in refused
        if _could_be_signature(each.piece)
    ]
    told += [{"reason": "malformed", "message": each.reason, "covers": each.covers} for each in found.unread]
    if not signatures and not told:
        return f"no signature hangs on {_name(found)}"
    return {
        "digest": found.digest,
        "signers": sorted(_signers(found, verifier, signatures)),
        "signatures": [
            {
                "signer": by.signer,
                "key_id": by.key_id,
                "identity": by.identity,
                "issuer": by.issuer,
                "covers": each.subject,
                "at": "" if by.at is None else f"{by.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            }
            for each in signatures
            for by in each.signed_by
        ],
        "refused": told[:MAX_REFUSED],
        "refused_count": len(told),
    }


def _signers(found: Found, verifier: Verifier, signatures: Sequence[Verified]) -> set[str]:
    """Who signed the image as a whole: its index, or every manifest of it, since each of them may run."""

    def met(digest: str) -> set[str]:
        return set(verifier.signers_met(each for each in signatures if each.subject == digest))

    whole = met(found.digest)
    try:
        chosen = choices(root_of(found.root, found.digest))
    except ValueError:
        return whole
    if not {entry.digest for entry in chosen} <= found.manifests.keys():
        return whole  # something in the index may run, and is no manifest that we looked at
    parts = [met(digest) for digest in found.manifests]
    return whole | set.intersection(*parts) if parts else whole


def _could_be_signature(piece: Piece) -> bool:
    """Whether a refused piece may have been meant as a signature, as far as its labels say."""
    if piece.layout in _UNSIGNED or piece.layout is Layout.COSIGN_ATTESTATION:
        return False
    predicate_type = predicate_type_named(piece)
    return predicate_type in ("", *_SIGNATURES) or document_kind("", predicate_type, None) is None


def _name(found: Found) -> str:
    return f"{found.registry}/{found.repository}@{found.digest}"


class ImageReader:
    """Reads images for the store: see `attestations.store.Reader`.

    `carried` holds evidence that was brought here as a file: it counts beside what hangs in the registry, and alone
    where that does not answer. All of it is verified here.
    """

    def __init__(
        self,
        configuration: EvidenceConfiguration,
        discoverer: Discoverer,
        *,
        carried: RecordedImages | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.configuration = configuration
        self._discoverer = discoverer
        self._carried = carried
        self._clock = clock
        self._version = " ".join((configuration.digest, VERIFIER_VERSION, *([carried.digest] if carried else ())))

    @property
    def version(self) -> str:
        """Stands for what is trusted, for how we verify, and for what was carried here."""
        return self._version

    @property
    def believed_until(self) -> datetime | None:
        """When a key begins or ends next."""
        return next_change(self.configuration.trust, self._clock())

    async def resolve(self, image: ImageRef, *, deadline: float) -> str:
        """The digest that the tag names now. Raises: NotFound, EvidenceUnavailable."""
        return await self._discoverer.resolve(image, deadline=deadline)

    async def read(self, image: ImageRef, digest: str, *, deadline: float) -> Mapping[str, Any]:
        """The facts about the image. Raises: NotFound, EvidenceUnavailable."""
        return (await self.examine(image, digest, deadline=deadline)).facts

    async def examine(self, image: ImageRef, digest: str, *, deadline: float) -> Examination:
        """Everything about the image, for a person to look at. Raises: NotFound, EvidenceUnavailable."""
        found = await self._found(image, digest, deadline)
        verifier = Verifier(self.configuration.trust, self._clock())
        return await asyncio.to_thread(examine, found, verifier, self.configuration.builders)

    async def _found(self, image: ImageRef, digest: str, deadline: float) -> Found:
        carried = self._carried.of(image.registry, image.repository, digest) if self._carried else None
        try:
            found = await self._discoverer.discover(image, digest, deadline=deadline)
        except _NO_ANSWER:
            if carried is None:
                raise
            return carried
        return found if carried is None else united(found, carried)


def next_change(trust: TrustConfiguration, now: datetime) -> datetime | None:
    """When a key of `trust` begins or ends next after `now`; None: never."""
    times: Collection[datetime] = {
        time
        for signer in trust.signers
        for key in signer.keys
        for time in (key.valid_from, key.valid_until)
        if time is not None and time > now
    }
    return min(times, default=None)
