"""Signatures by certificates of a private Sigstore: who signed, by which trust root, since when; and why what does not
count does not."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from attestations import keyless, verification
from attestations.bundle import parse_dsse
from attestations.certificates import MAX_CERTIFICATE_BYTES, read_leaf
from attestations.evidence import SIGNATURE_PREDICATE, Piece, Reason, Refused, SignedBy, Verified
from attestations.refusal import Refusal
from attestations.trust import (
    LogUse,
    Pattern,
    PatternKind,
    Signer,
    TrustConfiguration,
    TrustedIdentity,
    TrustedKey,
    TrustRoot,
    exact,
    public_good,
)
from attestations.trusted_root import parse_trusted_root
from attestations.verification import Verifier
from pratique.errors import InputError
from tests.support.mutations import as_json as as_bytes
from tests.support.signatures import (
    IDENTITY_LAYOUTS,
    IMAGE,
    OTHER_IMAGE,
    Key,
    Keyless,
    Proof,
    bundle_piece,
    dsse_bundle,
    identity_of,
    keys_of,
    pieces_by_identity,
    trust,
    verify,
)
from tests.support.sigstore_root import IDENTITY, ISSUER, Instance, Object, PrivateKey, b64, der_key, utf8_string

MINUTE = timedelta(minutes=1)
P256 = b64(der_key(ec.generate_private_key(ec.SECP256R1()).public_key()))


@pytest.fixture(scope="module")
def made(instance: Instance) -> dict[str, Piece]:
    return pieces_by_identity(instance, Keyless(instance.certificate()))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Instance:
    return Instance(tmp_path_factory.mktemp("other"), name="other")


def only(results: tuple[Verified | Refused, ...]) -> Verified | Refused:
    (result,) = results
    return result


def refusal(results: tuple[Verified | Refused, ...]) -> tuple[Reason, str]:
    result = only(results)
    assert isinstance(result, Refused), result
    return result.reason, result.message


def bundled(instance: Instance, certificate: Any = None, **proof: Any) -> Object:
    return dsse_bundle(Keyless(certificate or instance.certificate()), proof=Proof(instance, **proof))


# who signed


@pytest.mark.parametrize("layout", IDENTITY_LAYOUTS)
def test_an_identity_verifies_every_layout(layout: str, made: dict[str, Piece], instance: Instance) -> None:
    result = only(verify(made[layout], trust(identity_of(), instance=instance)))
    assert isinstance(result, Verified), result
    (by,) = result.signed_by
    assert by == SignedBy("ci", identity=IDENTITY, issuer=ISSUER, at=by.at)
    assert by.at is not None
    assert by.at - instance.now < MINUTE
    assert (result.subject, result.predicate_type) == (IMAGE, SIGNATURE_PREDICATE)


@pytest.mark.parametrize("layout", IDENTITY_LAYOUTS)
@pytest.mark.parametrize(
    ("identity", "issuer"),
    [
        (IDENTITY + "x", ISSUER),
        ("x" + IDENTITY, ISSUER),
        (IDENTITY[:-1], ISSUER),
        (IDENTITY.upper(), ISSUER),
        (IDENTITY, ISSUER + "/"),
        (IDENTITY, "https://accounts.google.com"),
    ],
)
def test_an_identity_is_the_whole_of_one(
    layout: str, identity: str, issuer: str, made: dict[str, Piece], instance: Instance
) -> None:
    reason, message = refusal(verify(made[layout], trust(identity_of(identity, issuer), instance=instance)))
    assert reason is Reason.WRONG_IDENTITY
    assert message == f"its certificate names {IDENTITY} (issuer {ISSUER}), whom no trusted signer matches"


@pytest.mark.parametrize("layout", IDENTITY_LAYOUTS)
def test_another_digest_is_not_signed(layout: str, made: dict[str, Piece], instance: Instance) -> None:
    reason, _ = refusal(verify(made[layout], trust(identity_of(), instance=instance), OTHER_IMAGE))
    assert reason is Reason.WRONG_SUBJECT


@pytest.mark.parametrize("layout", IDENTITY_LAYOUTS)
def test_another_trust_root_does_not_vouch(
    layout: str, made: dict[str, Piece], other: Instance, instance: Instance
) -> None:
    reason, _ = refusal(verify(made[layout], trust(identity_of(), instance=other)))
    assert reason in (Reason.NOT_IN_LOG, Reason.TRUST_ROOT)
    both = TrustConfiguration(
        (identity_of(name="ours"), identity_of(name="theirs", root="other")),
        (TrustRoot("private", instance.root()), TrustRoot("other", other.root())),
    )
    verified, refused = verify(made[layout], both)
    assert isinstance(verified, Verified)
    assert [by.signer for by in verified.signed_by] == ["ours"]
    assert isinstance(refused, Refused)


USER = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7"), utf8_string("ada"))


@pytest.mark.parametrize(
    ("name", "identity"), [("ada@acme.com", "ada@acme.com"), ("https://a.b/c", "https://a.b/c"), (USER, "ada")]
)
def test_names_are_mail_addresses_uris_and_users(
    name: str | x509.GeneralName, identity: str, instance: Instance
) -> None:
    piece = bundle_piece(bundled(instance, instance.certificate(name)))
    assert isinstance(only(verify(piece, trust(identity_of(identity), instance=instance))), Verified)


@pytest.mark.parametrize("old", [False, True])
def test_the_issuer_may_be_written_in_both_ways(old: bool, instance: Instance) -> None:
    piece = bundle_piece(bundled(instance, instance.certificate(old_issuer=old)))
    assert isinstance(only(verify(piece, trust(identity_of(), instance=instance))), Verified)
    long = "https://issuer.example/" + "a" * 300
    piece = bundle_piece(bundled(instance, instance.certificate(issuer=long, old_issuer=old)))
    assert isinstance(only(verify(piece, trust(identity_of(issuer=long), instance=instance))), Verified)


KEYS: dict[str, tuple[PrivateKey, str]] = {
    "P-384": (ec.generate_private_key(ec.SECP384R1()), "sha384"),
    "P-384 with SHA-256": (ec.generate_private_key(ec.SECP384R1()), "sha256"),
    "P-521": (ec.generate_private_key(ec.SECP521R1()), "sha512"),
    "RSA": (rsa.generate_private_key(65537, 2048), "sha256"),
    "Ed25519": (Ed25519PrivateKey.generate(), "sha256"),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_certificate_may_be_for_every_kind_of_key(kind: str, instance: Instance) -> None:
    """The sigstore library knows one, and is not asked about the others."""
    key, hash_name = KEYS[kind]
    maker = Keyless(instance.certificate(key=key), hash_name)
    piece = bundle_piece(dsse_bundle(maker, proof=Proof(instance)))
    result = only(verify(piece, trust(identity_of(), instance=instance)))
    assert isinstance(result, Verified), result


def test_what_somebody_else_chose_is_told_in_short(instance: Instance) -> None:
    long = "https://github.com/" + "a" * 4000
    for certificate, configuration in [
        (instance.certificate(long), trust(identity_of(), instance=instance)),
        (instance.certificate(issuer=long), trust(identity_of(), instance=instance)),
    ]:
        reason, message = refusal(verify(bundle_piece(bundled(instance, certificate)), configuration))
        assert reason is Reason.WRONG_IDENTITY
        assert len(message) < 600
    twice = b'{"%s":1,"%s":2}' % (b"a" * 5000, b"a" * 5000)
    assert len(refusal(verify(bundle_piece(twice), trust(identity_of(), instance=instance)))[1]) < 300


# what a certificate has to be


@pytest.mark.parametrize(
    ("certificate", "reason", "message"),
    [
        ({"identity": None}, Reason.WRONG_IDENTITY, "the certificate names nobody (subjectAltName is missing)"),
        (
            {"identity": x509.DNSName("ci.acme.com")},
            Reason.WRONG_IDENTITY,
            "the certificate names neither a mail address nor a URI nor a user",
        ),
        (
            {"usage": ExtendedKeyUsageOID.CLIENT_AUTH},
            Reason.TRUST_ROOT,
            "the certificate is not one for signing code",
        ),
        (
            {"logged": False},
            Reason.NOT_IN_LOG,
            "the certificate is in no log of certificates (it has no signed certificate timestamp)",
        ),
    ],
)
def test_a_certificate_that_does_not_do(
    certificate: dict[str, Any], reason: Reason, message: str, instance: Instance
) -> None:
    piece = bundle_piece(bundled(instance, instance.certificate(**certificate)))
    assert refusal(verify(piece, trust(identity_of(), instance=instance))) == (reason, message)


def test_a_certificate_is_in_a_log_that_is_trusted(instance: Instance, other: Instance) -> None:
    root = json.loads(instance.root())
    root["ctlogs"] = json.loads(other.root())["ctlogs"]
    piece = bundle_piece(bundled(instance))
    assert refusal(verify(piece, trust(identity_of(), root=json.dumps(root).encode()))) == (
        Reason.NOT_IN_LOG,
        "the certificate is in no log of certificates that the trust root has",
    )


@pytest.mark.parametrize("shift", [-60, 60])  # stamps are of the time at which the test runs
def test_a_certificate_is_valid_when_it_signs(shift: int, instance: Instance) -> None:
    late = instance.certificate(start=instance.now + shift * MINUTE)
    for proof in ({}, {"rekor": 2, "stamp": True}):
        piece = bundle_piece(bundled(instance, late, **proof))
        reason, message = refusal(verify(piece, trust(identity_of(), instance=instance)))
        assert reason is Reason.EXPIRED
        assert message.startswith("the certificate was valid from ")


def test_every_proven_time_counts(instance: Instance) -> None:
    bundle = bundled(instance, stamp=True, time=instance.now - 30 * MINUTE)
    reason, _ = refusal(verify(bundle_piece(bundle), trust(identity_of(), instance=instance)))
    assert reason is Reason.EXPIRED
    early = instance.certificate(start=instance.now - 20 * MINUTE)
    bundle = bundled(instance, early, stamp=True, time=instance.now - 15 * MINUTE)
    assert isinstance(
        only(verify(without(bundle, "timestampVerificationData"), trust(identity_of(), instance=instance))), Verified
    )
    reason, _ = refusal(verify(bundle_piece(bundle), trust(identity_of(), instance=instance)))
    assert reason is Reason.EXPIRED


def test_a_certificate_until_the_year_9999_is_read(instance: Instance) -> None:
    long = instance.certificate(life=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - instance.now)
    result = only(verify(bundle_piece(bundled(instance, long)), trust(identity_of(), instance=instance)))
    assert isinstance(result, Verified)


@pytest.mark.parametrize(
    ("der", "reason"),
    [
        (b"\x30\x00", Reason.MALFORMED),
        (b"hello", Reason.MALFORMED),
        (b"\x30" * (MAX_CERTIFICATE_BYTES + 1), Reason.TOO_LARGE),
    ],
)
def test_what_is_no_certificate(der: bytes, reason: Reason, instance: Instance) -> None:
    bundle = bundled(instance)
    bundle["verificationMaterial"]["certificate"] = {"rawBytes": b64(der)}
    assert refusal(verify(bundle_piece(bundle), trust(identity_of(), instance=instance)))[0] is reason


def test_the_certificate_of_somebody_else_is_no_proof(instance: Instance) -> None:
    bundle, other = bundled(instance), instance.certificate()
    bundle["verificationMaterial"]["certificate"] = {"rawBytes": b64(other.der)}
    assert refusal(verify(bundle_piece(bundle), trust(identity_of(), instance=instance))) == (
        Reason.BAD_SIGNATURE,
        f"the signature is not one by the certificate of {IDENTITY}, or was altered",
    )


# proofs


def without(bundle: Object, name: str) -> Piece:
    material = {key: value for key, value in bundle["verificationMaterial"].items() if key != name}
    return bundle_piece({**bundle, "verificationMaterial": material})


def test_what_the_trust_root_has_must_be_shown(instance: Instance) -> None:
    bundle = bundled(instance, stamp=True)
    unlogged = without(bundle, "tlogEntries")
    configuration = trust(identity_of(), instance=instance)
    assert refusal(verify(unlogged, configuration)) == (
        Reason.NOT_IN_LOG,
        "the signature is in no transparency log that the trust root has",
    )
    # An instance that goes without a log (as that of GitHub for private repositories): stamps are enough.
    logless = trust(identity_of(), root=instance.root(logs=False, certificate_logs=False))
    assert isinstance(only(verify(unlogged, logless)), Verified)
    private = dsse_bundle(Keyless(instance.certificate(logged=False)), proof=Proof(instance, rekor=0, stamp=True))
    assert isinstance(only(verify(bundle_piece(private), logless)), Verified)


def test_an_entry_in_another_log_does_no_harm_and_no_good(instance: Instance, other: Instance) -> None:
    bundle = bundled(instance)
    entries = bundle["verificationMaterial"]["tlogEntries"]
    body = json.loads(base64.b64decode(entries[0]["canonicalizedBody"]))
    entries.append(other.entry(body))
    configuration = trust(identity_of(), instance=instance)
    assert isinstance(only(verify(bundle_piece(bundle), configuration)), Verified)
    del entries[0]
    assert refusal(verify(bundle_piece(bundle), configuration)) == (
        Reason.NOT_IN_LOG,
        "the signature is in no transparency log that the trust root has",
    )


def test_without_a_time_there_is_no_proof(instance: Instance) -> None:
    piece = bundle_piece(bundled(instance, rekor=2))
    assert refusal(verify(piece, trust(identity_of(), instance=instance))) == (
        Reason.NOT_IN_LOG,
        "nothing proves when it was signed: no promise of a log, and no time stamp",
    )


def test_a_stamp_is_for_this_signature_and_by_a_trusted_authority(instance: Instance, other: Instance) -> None:
    bundle, another = (bundled(instance, rekor=2, stamp=True) for _ in range(2))
    bundle["verificationMaterial"]["timestampVerificationData"] = another["verificationMaterial"][
        "timestampVerificationData"
    ]
    message = "the time stamp is not for this signature, or not by an authority of the trust root"
    assert refusal(verify(bundle_piece(bundle), trust(identity_of(), instance=instance))) == (
        Reason.TRUST_ROOT,
        message,
    )
    signature = base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"])
    stamps = [{"signedTimestamp": b64(other.timestamp(signature))}]
    bundle["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
    assert refusal(verify(bundle_piece(bundle), trust(identity_of(), instance=instance))) == (
        Reason.TRUST_ROOT,
        message,
    )


def test_a_stamp_that_is_none(instance: Instance) -> None:
    for content, reason in [(b"hello", Reason.MALFORMED), (b"\x30" * 70_000, Reason.TOO_LARGE)]:
        bundle = bundled(instance, rekor=2, stamp=True)
        stamps = [{"signedTimestamp": b64(content)}]
        bundle["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
        assert refusal(verify(bundle_piece(bundle), trust(identity_of(), instance=instance)))[0] is reason


def test_an_authority_has_its_time(instance: Instance) -> None:
    root = json.loads(instance.root())
    for name, reason, message in [
        ("certificateAuthorities", Reason.TRUST_ROOT, "its authority was not to be relied on at"),
        ("timestampAuthorities", Reason.TRUST_ROOT, "or not by an authority of the trust root"),
    ]:
        ended = json.loads(json.dumps(root))
        ended[name][0]["validFor"]["end"] = "2026-01-01T00:00:00Z"
        piece = bundle_piece(bundled(instance, rekor=2, stamp=True))
        found, said = refusal(verify(piece, trust(identity_of(), root=json.dumps(ended).encode())))
        assert found is reason
        assert message in said


@pytest.mark.parametrize("rekor", [1, 2])
def test_a_log_has_its_time(rekor: int, instance: Instance) -> None:
    root = json.loads(instance.root())
    root["tlogs"][rekor - 1]["publicKey"]["validFor"]["end"] = "2026-01-01T00:00:00Z"
    key, proof = Key(), Proof(instance, rekor=rekor, stamp=True)
    for maker, signer in (
        (Keyless(instance.certificate()), identity_of()),
        (key, keys_of(key.trusted(log=LogUse.REQUIRED))),
    ):
        piece = bundle_piece(dsse_bundle(maker, proof=proof))
        assert isinstance(only(verify(piece, trust(signer, instance=instance))), Verified)
        reason, message = refusal(verify(piece, trust(signer, root=json.dumps(root).encode())))
        assert reason is Reason.NOT_IN_LOG
        assert message.startswith(("the log was not to be relied on at 20", "the log has an end"))


def test_the_ends_of_a_period_belong_to_it(instance: Instance) -> None:
    def written(time: datetime) -> str:
        return time.isoformat().replace("+00:00", "Z")

    for name in ("tlogs", "certificateAuthorities"):
        for period in (
            {"start": written(instance.now), "end": written(instance.now)},
            {"start": written(instance.now)},
        ):
            root = json.loads(instance.root())
            holder = root[name][0]["publicKey"] if name == "tlogs" else root[name][0]
            holder["validFor"] = period
            piece = bundle_piece(bundled(instance))
            result = only(verify(piece, trust(identity_of(), root=json.dumps(root).encode())))
            assert isinstance(result, Verified), result


def test_another_authority_of_the_same_name_is_no_obstacle(instance: Instance, tmp_path: Path) -> None:
    """The issuer whose key the log of certificates signed is the one of the path, and not one of its name."""
    decoy = Instance(tmp_path)
    root = json.loads(instance.root())
    root["certificateAuthorities"].insert(0, json.loads(decoy.root())["certificateAuthorities"][0])
    assert decoy.intermediate.subject == instance.intermediate.subject
    result = only(verify(bundle_piece(bundled(instance)), trust(identity_of(), root=json.dumps(root).encode())))
    assert isinstance(result, Verified), result


# the second lock


def test_the_library_has_to_agree(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """All our checks of proofs are passed over: what they would have refused, the library refuses."""
    good = bundled(instance)
    configuration = trust(identity_of(), instance=instance)
    assert isinstance(only(verify(bundle_piece(good), configuration)), Verified)
    bad = bundled(instance, instance.certificate(logged=False))
    moved = json.loads(json.dumps(good))
    moved["verificationMaterial"]["tlogEntries"] = bundled(instance)["verificationMaterial"]["tlogEntries"]
    monkeypatch.setattr(verification, "check_material", lambda *_: instance.now)
    for bundle, message in [(bad, "failed to verify SCT"), (moved, "log entry signatures do not match bundle")]:
        reason, said = refusal(verify(bundle_piece(bundle), configuration))
        assert reason is Reason.TRUST_ROOT
        assert said.startswith(f"the sigstore library does not take the bundle: {message}")


@pytest.mark.parametrize("layout", [each for each in IDENTITY_LAYOUTS if each.startswith(("bundle", "message"))])
def test_the_library_sees_every_bundle(
    layout: str, made: dict[str, Piece], instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = keyless.check_with_library

    def spy(*given: Any) -> None:
        asked.append(given)
        real(*given)

    monkeypatch.setattr(verification, "check_with_library", spy)
    assert isinstance(only(verify(made[layout], trust(identity_of(), instance=instance))), Verified)
    assert len(asked) == 1


def test_the_library_has_to_read_the_same(instance: Instance) -> None:
    certificate = instance.certificate()
    bundle = bundled(instance, certificate)
    root = TrustRoot("private", instance.root())
    envelope = parse_dsse(bundle["dsseEnvelope"])
    whole = json.dumps(bundle).encode()
    keyless.check_with_library(whole, read_leaf(certificate.der), root, envelope)
    for leaf, signed, message in [
        (read_leaf(instance.certificate().der), envelope, "another certificate in the bundle than we do"),
        (read_leaf(certificate.der), replace(envelope, payload=b"{}"), "another payload in the bundle than we do"),
        (read_leaf(certificate.der), replace(envelope, payload_type="x"), "another payload in the bundle than we do"),
    ]:
        with pytest.raises(Refusal, match=message) as raised:
            keyless.check_with_library(whole, leaf, root, signed)
        assert raised.value.reason is Reason.MALFORMED


def test_the_library_may_not_read_a_trust_root(instance: Instance) -> None:
    """Whoever made the trust root is to be told, and not who made the bundle."""
    root = json.loads(instance.root())
    root["tlogs"].append({**root["tlogs"][0], "publicKey": {"rawBytes": P256}})
    reason, message = refusal(verify(bundle_piece(bundled(instance)), trust(identity_of(), root=as_bytes(root))))
    assert reason is Reason.TRUST_ROOT
    assert message.startswith("the sigstore library cannot read the trust root private: ")


def test_certificates_beside_the_one_that_signed_are_not_trusted(instance: Instance) -> None:
    bundle = bundled(instance)
    raw = bundle["verificationMaterial"].pop("certificate")
    strange = instance.certificate().der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)
    bundle["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"
    for beside, reason in ((instance.certificate().der, None), (strange, Reason.TRUST_ROOT)):
        chain = {"certificates": [raw, {"rawBytes": b64(beside)}]}
        bundle["verificationMaterial"]["x509CertificateChain"] = chain
        result = only(verify(bundle_piece(bundle), trust(identity_of(), instance=instance)))
        assert (result.reason if isinstance(result, Refused) else None) is reason


def test_a_trust_root_may_go_without_time_stamps(instance: Instance) -> None:
    root = json.loads(instance.root(time=False))
    root["timestampAuthorities"] = None
    result = only(verify(bundle_piece(bundled(instance)), trust(identity_of(), root=as_bytes(root))))
    assert isinstance(result, Verified), result


# trust roots


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mediaType": "x"}, "the trust root has the media type 'x', which is not known"),
        (
            {"ctLogs": []},
            "the trust root has the field 'ctLogs', and may have certificateAuthorities, ctlogs, mediaType",
        ),
        ({"tlogs": [{}]}, "the field publicKey is missing"),
        (
            {"tlogs": [{"publicKey": {"rawBytes": P256, "validFor": {"end": "2030-01-01T00:00:00Z"}}}]},
            "the field start is missing",
        ),
        (
            {"tlogs": [{"publicKey": {"rawBytes": "AAAA"}}]},
            "holds what cannot be used: this is not a public key in DER",
        ),
        ({"certificateAuthorities": [{"certChain": {}}]}, "an authority of the trust root has no certificates"),
        (
            {"certificateAuthorities": [{"certChain": {"certificates": [{"rawBytes": "AAAA"}]}}]},
            "the trust root holds what cannot be used",
        ),
        (
            {"tlogs": [], "certificateAuthorities": [], "timestampAuthorities": []},
            "nothing could be trusted",
        ),
    ],
)
def test_a_trust_root_that_cannot_be_used(change: dict[str, Any], message: str, instance: Instance) -> None:
    with pytest.raises(InputError, match=message):
        TrustRoot("private", json.dumps({**json.loads(instance.root()), **change}).encode())
    with pytest.raises(InputError, match="at most 1048576 are read"):
        TrustRoot("private", b" " * (2**20 + 1))


def test_the_public_root_can_be_read() -> None:
    root = parse_trusted_root(public_good().content)
    assert (len(root.logs), len(root.certificate_logs), len(root.authorities), len(root.timestamp_authorities)) == (
        *(2, 2),
        *(2, 1),
    )


def test_identities_of_several_signers_are_all_named(instance: Instance) -> None:
    twice = Signer("second", identities=(TrustedIdentity(exact(IDENTITY), exact(ISSUER), "private"),))
    result = only(verify(bundle_piece(bundled(instance)), trust(identity_of(), twice, instance=instance)))
    assert isinstance(result, Verified)
    assert [by.signer for by in result.signed_by] == ["ci", "second"]


def test_a_signer_is_named_once_for_two_patterns(instance: Instance) -> None:
    globs = [Pattern(PatternKind.GLOB, text) for text in ("https://*", "https://github.com/acme/*")]
    signer = Signer("ci", identities=tuple(TrustedIdentity(each, exact(ISSUER), "private") for each in globs))
    result = only(verify(bundle_piece(bundled(instance)), trust(signer, instance=instance)))
    assert isinstance(result, Verified)
    assert [by.signer for by in result.signed_by] == ["ci"]


def key_or_identity(key: TrustedKey, instance: Instance) -> Verifier:
    """Both of which have to sign."""
    identity = TrustedIdentity(exact(IDENTITY), exact(ISSUER), "private")
    return Verifier(trust(Signer("two", 2, (key,), (identity,)), instance=instance), instance.now)


def test_a_key_and_a_certificate_for_it_count_once(instance: Instance) -> None:
    key = Key()
    verifier = key_or_identity(key.trusted(), instance)
    by_key = only(verifier.verify(bundle_piece(dsse_bundle(key)), {IMAGE}))
    certified = only(verifier.verify(bundle_piece(bundled(instance, instance.certificate(key=key.private))), {IMAGE}))
    by_another = only(verifier.verify(bundle_piece(bundled(instance)), {IMAGE}))
    assert isinstance(by_key, Verified)
    assert isinstance(certified, Verified)
    assert isinstance(by_another, Verified)
    assert [(by.key_id, by.identity) for by in certified.signed_by] == [(key.id, IDENTITY)]
    assert verifier.signers_met([by_key, certified]) == ()
    assert verifier.signers_met([by_key, by_another]) == ("two",)


def test_a_certificate_does_not_make_a_revoked_key_good(instance: Instance) -> None:
    key = Key()
    verifier = key_or_identity(key.trusted(revoked=True), instance)
    piece = bundle_piece(bundled(instance, instance.certificate(key=key.private)))
    assert refusal(verifier.verify(piece, {IMAGE})) == (
        Reason.REVOKED_KEY,
        f"it is signed with the key release ({key.id}), which is revoked",
    )


def test_a_piece_without_its_proof_is_refused(made: dict[str, Piece], instance: Instance) -> None:
    for layout in (".sig", ".att"):
        annotations = {k: v for k, v in made[layout].annotations.items() if not k.endswith("/bundle")}
        reason, _ = refusal(
            verify(replace(made[layout], annotations=annotations), trust(identity_of(), instance=instance))
        )
        assert reason is Reason.NOT_IN_LOG
