"""Both ways with the real cosign and a real registry: what it signs, ours verifies; what our fixtures sign, it does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestations.evidence import SIGNATURE_PREDICATE, Layout, Piece, Reason, Refused, SignedBy, Verified
from attestations.public_keys import key_id, read_pem_key
from attestations.trust import Signer, TrustConfiguration, TrustedKey
from tests.support.cosign import OFFLINE, OLD_LAYOUT, PLAIN_HTTP, Cosign, reference
from tests.support.oci_registry import Pushed, Repository, serve
from tests.support.signatures import (
    BLOB,
    BUNDLE,
    Key,
    Keyless,
    Maker,
    Proof,
    attestation_piece,
    bundle_piece,
    dsse_bundle,
    keys_of,
    message_bundle,
    signature_piece,
    simple_signing,
    statement,
    trust,
    verify,
)
from tests.support.sigstore_root import IDENTITY, ISSUER, Instance, PrivateKey

pytestmark = pytest.mark.slow

CUSTOM = "https://cosign.sigstore.dev/attestation/v1"
ANY = "*/*"


@pytest.fixture(scope="module")
def repository() -> Iterator[Repository]:
    with serve() as running:
        yield running.repository("team/llm")


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    cosign = Cosign(tmp_path_factory.mktemp("cosign"))
    cosign.do("generate-key-pair")
    (cosign.folder / "predicate.json").write_text('{"answer": 42}')
    (cosign.folder / "blob").write_bytes(BLOB)
    return cosign


def trusted(cosign: Cosign, name: str = "cosign") -> TrustConfiguration:
    key = read_pem_key((cosign.folder / f"{name}.pub").read_text())
    return TrustConfiguration((Signer("platform", keys=(TrustedKey("cosign", key),)),))


def by_key(cosign: Cosign, name: str = "cosign") -> tuple[SignedBy, ...]:
    key = read_pem_key((cosign.folder / f"{name}.pub").read_text())
    return (SignedBy("platform", key_id=key_id(key)),)


# what cosign signs


@dataclass(frozen=True)
class Signed:
    """An image with everything that cosign hung on it, as pieces."""

    digest: str
    pieces: dict[str, Piece]


@pytest.fixture(scope="module")
def signed(cosign: Cosign, repository: Repository) -> Signed:
    image = repository.image("signed", content=b"signed by cosign")
    name = reference(repository, image.digest)
    options = ["--key", "cosign.key", *OFFLINE, PLAIN_HTTP]
    attested = ["--predicate", "predicate.json", "--type", "custom"]
    cosign.do("sign", *options, name)
    cosign.do("sign", *options, OLD_LAYOUT, "-a", "env=prod", name)
    cosign.do("attest", *options, *attested, name)
    cosign.do("attest", *options, OLD_LAYOUT, *attested, name)
    return Signed(image.digest, dict(_pieces(repository, image)))


def _pieces(repository: Repository, image: Pushed) -> Iterator[tuple[str, Piece]]:
    def get(path: str) -> Any:
        return repository.client.get(f"/v2/{repository.name}/{path}", headers={"Accept": ANY})

    def of(manifest: str, layout: Layout) -> Iterator[Piece]:
        for layer in get(f"manifests/{manifest}").json()["layers"]:
            content = get(f"blobs/{layer['digest']}").content
            notes = layer.get("annotations") or {}
            yield Piece(layout, image.digest, "", layer["mediaType"], content, manifest, layer["digest"], notes)

    for entry in get(f"referrers/{image.digest}").json()["manifests"]:
        for piece in of(entry["digest"], Layout.BUNDLE):
            yield f"bundle {entry['annotations']['dev.sigstore.bundle.predicateType']}", piece
    tag = image.digest.replace(":", "-")
    for suffix, layout in (("sig", Layout.COSIGN_SIGNATURE), ("att", Layout.COSIGN_ATTESTATION)):
        for piece in of(f"{tag}.{suffix}", layout):
            yield f".{suffix}", piece


MADE = {
    f"bundle {SIGNATURE_PREDICATE}": SIGNATURE_PREDICATE,
    f"bundle {CUSTOM}": CUSTOM,
    ".sig": SIGNATURE_PREDICATE,
    ".att": CUSTOM,
}
"""What cosign makes, and the predicate of each."""


@pytest.mark.parametrize("made", MADE)
def test_what_cosign_signs_is_verified(made: str, signed: Signed, cosign: Cosign) -> None:
    assert sorted(signed.pieces) == sorted(MADE)
    (result,) = verify(signed.pieces[made], trusted(cosign), signed.digest)
    assert isinstance(result, Verified), result
    assert (result.subject, result.predicate_type, result.signed_by) == (signed.digest, MADE[made], by_key(cosign))
    if made == ".sig":
        assert result.predicate["optional"] == {"env": "prod"}
    if MADE[made] == CUSTOM:
        assert json.loads(result.predicate["Data"]) == {"answer": 42}


@pytest.mark.parametrize("made", MADE)
def test_what_cosign_signs_is_of_one_key_and_one_digest(made: str, signed: Signed, cosign: Cosign) -> None:
    other = "sha256:" + "0" * 64
    for configuration, digest, reason in [
        (trusted(cosign), other, Reason.WRONG_SUBJECT),
        (trust(keys_of(Key())), signed.digest, Reason.UNKNOWN_KEY),
    ]:
        (result,) = verify(signed.pieces[made], configuration, digest)
        assert isinstance(result, Refused)
        assert result.reason is reason


KEYS: dict[str, Callable[[], PrivateKey]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": Ed25519PrivateKey.generate,
}


def pem(key: Any) -> bytes:
    encoded: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded


@pytest.mark.parametrize("kind", KEYS)
def test_cosign_signs_with_every_kind_of_key(kind: str, cosign: Cosign) -> None:
    cosign.import_key(pem(KEYS[kind]()), kind)
    options = ["--key", f"{kind}.key", *OFFLINE]
    attested = ["--predicate", "predicate.json", "--type", "custom"]
    cosign.do("attest-blob", *options, *attested, "--bundle", f"{kind}.att.json", "blob")
    cosign.do("sign-blob", *options, "--bundle", f"{kind}.json", "blob")
    digests = [f"{name}:{hashlib.new(name, BLOB).hexdigest()}" for name in ("sha256", "sha384", "sha512")]
    for name in (f"{kind}.att.json", f"{kind}.json"):
        (result,) = verify(bundle_piece((cosign.folder / name).read_bytes()), trusted(cosign, kind), *digests)
        if kind == "ed25519":
            # cosign 3.1 signs statements with Ed25519ph, and bytes with Ed25519; it verifies neither itself.
            assert isinstance(result, Refused)
            assert result.reason is Reason.BAD_SIGNATURE
            assert "Ed25519ph" in result.message
            assert result.message.endswith("with a key of ECDSA")
            verb = "verify-blob-attestation" if ".att" in name else "verify-blob"
            verified = cosign.run(verb, "--key", f"{kind}.pub", "--bundle", name, "--insecure-ignore-tlog", "blob")
            assert verified.returncode != 0
        else:
            assert isinstance(result, Verified), result
            assert result.signed_by == by_key(cosign, kind)


# what our fixtures sign


def hang(repository: Repository, image: Pushed, bundle: dict[str, Any]) -> None:
    content = json.dumps(bundle).encode()
    repository.artifact([(BUNDLE, content, {})], subject=image, artifact_type=BUNDLE)


def tag(repository: Repository, image: Pushed, suffix: str, piece: Piece) -> None:
    layers = [(piece.media_type, piece.content, piece.annotations)]
    config = "application/vnd.oci.image.config.v1+json"
    repository.artifact(layers, tag=f"{image.digest.replace(':', '-')}.{suffix}", config_type=config)


@pytest.mark.parametrize("old", [False, True])
def test_cosign_verifies_what_we_sign_with_a_key(old: bool, cosign: Cosign, repository: Repository) -> None:
    key = Key()
    (cosign.folder / "ours.pub").write_text(key.pem)
    image = repository.image(content=b"signed by a key of ours, %d" % old)
    if old:
        tag(repository, image, "sig", signature_piece(key, simple_signing(image.digest)))
        tag(repository, image, "att", attestation_piece(key, statement(image.digest, predicate_type=CUSTOM)))
    else:
        hang(repository, image, dsse_bundle(key, statement(image.digest)))
        hang(repository, image, dsse_bundle(key, statement(image.digest, predicate_type=CUSTOM)))
    options = ["--insecure-ignore-tlog", PLAIN_HTTP, *([OLD_LAYOUT] if old else [])]
    name = reference(repository, image.digest)
    cosign.do("verify", "--key", "ours.pub", *options, name)
    cosign.do("verify-attestation", "--key", "ours.pub", "--type", CUSTOM, *options, name)
    assert cosign.run("verify", "--key", "cosign.pub", *options, name).returncode != 0


@pytest.mark.parametrize("layout", ["Rekor 1", "Rekor 2", "old"])
def test_cosign_verifies_what_we_sign_with_a_certificate(
    layout: str, cosign: Cosign, repository: Repository, instance: Instance
) -> None:
    maker: Maker = Keyless(instance.certificate())
    image = repository.image(content=f"signed by an identity, {layout}".encode())
    if layout == "old":
        tag(repository, image, "sig", signature_piece(maker, simple_signing(image.digest), proof=Proof(instance)))
    else:
        two = layout == "Rekor 2"
        proof = Proof(instance, rekor=2 if two else 1, stamp=two)
        hang(repository, image, dsse_bundle(maker, statement(image.digest), proof=proof))
    (cosign.folder / "root.json").write_bytes(instance.root())
    options = ["--trusted-root", "root.json", PLAIN_HTTP, *([OLD_LAYOUT] if layout == "old" else [])]
    name = reference(repository, image.digest)
    who = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER]
    cosign.do("verify", *who, *options, name)
    other = ["--certificate-identity", IDENTITY + "x", "--certificate-oidc-issuer", ISSUER]
    assert cosign.run("verify", *other, *options, name).returncode != 0


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa"])
def test_cosign_verifies_blobs_that_we_sign(kind: str, cosign: Cosign) -> None:
    key = Key(KEYS[kind]())
    (cosign.folder / "ours.pub").write_text(key.pem)
    (cosign.folder / "ours.json").write_text(json.dumps(message_bundle(key, BLOB)))
    cosign.do("verify-blob", "--key", "ours.pub", "--bundle", "ours.json", "--insecure-ignore-tlog", "blob")
