"""What cosign kept before there were bundles: signature, certificate and log entry in the annotations of a layer
(github.com/sigstore/cosign, specs/SIGNATURE_SPEC.md; pkg/oci/static has the annotations)."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestations.bundle import MAX_PIECE_BYTES, LogEntry, Material, parse_dsse
from attestations.evidence import Reason
from attestations.protojson import base64_octets, child, hexadecimal, number, octets, read_object, text
from attestations.public_keys import ASN1_ERRORS
from attestations.refusal import Refusal, malformed
from pratique.dsse import Envelope

SIGNATURE = "dev.cosignproject.cosign/signature"
CERTIFICATE = "dev.sigstore.cosign/certificate"
LOG_ENTRY = "dev.sigstore.cosign/bundle"
TIMESTAMP = "dev.sigstore.cosign/rfc3161timestamp"
"""The annotations that are read. `dev.sigstore.cosign/chain` is not: the trust root has the chain."""

MAX_ANNOTATION_CHARACTERS = 2**20
"""Protects from a manifest that is mostly annotation; cosign's have some kilobytes."""


def signature_of(annotations: Mapping[str, str]) -> bytes:
    """The signature of a `.sig` layer. Raises: Refusal."""
    value = _annotation(annotations, SIGNATURE)
    if not value:
        raise Refusal(Reason.UNSIGNED, f"the layer has no signature: its annotation {SIGNATURE} is missing")
    return base64_octets(value, SIGNATURE)


def envelope_of(content: bytes) -> Envelope:
    """The envelope that is the content of an `.att` layer. Raises: Refusal."""
    return parse_dsse(read_object(content, "the envelope", MAX_PIECE_BYTES))


def material_of(annotations: Mapping[str, str]) -> Material:
    """What the annotations say that proves the signature. Raises: Refusal."""
    entry, timestamp = _annotation(annotations, LOG_ENTRY), _annotation(annotations, TIMESTAMP)
    return Material(
        certificate=_certificate(_annotation(annotations, CERTIFICATE)),
        entries=(_entry(entry),) if entry else (),
        timestamps=(_timestamp(timestamp),) if timestamp else (),
    )


def _annotation(annotations: Mapping[str, str], name: str) -> str:
    value = annotations.get(name, "")
    if not isinstance(value, str):
        raise malformed(f"the annotation {name} is not text")
    if len(value) > MAX_ANNOTATION_CHARACTERS:
        message = f"the annotation {name} has more than {MAX_ANNOTATION_CHARACTERS} characters, and is not read"
        raise Refusal(Reason.TOO_LARGE, message)
    return value


def _certificate(pem: str) -> bytes:
    if not pem:
        return b""
    try:
        return x509.load_pem_x509_certificate(_utf8(pem)).public_bytes(Encoding.DER)
    except ASN1_ERRORS as error:
        raise malformed(f"the annotation {CERTIFICATE} is not a certificate in PEM") from error


def _entry(annotation: str) -> LogEntry:
    """cosign, pkg/cosign/bundle: the reply of Rekor v1 with a promise, and no proof."""
    document = read_object(_utf8(annotation), f"the annotation {LOG_ENTRY}", MAX_ANNOTATION_CHARACTERS)
    payload = child(document, "Payload")
    body = octets(payload, "body")
    kind = read_object(body, "the body of the log entry", MAX_ANNOTATION_CHARACTERS)
    return LogEntry(
        index=number(payload, "logIndex"),
        log=hexadecimal(text(payload, "logID"), "logID"),
        kind=text(kind, "kind"),
        version=text(kind, "apiVersion"),
        time=number(payload, "integratedTime"),
        promise=octets(document, "SignedEntryTimestamp"),
        proof=None,
        body=body,
    )


def _timestamp(annotation: str) -> bytes:
    document = read_object(_utf8(annotation), f"the annotation {TIMESTAMP}", MAX_ANNOTATION_CHARACTERS)
    return octets(document, "SignedRFC3161Timestamp")


def _utf8(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise malformed("an annotation is not Unicode text") from error
