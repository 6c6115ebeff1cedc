"""An examined image as a tree for people, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TextIO

import orjson

from attestations.documents import Digest, Kind
from attestations.evidence import Piece, Refused, SignedBy, Verified
from attestations.image_reader import Examination
from attestations.scan import Scan
from reports.text import visible

_NAMES = {
    Kind.SBOM: "SBOM",
    Kind.VULNERABILITIES: "scan for vulnerabilities",
    Kind.VEX: "VEX statements",
    Kind.PROVENANCE: "provenance",
}


def write_examination(examination: Examination, reference: str, stream: TextIO, *, output: str) -> None:
    """Write what was found and what became of it."""
    if output == "json":
        stream.write(orjson.dumps(_document(examination, reference), option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    for line in _lines(examination, reference):
        stream.write(visible(line) + "\n")


def _lines(examination: Examination, reference: str) -> Iterator[str]:
    found = examination.found
    yield reference
    yield f"  digest {found.digest}"
    for digest, platform in sorted(found.manifests.items()):
        if digest != found.digest:
            yield f"  {platform or 'manifest'} {digest}"
    signatures = examination.facts["signatures"]
    signers = [] if isinstance(signatures, str) else signatures["signers"]
    yield f"  signed by {', '.join(signers) if signers else 'nobody who counts'}"
    if not examination.outcomes and not found.unread:
        yield "  nothing hangs on it"
    for piece, outcomes in examination.outcomes:
        covers = "" if piece.covers == found.digest else f" of {piece.platform or piece.covers}"
        yield f"  {piece.layout.value}{covers} ({piece.layer})"
        for outcome in outcomes:
            yield f"    {_said(outcome)}"
        if not outcomes:
            yield f"    - nothing that is read here ({piece.media_type or 'no media type'})"
    for unread in found.unread:
        yield f"  not read: {unread.manifest}"
        yield f"    ✗ {unread.reason}"


def _said(outcome: Verified | Refused | Digest) -> str:
    match outcome:
        case Verified(predicate_type=predicate_type, signed_by=signed_by):
            return f"✓ {predicate_type} signed by {', '.join(_who(by) for by in signed_by)}"
        case Refused(reason=reason, message=message):
            return f"✗ {reason.value}: {message}"
    signed = "" if outcome.signed else ", which nobody signed"
    return f"✓ {_NAMES[outcome.kind]}{_about(outcome.content)}{signed}"


def _who(by: SignedBy) -> str:
    what = f"key {by.key_id}" if by.key_id else f"{by.identity}, issuer {by.issuer}"
    at = f" at {by.at:%Y-%m-%dT%H:%M:%SZ}" if by.at is not None else ""
    return f"{by.signer} ({what}{at})"


def _about(content: Any) -> str:
    if isinstance(content, dict) and "components" in content:
        return f" ({content['format']} {content['version']}, {content['components']} components)"
    if isinstance(content, dict):
        return f" (built by {content['builder'] or 'nobody'})"
    if isinstance(content, Scan):
        return f" ({len(content.vulnerabilities)} findings)"
    return f" ({len(content)})"


def _document(examination: Examination, reference: str) -> dict[str, Any]:
    found = examination.found
    return {
        "reference": reference,
        "digest": found.digest,
        "manifests": dict(found.manifests),
        "pieces": [_piece(piece, outcomes) for piece, outcomes in examination.outcomes],
        "unread": [{"covers": each.covers, "manifest": each.manifest, "reason": each.reason} for each in found.unread],
        "facts": dict(examination.facts),
    }


def _piece(piece: Piece, outcomes: tuple[Verified | Refused | Digest, ...]) -> dict[str, Any]:
    return {
        "layout": piece.layout.value,
        "covers": piece.covers,
        "platform": piece.platform,
        "media_type": piece.media_type,
        "manifest": piece.manifest,
        "layer": piece.layer,
        "outcomes": [_outcome(outcome) for outcome in outcomes],
    }


def _outcome(outcome: Verified | Refused | Digest) -> dict[str, Any]:
    match outcome:
        case Verified(subject=subject, predicate_type=predicate_type, signed_by=signed_by):
            return {
                "result": "verified",
                "subject": subject,
                "predicate_type": predicate_type,
                "signed_by": [
                    {"signer": by.signer, "key_id": by.key_id, "identity": by.identity, "issuer": by.issuer}
                    for by in signed_by
                ],
            }
        case Refused(reason=reason, message=message):
            return {"result": "refused", "reason": reason.value, "message": message}
    return {"result": "document", "kind": outcome.kind.value, "signed": outcome.signed}
