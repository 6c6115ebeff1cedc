"""A private instance of Sigstore: a certificate authority, a log of certificates, Rekor v1 and v2, time stamps.

`Instance` signs as Fulcio, Rekor and the others do; `root()` is the `trusted_root.json` that says whom to trust. All
is made with `cryptography`; time stamps are made by `openssl ts`, which speaks RFC 3161.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Object = dict[str, Any]
PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | rsa.RSAPrivateKey

IDENTITY = "https://github.com/acme/llm/.github/workflows/release.yml@refs/tags/v1"
ISSUER = "https://token.actions.githubusercontent.com"
ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
REKOR_1, REKOR_2 = "rekor.private.example", "log2.private.example"
_YEAR = timedelta(days=365)
_LEAF_LIFE = timedelta(minutes=10)


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def der_key(key: ec.EllipticCurvePublicKey | Any) -> bytes:
    """The SubjectPublicKeyInfo of a public key."""
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


def pem_of(der: bytes, label: str) -> bytes:
    """RFC 7468: lines of 64 characters."""
    text = b64(der)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def utf8_string(text: str) -> bytes:
    """An ASN.1 UTF8String of up to 65535 bytes."""
    value = text.encode()
    if len(value) < 0x80:
        return bytes([0x0C, len(value)]) + value
    return b"\x0c\x82" + struct.pack("!H", len(value)) + value


@dataclass(frozen=True, slots=True)
class Certificate:
    """A signing certificate with its key."""

    key: PrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


@dataclass
class Tree:
    """A log's tree of a few leaves (RFC 9162 2.1), which starts with some of other people's."""

    leaves: list[bytes] = field(default_factory=lambda: [b"other %d" % each for each in range(5)])

    def add(self, body: bytes) -> tuple[int, bytes, list[bytes]]:
        """Index, root and path of `body`, which becomes the last but two."""
        index = len(self.leaves)
        self.leaves += [body, b"later %d" % index, b"later still %d" % index]
        return index, *self.proof(index)

    def proof(self, index: int) -> tuple[bytes, list[bytes]]:
        """Root and path of the leaf at `index`."""
        return _root(self.leaves), _path(index, self.leaves)


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = _half(len(leaves))
    return hashlib.sha256(b"\x01" + _root(leaves[:half]) + _root(leaves[half:])).digest()


def _path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    half = _half(len(leaves))
    if index < half:
        return [*_path(index, leaves[:half]), _root(leaves[half:])]
    return [*_path(index - half, leaves[half:]), _root(leaves[:half])]


def _half(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


class Instance:
    """A private Sigstore; `folder` is for the files that `openssl ts` needs. Its time is now: openssl has no other."""

    def __init__(self, folder: Path, *, name: str = "private") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.now = datetime.now(UTC).replace(microsecond=0)
        self._folder = folder
        self.root_key, self.intermediate_key = _p256(), _p256()
        self.log_key, self.certificate_log_key, self.log_2_key = _p256(), _p256(), Ed25519PrivateKey.generate()
        self.root_certificate = self._authority(f"{name} root", self.root_key, None)
        self.intermediate = self._authority(f"{name} intermediate", self.intermediate_key, self.root_certificate)
        self._trees: dict[str, Tree] = {}
        self._stamper = _Stamper(folder, self._authority_key_pair(), self.now)

    # Fulcio

    def certificate(
        self,
        identity: str | x509.GeneralName | None = IDENTITY,
        issuer: str = ISSUER,
        *,
        start: datetime | None = None,
        logged: bool = True,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
        old_issuer: bool = True,
        first_issuer: str = "",
        more: Sequence[x509.GeneralName] = (),
        log_key: ec.EllipticCurvePrivateKey | None = None,
        life: timedelta = _LEAF_LIFE,
        key: PrivateKey | None = None,
        subject: x509.Name | None = None,
    ) -> Certificate:
        """A certificate as Fulcio makes it, for `key` or a new one; with `logged`, the log of certificates promised to
        show it.

        `first_issuer` is another issuer, in the older of the two extensions; `more` are further names; `log_key` makes
        the promise in place of the log.
        """
        key = key or _p256()
        start = start or self.now - timedelta(minutes=1)
        public = key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject or x509.Name([]))
            .issuer_name(self.intermediate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + life)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.intermediate_key.public_key()), critical=False
            )
        )
        if identity is not None:
            names = [_name(identity) if isinstance(identity, str) else identity, *more]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        if old_issuer:
            builder = builder.add_extension(
                x509.UnrecognizedExtension(ISSUER_V1, (first_issuer or issuer).encode()), critical=False
            )
        builder = builder.add_extension(x509.UnrecognizedExtension(ISSUER_V2, utf8_string(issuer)), critical=False)
        if logged:
            unlogged = builder.sign(self.intermediate_key, hashes.SHA256())
            made = self._promise(unlogged.tbs_certificate_bytes, log_key or self.certificate_log_key)
            promise = x509.UnrecognizedExtension(SCT_LIST, made)
            builder = builder.add_extension(promise, critical=False)
        return Certificate(key, builder.sign(self.intermediate_key, hashes.SHA256()))

    def _promise(self, precertificate: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
        """A list of one signed certificate timestamp (RFC 6962 3.2 and 3.3) in an OCTET STRING."""
        time = struct.pack("!Q", int(self.now.timestamp()) * 1000)
        issuer = hashlib.sha256(der_key(self.intermediate_key.public_key())).digest()
        signed = (
            b"\x00\x00" + time + b"\x00\x01" + issuer + len(precertificate).to_bytes(3) + precertificate + b"\x00\x00"
        )
        signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
        log = hashlib.sha256(der_key(self.certificate_log_key.public_key())).digest()
        promise = b"\x00" + log + time + b"\x00\x00" + b"\x04\x03" + struct.pack("!H", len(signature)) + signature
        entry = struct.pack("!H", len(promise)) + promise
        whole = struct.pack("!H", len(entry)) + entry
        length = bytes([len(whole)]) if len(whole) < 0x80 else b"\x81" + bytes([len(whole)])
        return b"\x04" + length + whole

    def _authority(
        self, name: str, key: ec.EllipticCurvePrivateKey, above: x509.Certificate | None
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if above is None else above.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - 5 * _YEAR)
            .not_valid_after(self.now + 5 * _YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1 if above is None else 0), critical=True)
            .add_extension(_usage(key_cert_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if above is not None:
            code = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root_key.public_key())
            builder = builder.add_extension(code, critical=False).add_extension(identifier, critical=False)
        return builder.sign(self.root_key, hashes.SHA256())

    def _authority_key_pair(self) -> _StampingKey:
        key = _p256()
        public = key.public_key()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{self.name} time")]))
            .issuer_name(self.root_certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - _YEAR)
            .not_valid_after(self.now + 4 * _YEAR)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root_key.public_key()), critical=False
            )
            .sign(self.root_key, hashes.SHA256())
        )
        return _StampingKey(key, certificate, self.root_certificate)

    # Rekor

    def entry(
        self, body: Mapping[str, Any], *, time: datetime | None = None, promise: bool = True, proof: bool = True
    ) -> Object:
        """An entry of Rekor v1 for `body`, with its promise and its proof."""
        encoded = rfc8785.dumps(dict(body))
        seconds = int((time or self.now).timestamp())
        log = hashlib.sha256(der_key(self.log_key.public_key())).digest()
        found: Object = self._proof(f"{REKOR_1} - 1234", encoded) if proof else {}
        index = int(found["inclusionProof"]["logIndex"]) if proof else 3
        signed = rfc8785.dumps({"body": b64(encoded), "integratedTime": seconds, "logID": log.hex(), "logIndex": index})
        if promise:
            signature = self.log_key.sign(signed, ec.ECDSA(hashes.SHA256()))
            found["inclusionPromise"] = {"signedEntryTimestamp": b64(signature)}
        return {
            "logIndex": str(index),
            "logId": {"keyId": b64(log)},
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
            "integratedTime": str(seconds),
            **found,
            "canonicalizedBody": b64(encoded),
        }

    def entry_2(self, body: Mapping[str, Any]) -> Object:
        """An entry of Rekor v2, which signs no times."""
        encoded = rfc8785.dumps(dict(body))
        found = self._proof(REKOR_2, encoded)
        return {
            "logIndex": found["inclusionProof"]["logIndex"],
            "logId": {"keyId": b64(self._note_key_2())},
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
            **found,
            "canonicalizedBody": b64(encoded),
        }

    def _proof(self, origin: str, body: bytes) -> Object:
        tree = self._trees.setdefault(origin, Tree())
        index, root, path = tree.add(body)
        note = f"{origin}\n{len(tree.leaves)}\n{b64(root)}\n"
        if origin == REKOR_2:
            signature, hint = self.log_2_key.sign(note.encode()), self._note_key_2()[:4]
        else:
            signature = self.log_key.sign(note.encode(), ec.ECDSA(hashes.SHA256()))
            hint = hashlib.sha256(der_key(self.log_key.public_key())).digest()[:4]
        name = origin.partition(" ")[0]
        return {
            "inclusionProof": {
                "logIndex": str(index),
                "rootHash": b64(root),
                "treeSize": str(len(tree.leaves)),
                "hashes": [b64(each) for each in path],
                "checkpoint": {"envelope": f"{note}\n\u2014 {name} {b64(hint + signature)}\n"},
            }
        }

    def _note_key_2(self) -> bytes:
        """The id of a key of notes (C2SP signed-note): over name, algorithm and key."""
        raw = self.log_2_key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return hashlib.sha256(REKOR_2.encode() + b"\n\x01" + raw).digest()

    # time stamps

    def timestamp(self, stamped: bytes) -> bytes:
        """A reply of RFC 3161 about `stamped`, of now."""
        return self._stamper.stamp(stamped)

    # the trust root

    def root(self, *, logs: bool = True, certificate_logs: bool = True, time: bool = True) -> bytes:
        """The `trusted_root.json` of this instance, or of one that goes without some of its parts."""
        long_ago = (self.now - 2 * _YEAR).isoformat().replace("+00:00", "Z")

        def log(url: str, key: Any, details: str, identifier: bytes) -> Object:
            public = {"rawBytes": b64(der_key(key)), "keyDetails": details, "validFor": {"start": long_ago}}
            return {
                "baseUrl": f"https://{url}",
                "hashAlgorithm": "SHA2_256",
                "publicKey": public,
                "logId": {"keyId": b64(identifier)},
            }

        def chain(*certificates: x509.Certificate) -> Object:
            raw = [{"rawBytes": b64(each.public_bytes(serialization.Encoding.DER))} for each in certificates]
            return {
                "subject": {"organization": self.name, "commonName": self.name},
                "uri": f"https://{self.name}.example",
                "certChain": {"certificates": raw},
                "validFor": {"start": long_ago},
            }

        def id_of(key: Any) -> bytes:
            return hashlib.sha256(der_key(key)).digest()

        p256, log_key, ct_key = (
            "PKIX_ECDSA_P256_SHA_256",
            self.log_key.public_key(),
            self.certificate_log_key.public_key(),
        )
        rekor = [
            log(REKOR_1, log_key, p256, id_of(log_key)),
            log(REKOR_2, self.log_2_key.public_key(), "PKIX_ED25519", self._note_key_2()),
        ]
        document = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": rekor if logs else [],
            "certificateAuthorities": [chain(self.intermediate, self.root_certificate)],
            "ctlogs": [log("ct.private.example", ct_key, p256, id_of(ct_key))] if certificate_logs else [],
            "timestampAuthorities": [chain(self._stamper.pair.certificate, self.root_certificate)] if time else [],
        }
        return json.dumps(document).encode()


@dataclass(frozen=True, slots=True)
class _StampingKey:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    above: x509.Certificate


class _Stamper:
    """A time stamp authority: `openssl ts`."""

    _CONFIGURATION = """
[tsa]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.crt
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""

    def __init__(self, folder: Path, pair: _StampingKey, now: datetime) -> None:
        self.pair = pair
        self._folder = folder
        pem = serialization.Encoding.PEM
        (folder / "tsa.crt").write_bytes(pair.certificate.public_bytes(pem))
        (folder / "tsa.key").write_bytes(
            pair.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        (folder / "tsa.cnf").write_text(self._CONFIGURATION.format(folder=folder))
        (folder / "serial").write_text("01\n")

    def stamp(self, stamped: bytes) -> bytes:
        query = self._openssl("-query", "-digest", hashlib.sha256(stamped).hexdigest(), "-sha256", "-cert", "-no_nonce")
        (self._folder / "query").write_bytes(query)
        return self._openssl("-reply", "-section", "tsa", "-config", "tsa.cnf", "-queryfile", "query")

    def _openssl(self, *arguments: str) -> bytes:
        command = ["openssl", "ts", *arguments]
        return subprocess.run(command, cwd=self._folder, capture_output=True, check=True).stdout


def _p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(identity: str) -> x509.GeneralName:
    if "://" in identity:
        return x509.UniformResourceIdentifier(identity)
    return x509.RFC822Name(identity)


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
