"""What hangs on an image, as facts: the step between verification and the sources (ADR 24). Pure.

    digested(evidence)  one Verified, or a Piece that nobody signed -> Digest | Refused | None (it is no document)
    image_facts(...)    all digests of an image -> {"sbom": value, "vulnerabilities": value, "provenance": value}

VEX documents are no fact of their own: they change what the scans of the same image come to, and only where they are
signed, since a document that anybody could push would hide what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from attestations.evidence import Layout, Piece, Reason, Refused, Verified
from attestations.provenance import PROVENANCE_TYPES, TrustedBuilder, provenance_fact
from attestations.reading import parsed
from attestations.sbom import sbom_fact
from attestations.scan import Scan
from attestations.scanners import is_report, read_cosign_vuln, read_in_toto_vulns, read_report
from attestations.vex import Statement, Statements, read_vex
from attestations.vulnerabilities import vulnerability_fact
from pratique.errors import InputError

MAX_ELEMENT_BYTES = 2**20
"""Protects the documents of policies: what one document of evidence may come to."""

MAX_DOCUMENTS = 100
"""Documents of one kind that one image may have: each platform has one of each, or a few."""

MAX_FACT_BYTES = 2 * 2**20
"""Protects every decision about an image from what anybody who can push has hung on it: all documents of one kind. An
SBOM of 5,000 components comes to 170 KB."""

MAX_REFUSED = 20
"""Refusals in a fact; the rest is only counted."""


class Kind(StrEnum):
    """What a document is about."""

    SBOM = "sbom"
    VULNERABILITIES = "vulnerabilities"
    VEX = "vex"
    PROVENANCE = "provenance"


SOURCES = (Kind.SBOM, Kind.VULNERABILITIES, Kind.PROVENANCE)
"""The kinds that are facts of that name."""

_ELEMENTS = {Kind.SBOM: "documents", Kind.VULNERABILITIES: "scans", Kind.PROVENANCE: "statements"}

_PREDICATES = {
    **dict.fromkeys(PROVENANCE_TYPES, Kind.PROVENANCE),
    "https://cosign.sigstore.dev/attestation/vuln/v1": Kind.VULNERABILITIES,
    "cosign.sigstore.dev/attestation/vuln/v1": Kind.VULNERABILITIES,
    "https://in-toto.io/attestation/vulns/v0.1": Kind.VULNERABILITIES,
    "https://in-toto.io/attestation/vulns/v0.2": Kind.VULNERABILITIES,
}
_PREDICATE_FAMILIES = (
    ("https://cyclonedx.org/bom", Kind.SBOM),
    ("https://spdx.dev/Document", Kind.SBOM),
    ("https://openvex.dev/ns", Kind.VEX),
)
"""These are written with and without a version."""

_MEDIA_TYPES = {
    "application/vnd.cyclonedx+json": Kind.SBOM,
    "application/spdx+json": Kind.SBOM,
    "text/spdx+json": Kind.SBOM,
    "application/vnd.openvex+json": Kind.VEX,
    "application/sarif+json": Kind.VULNERABILITIES,
    "application/vnd.cyclonedx.vex+json": None,
}
_IN_TOTO = "application/vnd.in-toto+json"
_COSIGN_VULN = "cosign.sigstore.dev/attestation/vuln/v1"


def document_kind(media_type: str, predicate_type: str, content: Any) -> Kind | None:
    """What a parsed document is: by its predicate type, its media type, or what it looks like; None for anything else.

    Reports of scanners are attested under types of their users' making, so these are told by their look alone.
    """
    if kind := _PREDICATES.get(predicate_type):
        return kind
    for prefix, family in _PREDICATE_FAMILIES:
        if predicate_type == prefix or predicate_type.startswith(f"{prefix}/"):
            return family
    plain = media_type.partition(";")[0].strip().lower()
    if plain in _MEDIA_TYPES:
        return _MEDIA_TYPES[plain]
    if not isinstance(content, dict):
        return None
    context = content.get("@context")
    if isinstance(context, str) and context.startswith("https://openvex.dev/ns"):
        return Kind.VEX
    if content.get("bomFormat") == "CycloneDX" or "spdxVersion" in content:
        return Kind.SBOM
    if isinstance(context, str) and context.startswith("https://spdx.org/rdf/3"):
        return Kind.SBOM
    return Kind.VULNERABILITIES if is_report(content) else None


@dataclass(frozen=True, slots=True)
class Digest:
    """What one document comes to. `content` is the element of the fact for an SBOM and a statement of provenance, a
    Scan for vulnerabilities, and the statements for VEX."""

    kind: Kind
    covers: str
    signers: tuple[str, ...]
    signed: bool
    content: dict[str, Any] | Scan | tuple[Statement, ...]


def digested(evidence: Verified | Piece) -> Digest | Refused | None:
    """What a document says; Refused where it is broken, None where it is none that is read.

    A `Piece` is what nobody signed: a plain document, or a statement of BuildKit, which has to be about the digest that
    it hangs on. Of a `Verified`, `signed_by` are those whose signature counts, so that nobody there is a refusal. Never
    raises, whatever is in the document.
    """
    piece = evidence.piece if isinstance(evidence, Verified) else evidence
    try:
        if isinstance(evidence, Verified):
            return _digest(evidence, piece, evidence.subject, evidence.predicate_type, evidence.predicate)
        value = parsed(piece.content)
        if piece.layout is Layout.BUILDKIT or piece.media_type == _IN_TOTO:
            predicate_type, value = _unsigned_statement(piece, value)
        else:
            predicate_type = ""
        return _digest(evidence, piece, piece.covers, predicate_type, value)
    except _WrongSubject as error:
        return Refused(piece, Reason.WRONG_SUBJECT, str(error))
    except InputError as error:
        return Refused(piece, Reason.MALFORMED, str(error))


def _digest(
    evidence: Verified | Piece, piece: Piece, covers: str, predicate_type: str, value: Any
) -> Digest | Refused | None:
    value = _unwrapped(value)
    media_type = "" if predicate_type else piece.media_type
    kind = document_kind(media_type, predicate_type, value)
    if kind is None:
        return None
    signers = sorted({each.signer for each in evidence.signed_by}) if isinstance(evidence, Verified) else []
    if isinstance(evidence, Verified) and not signers:
        return Refused(piece, Reason.UNSIGNED, "fewer keys or identities signed the document than its signer needs")
    content: dict[str, Any] | Scan | tuple[Statement, ...]
    match kind:
        case Kind.SBOM:
            content = sbom_fact(value)
        case Kind.PROVENANCE:
            content = provenance_fact(predicate_type, value)
        case Kind.VULNERABILITIES:
            content = _scan(predicate_type, value)
        case Kind.VEX:
            if not isinstance(evidence, Verified):
                return Refused(
                    piece, Reason.UNSIGNED, "the OpenVEX document is not signed, so nothing is taken away by it"
                )
            content = tuple(read_vex(value, subject=covers, signers=signers))
    if isinstance(content, dict) and len(orjson.dumps(content)) > MAX_ELEMENT_BYTES:
        message = f"the document comes to a fact of more than {MAX_ELEMENT_BYTES} bytes"
        return Refused(piece, Reason.TOO_LARGE, message)
    return Digest(kind, covers, tuple(signers), isinstance(evidence, Verified), content)


class _WrongSubject(InputError):
    """The statement is about something else."""


def _unsigned_statement(piece: Piece, value: Any) -> tuple[str, Any]:
    """Predicate type and predicate of an in-toto statement that nobody signed.

    Raises:
        InputError: it is none, or about something else than what it hangs on.
    """
    if not isinstance(value, dict) or not isinstance(value.get("predicateType"), str) or "predicate" not in value:
        raise InputError("the document is no in-toto statement: it has no predicateType or no predicate")
    subjects = value.get("subject")
    named = [each.get("digest") for each in subjects if isinstance(each, dict)] if isinstance(subjects, list) else []
    algorithm, _, hexadecimal = piece.covers.partition(":")
    if not any(isinstance(digests, dict) and digests.get(algorithm) == hexadecimal for digests in named):
        raise _WrongSubject(f"the statement is not about {piece.covers}, which it hangs on")
    return value["predicateType"], value["predicate"]


def _unwrapped(value: Any) -> Any:
    """What cosign has put into `Data` beside a `Timestamp` (COSIGN_PREDICATE_SPEC.md): a text of JSON, or the value."""
    if not isinstance(value, dict) or "Data" not in value or not value.keys() <= {"Data", "Timestamp"}:
        return value
    data = value["Data"]
    if not isinstance(data, str):
        return data
    try:
        return parsed(data.encode())
    except (InputError, UnicodeEncodeError):
        return value  # a text of some other kind


def _scan(predicate_type: str, value: Any) -> Scan:
    if predicate_type.endswith(_COSIGN_VULN):
        return read_cosign_vuln(value)
    if predicate_type.startswith("https://in-toto.io/attestation/vulns/"):
        return read_in_toto_vulns(value)
    return read_report(value)


# Facts


def image_facts(
    digests: Iterable[Digest],
    refused: Iterable[Refused],
    *,
    digest: str,
    platforms: Mapping[str, str],
    builders: Sequence[TrustedBuilder] = (),
) -> dict[str, dict[str, Any] | None]:
    """The values of `facts.sbom`, `facts.vulnerabilities` and `facts.provenance` about one image, by source; None where
    nothing of the kind hangs on it.

    `digest` is what the reference resolved to, `platforms` the platforms of its manifests by digest. What was refused
    is told in each source that it could have been for; signatures of the image are for none of them.
    """
    found: dict[Kind, list[dict[str, Any]]] = {kind: [] for kind in SOURCES}
    rejections = list(refused)
    kept = list(digests)
    vex = Statements(statement for each in kept if each.kind is Kind.VEX for statement in _statements(each))
    for each in _latest(kept):
        if each.kind is Kind.VEX:
            continue
        if isinstance(each.content, Scan):
            element = vulnerability_fact(each.content, vex, digests=frozenset({each.covers, digest}))
        elif isinstance(each.content, dict):
            element = each.content
        else:
            raise TypeError(type(each.content))
        if each.kind is Kind.PROVENANCE:
            element = element | {"trusted_builder": _trusted(element["builder"], each.signers, builders)}
        outer = {
            "covers": each.covers,
            "platform": platforms.get(each.covers, ""),
            "signed": each.signed,
            "signers": list(each.signers),
        }
        found[each.kind].append(outer | element)
    facts: dict[str, dict[str, Any] | None] = {}
    for kind in SOURCES:
        told = [each for each in rejections if _could_be(each.piece) in (None, kind)]
        told = [each for each in told if each.piece.layout is not Layout.COSIGN_SIGNATURE]
        if not found[kind] and not told:
            facts[kind.value] = None
            continue
        elements = sorted(found[kind], key=lambda element: (not element["signed"], element["covers"]))
        listed = _within_limits(elements)
        facts[kind.value] = {
            "digest": digest,
            "platforms": dict(platforms),
            _ELEMENTS[kind]: listed,
            "refused": [
                {"reason": each.reason.value, "message": each.message, "covers": each.piece.covers}
                for each in told[:MAX_REFUSED]
            ],
            "refused_count": len(told),
            "truncated": len(listed) < len(elements),
        }
    return facts


def _within_limits(elements: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """The first of them, up to the limits. What nobody signed comes last, so that it crowds nothing out: where one that
    is not signed is listed, all that are signed are."""
    room = MAX_FACT_BYTES
    for count, element in enumerate(elements[:MAX_DOCUMENTS]):
        room -= len(orjson.dumps(element))
        if room < 0:
            return elements[:count]
    return elements[:MAX_DOCUMENTS]


def _latest(digests: Sequence[Digest]) -> Sequence[Digest]:
    """Where there are more scans than a fact holds, as of an image that is scanned every day: without those that are
    superseded. Of the scans by one scanner about one digest, signed by the same, the latest counts for every policy."""
    scans = [(each, each.content) for each in digests if isinstance(each.content, Scan)]
    if len(scans) <= MAX_DOCUMENTS:
        return digests
    times: dict[tuple[Any, ...], str] = {}
    for each, scan in scans:
        key = (each.covers, scan.scanner, each.signers)
        times[key] = max(times.get(key, ""), scan.scanned)
    old = {id(each) for each, scan in scans if scan.scanned < times[each.covers, scan.scanner, each.signers]}
    return [each for each in digests if id(each) not in old]


def _statements(digest: Digest) -> tuple[Statement, ...]:
    if not isinstance(digest.content, tuple):
        raise TypeError(type(digest.content))
    return digest.content


def _trusted(builder: str, signers: Sequence[str], builders: Sequence[TrustedBuilder]) -> str:
    return next((each.name for each in builders if builder and each.made(builder, signers)), "")


def predicate_type_named(piece: Piece) -> str:
    """The predicate type that the annotations of a piece name: nothing that is verified."""
    names = ("dev.sigstore.bundle.predicateType", "predicateType", "in-toto.io/predicate-type")
    return next((piece.annotations[name] for name in names if name in piece.annotations), "")


def _could_be(piece: Piece) -> Kind | None:
    """What a refused piece would have been, as far as its labels say; None where they do not."""
    predicate_type = predicate_type_named(piece)
    kind = document_kind("" if predicate_type else piece.media_type, predicate_type, None)
    return Kind.VULNERABILITIES if kind is Kind.VEX else kind
