"""Signing certificates by themselves: whom they name, and what a log of certificates promised."""

from __future__ import annotations

import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from attestations.certificates import check_logged, check_path, read_leaf
from attestations.evidence import Reason
from attestations.legacy import CERTIFICATE, material_of
from attestations.refusal import Refusal
from attestations.timestamps import check_timestamp
from attestations.trusted_root import Authority, Period, TrustedRoot, parse_trusted_root
from tests.support.sigstore_root import IDENTITY, ISSUER, Certificate, Instance, b64, pem_of


def test_a_certificate_says_who_and_who_vouches(instance: Instance) -> None:
    leaf = read_leaf(instance.certificate().der)
    assert (leaf.identity, leaf.issuer) == (IDENTITY, ISSUER)


def test_a_certificate_names_one_and_one(instance: Instance) -> None:
    for certificate, message in [
        (
            instance.certificate(more=[x509.RFC822Name("eve@example.com")]),
            "the certificate has 2 names, where one says who signed",
        ),
        (instance.certificate(first_issuer="https://other"), "the certificate names two issuers"),
        (
            instance.certificate(issuer="https://issuer/\x1b[31m"),
            "the issuer in the certificate is not 1 to 4096 printable characters",
        ),
        (
            instance.certificate("https://a/" + "b" * 4096),
            "the identity in the certificate is not 1 to 4096 printable characters",
        ),
    ]:
        with pytest.raises(Refusal) as raised:
            read_leaf(certificate.der)
        assert (raised.value.reason, str(raised.value)) == (Reason.WRONG_IDENTITY, message)


VERSION_3, VERSION_6 = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"


def test_a_certificate_of_a_version_that_there_is_not_is_refused(instance: Instance) -> None:
    """`cryptography` has an exception of its own for it, which is no ValueError."""
    strange = instance.certificate().der.replace(VERSION_3, VERSION_6, 1)
    annotation = {CERTIFICATE: pem_of(strange, "CERTIFICATE").decode()}
    for read in (lambda: read_leaf(strange), lambda: material_of(annotation)):
        with pytest.raises(Refusal) as raised:
            read()
        assert raised.value.reason is Reason.MALFORMED


def test_a_stamp_with_a_certificate_of_a_version_that_there_is_not_is_refused(instance: Instance) -> None:
    """What is beside the signature of a stamp is not signed: anybody can put it there."""
    root, stamp = parse_trusted_root(instance.root()), instance.timestamp(b"signature")
    assert stamp.count(VERSION_3) == 1
    check_timestamp(stamp, root, b"signature")
    with pytest.raises(Refusal, match="not by an authority of the trust root"):
        check_timestamp(stamp.replace(VERSION_3, VERSION_6), root, b"signature")


def test_a_trust_root_with_a_certificate_of_a_version_that_there_is_not_cannot_be_used(instance: Instance) -> None:
    root = json.loads(instance.root())
    strange = instance.root_certificate.public_bytes(Encoding.DER).replace(VERSION_3, VERSION_6, 1)
    root["certificateAuthorities"][0]["certChain"]["certificates"] = [{"rawBytes": b64(strange)}]
    with pytest.raises(Refusal, match="the trust root holds what cannot be used: 5 is not a valid X509 version"):
        parse_trusted_root(json.dumps(root).encode())


@pytest.mark.parametrize("authorities", ["certificateAuthorities", "timestampAuthorities"])
def test_a_trust_root_with_a_name_that_cannot_be_read_cannot_be_used(authorities: str, instance: Instance) -> None:
    """`rfc3161-client` panics at it, which is no Exception, when it is to verify somebody's time stamp."""
    root = json.loads(instance.root())
    strange = instance.root_certificate.public_bytes(Encoding.DER).replace(b"private root", b"priv\xffte root")
    root[authorities][0]["certChain"]["certificates"][1] = {"rawBytes": b64(strange)}
    with pytest.raises(Refusal, match="the trust root holds what cannot be used: "):
        parse_trusted_root(json.dumps(root).encode())


def test_nobody_vouches_for_himself(instance: Instance) -> None:
    """A certificate that is given as an authority is on a path to it, which has nobody who issued it."""
    certificate = instance.certificate()
    root = TrustedRoot("sha256:", (Authority((certificate.certificate,), Period()),), (), (), ())
    with pytest.raises(Refusal, match="it is given as an authority itself, and nobody issued it"):
        check_path(read_leaf(certificate.der), root, instance.now)


def test_the_names_in_a_certificate_are_told_in_short(instance: Instance) -> None:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A\n\x1b[31m" + "b" * 50)] * 300
    certificate = instance.certificate(subject=x509.Name(names))
    other = TrustedRoot("sha256:", (Authority((instance.root_certificate,), Period()),), (), (), ())
    with pytest.raises(Refusal) as raised:
        check_path(read_leaf(certificate.der), other, instance.now)
    message = str(raised.value)
    assert message.startswith("the certificate does not come from the trust root: ")
    assert len(message) < 300
    assert message.isprintable()


def promised(instance: Instance, certificate: Certificate, root: bytes) -> None:
    leaf, trusted = read_leaf(certificate.der), parse_trusted_root(root)
    check_logged(leaf, check_path(leaf, trusted, instance.now), trusted)


def test_a_promise_is_signed_by_the_log_while_it_counts(instance: Instance) -> None:
    promised(instance, instance.certificate(), instance.root())
    promised(instance, instance.certificate(logged=False), instance.root(certificate_logs=False))
    ended = json.loads(instance.root())
    ended["ctlogs"][0]["publicKey"]["validFor"]["end"] = "2025-01-01T00:00:00Z"
    for certificate, root in [
        (instance.certificate(log_key=ec.generate_private_key(ec.SECP256R1())), instance.root()),
        (instance.certificate(), json.dumps(ended).encode()),
    ]:
        with pytest.raises(Refusal) as raised:
            promised(instance, certificate, root)
        assert (raised.value.reason, str(raised.value)) == (
            Reason.NOT_IN_LOG,
            "the certificate is in no log of certificates that the trust root has",
        )


def test_a_promise_is_for_one_certificate_and_one_issuer(
    instance: Instance, tmp_path_factory: pytest.TempPathFactory
) -> None:
    leaf, trusted = read_leaf(instance.certificate().der), parse_trusted_root(instance.root())
    other = Instance(tmp_path_factory.mktemp("other"))
    with pytest.raises(Refusal, match="in no log of certificates that the trust root has"):
        check_logged(leaf, other.intermediate, trusted)
