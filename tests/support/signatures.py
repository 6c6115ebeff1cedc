"""Signatures of every layout, as cosign and others keep them: bundles, `.sig` and `.att` layers, with keys or
certificates; and the trust configurations that they are meant for."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestations.evidence import SIGNATURE_PREDICATE, Layout, Piece, Refused, Verified
from attestations.public_keys import HASHES, PublicKey, checked_key
from attestations.trust import (
    LogUse,
    Pattern,
    PatternKind,
    Signer,
    TrustConfiguration,
    TrustedIdentity,
    TrustedKey,
    TrustRoot,
    exact,
)
from attestations.verification import Verifier
from pratique.dsse import pre_authentication_encoding
from tests.support.sigstore_root import (
    IDENTITY,
    ISSUER,
    Certificate,
    Instance,
    Object,
    PrivateKey,
    b64,
    der_key,
    pem_of,
)

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
STATEMENT = "application/vnd.in-toto+json"
BLOB = b"the image that will run"
IMAGE = "sha256:" + hashlib.sha256(BLOB).hexdigest()
OTHER_IMAGE = "sha256:" + hashlib.sha256(b"the image of a minute ago").hexdigest()


class Maker(Protocol):
    """Whoever signs: a key or a certificate."""

    def sign(self, message: bytes) -> bytes: ...

    @property
    def material(self) -> Object: ...

    @property
    def verifier(self) -> tuple[bytes, str]: ...

    @property
    def hash_name(self) -> str: ...


@dataclass(frozen=True)
class Key:
    """A managed key."""

    private: PrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    name: str = "release"
    pss: bool = False
    hash_name: str = "sha256"

    @property
    def public(self) -> PublicKey:
        return checked_key(self.private.public_key())

    @property
    def pem(self) -> str:
        return pem_of(der_key(self.private.public_key()), "PUBLIC KEY").decode()

    @property
    def id(self) -> str:
        return self.trusted().id

    @property
    def material(self) -> Object:
        return {"publicKey": {"hint": b64(hashlib.sha256(der_key(self.private.public_key())).digest())}}

    @property
    def verifier(self) -> tuple[bytes, str]:
        return der_key(self.private.public_key()), "PUBLIC KEY"

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(message)
        if isinstance(self.private, rsa.RSAPrivateKey):
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if self.pss else padding.PKCS1v15()
            return self.private.sign(message, scheme, hashes.SHA256())
        return self.private.sign(message, ec.ECDSA(HASHES[self.hash_name]))

    def trusted(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        revoked: bool = False,
        log: LogUse = LogUse.OPTIONAL,
    ) -> TrustedKey:
        return TrustedKey(self.name, self.public, start, end, revoked, log)


@dataclass(frozen=True)
class Keyless:
    """A certificate of a private instance."""

    certificate: Certificate
    hash_name: str = "sha256"

    @property
    def material(self) -> Object:
        return {"certificate": {"rawBytes": b64(self.certificate.der)}}

    @property
    def verifier(self) -> tuple[bytes, str]:
        return self.certificate.der, "CERTIFICATE"

    def sign(self, message: bytes) -> bytes:
        return Key(self.certificate.key, hash_name=self.hash_name).sign(message)


def statement(
    digest: str = IMAGE, *, predicate_type: str = SIGNATURE_PREDICATE, predicate: Mapping[str, Any] | None = None
) -> bytes:
    """An in-toto statement about `digest`."""
    algorithm, _, digits = digest.partition(":")
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "", "digest": {algorithm: digits}}],
        "predicateType": predicate_type,
        "predicate": dict(predicate or {}),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def model_statement(files: Mapping[str, bytes]) -> bytes:
    """A statement of OpenSSF model signing about `files`, by name and content."""
    digests = {name: hashlib.sha256(content) for name, content in sorted(files.items())}
    whole = hashlib.sha256(b"".join(digest.digest() for digest in digests.values()))
    resources = [
        {"name": name, "algorithm": "sha256", "digest": digest.hexdigest()} for name, digest in digests.items()
    ]
    serialization_ = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": ["model.sig"]}
    return statement(
        f"sha256:{whole.hexdigest()}",
        predicate_type="https://model_signing/signature/v1.0",
        predicate={"serialization": serialization_, "resources": resources},
    )


def simple_signing(digest: str = IMAGE, *, optional: Mapping[str, str] | None = None) -> bytes:
    """What a `.sig` layer holds."""
    critical = {
        "identity": {"docker-reference": "registry.example/llm"},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": dict(optional) if optional else None}).encode()


@dataclass(frozen=True)
class Proof:
    """What a signature comes with: an entry of Rekor v1 (1) or v2 (2) of `instance`, or none (0), and a time stamp."""

    instance: Instance | None = None
    rekor: int = 1
    stamp: bool = False
    promise: bool = True
    time: datetime | None = None


NOTHING = Proof()


def dsse_bundle(
    maker: Maker, payload: bytes | None = None, *, proof: Proof = NOTHING, payload_type: str = STATEMENT
) -> Object:
    """A bundle around a DSSE envelope."""
    payload = statement() if payload is None else payload
    message = pre_authentication_encoding(payload_type, payload)
    signature = maker.sign(message)
    envelope = {"payload": b64(payload), "payloadType": payload_type, "signatures": [{"sig": b64(signature)}]}
    bodies = (dsse_body(maker, envelope, payload, signature), hashedrekord_2_body(maker, message, signature))
    return {
        "mediaType": BUNDLE,
        "verificationMaterial": _material(maker, proof, bodies, signature),
        "dsseEnvelope": envelope,
    }


def message_bundle(maker: Maker, content: bytes, *, proof: Proof = NOTHING, named: bool = True) -> Object:
    """A bundle around a signature of bytes that are elsewhere."""
    signature, algorithm = maker.sign(content), maker.hash_name
    bodies = (hashedrekord_body(maker, content, signature), hashedrekord_2_body(maker, content, signature))
    message: Object = {"signature": b64(signature)}
    if named:
        digest = hashlib.new(algorithm, content).digest()
        message["messageDigest"] = {"algorithm": algorithm.replace("sha", "SHA2_"), "digest": b64(digest)}
    return {
        "mediaType": BUNDLE,
        "verificationMaterial": _material(maker, proof, bodies, signature),
        "messageSignature": message,
    }


def _material(maker: Maker, proof: Proof, bodies: tuple[Object, Object], signature: bytes) -> Object:
    material = dict(maker.material)
    if proof.instance is None:
        return material
    if proof.rekor == 1:
        material["tlogEntries"] = [proof.instance.entry(bodies[0], time=proof.time, promise=proof.promise)]
    if proof.rekor == 2:
        material["tlogEntries"] = [proof.instance.entry_2(bodies[1])]
    if proof.stamp:
        stamps = [{"signedTimestamp": b64(proof.instance.timestamp(signature))}]
        material["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
    return material


# what Rekor keeps of a signature


def hashedrekord_body(maker: Maker, message: bytes, signature: bytes) -> Object:
    return {
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(message).hexdigest()}},
            "signature": {"content": b64(signature), "publicKey": {"content": b64(pem_of(*maker.verifier))}},
        },
    }


def hashedrekord_2_body(maker: Maker, message: bytes, signature: bytes) -> Object:
    der, label = maker.verifier
    return {
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": {
            "hashedRekordV002": {
                "data": {"algorithm": "SHA2_256", "digest": b64(hashlib.sha256(message).digest())},
                "signature": {
                    "content": b64(signature),
                    "verifier": {
                        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                        ("x509Certificate" if label == "CERTIFICATE" else "publicKey"): {"rawBytes": b64(der)},
                    },
                },
            }
        },
    }


def dsse_body(maker: Maker, envelope: Object, payload: bytes, signature: bytes) -> Object:
    whole = json.dumps(envelope, separators=(",", ":")).encode()
    return {
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(whole).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
            "signatures": [{"signature": b64(signature), "verifier": b64(pem_of(*maker.verifier))}],
        },
    }


def intoto_body(maker: Maker, envelope: bytes) -> Object:
    """Version 0.0.1, of cosign before 2.0: the hash of the envelope's JSON."""
    return {
        "apiVersion": "0.0.1",
        "kind": "intoto",
        "spec": {
            "content": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(envelope).hexdigest()}},
            "publicKey": b64(pem_of(*maker.verifier)),
        },
    }


