"""Whether a signature is in a transparency log, and since when: Rekor v1 and v2.

Checked of an entry, in this order:

1. the log is one of the trust root's (`is_known`)
2. the promise (signed entry timestamp): the log's signature over body, time, log and index in canonical JSON
   (sigstore client-spec 4.1.3; RFC 8785); with it, the time of the entry is proven
3. the proof: the body is a leaf of a tree (RFC 9162 2.1.3.2) whose root the log signed in a checkpoint
   (C2SP signed-note and tlog-checkpoint)
4. the body is about this very signature, key and content, and not about another one (CVE-2022-36056)
5. the log that signed was to be relied on then
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

from attestations.bundle import ALGORITHMS, InclusionProof, LogEntry
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

MAX_NOTE_SIGNATURES = 64
"""Protects from a checkpoint that keeps us busy verifying: a log signs it, and some witnesses."""

LARGEST_TIME = 253_402_300_799
"""The last second of the year 9999, which is the last that a `datetime` can be."""

_REKOR_2 = ("hashedrekord", "0.0.2")
"""The kind of entries of Rekor v2, and no others."""


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


def check_entry(entry: LogEntry, root: TrustedRoot, claim: Claim, *, stamped: datetime | None) -> datetime | None:
    """When `claim` was logged, at the latest; None where the log does not sign times (Rekor v2). Its log is known.

    `stamped` is when the signature existed as time stamps prove it, None without any: it stands for a time that the log
    does not sign.

    Raises:
        Refusal: the entry does not prove that it was logged.
    """
    logs: Collection[Log] = root.logs_named(entry.log)
    if not entry.promise and entry.proof is None:
        raise _not_in_log("the entry has neither a promise nor a proof of the log")
    time = None
    if entry.promise:
        logs = _that_promised(entry, logs)
        time = _promised_time(entry)
    if entry.proof is not None:
        logs = _that_proved(entry, entry.proof, logs)
    _check_body(entry, claim)
    if time is None:
        _check_end(logs, stamped)
    elif not any(time in log.period for log in logs):
        raise _not_in_log(f"the log was not to be relied on at {time.isoformat()}")
    return time


def _check_end(logs: Collection[Log], stamped: datetime | None) -> None:
    """Ensure that one of `logs` has no end, or one after `stamped`: who gets hold of the key of a log that is closed
    can make entries without a time."""
    last = datetime.max.replace(tzinfo=UTC) if stamped is None else stamped
    if not any(last <= log.period.end for log in logs):
        raise _not_in_log("the log has an end, and nothing proves that the signature is from before it")


def _not_in_log(message: str) -> Refusal:
    return Refusal(Reason.NOT_IN_LOG, message)


# 2. the promise


def _that_promised(entry: LogEntry, logs: Iterable[Log]) -> Collection[Log]:
    """Those of `logs` that signed the promise. Raises: Refusal: none did."""
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
    promised = [log for log in logs if is_signature(log.key, entry.promise, message)]
    if not promised:
        raise _not_in_log("the promise of the log (signed entry timestamp) is not signed by it")
    return promised


def _promised_time(entry: LogEntry) -> datetime | None:
    if not entry.time:
        return None
    if entry.time > LARGEST_TIME:
        raise _not_in_log("the time of the entry is beyond the year 9999")
    return datetime.fromtimestamp(entry.time, UTC)


# 3. the proof


def _that_proved(entry: LogEntry, proof: InclusionProof, logs: Iterable[Log]) -> Collection[Log]:
    """Those of `logs` whose checkpoint `proof` leads to. Raises: Refusal: it leads to none."""
    leaf = hashlib.sha256(b"\x00" + entry.body).digest()  # RFC 9162 2.1.1
    if root_of_proof(leaf, proof.index, proof.size, proof.hashes) != proof.root:
        raise _not_in_log("the proof does not lead from the entry to the root of the log's tree")
    tree = _signed_tree(proof.checkpoint, logs)
    if (tree.size, tree.root) != (proof.size, proof.root):
        raise _not_in_log("the proof is for another tree than the one that the log signed")
    if (entry.kind, entry.version) != _REKOR_2:
        return tree.signed_by
    # Rekor v2 has one tree, so both indexes are the same; those of v1 differ in all its trees but the first.
    if entry.index != proof.index:
        raise _not_in_log("the entry and its proof name different places in the log")
    # Its origin is the name of its host; that of v1 is whatever the server is called by its operator.
    named = [log for log in tree.signed_by if log.host == tree.origin.lower()]
    if not named:
        raise _not_in_log(f"the checkpoint is of the log {tree.origin[:100]!r}, and the trust root names another one")
    return named


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


@dataclass(frozen=True, slots=True)
class _Tree:
    """What a checkpoint says, and who signed it."""

    origin: str
    size: int
    root: bytes
    signed_by: Collection[Log]


def _signed_tree(checkpoint: str, logs: Iterable[Log]) -> _Tree:
    """The tree that at least one of `logs` signed (C2SP signed-note: text, an empty line, signatures; tlog-checkpoint:
    origin, size, root, one on each line of the text). Raises: Refusal."""
    if len(checkpoint) > MAX_CHECKPOINT_CHARACTERS:
        raise Refusal(
            Reason.TOO_LARGE, f"the checkpoint is longer than {MAX_CHECKPOINT_CHARACTERS} characters, and not read"
        )
    signed, separator, signatures = checkpoint.rpartition("\n\n")
    note = Message(f"{signed}\n".encode(errors="surrogatepass"))
    lines = signed.split("\n")
    if not separator or len(lines) < 3:
        raise _not_in_log("the checkpoint is not a signed note with origin, size and root")
    values = [value for line in signatures.split("\n") if (value := _note_signature(line))]
    if len(values) > MAX_NOTE_SIGNATURES:
        raise Refusal(
            Reason.TOO_LARGE,
            f"the checkpoint has {len(values)} signatures; at most {MAX_NOTE_SIGNATURES} are read",
        )
    signed_by = [log for log in logs if any(is_signature(log.key, value, note) for value in values)]
    if not signed_by:
        raise _not_in_log("the checkpoint is not signed by the log")
    if not (lines[1].isascii() and lines[1].isdecimal() and len(lines[1]) <= 19):
        raise _not_in_log("the checkpoint has no size of the tree")
    return _Tree(lines[0], int(lines[1]), base64_octets(lines[2], "root of the checkpoint"), signed_by)


def _note_signature(line: str) -> bytes:
    """The signature in `line`: an em dash, a name, base64 of a 4 byte hint and of the signature; empty if it has none.

    Name and hint are not signed, so nothing is decided by them.
    """
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "\u2014" or not name:
        return b""
    try:
        return base64.b64decode(encoded, validate=True)[4:]
    except ValueError:
        return b""


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
    algorithm = ALGORITHMS.get(text(hashed, "algorithm"), "")
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
    _REKOR_2: _is_hashedrekord_2,
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
