"""Signing certificates by themselves: whom they name, and what a log of certificates promised."""

from __future__ import annotations

import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from attestations.certificates import check_logged, check_path, read_leaf
from attestations.evidence import Reason
from attestations.refusal import Refusal
from attestations.trusted_root import parse_trusted_root
from tests.support.sigstore_root import IDENTITY, ISSUER, Certificate, Instance


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
