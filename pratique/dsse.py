"""DSSE v1.0: a signed payload with its type (github.com/secure-systems-lab/dsse, protocol.md and envelope.md)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pratique.errors import InputError, VerificationError
from pratique.keys import PublicKey, verify

MAX_SIGNATURES = 16
"""Protects from an envelope that keeps us busy verifying."""


@dataclass(frozen=True, slots=True)
class Signature:
    """`key_id` is a hint, and not authenticated (envelope.md): nothing is decided by it."""

    key_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def signed_by(self, key: PublicKey) -> bytes:
        """The payload, proven to be signed with `key`: the caller is to parse that, and nothing else.

        Raises:
            VerificationError: none of the signatures is of that key.
        """
        message = pre_authentication_encoding(self.payload_type, self.payload)
        failure = VerificationError("there is no signature")
        for signature in self.signatures:
            try:
                verify(key, signature=signature.value, message=message)
            except VerificationError as error:
                failure = error
            else:
                return self.payload
        raise failure


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """What is signed (protocol.md, PAE): type and payload, each with its length, so that neither can flow into the
    other."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope_document(envelope: Envelope) -> dict[str, Any]:
    """The envelope as JSON has it (envelope.md)."""
    return {
        "payloadType": envelope.payload_type,
        "payload": base64.b64encode(envelope.payload).decode(),
        "signatures": [
            {"keyid": signature.key_id, "sig": base64.b64encode(signature.value).decode()}
            for signature in envelope.signatures
        ],
    }


def parse_envelope(value: Any) -> Envelope:
    """The envelope that `value`, a parsed JSON document, is.

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("signatures"), list):
        raise InputError("this is not a DSSE envelope, an object with payloadType, payload and signatures")
    if not 0 < len(value["signatures"]) <= MAX_SIGNATURES:
        raise InputError(f"a DSSE envelope has from 1 to {MAX_SIGNATURES} signatures")
    signatures = []
    for signature in value["signatures"]:
        if not isinstance(signature, Mapping) or not isinstance(signature.get("keyid", ""), str):
            raise InputError("a signature of the DSSE envelope is not an object with keyid and sig")
        signatures.append(Signature(signature.get("keyid", ""), _decoded(signature.get("sig"), "sig")))
    if not isinstance(value.get("payloadType"), str):
        raise InputError("the payloadType of the DSSE envelope is not text")
    return Envelope(value["payloadType"], _decoded(value.get("payload"), "payload"), tuple(signatures))


def _decoded(value: object, name: str) -> bytes:
    """Base64 of either alphabet (protocol.md: a verifier takes both)."""
    if isinstance(value, str):
        try:
            return base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError(f"the {name} of the DSSE envelope is not base64: {error}") from error
    raise InputError(f"the DSSE envelope has no {name}")
