"""A Sigstore bundle, parsed (github.com/sigstore/protobuf-specs, sigstore_bundle.proto, versions 0.1 to 0.3), and the
words that it shares with the layouts that came before it: what was signed, and what is said to prove it.

Nothing is verified here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attestations.protojson import (
    child,
    children,
    number,
    octets,
    optional_child,
    read_object,
    text,
)
from attestations.refusal import malformed
from pratique.dsse import Envelope, parse_envelope
from pratique.errors import InputError

MAX_PIECE_BYTES = 16 * 2**20
"""Protects from evidence that fills the memory: the largest SBOMs that are attested have about half of that."""

MAX_LOG_ENTRIES = 8
"""Protects from a bundle that keeps us busy with logs; signers write to one or two."""

MAX_TIMESTAMPS = 8
"""Protects from a bundle that keeps us busy with time stamps; signers ask one or two authorities."""

MAX_PROOF_HASHES = 64
"""A tree of more than 2^63 entries would need more (RFC 9162 2.1.3)."""

_VERSIONS = {
    "application/vnd.dev.sigstore.bundle+json;version=0.1": 1,
    "application/vnd.dev.sigstore.bundle+json;version=0.2": 2,
    "application/vnd.dev.sigstore.bundle+json;version=0.3": 3,
    "application/vnd.dev.sigstore.bundle.v0.3+json": 3,
}
"""The media types that are known, and the minor version of each."""

ALGORITHMS = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}
"""sigstore_common.proto, HashAlgorithm; what is older or newer is not taken."""


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """What proves that an entry is in a log (sigstore_rekor.proto, InclusionProof). `index` counts in the tree of
    `size` leaves, `checkpoint` is the note that the log signed."""

    index: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of a transparency log (sigstore_rekor.proto, TransparencyLogEntry). `time` is in seconds since 1970, 0
    where there is none; `promise` is empty where there is none."""

    index: int
    log: bytes
    kind: str
    version: str
    time: int
    promise: bytes
    proof: InclusionProof | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Material:
    """What is said to prove a signature; what is missing is empty.

    `certificate` is in DER, `timestamps` are replies as RFC 3161 has them. `hint` says which key it is, as whoever
    signed chose to call it: nothing is decided by it.
    """

    certificate: bytes = b""
    entries: tuple[LogEntry, ...] = ()
    timestamps: tuple[bytes, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class MessageSignature:
    """A signature of bytes that are elsewhere (sigstore_common.proto). `digest` says of which, and is not proven; it is
    empty where the bundle does not say."""

    algorithm: str
    digest: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    content: Envelope | MessageSignature
    material: Material


def parse_bundle(content: bytes) -> Bundle:
    """The bundle that `content` is.

    Raises:
        Refusal: it is none, or lacks what its version demands.
    """
    document = read_object(content, "the bundle", MAX_PIECE_BYTES)
    media_type = text(document, "mediaType")
    version = _VERSIONS.get(media_type)
    if version is None:
        raise malformed(f"the bundle has the media type {media_type[:100]!r}, which is not one of versions 0.1 to 0.3")
    return Bundle(_content(document), _material(child(document, "verificationMaterial"), version))


def _content(document: Mapping[str, Any]) -> Envelope | MessageSignature:
    """One of the two, as the `oneof content` of the schema has it."""
    envelope, message = optional_child(document, "dsseEnvelope"), optional_child(document, "messageSignature")
    if (envelope is None) == (message is None):
        raise malformed("a bundle has either a dsseEnvelope or a messageSignature")
    if envelope is not None:
        parsed = parse_dsse(envelope)
        if len(parsed.signatures) != 1:  # sigstore_bundle.proto, Bundle.dsse_envelope
            raise malformed(f"the envelope of a bundle has one signature, this has {len(parsed.signatures)}")
        return parsed
    assert message is not None  # noqa: S101 - one of the two is there
    digest = optional_child(message, "messageDigest")
    value = octets(message, "signature")
    if not digest:  # cosign leaves it empty for keys of Ed25519
        return MessageSignature("", b"", value)
    algorithm = ALGORITHMS.get(text(digest, "algorithm"))
    if algorithm is None:
        raise malformed("the messageDigest is not one of SHA2_256, SHA2_384 and SHA2_512")
    return MessageSignature(algorithm, octets(digest, "digest"), value)


def parse_dsse(document: Mapping[str, Any]) -> Envelope:
    """The DSSE envelope that `document` is. Raises: Refusal."""
    try:
        return parse_envelope(document)
    except InputError as error:
        raise malformed(str(error)) from error


def _material(document: Mapping[str, Any], version: int) -> Material:
    entries = tuple(_entry(entry, version) for entry in children(document, "tlogEntries", limit=MAX_LOG_ENTRIES))
    stamps = optional_child(document, "timestampVerificationData") or {}
    timestamps = tuple(
        octets(each, "signedTimestamp") for each in children(stamps, "rfc3161Timestamps", limit=MAX_TIMESTAMPS)
    )
    if len(set(timestamps)) != len(timestamps):
        raise malformed("the bundle has one time stamp twice")
    key = optional_child(document, "publicKey")
    return Material(_certificate(document), entries, timestamps, "" if key is None else text(key, "hint", ""))


def _certificate(document: Mapping[str, Any]) -> bytes:
    """The signing certificate; none where there is a public key, which stays with who verifies
    (sigstore_bundle.proto, `oneof content` of VerificationMaterial)."""
    given = [name for name in ("certificate", "x509CertificateChain", "publicKey") if document.get(name) is not None]
    if len(given) != 1:
        raise malformed("the verificationMaterial has one of certificate, x509CertificateChain and publicKey")
    if given == ["publicKey"]:
        return b""
    if given == ["certificate"]:
        return octets(child(document, "certificate"), "rawBytes")
    chain = children(child(document, "x509CertificateChain"), "certificates")
    if not chain:
        raise malformed("the x509CertificateChain is empty")
    return octets(chain[0], "rawBytes")  # the others are not ours to trust: the trust root has its own


def _entry(document: Mapping[str, Any], version: int) -> LogEntry:
    kind = child(document, "kindVersion")
    promise = optional_child(document, "inclusionPromise")
    entry = LogEntry(
        index=number(document, "logIndex"),
        log=octets(child(document, "logId"), "keyId"),
        kind=text(kind, "kind"),
        version=text(kind, "version"),
        time=number(document, "integratedTime"),
        promise=b"" if promise is None else octets(promise, "signedEntryTimestamp"),
        proof=_proof(document, version),
        body=octets(document, "canonicalizedBody"),
    )
    if version == 1 and not entry.promise:  # sigstore_bundle.proto, VerificationMaterial.tlog_entries
        raise malformed("an entry of a bundle of version 0.1 has an inclusionPromise, and this has none")
    if version > 1 and entry.proof is None:
        raise malformed(f"an entry of a bundle of version 0.{version} has an inclusionProof, and this has none")
    return entry


def _proof(document: Mapping[str, Any], version: int) -> InclusionProof | None:
    proof = optional_child(document, "inclusionProof")
    if proof is None:
        return None
    checkpoint = optional_child(proof, "checkpoint")
    if checkpoint is None:
        if version == 1:  # of use only with a checkpoint, which 0.1 does not demand
            return None
        raise malformed("the inclusionProof has no checkpoint")
    hashes = proof.get("hashes", [])
    if not isinstance(hashes, list) or len(hashes) > MAX_PROOF_HASHES:
        raise malformed(f"the inclusionProof does not have a list of at most {MAX_PROOF_HASHES} hashes")
    return InclusionProof(
        index=number(proof, "logIndex"),
        size=number(proof, "treeSize"),
        root=octets(proof, "rootHash"),
        hashes=tuple(octets({"hashes": each}, "hashes") for each in hashes),
        checkpoint=text(checkpoint, "envelope"),
    )
