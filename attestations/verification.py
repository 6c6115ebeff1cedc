"""Who signed what about which digest: a function of a piece of evidence, the digests of an image and who is trusted.

For each piece:

1. parse it, by its layout, into signatures and what is said to prove them; nothing in it is believed yet
2. for each signature, find whose it is: one of the trusted keys, or an identity that a certificate names
3. check what that key or identity demands: the log, the time, the certificate's path (`managed_keys`, `keyless`)
4. parse what was signed, and compare its subjects with the digests of the image

Nothing asks a network, and nothing raises for what a piece holds: each refusal has a reason and one sentence.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from attestations.bundle import MAX_PIECE_BYTES, Bundle, Material, MessageSignature, parse_bundle
from attestations.certificates import Leaf, read_leaf
from attestations.evidence import Layout, Piece, Reason, Refused, SignedBy, Verified
from attestations.keyless import check_material, check_with_library, library_can_read
from attestations.legacy import envelope_of, material_of, signature_of
from attestations.managed_keys import check_not_revoked, check_use, proven_time, uses_of_keys
from attestations.public_keys import Message, PublicKey, is_signature, is_signature_of_digest, key_id, spki
from attestations.refusal import Refusal, malformed, quoted
from attestations.statements import (
    Statement,
    parts_of,
    plain_signature,
    read_simple_signing,
    read_statement,
    subject_of,
)
from attestations.transparency import Claim
from attestations.trust import Signer, TrustConfiguration, TrustedIdentity, TrustRoot
from pratique.dsse import Envelope, pre_authentication_encoding

CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead of ours the clock of a log or an authority may be."""


