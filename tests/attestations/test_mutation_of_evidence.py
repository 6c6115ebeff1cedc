"""Whatever becomes of good evidence on its way: it never raises, and nothing is accepted that says another thing than
what was signed, about another digest, by somebody else, or at another time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random

import pytest

from attestations.evidence import Layout, Piece, Reason, Refused, SignedBy, Verified
from attestations.trust import LogUse, TrustConfiguration
from attestations.verification import Verifier
from tests.support.mutations import altered_base64, altered_bytes, altered_fields, as_json, doubled_keys
from tests.support.signatures import (
    IDENTITY_LAYOUTS,
    IMAGE,
    KEY_LAYOUTS,
    Key,
    Keyless,
    Proof,
    bundle_piece,
    dsse_bundle,
    identity_of,
    keys_of,
    pieces_by_identity,
    pieces_by_key,
    simple_signing,
    trust,
)
from tests.support.sigstore_root import Instance, b64

pytestmark = [
    pytest.mark.slow,
    # An alteration may make the serial number of a certificate negative, of which `cryptography` warns.
    pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive"),
]

KEY = Key()
BYTES, INSIDE = 400, 12
"""How many alterations of each piece, and of each of its fields in base64."""

LAYOUTS = [
    *(f"key: {layout}" for layout in KEY_LAYOUTS),
    *(f"logged key: {layout}" for layout in KEY_LAYOUTS if layout != "envelope"),
    *(f"identity: {layout}" for layout in IDENTITY_LAYOUTS),
]


@dataclass(frozen=True)
class Good:
    """A piece that is verified, by whom, and what comes of it."""

    piece: Piece
    verifier: Verifier
    verified: Verified

    def check(self, altered: Piece) -> bool:
        """Whether `altered` is accepted; it must then say the same."""
        results = self.verifier.verify(altered, {IMAGE})
        assert results
        for result in results:
            if isinstance(result, Refused):
                assert isinstance(result.reason, Reason)
                assert 10 < len(result.message) < 2000
                assert "\n" not in result.message
            else:
                same = replace(result, piece=self.piece, signed_by=tuple(map(self._timed, result.signed_by)))
                assert same == self.verified
        return any(isinstance(result, Verified) for result in results)

    def _timed(self, by: SignedBy) -> SignedBy:
        """`by` with its time, where that of a key is proven no more: now counts then."""
        return replace(by, at=self.verified.signed_by[0].at) if by.at is None and by.key_id else by


@pytest.fixture(scope="module")
def good(instance: Instance) -> dict[str, Good]:
    def made(pieces: dict[str, Piece], prefix: str, configuration: TrustConfiguration) -> Iterator[tuple[str, Good]]:
        verifier = Verifier(configuration, instance.now)
        for layout, piece in pieces.items():
            (verified,) = verifier.verify(piece, {IMAGE})
            assert isinstance(verified, Verified), verified
            yield f"{prefix}: {layout}", Good(piece, verifier, verified)

    required = keys_of(KEY.trusted(log=LogUse.REQUIRED))
    logged = {name: piece for name, piece in pieces_by_key(KEY, Proof(instance)).items() if name != "envelope"}
    return {
        **dict(made(pieces_by_key(KEY), "key", trust(keys_of(KEY), root=instance.root(logs=False, time=False)))),
        **dict(made(logged, "logged key", trust(required, instance=instance))),
        **dict(
            made(
                pieces_by_identity(instance, Keyless(instance.certificate())),
                "identity",
                trust(identity_of(), instance=instance),
            )
        ),
    }


def altered_contents(piece: Piece, contents: Iterable[bytes]) -> Iterator[Piece]:
    return (replace(piece, content=content) for content in contents)


def altered_annotations(piece: Piece, random: Random) -> Iterator[Piece]:
    for name, value in piece.annotations.items():
        for other in ("", "x", "\ud800", "{}", *piece.annotations.values()):
            yield replace(piece, annotations={**piece.annotations, name: other})
        yield replace(piece, annotations={key: kept for key, kept in piece.annotations.items() if key != name})
        texts = [each.decode(errors="replace") for each in altered_bytes(value.encode() or b" ", random, 100)]
        if value.startswith("{"):
            document = json.loads(value)
            texts += [as_json(changed).decode(errors="replace") for _, changed in altered_fields(document)]
            texts += [
                as_json(changed).decode(errors="replace") for _, changed in altered_base64(document, random, INSIDE)
            ]
        for text in texts:
            yield replace(piece, annotations={**piece.annotations, name: text})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_altered_bytes(layout: str, good: dict[str, Good]) -> None:
    case = good[layout]
    accepted = [
        case.check(piece) for piece in altered_contents(case.piece, altered_bytes(case.piece.content, Random(1), BYTES))
    ]
    assert not all(accepted)
    if case.piece.layout is Layout.COSIGN_SIGNATURE:  # every byte of it is signed
        assert not any(accepted)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_altered_fields(layout: str, good: dict[str, Good]) -> None:
    case = good[layout]
    document = json.loads(case.piece.content)
    contents = [as_json(changed) for _, changed in altered_fields(document)]
    contents += [as_json(changed) for _, changed in altered_base64(document, Random(2), INSIDE)]
    accepted = sum(case.check(piece) for piece in altered_contents(case.piece, contents))
    assert accepted < len(contents) / 2
    assert not any(case.check(piece) for piece in altered_contents(case.piece, doubled_keys(case.piece.content)))


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if ".sig" in layout or ".att" in layout])
def test_altered_annotations(layout: str, good: dict[str, Good]) -> None:
    case = good[layout]
    for piece in altered_annotations(case.piece, Random(3)):
        case.check(piece)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_piece_in_place_of_another(layout: str, good: dict[str, Good]) -> None:
    """Contents, annotations and layouts of all other pieces: what is accepted is what was signed."""
    case = good[layout]
    for other in good.values():
        for piece in (
            replace(case.piece, content=other.piece.content),
            replace(case.piece, annotations=other.piece.annotations),
            replace(case.piece, layout=other.piece.layout),
        ):
            for result in case.verifier.verify(piece, {IMAGE}):
                if isinstance(result, Verified):
                    assert result.subject == IMAGE
                    assert {by.signer for by in result.signed_by} == {by.signer for by in case.verified.signed_by}


def test_random_bytes_of_every_layout(good: dict[str, Good]) -> None:
    random = Random(4)
    case = good["key: bundle"]
    for layout in Layout:
        for size in (0, 1, 2, 50, 1000):
            assert not case.check(replace(case.piece, layout=layout, content=random.randbytes(size)))
        assert not case.check(replace(case.piece, layout=layout, content=simple_signing()))


def test_a_serial_number_may_become_negative(instance: Instance) -> None:
    certificate = instance.certificate()
    number = certificate.certificate.serial_number
    serial = number.to_bytes(number.bit_length() // 8 + 1)
    negative = certificate.der.replace(serial, bytes([serial[0] | 0x80]) + serial[1:], 1)
    assert negative != certificate.der
    piece = bundle_piece(dsse_bundle(Keyless(certificate), proof=Proof(instance)))
    altered = piece.content.replace(b64(certificate.der).encode(), b64(negative).encode())
    (result,) = Verifier(trust(identity_of(), instance=instance), instance.now).verify(
        replace(piece, content=altered), {IMAGE}
    )
    assert isinstance(result, Refused)
    assert result.reason is Reason.NOT_IN_LOG
