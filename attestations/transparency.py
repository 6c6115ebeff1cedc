"""Whether a signature is in a transparency log, and since when: Rekor v1 and v2.

Checked of an entry, in this order:

1. the log is one of the trust root's (`is_known`)
2. the promise (signed entry timestamp): the log's signature over body, time, log and index in canonical JSON
   (sigstore client-spec 4.1.3; RFC 8785); with it, the time of the entry is proven
3. the proof: the body is a leaf of a tree (RFC 9162 2.1.3.2) whose root the log signed in a checkpoint
   (C2SP signed-note and tlog-checkpoint)
4. the body is about this very signature, key and content, and not about another one (CVE-2022-36056)
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

from attestations.bundle import InclusionProof, LogEntry
from attestations.evidence import Reason
from attestations.protojson import (
    base64_octets,
    child,
    children,
    hexadecimal,
    octets,
    optional_child,
    read_object,
    text,
)
from attestations.public_keys import HASHES, Message, is_signature
from attestations.refusal import Refusal
from attestations.trusted_root import Log, TrustedRoot

MAX_BODY_BYTES = 512 * 1024
"""Protects from an entry that is not one: bodies hold digests, a signature and a certificate."""

MAX_CHECKPOINT_CHARACTERS = 16_384
"""Protects from a checkpoint that is not one: a few lines, and one for each witness."""

LARGEST_TIME = 253_402_300_799
"""The last second of the year 9999, which is the last that a `datetime` can be."""

_HASH_NAMES = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}


@dataclass(frozen=True, slots=True)
class Claim:
    """A signature, in the terms in which logs speak of one.

    `verifier` is the signing certificate or the SubjectPublicKeyInfo, in DER. `message` is what was signed; None where
    only its `digests` (by algorithm) are known. `payload` is that of a DSSE envelope, and `envelope` its JSON where the
    layout keeps the very bytes that were logged.
    """

    signature: bytes
    verifier: bytes
    message: Message | None
    digests: Mapping[str, bytes]
    payload: bytes | None = None
    envelope: bytes | None = None

    @property
    def stamped(self) -> bytes:
        """What time stamps are about: the signature; of old attestations the envelope (cosign, verify.go)."""
        return self.signature if self.envelope is None else self.envelope

    def digest(self, algorithm: str) -> bytes | None:
        """The digest of what was signed; None where it is not known."""
        if self.message is not None and algorithm in HASHES:
            return self.message.digest(algorithm)
        return self.digests.get(algorithm)


def is_known(entry: LogEntry, root: TrustedRoot) -> bool:
    """Whether `root` has the log that `entry` says it is in."""
    return bool(root.logs_named(entry.log))


def check_entry(entry: LogEntry, root: TrustedRoot, claim: Claim) -> datetime | None:
    """When `claim` was logged, at the latest; None where the log does not sign times (Rekor v2). Its log is known.

    Raises:
        Refusal: the entry does not prove that it was logged.
    """
    logs = root.logs_named(entry.log)
    if not entry.promise and entry.proof is None:
        raise _not_in_log("the entry has neither a promise nor a proof of the log")
    time = None
    if entry.promise:
        time = _check_promise(entry, logs)
    if entry.proof is not None:
        _check_proof(entry.body, entry.proof, logs)
        # Rekor v2 has one tree, so both indexes are the same; those of v1 differ in all its trees but the first.
        if (entry.kind, entry.version) == ("hashedrekord", "0.0.2") and entry.index != entry.proof.index:
            raise _not_in_log("the entry and its proof name different places in the log")
    _check_body(entry, claim)
    if time is not None and not any(time in log.period for log in logs):
        raise _not_in_log(f"the log was not to be relied on at {time.isoformat()}")
    return time


def _not_in_log(message: str) -> Refusal:
    return Refusal(Reason.NOT_IN_LOG, message)


# 2. the promise


def _check_promise(entry: LogEntry, logs: Collection[Log]) -> datetime | None:
    signed: dict[str, str | int] = {
        "body": base64.b64encode(entry.body).decode(),
        "integratedTime": entry.time,
        "logID": entry.log.hex(),
        "logIndex": entry.index,
    }
    try:
        message = Message(rfc8785.dumps({**signed}))
    except rfc8785.CanonicalizationError as error:  # a number beyond 2^53, which no log has
        raise _not_in_log("the entry has a number that canonical JSON cannot carry") from error
    if not any(is_signature(log.key, entry.promise, message) for log in logs):
        raise _not_in_log("the promise of the log (signed entry timestamp) is not signed by it")
    if not entry.time:
        return None
    if entry.time > LARGEST_TIME:
        raise _not_in_log("the time of the entry is beyond the year 9999")
    return datetime.fromtimestamp(entry.time, UTC)


# 3. the proof


def _check_proof(body: bytes, proof: InclusionProof, logs: Collection[Log]) -> None:
    leaf = hashlib.sha256(b"\x00" + body).digest()  # RFC 9162 2.1.1
    if root_of_proof(leaf, proof.index, proof.size, proof.hashes) != proof.root:
        raise _not_in_log("the proof does not lead from the entry to the root of the log's tree")
    size, root = _signed_tree(proof.checkpoint, logs)
    if (size, root) != (proof.size, proof.root):
        raise _not_in_log("the proof is for another tree than the one that the log signed")


def root_of_proof(leaf: bytes, index: int, size: int, hashes: tuple[bytes, ...]) -> bytes | None:
    """The root of the tree of `size` leaves in which `leaf`, a hash, is at `index` (RFC 9162 2.1.3.2); None if `hashes`
    is not a path in it."""
    if index >= size:
        return None
    node, last, result = index, size - 1, leaf
    for step in hashes:
        if last == 0:
            return None
        if node % 2 or node == last:
            result = hashlib.sha256(b"\x01" + step + result).digest()
            while not node % 2 and node:
                node, last = node >> 1, last >> 1
        else:
            result = hashlib.sha256(b"\x01" + result + step).digest()
        node, last = node >> 1, last >> 1
    return result if last == 0 else None


def _signed_tree(checkpoint: str, logs: Collection[Log]) -> tuple[int, bytes]:
    """Size and root hash of the tree that one of `logs` signed (C2SP signed-note: text, an empty line, signatures;
    tlog-checkpoint: origin, size, root, one on each line of the text)."""
    if len(checkpoint) > MAX_CHECKPOINT_CHARACTERS:
        raise Refusal(
            Reason.TOO_LARGE, f"the checkpoint is longer than {MAX_CHECKPOINT_CHARACTERS} characters, and not read"
        )
    signed, separator, signatures = checkpoint.rpartition("\n\n")
    note = Message(f"{signed}\n".encode(errors="surrogatepass"))
    lines = signed.split("\n")
    if not separator or len(lines) < 3:
        raise _not_in_log("the checkpoint is not a signed note with origin, size and root")
    if not any(_is_note_signature(line, note, logs) for line in signatures.split("\n")):
        raise _not_in_log("the checkpoint is not signed by the log")
    if not (lines[1].isascii() and lines[1].isdecimal() and len(lines[1]) <= 19):
        raise _not_in_log("the checkpoint has no size of the tree")
    return int(lines[1]), base64_octets(lines[2], "root of the checkpoint")


def _is_note_signature(line: str, note: Message, logs: Collection[Log]) -> bool:
    """Whether `line` (an em dash, a name, base64 of a 4 byte hint and the signature) signs `note` by one of `logs`."""
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "\u2014" or not name:
        return False
    try:
        value = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    return any(is_signature(log.key, value[4:], note) for log in logs)


# 4. the body


def _check_body(entry: LogEntry, claim: Claim) -> None:
    body = read_object(entry.body, "the body of the log entry", MAX_BODY_BYTES)
    if (text(body, "kind"), text(body, "apiVersion")) != (entry.kind, entry.version):
        raise _not_in_log("the body of the log entry is of another kind than the entry says")
    check = _BODIES.get((entry.kind, entry.version))
    if check is None:
        raise _not_in_log(f"a log entry of the kind {entry.kind[:40]!r} {entry.version[:20]!r} is not understood")
    if not check(child(body, "spec"), claim):
        raise _not_in_log("the log entry is about another signature, key or content than this one")


def _is_hashedrekord_1(spec: Mapping[str, Any], claim: Claim) -> bool:
    """rekor, pkg/types/hashedrekord/v0.0.1."""
    hashed, signature = child(child(spec, "data"), "hash"), child(spec, "signature")
    return (
        claim.payload is None
        and claim.digest(text(hashed, "algorithm")) == hexadecimal(text(hashed, "value"), "value")
        and octets(signature, "content") == claim.signature
        and _is_pem_of(octets(child(signature, "publicKey"), "content"), claim)
    )


def _is_hashedrekord_2(spec: Mapping[str, Any], claim: Claim) -> bool:
    """rekor-tiles, hashedrekord v0.0.2: what was signed may be the pre-authentication encoding of an envelope."""
    inner = child(spec, "hashedRekordV002")
    hashed, signature = child(inner, "data"), child(inner, "signature")
    algorithm = _HASH_NAMES.get(text(hashed, "algorithm"), "")
    return (
        claim.digest(algorithm) == octets(hashed, "digest")
        and octets(signature, "content") == claim.signature
        and _verifier(child(signature, "verifier")) == claim.verifier
    )


def _verifier(document: Mapping[str, Any]) -> bytes:
    named = optional_child(document, "x509Certificate") or child(document, "publicKey")
    return octets(named, "rawBytes")


def _is_dsse_1(spec: Mapping[str, Any], claim: Claim) -> bool:
    """rekor, pkg/types/dsse/v0.0.1. What is signed by the payload's type as well; the hash of the envelope is over JSON
    that is not kept."""
    signatures = children(spec, "signatures")
    return (
        _is_payload_hash(child(spec, "payloadHash"), claim)
        and len(signatures) == 1
        and octets(signatures[0], "signature") == claim.signature
        and _is_pem_of(octets(signatures[0], "verifier"), claim)
    )


def _is_intoto_1(spec: Mapping[str, Any], claim: Claim) -> bool:
    """rekor, pkg/types/intoto/v0.0.1, which binds the signature by the hash of the envelope alone."""
    hashed = child(child(spec, "content"), "hash")
    return (
        claim.envelope is not None
        and text(hashed, "algorithm") == "sha256"
        and hexadecimal(text(hashed, "value"), "value") == hashlib.sha256(claim.envelope).digest()
        and _is_pem_of(octets(spec, "publicKey"), claim)
    )


def _is_intoto_2(spec: Mapping[str, Any], claim: Claim) -> bool:
    """rekor, pkg/types/intoto/v0.0.2; the signature is base64 of base64 there."""
    content = child(spec, "content")
    signatures = children(child(content, "envelope"), "signatures")
    return (
        _is_payload_hash(child(content, "payloadHash"), claim)
        and len(signatures) == 1
        and _twice_decoded(octets(signatures[0], "sig")) == claim.signature
        and _is_pem_of(octets(signatures[0], "publicKey"), claim)
    )


def _is_payload_hash(hashed: Mapping[str, Any], claim: Claim) -> bool:
    return (
        claim.payload is not None
        and text(hashed, "algorithm") == "sha256"
        and hexadecimal(text(hashed, "value"), "value") == hashlib.sha256(claim.payload).digest()
    )


def _twice_decoded(value: bytes) -> bytes:
    return base64_octets(value.decode("ascii", errors="replace"), "sig")


_BODIES = {
    ("hashedrekord", "0.0.1"): _is_hashedrekord_1,
    ("hashedrekord", "0.0.2"): _is_hashedrekord_2,
    ("dsse", "0.0.1"): _is_dsse_1,
    ("intoto", "0.0.1"): _is_intoto_1,
    ("intoto", "0.0.2"): _is_intoto_2,
}
"""The kinds of entries that are understood, and what compares each with a signature."""


def _is_pem_of(pem: bytes, claim: Claim) -> bool:
    """Whether `pem` (RFC 7468) is one block that holds the certificate or key of `claim`."""
    lines = pem.strip().splitlines()
    if len(lines) < 3 or not (lines[0].startswith(b"-----BEGIN ") and lines[-1].startswith(b"-----END ")):
        return False
    try:
        return base64.b64decode(b"".join(lines[1:-1]), validate=True) == claim.verifier
    except ValueError:
        return False
