"""The words that the parts of `attestations/` share: what is found in a registry, and what became of it.

    discovery    image reference -> Found: pieces of evidence, each with the digest that it covers
    verification Piece -> Verified | Refused: who signed what about which digest
    sbom, vulnerabilities, provenance   the predicate of a Verified, or a Piece that nobody signed -> a small fact

Nothing here asks a registry or knows a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any


class Layout(Enum):
    """How a piece of evidence is kept beside its image; detected, never configured."""

    BUNDLE = "bundle"
    """A Sigstore bundle (`application/vnd.dev.sigstore.bundle...+json`) that refers to the image: cosign v3, others."""
    COSIGN_SIGNATURE = "cosign-signature"
    """A layer of the `.sig` tag: simple signing, signature and certificate in the annotations of the layer."""
    COSIGN_ATTESTATION = "cosign-attestation"
    """A layer of the `.att` tag: a DSSE envelope, certificate in the annotations of the layer."""
    DSSE = "dsse"
    """A bare DSSE envelope that refers to the image."""
    BUILDKIT = "buildkit"
    """A layer of an `attestation-manifest` entry of the image's index: an in-toto statement that nobody signed."""
    DOCUMENT = "document"
    """A plain document that refers to the image (an SBOM pushed by oras, say)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence as it was found.

    `covers` is the digest of the manifest or index that it hangs on; `platform` (`linux/amd64`) is that manifest's,
    empty for an index and for an image that is one manifest. `manifest` and `layer` are the digests of where it is
    from. `annotations` are those of the layer.
    """

    layout: Layout
    covers: str
    platform: str
    media_type: str
    content: bytes
    manifest: str
    layer: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""


@dataclass(frozen=True, slots=True)
class Unread:
    """What refers to the image and could not be read as evidence; `reason` is one sentence."""

    covers: str
    manifest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """All that hangs on an image.

    `digest` is what the reference resolved to, `root` the bytes of the manifest or index that has it, `manifests` the
    platforms of the manifests below it by digest (itself, with an empty platform, where it is one manifest).
    """

    registry: str
    repository: str
    digest: str
    manifests: Mapping[str, str]
    pieces: tuple[Piece, ...]
    unread: tuple[Unread, ...] = ()
    root: bytes = b""


class Reason(Enum):
    """Why a piece of evidence does not count; each refusal has one."""

    UNSIGNED = "unsigned"
    MALFORMED = "malformed"
    WRONG_SUBJECT = "wrong-subject"
    WRONG_IDENTITY = "wrong-identity"
    UNKNOWN_KEY = "unknown-key"
    REVOKED_KEY = "revoked-key"
    EXPIRED = "expired"
    BAD_SIGNATURE = "bad-signature"
    NOT_IN_LOG = "not-in-log"
    TRUST_ROOT = "trust-root"
    TOO_LARGE = "too-large"


@dataclass(frozen=True, slots=True)
class Refused:
    """`piece` does not count. `message` is one sentence, for the person whose image it is."""

    piece: Piece
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class SignedBy:
    """One signature that holds: `signer` is the name that the trust configuration gives to who made it.

    Of a key, `key_id` is `sha256:<hex>` over its SubjectPublicKeyInfo; of a certificate, `identity` and `issuer` are as
    Fulcio wrote them, and `key_id` is empty unless the signer lists the key as well. `at` is when, where a log or a
    time stamp proves it; None where only the key vouches for it.
    """

    signer: str
    key_id: str = ""
    identity: str = ""
    issuer: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """`piece` is signed, about the digest `subject`, which the image has (its index or a manifest of it).

    `predicate_type` is that of the in-toto statement, `https://sigstore.dev/cosign/sign/v1` for a plain signature of
    whatever layout. `predicate` is what was signed, parsed from the signed bytes alone.
    """

    piece: Piece
    subject: str
    predicate_type: str
    predicate: Any
    signed_by: tuple[SignedBy, ...]


SIGNATURE_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
"""cosign v3's own statement; a `.sig` layer stands for the same."""