@dataclass(frozen=True, slots=True)
class _Signature:
    """One signature of a piece, nothing of which is proven.

    `message` is what was signed; None of a signature of bytes that are elsewhere, whose `digest` is in `signed`.
    `statement` parses what was signed. `envelope` is the JSON of one where that is what old logs and stamps are about,
    `whole` that of the bundle, which the sigstore library is to see too.
    """

    value: bytes
    message: Message | None
    signed: Envelope | tuple[str, bytes]
    material: Material
    statement: Callable[[], Statement]
    envelope: bytes | None = None
    whole: bytes = b""

    def is_by(self, key: PublicKey) -> bool:
        """Whether it is a signature by `key`."""
        if self.message is not None:
            return is_signature(key, self.value, self.message)
        return not isinstance(self.signed, Envelope) and is_signature_of_digest(key, self.value, *self.signed)

    def claim(self, verifier: bytes) -> Claim:
        """What logs have to say about it; `verifier` is the certificate or the key, in DER."""
        digests = {} if isinstance(self.signed, Envelope) else dict([self.signed])
        payload = self.signed.payload if isinstance(self.signed, Envelope) else None
        return Claim(self.value, verifier, self.message, digests, payload, self.envelope)


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies pieces of evidence for whoever trusts `trust`, at the time `now`."""

    trust: TrustConfiguration
    now: datetime

    def verify(self, piece: Piece, digests: Collection[str]) -> tuple[Verified | Refused, ...]:
        """What became of `piece`, evidence about an image with `digests` (its index and its manifests): at most one
        Verified, with everybody whose signature counts, and a Refused for each signature that does not. Never nothing.
        """
        signed_by: list[SignedBy] = []
        refusals: list[Refusal] = []
        statement: Statement | None = None
        try:
            for signature in _signatures(piece, digests):
                found, refused = self._signers(signature)
                refusals += refused
                if found and signature.message is None:  # one signature, tried with several digests
                    signed_by, refusals, statement = found, refused, signature.statement()
                    break
                if found:
                    statement = statement or signature.statement()
                    signed_by += [each for each in found if each not in signed_by]
            subject = "" if statement is None else subject_of(statement, piece.covers, digests)
        except Refusal as refusal:
            return (Refused(piece, refusal.reason, str(refusal)),)
        refused_pieces = _without_repetition(piece, refusals)
        if statement is None:
            return refused_pieces or (Refused(piece, Reason.UNSIGNED, "nobody signed it"),)
        verified = Verified(piece, subject, statement.predicate_type, statement.predicate, tuple(signed_by))
        return (verified, *refused_pieces)

    def signers_met(self, verified: Iterable[Verified]) -> tuple[str, ...]:
        """The names of the signers whose threshold is met, sorted: as many of their keys and identities as it says
        signed one and the same subject, by statements of one and the same type.

        A key counts once, with a certificate for it or without, and so does a pattern of identities, however many
        match it: who may have one of them can often have another (the same workflow, on another branch). Of patterns
        that overlap, the first one counts.
        """
        counted: dict[tuple[str, str, str], set[str]] = {}
        for each in verified:
            for by in each.signed_by:
                counted.setdefault((by.signer, each.subject, each.predicate_type), set()).add(self._counted_as(by))
        thresholds = {signer.name: signer.threshold for signer in self.trust.signers}
        met = {name for (name, _, _), who in counted.items() if name in thresholds and len(who) >= thresholds[name]}
        return tuple(sorted(met))

    def _counted_as(self, by: SignedBy) -> str:
        if by.key_id:
            return by.key_id
        for signer in self.trust.signers:
            if signer.name == by.signer:
                for index, identity in enumerate(signer.identities):
                    if identity.matches(by.identity, by.issuer):
                        return f"identity {index}"
        return ""

    def _signers(self, signature: _Signature) -> tuple[list[SignedBy], list[Refusal]]:
        """Whose `signature` is, and why it is not others'. Raises: Refusal: it is nobody's."""
        if signature.material.certificate:
            return self._identities(signature)
        return self._keys(signature)

    # by key

    def _keys(self, signature: _Signature) -> tuple[list[SignedBy], list[Refusal]]:
        uses = uses_of_keys(self.trust.signers)
        candidates = {id_: entries[0][1].key for id_, entries in uses.items()}
        hinted = sorted(candidates, key=lambda id_: not _is_hint(signature.material.hint, id_))
        id_ = next((id_ for id_ in hinted if signature.is_by(candidates[id_])), None)
        if id_ is None:
            return [], [_nobodys(signature, candidates)]
        roots = [root.parsed for root in self.trust.all_roots.values()]
        try:
            at, logged = proven_time(signature.material, roots, signature.claim(spki(candidates[id_])))
            self._check_time(at)
        except Refusal as refusal:
            return [], [refusal]
        found, refusals = [], []
        for signer, key in uses[id_]:
            try:
                check_use(key, at=at, logged=logged, now=self.now)
            except Refusal as refusal:
                refusals.append(refusal)
            else:
                found.append(SignedBy(signer.name, key_id=id_, at=at))
        return found, refusals

    # by certificate

    def _identities(self, signature: _Signature) -> tuple[list[SignedBy], list[Refusal]]:
        leaf = read_leaf(signature.material.certificate)
        matching = self._matching(leaf.identity, leaf.issuer)
        if not matching:
            who = f"{quoted(leaf.identity)} (issuer {quoted(leaf.issuer)})"
            message = f"its certificate names {who}, whom no trusted signer matches"
            return [], [Refusal(Reason.WRONG_IDENTITY, message)]
        if not signature.is_by(leaf.key):
            message = f"the signature is not one by the certificate of {quoted(leaf.identity)}, or was altered"
            return [], [Refusal(Reason.BAD_SIGNATURE, message)]
        found, refusals = [], []
        for name in dict.fromkeys(identity.trust_root for _, identity in matching):
            try:
                at = self._check_root(signature, leaf, self.trust.all_roots[name])
            except Refusal as refusal:
                refusals.append(refusal)
                continue
            signers = {signer.name: signer for signer, identity in matching if identity.trust_root == name}
            for signer in signers.values():
                try:
                    found.append(_certified(signer, leaf, at))
                except Refusal as refusal:
                    refusals.append(refusal)
        return list(dict.fromkeys(found)), refusals

    def _matching(self, identity: str, issuer: str) -> Sequence[tuple[Signer, TrustedIdentity]]:
        return [
            (signer, trusted)
            for signer in self.trust.signers
            for trusted in signer.identities
            if trusted.matches(identity, issuer)
        ]

    def _check_root(self, signature: _Signature, leaf: Leaf, root: TrustRoot) -> datetime:
        """When it was signed, by a certificate of `root`. Raises: Refusal."""
        at = check_material(leaf, signature.material, signature.claim(leaf.der), root.parsed)
        self._check_time(at)
        if signature.whole and library_can_read(leaf.key, signature.material.entries, root.parsed, signature.signed):
            check_with_library(signature.whole, leaf, root, signature.signed)
        return at

    def _check_time(self, at: datetime | None) -> None:
        if at is not None and at > self.now + CLOCK_SKEW:
            raise Refusal(Reason.EXPIRED, f"its time, {at.isoformat()}, is in the future; one of the clocks is wrong")


def _certified(signer: Signer, leaf: Leaf, at: datetime) -> SignedBy:
    """What the certificate `leaf` says for `signer`, who may list its key as well: it is that key then, so that a
    threshold counts it once. Raises: Refusal: it is revoked."""
    key = next((key for key in signer.keys if key.id == key_id(leaf.key)), None)
    if key is not None:
        check_not_revoked(key)
    return SignedBy(signer.name, "" if key is None else key.id, leaf.identity, leaf.issuer, at)


def _without_repetition(piece: Piece, refusals: Iterable[Refusal]) -> tuple[Refused, ...]:
    said = dict.fromkeys((refusal.reason, str(refusal)) for refusal in refusals)
    return tuple(Refused(piece, reason, message) for reason, message in said)


def _is_hint(hint: str, id_: str) -> bool:
    """Whether `hint` names the key with `id_`: in our way, in hexadecimal, or as cosign does in base64."""
    digits = id_.removeprefix("sha256:")
    return hint in (id_, digits, base64.b64encode(bytes.fromhex(digits)).decode())


def _nobodys(signature: _Signature, keys: Mapping[str, PublicKey]) -> Refusal:
    if not keys:
        return Refusal(Reason.UNKNOWN_KEY, "it is signed with a key and without a certificate, and no key is trusted")
    for id_, key in keys.items():
        if _is_hint(signature.material.hint, id_):
            why = "and is not, or was altered"
            if isinstance(key, Ed25519PublicKey) and signature.message is None:
                why = (
                    "which is of Ed25519: such a signature of the bytes of a file, or of its digest (Ed25519ph), is not"
                    " verified; sign a statement about it, or with a key of ECDSA"
                )
            elif isinstance(key, Ed25519PublicKey):
                why += (
                    "; it may be one of Ed25519ph, by which cosign 3 signs with a key of Ed25519, and which is not"
                    " verified: sign with a key of ECDSA"
                )
            return Refusal(Reason.BAD_SIGNATURE, f"the signature says it is by the key {id_}, {why}")
    return Refusal(
        Reason.UNKNOWN_KEY, f"the signature is by none of the {len(keys)} keys that are trusted, or was altered"
    )


# 1. from a piece to its signatures


def _signatures(piece: Piece, digests: Collection[str]) -> Sequence[_Signature]:
    """The signatures of `piece`, at least one. Raises: Refusal."""
    if len(piece.content) > MAX_PIECE_BYTES:
        raise Refusal(Reason.TOO_LARGE, f"it has {len(piece.content)} bytes; at most {MAX_PIECE_BYTES} are read")
    if piece.layout is Layout.BUNDLE:
        return _of_bundle(parse_bundle(piece.content), piece.content, digests)
    if piece.layout is Layout.COSIGN_SIGNATURE:
        value, material = signature_of(piece.annotations), material_of(piece.annotations)
        statement = partial(read_simple_signing, piece.content)
        message = Message(piece.content)
        signed = ("sha256", message.digest("sha256"))
        return [_Signature(value, message, signed, material, statement)]
    if piece.layout is Layout.COSIGN_ATTESTATION:
        material = material_of(piece.annotations)
        return _of_envelope(envelope_of(piece.content), material, envelope_json=piece.content)
    if piece.layout is Layout.DSSE:
        return _of_envelope(envelope_of(piece.content), Material())
    raise Refusal(Reason.UNSIGNED, "nobody signed it: this is a document without a signature")


def _of_bundle(bundle: Bundle, whole: bytes, digests: Collection[str]) -> Sequence[_Signature]:
    if isinstance(bundle.content, Envelope):
        return _of_envelope(bundle.content, bundle.material, whole=whole)
    return [
        _Signature(bundle.content.value, None, signed, bundle.material, partial(plain_signature, written), whole=whole)
        for written, signed in _candidates(bundle.content, digests)
    ]


def _of_envelope(
    envelope: Envelope, material: Material, *, envelope_json: bytes | None = None, whole: bytes = b""
) -> Sequence[_Signature]:
    if len(envelope.signatures) > 1 and material != Material():
        raise malformed("the envelope has several signatures, and one certificate or log entry for all of them")
    if len(envelope.signatures) > 1 and len(envelope.signatures) * len(envelope.payload) > MAX_PIECE_BYTES:
        raise Refusal(
            Reason.TOO_LARGE, "the envelope has several signatures of so much that they are not all looked at"
        )
    message = Message(pre_authentication_encoding(envelope.payload_type, envelope.payload))
    statement = partial(read_statement, envelope.payload_type, envelope.payload)
    return [
        _Signature(
            signature.value,
            message,
            envelope,
            material if material.hint else replace(material, hint=signature.key_id),
            statement,
            envelope_json,
            whole,
        )
        for signature in envelope.signatures
    ]


def _candidates(message: MessageSignature, digests: Collection[str]) -> Sequence[tuple[str, tuple[str, bytes]]]:
    """The digests that the signature may be about: the one that it names, or else each of the image."""
    known = [(digest, parts) for digest in sorted(digests) if (parts := parts_of(digest)) is not None]
    if message.digest:
        known = [each for each in known if each[1] == (message.algorithm, message.digest)]
        if not known:
            named = f"{message.algorithm}:{message.digest.hex()}"
            raise Refusal(Reason.WRONG_SUBJECT, f"the signature is of {named}, not of this image")
    if not known:
        raise Refusal(Reason.WRONG_SUBJECT, "there is no digest that the signature could be about")
    return known
