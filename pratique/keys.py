"""Public keys that approve: Ed25519 (RFC 8032) and ECDSA on the NIST curves (FIPS 186-5), and nothing else.

They are written as PEM (RFC 7468 13, `BEGIN PUBLIC KEY`) or as the line that OpenSSH keeps in a `.pub` file.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pratique.errors import InputError, VerificationError

PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey

MAX_KEY_CHARACTERS = 16_384
"""Protects the parsers of keys from a file that was pasted by mistake."""

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
"""The hash that goes with each curve (RFC 5656 6.2.1 for OpenSSH; the same is usual elsewhere)."""


def read_public_key(text: str) -> PublicKey:
    """The key that `text` holds.

    Raises:
        InputError: it holds none, or one of a kind that is not taken.
    """
    if len(text) > MAX_KEY_CHARACTERS:
        raise InputError(f"a public key has at most {MAX_KEY_CHARACTERS} characters")
    try:
        if "PRIVATE KEY-----" in text:
            raise InputError("this is a private key; name the public one, and treat this one as known to everybody")
        if text.lstrip().startswith("-----BEGIN"):
            key: object = serialization.load_pem_public_key(text.encode())
        else:
            key = serialization.load_ssh_public_key(text.strip().encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(
            "this is not a public key; write PEM (BEGIN PUBLIC KEY) or the line of an OpenSSH .pub file"
        ) from error
    return checked_key(key)


def checked_key(key: object) -> PublicKey:
    """`key`, if it is of a kind that is taken. Raises: InputError."""
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _HASHES:
        return key
    raise InputError("the key is neither Ed25519 nor ECDSA on P-256, P-384 or P-521, which are all that is taken")


def key_id(key: PublicKey) -> str:
    """`sha256:<hex>` over the key's SubjectPublicKeyInfo in DER."""
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(encoded).hexdigest()}"


def curve_hash(curve: ec.EllipticCurve) -> hashes.HashAlgorithm:
    """The hash that signatures on `curve` are made with."""
    return _HASHES[curve.name]


def verify(key: PublicKey, *, signature: bytes, message: bytes) -> bytes:
    """`message`, proven to be signed with `key`. ECDSA signatures are in DER (RFC 3279 2.2.3).

    Raises:
        VerificationError: it is not.
    """
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        else:
            key.verify(signature, message, ec.ECDSA(curve_hash(key.curve)))
    except InvalidSignature as error:
        raise VerificationError(f"the signature is not one of the key {key_id(key)}") from error
    return message