def intoto_2_body(maker: Maker, payload: bytes, signature: bytes) -> Object:
    signatures = [{"publicKey": b64(pem_of(*maker.verifier)), "sig": b64(b64(signature).encode())}]
    return {
        "apiVersion": "0.0.2",
        "kind": "intoto",
        "spec": {
            "content": {
                "envelope": {"payloadType": STATEMENT, "signatures": signatures},
                "hash": {"algorithm": "sha256", "value": "00" * 32},
                "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
            }
        },
    }


# pieces


def bundle_piece(bundle: Object | bytes, *, covers: str = IMAGE) -> Piece:
    content = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
    return Piece(Layout.BUNDLE, covers, "", BUNDLE, content, "sha256:m", "sha256:l")


def signature_piece(maker: Maker, payload: bytes | None = None, *, proof: Proof = NOTHING) -> Piece:
    """A layer of a `.sig` tag."""
    payload = simple_signing() if payload is None else payload
    signature = maker.sign(payload)
    annotations = {"dev.cosignproject.cosign/signature": b64(signature)}
    annotations |= _annotations(maker, proof, hashedrekord_body(maker, payload, signature), signature)
    return Piece(Layout.COSIGN_SIGNATURE, IMAGE, "", SIMPLE_SIGNING, payload, "sha256:m", "sha256:l", annotations)


