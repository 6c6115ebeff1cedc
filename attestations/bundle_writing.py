"""Writes Sigstore bundles: a DSSE envelope, and a hint which key it is (sigstore_bundle.proto, 0.3)."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import serialization

from attestations.signers import Signer, signed_envelope
from pratique.dsse import envelope_document
from pratique.waiver import written_time

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def signed_bundle(payload_type: str, payload: bytes, signer: Signer) -> dict[str, Any]:
    """`payload` in a bundle that `signer` signed, in no log: who verifies it has the key. Raises: EvidenceUnavailable.

    The hint is the base64 of the SHA-256 of the key's SubjectPublicKeyInfo, as cosign writes it.
    """
    encoded = signer.public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    hint = base64.b64encode(hashlib.sha256(encoded).digest()).decode()
    document = envelope_document(signed_envelope(payload_type, payload, signer))
    document["signatures"] = [{"sig": each["sig"]} for each in document["signatures"]]
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint}},
        "dsseEnvelope": document,
    }


def bundle_annotations(predicate_type: str, made: datetime) -> dict[str, str]:
    """What cosign writes beside the bundle of a statement where it hangs on an image (cosign 3, pkg/oci/remote)."""
    return {
        "org.opencontainers.image.created": written_time(made),
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": predicate_type,
    }
