"""What was found becomes facts: who counts as having signed a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from attestations.evidence import Found, Piece, Unread
from attestations.image_reader import examine
from attestations.verification import Verifier
from tests.support.documents import component, cyclonedx, piece
from tests.support.signatures import IMAGE, Key, bundle_piece, dsse_bundle, keys_of, statement, trust

ADA, BOB, EVE = Key(name="ada"), Key(name="bob"), Key(name="eve")
SBOM, OTHER = cyclonedx(), cyclonedx(component("other"))


def attested(key: Key, sbom: Mapping[str, Any] = SBOM) -> Piece:
    return bundle_piece(dsse_bundle(key, statement(predicate_type="https://cyclonedx.org/bom", predicate=sbom)))


def sboms(*pieces: Piece) -> tuple[list[list[str]], list[str]]:
    """Who signed each SBOM of the image, and why others were refused, where the board needs two."""
    configuration = trust(keys_of(ADA, BOB, threshold=2, name="board"), keys_of(ADA, name="ci"))
    found = Found("registry.internal", "serving/vllm", IMAGE, {IMAGE: ""}, pieces)
    fact = examine(found, Verifier(configuration, datetime(2026, 11, 29, tzinfo=UTC))).facts["sbom"]
    return [each["signers"] for each in fact["documents"]], [each["message"] for each in fact["refused"]]


def test_a_document_needs_as_many_signatures_as_a_signer_says() -> None:
    assert sboms(attested(ADA)) == ([["ci"]], [])
    assert sboms(attested(ADA), attested(BOB)) == ([["board", "ci"], ["board"]], [])


def test_signatures_of_different_documents_are_not_added_up() -> None:
    needed = "fewer keys or identities signed the document than its signer needs"
    assert sboms(attested(ADA), attested(BOB, OTHER)) == ([["ci"]], [needed])
    assert sboms(attested(BOB), attested(BOB)) == ([], [needed, needed])


def test_what_hangs_there_a_hundred_times_is_read_once() -> None:
    plain = piece(orjson.dumps(SBOM), "application/vnd.cyclonedx+json", covers=IMAGE)
    copies = [replace(plain, manifest=f"sha256:{number:064x}") for number in range(100)]
    assert sboms(*copies, *([attested(ADA)] * 2)) == ([["ci"], []], [])
    assert sboms(plain, replace(plain, covers="sha256:" + "00" * 32)) == ([[], []], [])


def test_what_cannot_be_read_is_told_where_nothing_else_is_there() -> None:
    unread = Unread(IMAGE, "sha256:" + "00" * 32, "its layer has 99 bytes, more than 9")
    found = Found("registry.internal", "serving/vllm", IMAGE, {IMAGE: ""}, (), unread=(unread,))
    facts = examine(found, Verifier(trust(keys_of(ADA)), datetime(2026, 11, 29, tzinfo=UTC))).facts
    assert facts["sbom"] == (
        f"no SBOM hangs on registry.internal/serving/vllm@{IMAGE};"
        " one thing that does cannot be read: its layer has 99 bytes, more than 9"
    )


def test_a_document_of_somebody_else_is_nobodys() -> None:
    signers, refused = sboms(attested(EVE))
    assert (signers, len(refused)) == ([], 1)
