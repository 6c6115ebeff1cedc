"""`pratique verify-bundle`: its exit codes are a protocol, and what it says is for people."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from attestations.bundle import MAX_PIECE_BYTES
from pratiquectl.__main__ import main
from tests.support.signatures import Key, Keyless, Proof, dsse_bundle, message_bundle, statement
from tests.support.sigstore_root import IDENTITY, ISSUER, Instance

CONTENT = b"weights"
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
KEY = Key()


@dataclass(frozen=True)
class Place:
    """A folder with a file, bundles of it, a key and a trust root."""

    folder: Path
    instance: Instance

    def __truediv__(self, name: str) -> str:
        return str(self.folder / name)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("place")
    instance = Instance(folder / "sigstore")
    keyless = Keyless(instance.certificate())
    bundles = {
        "key.json": message_bundle(KEY, CONTENT),
        "key-logged.json": message_bundle(KEY, CONTENT, proof=Proof(instance)),
        "statement.json": dsse_bundle(KEY, statement(DIGEST, predicate_type="https://slsa.dev/provenance/v1")),
        "keyless.json": message_bundle(keyless, CONTENT, proof=Proof(instance)),
        "keyless-statement.json": dsse_bundle(keyless, statement(DIGEST), proof=Proof(instance, rekor=2, stamp=True)),
    }
    for name, bundle in bundles.items():
        (folder / name).write_text(json.dumps(bundle))
    (folder / "model").write_bytes(CONTENT)
    (folder / "other").write_bytes(b"other")
    (folder / "key.pub").write_text(KEY.pem)
    (folder / "other.pub").write_text(Key().pem)
    (folder / "root.json").write_bytes(instance.root())
    (folder / "junk").write_bytes(b"\xff{")
    (folder / "large").write_bytes(b" " * (MAX_PIECE_BYTES + 1))
    return Place(folder, instance)


def by_key(place: Place, key: str = "key.pub") -> list[str]:
    return ["--key", place / key]


def by_identity(place: Place, identity: str = IDENTITY, issuer: str = ISSUER, root: str = "root.json") -> list[str]:
    who = ["--certificate-identity", identity, "--certificate-oidc-issuer", issuer]
    return [*who, "--trusted-root", place / root] if root else who


def run(place: Place, bundle: str, who: list[str], subject: str) -> int:
    return main(["verify-bundle", "--bundle", place / bundle, *who, subject])


@pytest.mark.parametrize("subject", ["model", DIGEST])
@pytest.mark.parametrize(
    ("bundle", "kind"),
    [("key.json", "https://sigstore.dev/cosign/sign/v1"), ("statement.json", "https://slsa.dev/provenance/v1")],
)
def test_a_key_signs(subject: str, bundle: str, kind: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(place, bundle, by_key(place), subject if subject == DIGEST else place / subject) == 0
    assert capsys.readouterr().out == f"verified: {DIGEST} is signed by the key {KEY.id} ({kind})\n"


@pytest.mark.parametrize("bundle", ["keyless.json", "keyless-statement.json"])
def test_an_identity_signs(bundle: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(place, bundle, by_identity(place), place / "model") == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"verified: {DIGEST} is signed by {IDENTITY} (issuer {ISSUER}) at 20")
    assert shown.endswith(" (https://sigstore.dev/cosign/sign/v1)\n")


def test_with_a_trust_root_a_key_signs_into_its_log(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    who = [*by_key(place), "--trusted-root", place / "root.json"]
    assert run(place, "key-logged.json", who, DIGEST) == 0
    assert run(place, "key.json", who, DIGEST) == 1
    assert capsys.readouterr().err == (
        "not verified (not-in-log): a signature with the key key.pub has to be in a transparency log that is trusted\n"
    )


def test_a_file_comes_before_a_digest(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(place, "key.json", by_key(place), DIGEST) == 0
    (tmp_path / DIGEST).write_bytes(b"other")
    assert run(place, "key.json", by_key(place), DIGEST) == 1


def test_what_is_not_verified_says_why(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = "0" * 64
    for bundle, who, subject, reason in [
        ("key.json", by_key(place), place / "other", "wrong-subject"),
        ("key.json", by_key(place), f"sha256:{wrong}", "wrong-subject"),
        ("key.json", by_key(place, "other.pub"), DIGEST, "unknown-key"),
        ("key.json", by_identity(place), DIGEST, "unknown-key"),
        ("keyless.json", by_key(place), DIGEST, "wrong-identity"),
        ("keyless.json", by_identity(place, "eve@acme.com"), DIGEST, "wrong-identity"),
        ("keyless.json", by_identity(place, issuer="https://evil"), DIGEST, "wrong-identity"),
        ("keyless.json", by_identity(place, root=""), DIGEST, "not-in-log"),
    ]:
        assert run(place, bundle, who, subject) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith(f"not verified ({reason}): "), shown.err
        assert len(shown.err.splitlines()) == 1


def test_what_cannot_be_looked_at_is_2(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    for bundle, who, subject, message in [
        ("junk", by_key(place), DIGEST, "not verified (malformed): the bundle cannot be read"),
        ("large", by_key(place), DIGEST, "not verified (too-large): "),
        ("none", by_key(place), DIGEST, "none: No such file or directory"),
        ("key.json", by_key(place, "junk"), DIGEST, "junk: this is not a public key"),
        ("key.json", by_key(place, "none"), DIGEST, "none: No such file or directory"),
        ("key.json", by_key(place), place / "none", "none: No such file or directory"),
        ("key.json", by_key(place), "sha256:abc", "sha256:abc: No such file or directory"),
        ("keyless.json", by_identity(place, root="junk"), DIGEST, "junk: the trust root cannot be read"),
        ("keyless.json", ["--certificate-identity", IDENTITY], DIGEST, "--certificate-oidc-issuer"),
        ("keyless.json", [*by_key(place), "--certificate-oidc-issuer", ISSUER], DIGEST, "a key has no issuer"),
        ("keyless.json", [*by_key(place), "--certificate-identity", IDENTITY], DIGEST, "not allowed with"),
        ("keyless.json", [], DIGEST, "one of the arguments --key --certificate-identity is required"),
    ]:
        assert run(place, bundle, who, subject) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert message in shown.err
        assert "Traceback" not in shown.err
