"""Bundles as they are parsed: what each version demands, and what comes of a good one."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from attestations.bundle import Bundle, MessageSignature, parse_bundle
from attestations.evidence import Reason
from attestations.refusal import Refusal
from pratique.dsse import Envelope
from tests.support.signatures import Key, Keyless, Proof, dsse_bundle, message_bundle
from tests.support.sigstore_root import Instance, Object

Change = Callable[[Any], Any]

V1, V2 = (f"application/vnd.dev.sigstore.bundle+json;version=0.{minor}" for minor in (1, 2))


def parsed(document: Object) -> Bundle:
    return parse_bundle(json.dumps(document).encode())


def test_a_bundle_has_content_and_material(instance: Instance) -> None:
    certificate = instance.certificate()
    document = dsse_bundle(Keyless(certificate), proof=Proof(instance, stamp=True))
    bundle = parsed(document)
    assert isinstance(bundle.content, Envelope)
    assert bundle.material.certificate == certificate.der
    (entry,) = bundle.material.entries
    assert (entry.kind, entry.version) == ("dsse", "0.0.1")
    assert entry.time == int(instance.now.timestamp())
    assert entry.proof is not None
    (stamp,) = document["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    assert bundle.material.timestamps == (base64.b64decode(stamp["signedTimestamp"]),)
    key = Key()
    bundle = parsed(message_bundle(key, b"content"))
    assert isinstance(bundle.content, MessageSignature)
    assert bundle.content.algorithm == "sha256"
    assert bundle.material.hint == key.material["publicKey"]["hint"]


def test_the_first_certificate_of_a_chain_signed(instance: Instance) -> None:
    certificate = instance.certificate()
    document = dsse_bundle(Keyless(certificate), proof=Proof(instance))
    raw = document["verificationMaterial"].pop("certificate")
    others = [{"rawBytes": base64.b64encode(instance.certificate().der).decode()}]
    document["verificationMaterial"]["x509CertificateChain"] = {"certificates": [raw, *others]}
    assert parsed({**document, "mediaType": V2}).material.certificate == certificate.der


def entry(document: Any) -> Any:
    return document["verificationMaterial"]["tlogEntries"][0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda b: b["dsseEnvelope"]["signatures"].append(b["dsseEnvelope"]["signatures"][0]),
            "the envelope of a bundle has one signature, this has 2",
        ),
        (lambda b: b["dsseEnvelope"].update(signatures=[]), "a DSSE envelope has from 1 to 16 signatures"),
        (lambda b: b["dsseEnvelope"].update(payload=None), "the DSSE envelope has no payload"),
        (lambda b: entry(b).pop("inclusionProof"), "an entry of a bundle of version 0.3 has an inclusionProof"),
        (
            lambda b: (b.update(mediaType=V2), entry(b).pop("inclusionProof")),
            "an entry of a bundle of version 0.2 has an inclusionProof, and this has none",
        ),
        (
            lambda b: (b.update(mediaType=V1), entry(b).pop("inclusionPromise")),
            "an entry of a bundle of version 0.1 has an inclusionPromise, and this has none",
        ),
        (lambda b: entry(b)["inclusionProof"].pop("checkpoint"), "the inclusionProof has no checkpoint"),
        (lambda b: entry(b)["inclusionProof"].update(hashes=["AAAA"] * 65), "a list of at most 64 hashes"),
        (lambda b: entry(b)["inclusionProof"].update(hashes=[None]), "the field hashes is missing"),
        (lambda b: entry(b).pop("kindVersion"), "the field kindVersion is missing"),
        (lambda b: entry(b).pop("logId"), "the field logId is missing"),
        (lambda b: entry(b).update(logIndex="-1"), "the field logIndex is not a natural number below 2^63"),
        (
            lambda b: b["verificationMaterial"].update(publicKey={}),
            "the verificationMaterial has one of certificate, x509CertificateChain and publicKey",
        ),
        (
            lambda b: (
                b["verificationMaterial"].pop("certificate"),
                b["verificationMaterial"].update(x509CertificateChain={"certificates": []}),
            ),
            "the x509CertificateChain is empty",
        ),
    ],
)
def test_what_a_bundle_has_to_have(change: Change, message: str, instance: Instance) -> None:
    document = copy.deepcopy(dsse_bundle(Keyless(instance.certificate()), proof=Proof(instance)))
    change(document)
    with pytest.raises(Refusal) as raised:
        parsed(document)
    assert raised.value.reason is Reason.MALFORMED
    assert message in str(raised.value)


def test_a_proof_without_a_checkpoint_is_of_no_use_in_version_0_1(instance: Instance) -> None:
    document = {**dsse_bundle(Keyless(instance.certificate()), proof=Proof(instance)), "mediaType": V1}
    entry(document)["inclusionProof"].pop("checkpoint")
    (made,) = parsed(document).material.entries
    assert made.proof is None


def test_a_digest_may_be_left_out_or_empty() -> None:
    document = message_bundle(Key(), b"content", named=False)
    left_out = parsed(document).content
    document["messageSignature"]["messageDigest"] = {}
    assert parsed(document).content == left_out
    assert isinstance(left_out, MessageSignature)
    assert (left_out.algorithm, left_out.digest) == ("", b"")


@pytest.mark.parametrize("algorithm", ["SHA2_224", "SHA1", "HASH_ALGORITHM_UNSPECIFIED", "sha256"])
def test_a_digest_of_another_kind_is_not_taken(algorithm: str) -> None:
    document = message_bundle(Key(), b"content")
    document["messageSignature"]["messageDigest"]["algorithm"] = algorithm
    with pytest.raises(Refusal, match="the messageDigest is not one of SHA2_256, SHA2_384 and SHA2_512"):
        parsed(document)
