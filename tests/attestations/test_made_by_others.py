"""Signatures that were made by programs and services which are not here: `tests/fixtures/signatures`."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attestations.evidence import Reason, Refused, SignedBy, Verified
from attestations.public_keys import key_id, read_pem_key
from attestations.trust import (
    PUBLIC_GOOD,
    Pattern,
    PatternKind,
    Signer,
    TrustConfiguration,
    TrustedIdentity,
    TrustedKey,
)
from attestations.trust import exact as exactly
from tests.support.signatures import bundle_piece, identity_of, trust, verify
from tests.support.sigstore_root import ISSUER, Instance

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "signatures"
WEIGHTS = "sha256:" + hashlib.sha256(b"weights\n").hexdigest()
PACKAGE = (
    "sha512:46d4e2f74c4877316640000a6fdf8a8b59f1e0847667973e9859f774dd31b8f1"
    "e0937813b777fb66a2ac67d50540fe34640966eee9fc2ccca387082b4c85cd3c"
)
WORKFLOW = "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main"


def test_a_model_that_model_signing_signed() -> None:
    key = read_pem_key((FIXTURES / "model-signing.pub").read_text())
    configuration = TrustConfiguration((Signer("models", keys=(TrustedKey("models", key),)),))
    piece = bundle_piece((FIXTURES / "model-signing.json").read_bytes())
    (result,) = verify(piece, configuration, WEIGHTS)
    assert isinstance(result, Verified)
    assert result.predicate_type == "https://model_signing/signature/v1.0"
    assert result.signed_by == (SignedBy("models", key_id=key_id(key)),)
    assert [each["name"] for each in result.predicate["resources"]] == ["config.json", "w.bin"]


@pytest.mark.parametrize(
    ("pattern", "counts"),
    [
        (exactly(WORKFLOW), True),
        (Pattern(PatternKind.GLOB, "https://github.com/sigstore/*@refs/heads/main"), True),
        (Pattern(PatternKind.REGEXP, r"https://github\.com/sigstore/[^/]+/.*"), True),
        (Pattern(PatternKind.GLOB, "https://github.com/sigstore"), False),
    ],
)
def test_a_package_with_the_public_instance_behind_it(pattern: Pattern, counts: bool) -> None:
    identity = TrustedIdentity(pattern, exactly(ISSUER), PUBLIC_GOOD)
    configuration = TrustConfiguration((Signer("npm", identities=(identity,)),))
    piece = bundle_piece((FIXTURES / "sigstore-js-2.0.0-provenance.json").read_bytes())
    (result,) = verify(piece, configuration, PACKAGE)
    if not counts:
        assert isinstance(result, Refused)
        assert result.reason is Reason.WRONG_IDENTITY
        return
    assert isinstance(result, Verified)
    assert (result.subject, result.predicate_type) == (PACKAGE, "https://slsa.dev/provenance/v1")
    at = datetime(2023, 8, 18, 16, 5, 35, tzinfo=UTC)
    assert result.signed_by == (SignedBy("npm", identity=WORKFLOW, issuer=ISSUER, at=at),)


def test_a_private_instance_does_not_vouch_for_it(instance: Instance) -> None:
    piece = bundle_piece((FIXTURES / "sigstore-js-2.0.0-provenance.json").read_bytes())
    (result,) = verify(piece, trust(identity_of(WORKFLOW), instance=instance), PACKAGE)
    assert isinstance(result, Refused)
    assert result.reason is Reason.NOT_IN_LOG
