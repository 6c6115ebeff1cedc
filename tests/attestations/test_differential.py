"""A second opinion: cosign (sigstore-go, in Go) on hundreds of bundles, good and altered.

The sigstore library is part of our own engine, so it is asked too, but what counts is a verifier that shares nothing
with ours. Nothing that cosign refuses is accepted; what it accepts and ours does not stands in a table here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from attestations.evidence import Verified
from attestations.trust import LogUse, TrustConfiguration
from tests.support.altered_bundles import variants
from tests.support.cosign import Cosign
from tests.support.signatures import (
    BLOB,
    OTHER_IMAGE,
    Key,
    Keyless,
    Maker,
    Proof,
    bundle_piece,
    dsse_bundle,
    identity_of,
    keys_of,
    message_bundle,
    statement,
    trust,
    verify,
)
from tests.support.sigstore_root import IDENTITY, ISSUER, Instance, Object

pytestmark = pytest.mark.slow

LEAST_CASES, LEAST_GOOD = 400, 30


@dataclass(frozen=True)
class Case:
    """One bundle, how cosign is asked about it, and whom we trust."""

    name: str
    bundle: Object
    options: tuple[str, ...]
    configuration: TrustConfiguration


def pairs(instance: Instance, maker: Maker) -> Mapping[str, tuple[Object, Object]]:
    """By name of the kind: a good bundle, and another one."""

    def pair(proof: Proof) -> Iterator[tuple[str, tuple[Object, Object]]]:
        kind = f"Rekor {proof.rekor}{' and stamp' if proof.stamp else ''}" if proof.instance else "without proof"
        messages = (message_bundle(maker, BLOB, proof=proof), message_bundle(maker, b"another", proof=proof))
        statements = (dsse_bundle(maker, proof=proof), dsse_bundle(maker, statement(OTHER_IMAGE), proof=proof))
        yield f"message, {kind}", messages
        yield f"statement, {kind}", statements

    one, two = Proof(instance), Proof(instance, rekor=2, stamp=True)
    return dict(each for proof in (one, two) for each in pair(proof))


def cases(instance: Instance, key: Key) -> Iterator[Case]:
    keyless = Keyless(instance.certificate())
    identity = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER, "--trusted-root", "root.json")
    logged = ("--key", "ours.pub", "--trusted-root", "root.json")
    alone = ("--key", "ours.pub", "--insecure-ignore-tlog")
    by_identity = trust(identity_of(), instance=instance)
    by_logged_key = trust(keys_of(key.trusted(log=LogUse.REQUIRED)), instance=instance)
    by_key = trust(keys_of(key), root=instance.root(logs=False, time=False))
    for kind, (bundle, other) in pairs(instance, keyless).items():
        for name, altered in variants(bundle, other):
            yield Case(f"identity, {kind}: {name}", altered, identity, by_identity)
    for kind, (bundle, other) in pairs(instance, key).items():
        for name, altered in variants(bundle, other):
            yield Case(f"logged key, {kind}: {name}", altered, logged, by_logged_key)
    for bundle, other, kind in [
        (message_bundle(key, BLOB), message_bundle(key, b"another"), "message"),
        (dsse_bundle(key), dsse_bundle(key, statement(OTHER_IMAGE)), "statement"),
    ]:
        for name, altered in variants(bundle, other):
            yield Case(f"key, {kind}: {name}", altered, alone, by_key)
    for name, certificate in {
        "not logged": instance.certificate(logged=False),
        "another identity": instance.certificate("https://example.com/other"),
        "another issuer": instance.certificate(issuer="https://example.com/other"),
        "nobody": instance.certificate(None),
    }.items():
        for bundle in (
            dsse_bundle(Keyless(certificate), proof=Proof(instance)),
            message_bundle(Keyless(certificate), BLOB, proof=Proof(instance, rekor=2, stamp=True)),
        ):
            yield Case(f"identity: {name}", bundle, identity, by_identity)


FROM_THE_BODY = "cosign takes kind and version from the body of the entry alone"
MADE_ANEW = "of an entry of Rekor 2 cosign makes the body anew, and takes index, size and root from what the log signed"
STRICTER: Mapping[str, str] = {
    "entry: another kind": FROM_THE_BODY,
    "entry: another version": FROM_THE_BODY,
    "Rekor 1: proof: another size": "cosign follows the path, which that size can have too, to the root",
    "media type of version 0.2": "the sigstore library wants a chain of certificates in a bundle of 0.2",
    "stamp: twice": "we and the sigstore library take no time stamp twice",
    "Rekor 2 and stamp: entry: body of another's": MADE_ANEW,
    "Rekor 2 and stamp: proof: another index": MADE_ANEW,
    "Rekor 2 and stamp: proof: index beyond the tree": MADE_ANEW,
    "Rekor 2 and stamp: proof: another size": MADE_ANEW,
    "Rekor 2 and stamp: proof: another root": MADE_ANEW,
}
"""By the end of a case's name: what cosign accepts and ours does not, and why. None of it alters what was signed."""


def ask_cosign(cosign: Cosign, number: int, case: Case) -> bool:
    file = cosign.folder / f"{number}.json"
    file.write_text(json.dumps(case.bundle))
    if "messageSignature" in case.bundle:
        return cosign.run("verify-blob", "--bundle", file, *case.options, "blob").returncode == 0
    verb = ("verify-blob-attestation", "--type", "https://sigstore.dev/cosign/sign/v1", "--bundle", file)
    return cosign.run(*verb, *case.options, "blob").returncode == 0


def test_cosign_and_ours_agree(tmp_path: Path) -> None:
    cosign, key = Cosign(tmp_path), Key()
    instance = Instance(tmp_path / "sigstore")  # its own: paths in its trees are the same in every run
    (tmp_path / "blob").write_bytes(BLOB)
    (tmp_path / "root.json").write_bytes(instance.root())
    (tmp_path / "ours.pub").write_text(key.pem)
    asked = list(cases(instance, key))
    assert len(asked) >= LEAST_CASES
    with ThreadPoolExecutor(2) as pool:
        theirs = list(pool.map(lambda numbered: ask_cosign(cosign, *numbered), enumerate(asked)))
    ours = [
        all(isinstance(result, Verified) for result in verify(bundle_piece(case.bundle), case.configuration))
        for case in asked
    ]
    verdicts = list(zip([case.name for case in asked], theirs, ours, strict=True))
    assert sum(ours) >= LEAST_GOOD
    assert [name for name, they, we in verdicts if we and not they] == []
    stricter = [name for name, they, we in verdicts if they and not we]
    assert [name for name in stricter if not name.endswith(tuple(STRICTER))] == []
    assert [end for end in STRICTER if not any(name.endswith(end) for name in stricter)] == []
