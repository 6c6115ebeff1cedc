"""Approvers with their keys, and waivers that they sign: everything that an approval in a file is made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.approvers import PAYLOAD_TYPE, waiver_payload
from pratique.dsse import Envelope, Signature, envelope_document, pre_authentication_encoding
from pratique.keys import key_id
from pratique.yamlfile import Document

PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey
APPROVED_AT = "2026-11-01T00:00:00Z"


def ed25519(number: int = 1) -> Ed25519PrivateKey:
    """A key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def ecdsa(number: int = 1, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """A key that is the same in every run."""
    curve = curve or ec.SECP256R1()
    secret = int.from_bytes(hashlib.sha512(b"key %d" % number).digest() * 2) >> (1024 - curve.key_size + 1)
    return ec.derive_private_key(secret, curve)


def public_pem(key: PrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


def private_pem(key: PrivateKey, *, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def openssh_public(key: PrivateKey) -> str:
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


@dataclass(frozen=True, slots=True)
class Someone:
    """An approver of the tests."""

    name: str
    key: PrivateKey
    policies: tuple[str, ...] = ("*",)

    @property
    def entry(self) -> dict[str, Any]:
        return {"name": self.name, "policies": list(self.policies), "keys": [public_pem(self.key)]}


GRACE = Someone("grace@example.com", ed25519(1))
BOB = Someone("bob@example.com", ecdsa(2), policies=("workload/*",))


def approvers(*entries: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    """An ApproverList of `entries`, or of Grace and Bob."""
    return {
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "ApproverList",
        "metadata": {"name": "approvers"},
        "spec": {"approvers": list(entries) or [GRACE.entry, BOB.entry], **spec},
    }


def approvers_document(*entries: Mapping[str, Any], **spec: Any) -> Document:
    return Document("approvers.yaml", 0, 1, approvers(*entries, **spec))


def request(name: str, policies: list[str], **spec: Any) -> dict[str, Any]:
    """A waiver that nobody approved yet."""
    return {
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "Waiver",
        "metadata": {"name": name},
        "spec": {
            "policies": policies,
            "match": {},
            "reason": "a benchmark that was agreed on",
            "requestedBy": "ada@example.com",
            "expires": "2026-12-01T00:00:00Z",
            **spec,
        },
    }


def approved(document: Mapping[str, Any], *, by: str, at: str = APPROVED_AT) -> dict[str, Any]:
    """`document` with the fields that an approval adds."""
    return {**document, "spec": {**document["spec"], "approvedBy": by, "approvedAt": at}}


def sign(payload: bytes, key: PrivateKey, *, payload_type: str = PAYLOAD_TYPE) -> dict[str, Any]:
    """A DSSE envelope around `payload`."""
    message = pre_authentication_encoding(payload_type, payload)
    if isinstance(key, Ed25519PrivateKey):
        value = key.sign(message)
    else:
        algorithm = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.curve.key_size]
        value = key.sign(message, ec.ECDSA(algorithm))
    return envelope_document(Envelope(payload_type, payload, (Signature(key_id(key.public_key()), value),)))


def approval(
    document: Mapping[str, Any], someone: Someone = GRACE, *, at: str = APPROVED_AT, key: PrivateKey | None = None
) -> dict[str, Any]:
    """The envelope in which `someone` approves `document`, signed with another `key` if one is given."""
    return sign(waiver_payload(approved(document, by=someone.name, at=at)), key or someone.key)


def write_approval(folder: Path, name: str, envelope: Mapping[str, Any]) -> Path:
    path = folder / f"{name}.dsse.json"
    path.write_text(json.dumps(envelope))
    return path