def attestation_piece(
    maker: Maker, payload: bytes | None = None, *, proof: Proof = NOTHING, kind: str = "dsse 0.0.1"
) -> Piece:
    """A layer of an `.att` tag; `kind` is that of its log entry."""
    payload = statement(predicate_type="https://cyclonedx.org/bom") if payload is None else payload
    signature = maker.sign(pre_authentication_encoding(STATEMENT, payload))
    envelope = {
        "payloadType": STATEMENT,
        "payload": b64(payload),
        "signatures": [{"keyid": "", "sig": b64(signature)}],
    }
    content = json.dumps(envelope, separators=(",", ":")).encode()
    body = {
        "dsse 0.0.1": lambda: dsse_body(maker, envelope, payload, signature),
        "intoto 0.0.1": lambda: intoto_body(maker, content),
        "intoto 0.0.2": lambda: intoto_2_body(maker, payload, signature),
    }[kind]()
    annotations = {"dev.cosignproject.cosign/signature": ""} | _annotations(maker, proof, body, content)
    media_type = "application/vnd.dsse.envelope.v1+json"
    return Piece(Layout.COSIGN_ATTESTATION, IMAGE, "", media_type, content, "sha256:m", "sha256:l", annotations)


def _annotations(maker: Maker, proof: Proof, body: Object, stamped: bytes) -> dict[str, str]:
    der, label = maker.verifier
    annotations = {}
    if label == "CERTIFICATE":
        annotations["dev.sigstore.cosign/certificate"] = pem_of(der, label).decode()
    if proof.instance is not None and proof.rekor:
        entry = proof.instance.entry(body, time=proof.time, proof=False)
        payload = {
            "body": entry["canonicalizedBody"],
            "integratedTime": int(entry["integratedTime"]),
            "logIndex": int(entry["logIndex"]),
            "logID": _hex(entry["logId"]["keyId"]),
        }
        annotations["dev.sigstore.cosign/bundle"] = json.dumps(
            {"SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"], "Payload": payload}
        )
    if proof.instance is not None and proof.stamp:
        reply = {"SignedRFC3161Timestamp": b64(proof.instance.timestamp(stamped))}
        annotations["dev.sigstore.cosign/rfc3161timestamp"] = json.dumps(reply)
    return annotations


