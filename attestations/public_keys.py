"""Public keys of signers and of logs, and whether a signature is theirs.

Wider than `pratique.keys`, which says who approves waivers: signers of images have keys from clouds and tokens, so RSA
is taken (RFC 8017), and the older habit of hashing with SHA-256 for P-384 and P-521 (github.com/sigstore/
architecture-docs, algorithm-registry.md: both are registered).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from pratique.errors import InputError
from pratique.keys import MAX_KEY_CHARACTERS, curve_hash

PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey

MIN_RSA_BITS = 2048
"""Shorter keys can be factored, or will be soon (NIST SP 800-131A)."""

MAX_RSA_BITS = 8192
"""Protects from keys whose signatures take long to verify."""

_CURVES = ("secp256r1", "secp384r1", "secp521r1")

HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
"""The hash algorithms that are taken, by the name that digests have."""

ASN1_ERRORS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for bytes that are no key or certificate, or one that it does not know."""


def read_pem_key(text: str) -> PublicKey:
    """The key that `text` holds in PEM (RFC 7468 13).

    Raises:
        InputError: it holds none, or one that is not taken.
    """
    if len(text) > MAX_KEY_CHARACTERS:
        raise InputError(f"a public key has at most {MAX_KEY_CHARACTERS} characters")
    if "PRIVATE KEY-----" in text:
        raise InputError("this is a private key; name the public one, and treat this one as known to everybody")
    try:
        key: object = serialization.load_pem_public_key(text.encode())
    except ASN1_ERRORS as error:
        raise InputError(
            "this is not a public key that can be used; write PEM that begins with BEGIN PUBLIC KEY"
        ) from error
    return checked_key(key)


def read_der_key(content: bytes) -> PublicKey:
    """The key of a SubjectPublicKeyInfo in DER (RFC 5280 4.1.2.7). Raises: InputError."""
    try:
        key: object = serialization.load_der_public_key(content)
    except ASN1_ERRORS as error:
        raise InputError("this is not a public key in DER") from error
    return checked_key(key)


def checked_key(key: object) -> PublicKey:
    """`key`, if it is of a kind and of a size that is taken. Raises: InputError."""
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return key
    if isinstance(key, rsa.RSAPublicKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise InputError(f"the RSA key has {key.key_size} bits; from {MIN_RSA_BITS} to {MAX_RSA_BITS} are taken")
        return key
    raise InputError(
        "the key is neither ECDSA on P-256, P-384 or P-521, nor Ed25519, nor RSA, which are all that is taken"
    )


def spki(key: PublicKey) -> bytes:
    """The SubjectPublicKeyInfo of `key` in DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id(key: PublicKey) -> str:
    """`sha256:<hex>` over the SubjectPublicKeyInfo of `key`."""
    return f"sha256:{hashlib.sha256(spki(key)).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes that are said to be signed; hashed once for each algorithm, however many keys are tried."""

    content: bytes
    _digests: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    def digest(self, algorithm: str) -> bytes:
        """Its digest; `algorithm` is one of `HASHES`."""
        if algorithm not in self._digests:
            self._digests[algorithm] = hashlib.new(algorithm, self.content).digest()
        return self._digests[algorithm]


def is_signature(key: PublicKey, signature: bytes, message: Message) -> bool:
    """Whether `signature` is one of `message` by `key`: ECDSA in DER, RSA in PKCS 1 v1.5 or PSS, Ed25519."""
    if isinstance(key, Ed25519PublicKey):
        try:
            key.verify(signature, message.content)
        except InvalidSignature:
            return False
        return True
    return any(
        is_signature_of_digest(key, signature, algorithm, message.digest(algorithm)) for algorithm in _algorithms(key)
    )


def is_signature_of_digest(key: PublicKey, signature: bytes, algorithm: str, digest: bytes) -> bool:
    """Whether `signature` is one by `key` of the message with the given digest; `algorithm` is one of `HASHES`.

    Never of Ed25519, which signs messages and not digests (RFC 8032 5.1.6).
    """
    prehashed = Prehashed(HASHES[algorithm])
    if isinstance(key, Ed25519PublicKey) or algorithm not in _algorithms(key):
        return False
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, digest, ec.ECDSA(prehashed))
            return True
        return any(_is_rsa(key, signature, digest, scheme, prehashed) for scheme in _rsa_schemes(algorithm))
    except (InvalidSignature, ValueError):  # a digest of the wrong length is a ValueError
        return False


def _algorithms(key: PublicKey) -> tuple[str, ...]:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return tuple(dict.fromkeys((curve_hash(key.curve).name, "sha256")))
    return ("sha256", "sha384", "sha512")


def _rsa_schemes(algorithm: str) -> Iterator[padding.AsymmetricPadding]:
    yield padding.PKCS1v15()
    yield padding.PSS(padding.MGF1(HASHES[algorithm]), padding.PSS.AUTO)


def _is_rsa(
    key: rsa.RSAPublicKey, signature: bytes, digest: bytes, scheme: padding.AsymmetricPadding, prehashed: Prehashed
) -> bool:
    try:
        key.verify(signature, digest, scheme, prehashed)
    except InvalidSignature:
        return False
    return True
