"""Who signed what about which digest: every layout with keys, what each key demands, and why what does not count does
not. Certificates: `test_keyless.py`; what cosign itself signs: `test_cosign.py`."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestations.bundle import MAX_PIECE_BYTES
from attestations.evidence import SIGNATURE_PREDICATE, Layout, Piece, Reason, Refused, SignedBy, Verified
from attestations.statements import MODEL_SIGNATURE
from attestations.trust import (
    PUBLIC_GOOD,
    LogUse,
    Pattern,
    PatternKind,
    Signer,
    TrustConfiguration,
    TrustedIdentity,
    exact,
)
from attestations.verification import Verifier
from tests.support.signatures import (
    BLOB,
    IMAGE,
    KEY_LAYOUTS,
    OTHER_IMAGE,
    Key,
    Proof,
    attestation_piece,
    bundle_piece,
    dsse_bundle,
    identity_of,
    keys_of,
    model_statement,
    pieces_by_key,
    signature_piece,
    simple_signing,
    statement,
    trust,
    verify,
)
from tests.support.sigstore_root import Instance, Object, b64

KEY = Key(name="release")
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
RSA = rsa.generate_private_key(65537, 2048)

KINDS = {
    "P-256": Key(ec.generate_private_key(ec.SECP256R1())),
    "P-384": Key(ec.generate_private_key(ec.SECP384R1()), hash_name="sha384"),
    "P-521": Key(ec.generate_private_key(ec.SECP521R1()), hash_name="sha512"),
    "P-384 with SHA-256": Key(ec.generate_private_key(ec.SECP384R1())),
    "P-521 with SHA-256": Key(ec.generate_private_key(ec.SECP521R1())),
    "Ed25519": Key(Ed25519PrivateKey.generate()),
    "RSA PKCS1v15": Key(RSA),
    "RSA PSS": Key(RSA, pss=True),
}


def only(results: tuple[Verified | Refused, ...]) -> Verified | Refused:
    (result,) = results
    return result


def refusal(results: tuple[Verified | Refused, ...]) -> tuple[Reason, str]:
    result = only(results)
    assert isinstance(result, Refused), result
    return result.reason, result.message


@pytest.mark.parametrize("layout", KEY_LAYOUTS)
def test_a_key_verifies_every_layout(layout: str) -> None:
    piece = pieces_by_key(KEY)[layout]
    result = only(verify(piece, trust(keys_of(KEY)), OTHER_IMAGE, IMAGE))
    plain: Any = {} if layout != ".sig" else json.loads(simple_signing())
    kind = SIGNATURE_PREDICATE if layout != ".att" else "https://cyclonedx.org/bom"
    assert result == Verified(piece, IMAGE, kind, plain, (SignedBy("platform", key_id=KEY.id),))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", KEY_LAYOUTS)
def test_every_kind_of_key_signs_every_layout(kind: str, layout: str) -> None:
    key = KINDS[kind]
    digests = [IMAGE, *(f"{name}:{hashlib.new(name, BLOB).hexdigest()}" for name in ("sha384", "sha512"))]
    result = only(verify(pieces_by_key(key)[layout], trust(keys_of(key)), *digests))
    if kind == "Ed25519" and layout.startswith("message"):
        assert isinstance(result, Refused)
        assert result.reason is Reason.BAD_SIGNATURE
        assert result.message == (
            f"the signature says it is by the key {key.id}, which is of Ed25519: such a signature of the bytes of a"
            " file, or of its digest (Ed25519ph), is not verified; sign a statement about it, or with a key of ECDSA"
        )
    else:
        assert isinstance(result, Verified)


def test_what_is_not_by_the_key_of_ed25519_that_it_names_may_be_ed25519ph() -> None:
    key = KINDS["Ed25519"]
    bundle = dsse_bundle(key)
    bundle["dsseEnvelope"]["signatures"] = dsse_bundle(Key(Ed25519PrivateKey.generate()))["dsseEnvelope"]["signatures"]
    assert refusal(verify(bundle_piece(bundle), trust(keys_of(key)))) == (
        Reason.BAD_SIGNATURE,
        f"the signature says it is by the key {key.id}, and is not, or was altered; it may be one of Ed25519ph, by"
        " which cosign 3 signs with a key of Ed25519, and which is not verified: sign with a key of ECDSA",
    )


@pytest.mark.parametrize("layout", KEY_LAYOUTS)
def test_another_key_is_unknown(layout: str) -> None:
    reason, message = refusal(verify(pieces_by_key(KEY)[layout], trust(keys_of(Key(), Key()))))
    assert reason is Reason.UNKNOWN_KEY
    assert message == "the signature is by none of the 2 keys that are trusted, or was altered"


@pytest.mark.parametrize(
    "configuration", [trust(), trust(identity_of(root=PUBLIC_GOOD))], ids=["nobody", "an identity"]
)
def test_a_key_is_nobodys_where_none_is_trusted(configuration: TrustConfiguration) -> None:
    assert refusal(verify(bundle_piece(dsse_bundle(KEY)), configuration)) == (
        Reason.UNKNOWN_KEY,
        "it is signed with a key and without a certificate, and no key is trusted",
    )


@pytest.mark.parametrize("layout", KEY_LAYOUTS)
def test_a_signature_on_another_digest_is_not_one_on_this(layout: str) -> None:
    reason, message = refusal(verify(pieces_by_key(KEY)[layout], trust(keys_of(KEY)), OTHER_IMAGE))
    if layout == "message that names no digest":  # who signed what cannot be told
        assert reason is Reason.BAD_SIGNATURE
    else:
        assert reason is Reason.WRONG_SUBJECT
        assert IMAGE in message


def test_the_subject_is_what_it_hangs_on_if_it_can_be() -> None:
    both = json.loads(statement())
    both["subject"].append({"name": "index", "digest": {"sha256": OTHER_IMAGE.removeprefix("sha256:")}})
    for covers in (IMAGE, OTHER_IMAGE):
        piece = bundle_piece(dsse_bundle(KEY, json.dumps(both).encode()), covers=covers)
        result = only(verify(piece, trust(keys_of(KEY)), IMAGE, OTHER_IMAGE))
        assert isinstance(result, Verified)
        assert result.subject == covers


@pytest.mark.parametrize("algorithm", ["sha1", "md5", "gitCommit"])
def test_a_digest_that_is_weak_or_of_something_else_is_passed_over(algorithm: str) -> None:
    digits = "ab" * 20
    piece = bundle_piece(dsse_bundle(KEY, statement(f"{algorithm}:{digits}")))
    reason, _ = refusal(verify(piece, trust(keys_of(KEY)), f"{algorithm}:{digits}"))
    assert reason is Reason.WRONG_SUBJECT


def test_nobody_signed_a_document_or_what_buildkit_attests() -> None:
    for layout in (Layout.DOCUMENT, Layout.BUILDKIT):
        piece = Piece(layout, IMAGE, "", "application/json", b"{}", "m", "l")
        assert refusal(verify(piece, trust(keys_of(KEY))))[0] is Reason.UNSIGNED
    layer = replace(signature_piece(KEY), annotations={})
    assert refusal(verify(layer, trust(keys_of(KEY))))[0] is Reason.UNSIGNED


# what a key demands


def test_a_revoked_key_is_refused_whenever_it_signed(instance: Instance) -> None:
    piece = bundle_piece(dsse_bundle(KEY, proof=Proof(instance)))
    reason, message = refusal(verify(piece, trust(keys_of(KEY.trusted(revoked=True)), instance=instance)))
    assert reason is Reason.REVOKED_KEY
    assert message == f"it is signed with the key release ({KEY.id}), which is revoked"


@pytest.mark.parametrize(
    ("start", "end", "counts"),
    [(-2, -1, False), (-1, 1, True), (1, 2, False), (None, -1, False), (None, 1, True), (1, None, False), (0, 0, True)],
)
def test_without_proof_of_its_time_a_signature_is_of_now(start: int | None, end: int | None, counts: bool) -> None:
    def at(hours: int | None) -> datetime | None:
        return None if hours is None else NOW + timedelta(hours=hours)

    configuration = trust(keys_of(KEY.trusted(start=at(start), end=at(end))))
    result = only(verify(bundle_piece(dsse_bundle(KEY)), configuration, now=NOW))
    assert isinstance(result, Verified) == counts
    if isinstance(result, Refused):
        assert result.reason is Reason.EXPIRED
        assert result.message.startswith("the key release is good from ")
        assert result.message.endswith("the signature has no proven time, so that now counts")


@pytest.mark.parametrize("stamp", [False, True])
@pytest.mark.parametrize("layout", [".sig", ".att", "bundle", "message"])
def test_a_signature_of_the_time_of_a_key_outlives_it(layout: str, stamp: bool, instance: Instance) -> None:
    proof = Proof(instance, rekor=0 if stamp else 1, stamp=stamp)
    piece = pieces_by_key(KEY, proof)[layout]
    hour = timedelta(hours=1)
    configuration = trust(keys_of(KEY.trusted(end=instance.now + hour)), instance=instance)
    result = only(verify(piece, configuration, now=instance.now + 2 * hour))
    assert isinstance(result, Verified), result
    (signed_by,) = result.signed_by
    assert signed_by.at is not None
    assert timedelta() <= signed_by.at - instance.now < hour
    expired = trust(keys_of(KEY.trusted(end=instance.now - hour)), instance=instance)
    reason, message = refusal(verify(piece, expired, now=instance.now))
    assert reason is Reason.EXPIRED
    assert "and the signature is of 20" in message


@pytest.mark.parametrize("layout", [".sig", ".att", "bundle", "message"])
def test_a_key_may_demand_a_log(layout: str, instance: Instance) -> None:
    required = keys_of(KEY.trusted(log=LogUse.REQUIRED))
    logged = pieces_by_key(KEY, Proof(instance))[layout]
    assert isinstance(only(verify(logged, trust(required, instance=instance))), Verified)
    for piece, configuration in [
        (pieces_by_key(KEY)[layout], trust(required, instance=instance)),
        (pieces_by_key(KEY, Proof(instance, rekor=0, stamp=True))[layout], trust(required, instance=instance)),
        (logged, trust(required)),  # in a log that nobody trusts
    ]:
        reason, message = refusal(verify(piece, configuration))
        assert reason is Reason.NOT_IN_LOG
        assert message == "a signature with the key release has to be in a transparency log that is trusted"


@pytest.mark.parametrize("kind", ["intoto 0.0.1", "intoto 0.0.2"])
def test_older_logs_of_attestations(kind: str, instance: Instance) -> None:
    required = trust(keys_of(KEY.trusted(log=LogUse.REQUIRED)), instance=instance)
    piece = attestation_piece(KEY, proof=Proof(instance), kind=kind)
    assert isinstance(only(verify(piece, required)), Verified)
    other = attestation_piece(KEY, statement(OTHER_IMAGE), proof=Proof(instance), kind=kind)
    moved = replace(piece, annotations=other.annotations)
    assert refusal(verify(moved, required)) == (
        Reason.NOT_IN_LOG,
        "the log entry is about another signature, key or content than this one",
    )


def test_an_entry_of_rekor_2_proves_no_time(instance: Instance) -> None:
    piece = bundle_piece(dsse_bundle(KEY, proof=Proof(instance, rekor=2)))
    result = only(verify(piece, trust(keys_of(KEY.trusted(log=LogUse.REQUIRED)), instance=instance)))
    assert isinstance(result, Verified)
    assert result.signed_by[0].at is None


def test_a_stamp_of_a_key_is_a_reply(instance: Instance) -> None:
    bundle = dsse_bundle(KEY, proof=Proof(instance, rekor=0, stamp=True))
    stamps = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    stamps[0]["signedTimestamp"] = b64(b"hello")
    assert refusal(verify(bundle_piece(bundle), trust(keys_of(KEY), instance=instance))) == (
        Reason.MALFORMED,
        "a time stamp is not a reply as RFC 3161 has them",
    )


def test_a_time_that_is_still_to_come_is_refused(instance: Instance) -> None:
    for time in (instance.now + timedelta(minutes=6), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)):
        piece = bundle_piece(dsse_bundle(KEY, proof=Proof(instance, time=time)))
        reason, message = refusal(verify(piece, trust(keys_of(KEY), instance=instance), now=instance.now))
        assert reason is Reason.EXPIRED
        assert message == f"its time, {time.isoformat()}, is in the future; one of the clocks is wrong"


def entry_of(bundle: Object) -> Any:
    return bundle["verificationMaterial"]["tlogEntries"][0]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("inclusionPromise", "the promise of the log (signed entry timestamp) is not signed by it"),
        ("inclusionProof", "the proof does not lead from the entry to the root of the log's tree"),
        ("whole", "the log entry is about another signature, key or content than this one"),
    ],
)
def test_a_log_entry_of_another_signature_is_no_proof(part: str, message: str, instance: Instance) -> None:
    bundle, other = (dsse_bundle(KEY, statement(of), proof=Proof(instance)) for of in (IMAGE, OTHER_IMAGE))
    if part == "whole":
        bundle["verificationMaterial"]["tlogEntries"] = [entry_of(other)]
    else:
        entry_of(bundle)[part] = entry_of(other)[part]
    assert refusal(verify(bundle_piece(bundle), trust(keys_of(KEY), instance=instance))) == (Reason.NOT_IN_LOG, message)


def test_a_checkpoint_is_signed_by_the_log(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Instance(tmp_path_factory.mktemp("other"))
    configuration = trust(keys_of(KEY), instance=instance)
    bundle = dsse_bundle(KEY, proof=Proof(instance, promise=False))
    body = json.loads(base64.b64decode(entry_of(bundle)["canonicalizedBody"]))
    entry_of(bundle)["inclusionProof"] = other.entry(body)["inclusionProof"]
    assert refusal(verify(bundle_piece(bundle), configuration)) == (
        Reason.NOT_IN_LOG,
        "the checkpoint is not signed by the log",
    )


def test_a_key_of_two_signers_is_judged_for_each() -> None:
    configuration = trust(keys_of(KEY, name="old"), keys_of(KEY.trusted(revoked=True), name="new"))
    verified, refused = verify(bundle_piece(dsse_bundle(KEY)), configuration)
    assert isinstance(verified, Verified)
    assert [by.signer for by in verified.signed_by] == ["old"]
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.REVOKED_KEY


# thresholds


def envelope_of_both(*keys: Key) -> Piece:
    envelopes = [dsse_bundle(key)["dsseEnvelope"] for key in keys]
    envelopes[0]["signatures"] = [each["signatures"][0] for each in envelopes]
    return Piece(Layout.DSSE, IMAGE, "", "", json.dumps(envelopes[0]).encode(), "m", "l")


def test_k_of_n_is_met_by_different_keys_on_one_subject() -> None:
    ada, bob, eve = Key(name="ada"), Key(name="bob"), Key(name="eve")
    configuration = trust(keys_of(ada, bob, KEY, threshold=2, name="two"), keys_of(ada, name="one"))
    verifier = Verifier(configuration, NOW)

    def met(*found: Piece) -> tuple[str, ...]:
        results = [each for piece in found for each in verifier.verify(piece, {IMAGE, OTHER_IMAGE})]
        return verifier.signers_met(each for each in results if isinstance(each, Verified))

    def signed(key: Key, digest: str = IMAGE, kind: str = SIGNATURE_PREDICATE) -> Piece:
        return bundle_piece(dsse_bundle(key, statement(digest, predicate_type=kind)))

    assert met() == ()
    assert met(signed(ada)) == ("one",)
    assert met(signed(ada), signed(ada), signature_piece(ada)) == ("one",)
    assert met(signed(ada), signed(eve)) == ("one",)
    assert met(signed(ada), signed(bob, OTHER_IMAGE)) == ("one",)
    assert met(signed(ada), signed(bob, kind="https://example.com/other")) == ("one",)
    assert met(signed(ada), signature_piece(bob)) == ("one", "two")
    assert met(signed(bob), signed(KEY)) == ("two",)
    assert met(envelope_of_both(ada, bob)) == ("one", "two")


def test_a_pattern_of_identities_counts_once() -> None:
    pattern = exact("https://issuer")
    identities = tuple(TrustedIdentity(exact(name), pattern) for name in ("ada@acme.com", "bob@acme.com"))
    anybody = TrustedIdentity(Pattern(PatternKind.GLOB, "*@acme.com"), pattern)
    named = Verifier(trust(Signer("two", 2, identities=identities)), NOW)
    loose = Verifier(trust(Signer("two", 2, identities=(anybody, identities[0]))), NOW)
    both = [
        Verified(
            bundle_piece(b"{}"),
            IMAGE,
            SIGNATURE_PREDICATE,
            {},
            tuple(SignedBy("two", identity=f"{name}@acme.com", issuer="https://issuer") for name in ("ada", "bob")),
        )
    ]
    assert named.signers_met(both) == ("two",)
    assert loose.signers_met(both) == ()


# model signing


def test_a_signed_model_is_about_its_files() -> None:
    files = {"config.json": b"{}", "model.safetensors": b"weights"}
    piece = bundle_piece(dsse_bundle(KEY, model_statement(files)))
    document = json.loads(model_statement(files))
    whole = f"sha256:{document['subject'][0]['digest']['sha256']}"
    weights = f"sha256:{document['predicate']['resources'][1]['digest']}"
    for digest in (whole, weights):
        result = only(verify(piece, trust(keys_of(KEY)), digest))
        assert isinstance(result, Verified)
        assert (result.subject, result.predicate_type) == (digest, MODEL_SIGNATURE)
        assert result.predicate == document["predicate"]
    assert refusal(verify(piece, trust(keys_of(KEY))))[0] is Reason.WRONG_SUBJECT


def test_a_shard_of_a_file_is_no_file_of_a_model() -> None:
    """Who cuts a file off behind its first shard has a file with the digest of the shard."""
    document = json.loads(model_statement({"a": b"weights"}))
    document["predicate"]["serialization"] |= {"method": "shards", "shard_size": 1000}
    document["predicate"]["resources"][0] |= {"algorithm": "sha256-sharded-1000", "name": "a:0:1000"}
    piece = bundle_piece(dsse_bundle(KEY, json.dumps(document).encode()))
    shard = f"sha256:{document['predicate']['resources'][0]['digest']}"
    whole = f"sha256:{document['subject'][0]['digest']['sha256']}"
    assert refusal(verify(piece, trust(keys_of(KEY)), shard))[0] is Reason.WRONG_SUBJECT
    assert isinstance(only(verify(piece, trust(keys_of(KEY)), whole)), Verified)


def test_the_files_of_a_model_make_its_digest() -> None:
    document = json.loads(model_statement({"a": b"1", "b": b"2"}))
    document["predicate"]["resources"].reverse()
    piece = bundle_piece(dsse_bundle(KEY, json.dumps(document).encode()))
    reason, message = refusal(verify(piece, trust(keys_of(KEY))))
    assert reason is Reason.MALFORMED
    assert message == "the one subject of a signed model is the digest over those of its files, and this is not"


# what is not as its layout says


def changed(**changes: Any) -> bytes:
    return json.dumps({**dsse_bundle(KEY), **changes}).encode()


DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        (b"", Reason.MALFORMED, "the bundle cannot be read"),
        (b"[]", Reason.MALFORMED, "the bundle is not a JSON object"),
        (b"{}", Reason.MALFORMED, "the field mediaType is missing"),
        (b"\xff", Reason.MALFORMED, "the bundle cannot be read"),
        (DEEP, Reason.MALFORMED, "the bundle cannot be read"),
        (b'{"mediaType":"a","mediaType":"b"}', Reason.MALFORMED, "the bundle cannot be read"),
        (b'{"mediaType":' + b"9" * 10_000 + b"}", Reason.MALFORMED, "the bundle cannot be read"),
        (b" " * 50 * 2**20, Reason.TOO_LARGE, f"it has {50 * 2**20} bytes; at most {MAX_PIECE_BYTES} are read"),
        (b"[" + b"[]," * 400_000 + b"[]]", Reason.MALFORMED, "the bundle is not a JSON object"),
        (
            b"[" + b"[]," * 500_000 + b"[]]",
            Reason.TOO_LARGE,
            "the bundle has more than 1000000 values, and is not read",
        ),
        (changed(mediaType="application/json"), Reason.MALFORMED, "is not one of versions 0.1 to 0.3"),
        (changed(dsseEnvelope=None), Reason.MALFORMED, "either a dsseEnvelope or a messageSignature"),
        (changed(messageSignature={}), Reason.MALFORMED, "either a dsseEnvelope or a messageSignature"),
        (changed(verificationMaterial=None), Reason.MALFORMED, "the field verificationMaterial is missing"),
        (changed(verificationMaterial={}), Reason.MALFORMED, "has one of certificate, x509CertificateChain and"),
        (changed(verificationMaterial={"publicKey": 1}), Reason.MALFORMED, "the field publicKey is not an object"),
        (
            changed(verificationMaterial={"publicKey": {}, "tlogEntries": [{}] * 9}),
            Reason.TOO_LARGE,
            "the list tlogEntries has 9 entries; at most 8 are read",
        ),
        (
            changed(
                verificationMaterial={
                    "publicKey": {},
                    "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": "AAAA"}] * 2},
                }
            ),
            Reason.MALFORMED,
            "one time stamp twice",
        ),
    ],
)
def test_what_is_no_bundle_is_refused(content: bytes, reason: Reason, message: str) -> None:
    found, said = refusal(verify(bundle_piece(content), trust(keys_of(KEY))))
    assert found is reason
    assert message in said


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"[]", "the signed statement is not a JSON object"),
        (DEEP, "the signed statement cannot be read"),
        (b'{"_type":"https://in-toto.io/Statement/v9"}', "not an in-toto statement of version 1 or 0.1"),
        (statement().replace(b'"subject":[', b'"subject":[1,'), "the field subject is not a list of objects"),
        (statement().replace(IMAGE.removeprefix("sha256:").encode(), b"ab"), "a sha256 digest has 64 lower-case"),
        (statement(IMAGE.upper().replace("SHA256", "sha256")), "a sha256 digest has 64 lower-case"),
    ],
)
def test_what_was_signed_is_read_strictly(payload: bytes, message: str) -> None:
    reason, said = refusal(verify(bundle_piece(dsse_bundle(KEY, payload)), trust(keys_of(KEY))))
    assert reason is Reason.MALFORMED
    assert message in said


def test_the_type_of_what_was_signed_is_signed_too() -> None:
    bundle = dsse_bundle(KEY, payload_type="application/json")
    reason, message = refusal(verify(bundle_piece(bundle), trust(keys_of(KEY))))
    assert reason is Reason.MALFORMED
    assert message == "what was signed is of the type 'application/json', not an in-toto statement"
    bundle["dsseEnvelope"]["payloadType"] = "application/vnd.in-toto+json"
    assert refusal(verify(bundle_piece(bundle), trust(keys_of(KEY))))[0] is Reason.BAD_SIGNATURE


def test_several_signatures_have_no_proof_in_common(instance: Instance) -> None:
    piece = attestation_piece(KEY, proof=Proof(instance))
    envelope = json.loads(piece.content)
    envelope["signatures"] *= 2
    doubled = replace(piece, content=json.dumps(envelope).encode())
    reason, message = refusal(verify(doubled, trust(keys_of(KEY), instance=instance)))
    assert reason is Reason.MALFORMED
    assert message == "the envelope has several signatures, and one certificate or log entry for all of them"


def test_several_signatures_are_not_of_very_much() -> None:
    envelope = dsse_bundle(KEY, statement(predicate={"a": "b" * (MAX_PIECE_BYTES // 12)}))["dsseEnvelope"]
    for count, counts in ((2, True), (16, False)):
        content = json.dumps({**envelope, "signatures": envelope["signatures"] * count}).encode()
        piece = Piece(Layout.DSSE, IMAGE, "", "", content, "m", "l")
        result = only(verify(piece, trust(keys_of(KEY))))
        assert isinstance(result, Verified) == counts
        assert counts or (isinstance(result, Refused) and result.reason is Reason.TOO_LARGE)


def test_simple_signing_is_about_container_images() -> None:
    for payload in (simple_signing().replace(b"cosign container image signature", b"other"), b"{}", b"null"):
        assert refusal(verify(signature_piece(KEY, payload), trust(keys_of(KEY))))[0] is Reason.MALFORMED


def test_annotations_of_any_text_are_refused() -> None:
    piece = signature_piece(KEY)
    for name in ("bundle", "certificate", "rfc3161timestamp"):
        for value in ("x", "{}", "[]", "\ud800", '{"Payload":{}}', "a" * (2**20 + 1)):
            annotations = {**piece.annotations, f"dev.sigstore.cosign/{name}": value}
            reason, _ = refusal(verify(replace(piece, annotations=annotations), trust(keys_of(KEY))))
            assert reason in (Reason.MALFORMED, Reason.TOO_LARGE)


def test_who_trusts_keys_only_never_loads_the_sigstore_library() -> None:
    code = (
        "import sys, json; from tests.support.signatures import *; key = Key();"
        "result = verify(bundle_piece(dsse_bundle(key)), trust(keys_of(key)));"
        "assert isinstance(result[0], Verified), result;"
        "print({'sigstore.models', 'sigstore.verify', 'pydantic', 'rfc3161_client'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "set()\n")