def _hex(encoded: str) -> str:
    return base64.b64decode(encoded).hex()


KEY_LAYOUTS = ("bundle", "message", "message that names no digest", ".sig", ".att", "envelope")


def pieces_by_key(key: Key, proof: Proof = NOTHING) -> dict[str, Piece]:
    """About `IMAGE`, a piece of every one of `KEY_LAYOUTS`, signed with `key`; the envelope comes without proof."""
    envelope = json.dumps(dsse_bundle(key)["dsseEnvelope"]).encode()
    made = (
        bundle_piece(dsse_bundle(key, proof=proof)),
        bundle_piece(message_bundle(key, BLOB, proof=proof)),
        bundle_piece(message_bundle(key, BLOB, proof=proof, named=False)),
        signature_piece(key, proof=proof),
        attestation_piece(key, proof=proof),
        Piece(Layout.DSSE, IMAGE, "", "application/vnd.dsse.envelope.v1+json", envelope, "sha256:m", "sha256:l"),
    )
    return dict(zip(KEY_LAYOUTS, made, strict=True))


IDENTITY_LAYOUTS = (
    *("bundle, Rekor 1", "bundle, Rekor 1 and stamp", "bundle, Rekor 2", "message, Rekor 1", "message, Rekor 2"),
    *(".sig", ".sig with stamp", ".att", ".att, intoto 1", ".att, intoto 2", ".att with stamp"),
)


def pieces_by_identity(instance: Instance, maker: Keyless) -> dict[str, Piece]:
    """About `IMAGE`, a piece of every one of `IDENTITY_LAYOUTS`, by `maker`, with proofs of `instance`."""
    one, two = Proof(instance), Proof(instance, rekor=2, stamp=True)
    both, unpromised = Proof(instance, stamp=True), Proof(instance, stamp=True, promise=False)
    made = (
        bundle_piece(dsse_bundle(maker, proof=one)),
        bundle_piece(dsse_bundle(maker, proof=unpromised)),
        bundle_piece(dsse_bundle(maker, proof=two)),
        bundle_piece(message_bundle(maker, BLOB, proof=one)),
        bundle_piece(message_bundle(maker, BLOB, proof=two)),
        signature_piece(maker, proof=one),
        signature_piece(maker, proof=both),
        attestation_piece(maker, statement(), proof=one),
        attestation_piece(maker, statement(), proof=one, kind="intoto 0.0.1"),
        attestation_piece(maker, statement(), proof=one, kind="intoto 0.0.2"),
        attestation_piece(maker, statement(), proof=both),
    )
    return dict(zip(IDENTITY_LAYOUTS, made, strict=True))


# trust


def keys_of(*keys: Key | TrustedKey, name: str = "platform", threshold: int = 1) -> Signer:
    trusted = tuple(key if isinstance(key, TrustedKey) else key.trusted() for key in keys)
    return Signer(name, threshold, keys=trusted)


def identity_of(
    identity: str = IDENTITY, issuer: str = ISSUER, *, name: str = "ci", root: str = "private", glob: bool = False
) -> Signer:
    pattern = Pattern(PatternKind.GLOB, identity) if glob else exact(identity)
    return Signer(name, identities=(TrustedIdentity(pattern, exact(issuer), root),))


def trust(*signers: Signer, instance: Instance | None = None, root: bytes | None = None) -> TrustConfiguration:
    content = root if root is not None or instance is None else instance.root()
    return TrustConfiguration(signers, (TrustRoot("private", content),) if content is not None else ())


def verify(
    piece: Piece, configuration: TrustConfiguration, *digests: str, now: datetime | None = None
) -> tuple[Verified | Refused, ...]:
    return Verifier(configuration, now or datetime.now(UTC)).verify(piece, set(digests or (IMAGE,)))
