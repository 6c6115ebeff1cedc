"""What was signed, parsed from the signed bytes alone: in-toto statements, simple signing, and what they are about."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attestations.bundle import MAX_PIECE_BYTES
from attestations.evidence import SIGNATURE_PREDICATE, Reason
from attestations.protojson import child, children, hexadecimal, read_object, text
from attestations.refusal import Refusal, malformed

PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""Of an in-toto statement in a DSSE envelope (github.com/in-toto/attestation, spec/v1/envelope.md)."""

MODEL_SIGNATURE = "https://model_signing/signature/v1.0"
"""The predicate of OpenSSF model signing (github.com/sigstore/model-transparency, docs/model_signing_format.md)."""

MAX_SUBJECTS = 1024
"""Protects from a statement about everything."""

MAX_RESOURCES = 100_000
"""Protects from a model with more files than any has."""

DIGEST_LENGTHS = {"sha256": 32, "sha384": 48, "sha512": 64}
"""The algorithms of digests that are compared, and the bytes of each. Others in a statement are passed over."""

_HEXADECIMAL = re.compile("[0-9a-f]+")

_STATEMENT_TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
_SIMPLE_SIGNING_TYPE = "cosign container image signature"


@dataclass(frozen=True, slots=True)
class Statement:
    """`digests` are those of what the statement is about, as `algorithm:hex`, in its order."""

    digests: tuple[str, ...]
    predicate_type: str
    predicate: Any


def subject_of(statement: Statement, covers: str, digests: Collection[str]) -> str:
    """The one of `digests` that `statement` is about: `covers` if that is one.

    Raises:
        Refusal: it is about something else.
    """
    if covers in digests and covers in statement.digests:
        return covers
    for digest in statement.digests:
        if digest in digests:
            return digest
    named = statement.digests[0] if statement.digests else "nothing that has a digest"
    raise Refusal(Reason.WRONG_SUBJECT, f"what was signed is about {named}, not about this image")


def read_statement(payload_type: str, payload: bytes) -> Statement:
    """The in-toto statement (spec/v1/statement.md; v0.1 differs in its name only) that `payload` is.

    Raises:
        Refusal: it is none.
    """
    if payload_type != PAYLOAD_TYPE:
        raise malformed(f"what was signed is of the type {payload_type[:100]!r}, not an in-toto statement")
    document = read_object(payload, "the signed statement", MAX_PIECE_BYTES)
    if text(document, "_type") not in _STATEMENT_TYPES:
        raise malformed("what was signed is not an in-toto statement of version 1 or 0.1")
    digests: list[str] = []
    for subject in children(document, "subject", limit=MAX_SUBJECTS):
        digests += _digest_set(child(subject, "digest"))
    predicate_type, predicate = text(document, "predicateType"), document.get("predicate")
    if predicate_type == MODEL_SIGNATURE:
        digests += _model_digests(digests, child(document, "predicate"))
    return Statement(tuple(dict.fromkeys(digests)), predicate_type, {} if predicate is None else predicate)


def read_simple_signing(payload: bytes) -> Statement:
    """The simple signing document that `payload` is (github.com/containers/image, docs/containers-signature.5.md;
    cosign, specs/SIGNATURE_SPEC.md), which stands for a plain signature. Raises: Refusal."""
    document = read_object(payload, "the signed payload", MAX_PIECE_BYTES)
    critical = child(document, "critical")
    if text(critical, "type") != _SIMPLE_SIGNING_TYPE:
        raise malformed("what was signed is not a signature of a container image")
    algorithm, _, digits = text(child(critical, "image"), "docker-manifest-digest").partition(":")
    return Statement(tuple(_digest_set({algorithm: digits})), SIGNATURE_PREDICATE, document)


def parts_of(digest: str) -> tuple[str, bytes] | None:
    """Algorithm and value of `digest`; None if it is not one that is compared."""
    algorithm, _, digits = digest.partition(":")
    if len(digits) != 2 * DIGEST_LENGTHS.get(algorithm, 0) or not _HEXADECIMAL.fullmatch(digits):
        return None
    return algorithm, bytes.fromhex(digits)


def plain_signature(digest: str) -> Statement:
    """What a signature of the bytes with `digest` says."""
    return Statement((digest,), SIGNATURE_PREDICATE, {})


def _digest_set(digests: Mapping[str, Any]) -> Sequence[str]:
    """Those of a DigestSet (in-toto, spec/v1/digest_set.md) that are compared: any one of them is enough."""
    found = []
    for algorithm, length in DIGEST_LENGTHS.items():
        if algorithm in digests:
            digest = f"{algorithm}:{text(digests, algorithm)}"
            if parts_of(digest) is None:
                raise malformed(f"a {algorithm} digest has {2 * length} lower-case hexadecimal digits")
            found.append(digest)
    return found


def _model_digests(subjects: Sequence[str], predicate: Mapping[str, Any]) -> Sequence[str]:
    """The digests of the files of a model, which the one subject is a digest over, in their order.

    So whoever has a file can see that it is of this model.
    """
    resources = children(predicate, "resources", limit=MAX_RESOURCES)
    whole = hashlib.sha256()
    files: list[str] = []
    for resource in resources:
        algorithm, digits = text(resource, "algorithm"), text(resource, "digest")
        whole.update(hexadecimal(digits, "digest"))
        files += _digest_set({algorithm: digits})
    if list(subjects) != [f"sha256:{whole.hexdigest()}"]:
        raise malformed("the one subject of a signed model is the digest over those of its files, and this is not")
    return files
