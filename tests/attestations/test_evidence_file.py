"""Evidence that is carried as a file: who carries it may be anybody, and can make nothing count that does not."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attestations.discovery import MAX_LAYERS
from attestations.evidence import Found, Piece, Unread
from attestations.evidence_config import EvidenceConfiguration
from attestations.evidence_file import IMPORTED_NAME, RecordedImages, read_evidence, write_evidence
from attestations.failures import (
    DigestMismatch,
    Malformed,
    NotFound,
    RegistryFailure,
    ServerFailed,
    TooLarge,
    Unauthorised,
    Unreachable,
)
from attestations.image_reader import ImageReader
from attestations.in_force import EvidenceInForce
from attestations.manifest import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, digest_of
from attestations.registry_settings import RegistrySettings
from attestations.trust import TrustConfiguration
from pratique.errors import ConfigError, EvidenceUnavailable
from pratique.image import parse_image
from pratique.subject import ImageRef
from tests.support import signatures

KEY = signatures.Key()
GOOD, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
AMD, ARM = ({"os": "linux", "architecture": name} for name in ("amd64", "arm64"))
NOWHERE = {"os": "unknown", "architecture": "unknown"}
NOTES = {"vnd.docker.reference.type": "attestation-manifest"}


def descriptor(digest: str = GOOD, *, media_type: str = OCI_MANIFEST, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": 7, **more}


def index(*entries: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries), **more}).encode()


def found(root: bytes, manifests: Mapping[str, str], *signed: str, unread: tuple[Unread, ...] = ()) -> Found:
    """What hangs on the image whose manifest is `root`: a signature about each digest that is `signed`."""
    digest = digest_of(root)
    pieces = [signatures.bundle_piece(signatures.dsse_bundle(KEY, signatures.statement(each))) for each in signed]
    labelled = [
        replace(each, covers=about, platform=manifests.get(about, ""), layer=f"layer {number}")
        for number, (each, about) in enumerate(zip(pieces, signed, strict=True))
    ]
    return Found("r.example", "app", digest, manifests, tuple(labelled), unread, root)


def written(file: Path, carried: Found, **changes: Any) -> Path:
    """An evidence file as somebody could write it, whether or not it holds together."""
    image = {
        "reference": "r.example/app:1",
        "registry": carried.registry,
        "repository": carried.repository,
        "digest": carried.digest,
        "manifests": dict(carried.manifests),
        "root": base64.b64encode(carried.root).decode(),
        "pieces": [piece_document(each) for each in carried.pieces],
        "unread": [],
        **changes,
    }
    file.write_text(json.dumps({"format": "pratique.dev/evidence/v1", "images": [image]}))
    return file


def piece_document(piece: Piece) -> dict[str, Any]:
    return {
        "layout": piece.layout.value,
        "covers": piece.covers,
        "platform": piece.platform,
        "media_type": piece.media_type,
        "artifact_type": piece.artifact_type,
        "manifest": piece.manifest,
        "layer": piece.layer,
        "annotations": dict(piece.annotations),
        "content": base64.b64encode(piece.content).decode(),
    }


class Answering:
    """A registry that answers everything in one way."""

    def __init__(self, answer: Found | Exception) -> None:
        self._answer = answer

    async def resolve(self, image: ImageRef, *, deadline: float) -> str:
        raise AssertionError("nothing here has a tag")

    async def discover(self, image: ImageRef, digest: str, *, deadline: float) -> Found:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def facts(answer: Found | Exception | RecordedImages, digest: str, carried: RecordedImages | None = None) -> Any:
    """What is found out about the image, where only `KEY` is trusted."""
    trust = TrustConfiguration((signatures.keys_of(KEY),))
    discoverer = answer if isinstance(answer, RecordedImages) else Answering(answer)
    reader = ImageReader(EvidenceConfiguration(RegistrySettings(), trust), discoverer, carried=carried)
    image = parse_image(f"r.example/app@{digest}", "")
    return asyncio.run(reader.read(image, digest, deadline=time.monotonic() + 60))


def signers(carried: RecordedImages, digest: str) -> list[str]:
    told = facts(carried, digest)["signatures"]
    return [] if isinstance(told, str) else list(told["signers"])


ROOTS = {
    "manifest": (json.dumps({"mediaType": OCI_MANIFEST, "layers": []}).encode(), None),
    "manifest of no type": (json.dumps({"schemaVersion": 2, "config": descriptor(), "layers": []}).encode(), None),
    "index": (
        index(descriptor(platform=AMD), descriptor(OTHER, platform=ARM)),
        {GOOD: "linux/amd64", OTHER: "linux/arm64"},
    ),
    "index of no type": (json.dumps({"manifests": [descriptor(media_type=DOCKER_MANIFEST)]}).encode(), {GOOD: ""}),
    "attestations": (index(descriptor(annotations=NOTES, platform=NOWHERE)), {}),
    "noted only": (index(descriptor(annotations=NOTES, platform=AMD)), {GOOD: "linux/amd64"}),
    "nowhere only": (index(descriptor(platform=NOWHERE)), {GOOD: "unknown/unknown"}),
    "nowhere, but a variant": (
        index(descriptor(annotations=NOTES, platform={**NOWHERE, "variant": "v8"})),
        {GOOD: "unknown/unknown/v8"},
    ),
    "no manifest": (index(descriptor(platform=AMD), descriptor(OTHER, media_type="text/plain")), {GOOD: "linux/amd64"}),
}


@pytest.mark.parametrize("name", ROOTS)
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    root, manifests = ROOTS[name]
    whole = found(root, {digest_of(root): ""} if manifests is None else manifests, digest_of(root), GOOD)
    whole = replace(whole, unread=(Unread(GOOD, OTHER, "it is named, and the registry does not have it"),))
    write_evidence(tmp_path / "evidence.json", {"r.example/app:1": whole})
    read = read_evidence(tmp_path / "evidence.json")
    assert read.images == {"r.example/app:1": whole}
    assert signers(read, whole.digest) == ["platform"]


def test_what_could_be_read_as_an_index_too_is_vouched_for_by_nobody(tmp_path: Path) -> None:
    """A runtime takes it for the image in its layers, while the signed image in its entries would vouch for it."""
    evil = {"schemaVersion": 2, "config": descriptor(OTHER), "layers": [], "manifests": [descriptor(platform=AMD)]}
    for more in ({}, {"mediaType": OCI_MANIFEST}, {"mediaType": OCI_INDEX}):
        root = json.dumps({**evil, **more}).encode()
        file = written(tmp_path / "evidence.json", found(root, {GOOD: "linux/amd64"}, GOOD))
        with pytest.raises(ConfigError, match=r"/images/0: the \w+ sha256:\w+ has the .*, too"):
            read_evidence(file)
    twice = b'{"mediaType": "%s", "manifests": [], ' % OCI_INDEX.encode() + index(descriptor(platform=AMD))[1:]
    file = written(tmp_path / "evidence.json", found(twice, {GOOD: "linux/amd64"}, GOOD))
    with pytest.raises(ConfigError, match="is not JSON"):
        read_evidence(file)


def test_platforms_are_those_of_the_index(tmp_path: Path) -> None:
    """Else the platform that a policy names could be said to be another, whose SBOM is there."""
    root = index(descriptor(platform=AMD), descriptor(OTHER, platform=ARM))
    honest = found(root, {GOOD: "linux/amd64", OTHER: "linux/arm64"}, GOOD)
    file = tmp_path / "evidence.json"
    with pytest.raises(ConfigError, match="other manifests than are said here"):
        read_evidence(written(file, honest, manifests={GOOD: "linux/arm64", OTHER: "linux/amd64"}))
    piece = {**piece_document(honest.pieces[0]), "platform": "linux/arm64"}
    with pytest.raises(ConfigError, match=f"/images/0: {GOOD} is not of the platform 'linux/arm64'"):
        read_evidence(written(file, honest, pieces=[piece]))


def test_an_index_in_an_index_is_neither_written_nor_read(tmp_path: Path) -> None:
    nested = found(
        index(descriptor(platform=AMD), descriptor(OTHER, media_type=OCI_INDEX)), {GOOD: "linux/amd64"}, GOOD
    )
    with pytest.raises(EvidenceUnavailable, match=f"was not written: .* has the index {OTHER} in it"):
        write_evidence(tmp_path / "evidence.json", {"r.example/app:1": nested})
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=f"/images/0: .* has the index {OTHER} in it"):
        read_evidence(written(tmp_path / "evidence.json", nested))


def test_what_is_wrong_is_told_briefly(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    whole = found(ROOTS["index"][0], {GOOD: "linux/amd64", OTHER: "linux/arm64"}, GOOD)
    piece = piece_document(whole.pieces[0])
    for changes in (
        {"pieces": "x" * 100_000},
        {"pieces": [piece] * (MAX_LAYERS + 1)},
        {"pieces": [{**piece, "content": "%"}]},
        {"unread": [{"covers": "", "manifest": "", "reason": "x" * 100_000}]},
        {"root": "%"},
        {"root": base64.b64encode(b"[" * 100_000).decode(), "digest": digest_of(b"[" * 100_000)},
        {"root": base64.b64encode(b"7").decode(), "digest": digest_of(b"7")},
    ):
        with pytest.raises(ConfigError) as raised:
            read_evidence(written(file, whole, **changes))
        assert len(str(raised.value)) < 600
    with pytest.raises(ConfigError, match="this cannot be read: "):
        read_evidence(tmp_path)
    with pytest.raises(ConfigError, match=r"gone\.json: this cannot be read: "):
        read_evidence(tmp_path / "gone.json")


@pytest.mark.parametrize("failure", [Unreachable, ServerFailed, Unauthorised])
def test_where_the_registry_does_not_answer_what_was_carried_counts_alone(
    tmp_path: Path, failure: type[RegistryFailure]
) -> None:
    root = ROOTS["manifest"][0]
    carried = read_evidence(written(tmp_path / "evidence.json", found(root, {digest_of(root): ""}, digest_of(root))))
    assert facts(failure("no"), digest_of(root), carried)["signatures"]["signers"] == ["platform"]


@pytest.mark.parametrize("failure", [TooLarge, Malformed, DigestMismatch, NotFound])
def test_what_a_registry_has_and_we_do_not_take_is_not_replaced(tmp_path: Path, failure: type[Exception]) -> None:
    """Else whoever can push could hide a new scan behind ten thousand others, and the older one would count."""
    root = ROOTS["manifest"][0]
    carried = read_evidence(written(tmp_path / "evidence.json", found(root, {digest_of(root): ""}, digest_of(root))))
    with pytest.raises(failure, match="no"):
        facts(failure("no"), digest_of(root), carried)


def test_what_was_carried_counts_beside_what_hangs_there(tmp_path: Path) -> None:
    root = ROOTS["manifest"][0]
    digest = digest_of(root)
    carried = read_evidence(written(tmp_path / "evidence.json", found(root, {digest: ""}, digest)))
    bare = found(root, {digest: ""})
    assert facts(bare, digest)["signatures"] == f"no signature hangs on r.example/app@{digest}"
    assert facts(bare, digest, carried)["signatures"]["signers"] == ["platform"]


def test_other_carried_evidence_is_another_version(tmp_path: Path) -> None:
    """What is kept was read with it: a file that is taken away must not go on counting."""
    root = ROOTS["manifest"][0]
    one = read_evidence(written(tmp_path / "one.json", found(root, {digest_of(root): ""}, digest_of(root))))
    other = read_evidence(written(tmp_path / "other.json", found(root, {digest_of(root): ""})))
    configuration = EvidenceConfiguration(RegistrySettings(), TrustConfiguration(()))
    versions = {ImageReader(configuration, one, carried=each).version for each in (None, one, other)}
    assert len(versions) == 3


def test_imported_evidence_that_cannot_be_read_leaves_what_was_in_force(tmp_path: Path) -> None:
    async def test() -> None:
        evidence = EvidenceInForce(None, environ={}, state=tmp_path)
        (tmp_path / IMPORTED_NAME).mkdir()
        before = evidence.reader
        await evidence.poll()
        assert evidence.problem == f"{tmp_path / IMPORTED_NAME}: this cannot be read: Is a directory"
        assert evidence.reader is before
        (tmp_path / IMPORTED_NAME).rmdir()
        await evidence.poll()
        assert evidence.problem == ""
        await evidence.aclose()

    asyncio.run(test())
