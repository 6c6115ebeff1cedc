"""What hangs on an image, in each layout, at each place, in how many round trips; and what hostile images get."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestations import discovery
from attestations.discovery import discover, judge
from attestations.evidence import Found, Layout, Piece, Unread
from attestations.failures import DigestMismatch, Malformed, NotFound, RegistryFailure, TooLarge
from attestations.image_reader import Registries
from attestations.manifest import Descriptor, Manifest
from attestations.registry import RegistryClient
from attestations.registry_settings import RegistrySettings
from pratique.image import parse_image
from tests.support import fault_proxy as faults
from tests.support.fault_proxy import fault_proxy
from tests.support.oci_registry import EMPTY, INDEX, MANIFEST, Pushed, Repository, Running, digest_of, serve
from tests.support.registry_clients import plain, run, soon
from tests.support.rounds import Rounds

NAME = "team/app"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
STATEMENT = "application/vnd.in-toto+json"
AMD64, ARM64 = {"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm64", "variant": "v8"}
SIGNATURE_NOTES = {"dev.cosignproject.cosign/signature": "MEUC"}


@pytest.fixture(params=["referrers", pytest.param("no referrers", marks=pytest.mark.slow)])
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    with serve(referrers=request.param == "referrers") as running:
        yield running


@pytest.fixture
def repository(running: Running) -> Repository:
    return running.repository(NAME)


def found(running: Running, reference: str, *, host: str = "", settings: RegistrySettings | None = None) -> Found:
    """What hangs on `:tag` or `@digest`."""
    host = host or running.host
    return run(lambda client: look(client, f"{host}/{NAME}{reference}"), settings or plain(host))


async def look(client: RegistryClient, reference: str) -> Found:
    registries, image = Registries(client), parse_image(reference, "")
    digest = image.digest or await registries.resolve(image, deadline=soon())
    return await registries.discover(image, digest, deadline=soon())


def refer(
    repository: Repository, subject: Pushed, layers: list[tuple[str, bytes, dict[str, str]]], **more: Any
) -> Pushed:
    """Something that refers to `subject`, as a client does it that knows of no referrers API: with the tag, too."""
    pushed = repository.artifact(layers, subject=subject, **more)
    repository.fallback(subject, [pushed])
    return pushed


def tag_of(image: Pushed, suffix: str) -> str:
    return image.digest.replace(":", "-") + suffix


# Layouts.


def test_nothing_hangs_on_an_image(running: Running, repository: Repository) -> None:
    image = repository.image("v1")
    expected = Found(running.host, NAME, image.digest, {image.digest: ""}, (), root=image.content)
    assert (
        found(running, ":v1") == found(running, f"@{image.digest}") == found(running, f":v1@{image.digest}") == expected
    )


def test_bundle_that_refers_to_the_image(running: Running, repository: Repository) -> None:
    image = repository.image("v1")
    notes = {"dev.sigstore.bundle.content": "dsse-envelope"}
    pushed = refer(repository, image, [(BUNDLE, b'{"a": 1}', notes)], artifact_type=BUNDLE)
    assert found(running, ":v1").pieces == (
        Piece(
            layout=Layout.BUNDLE,
            covers=image.digest,
            platform="",
            media_type=BUNDLE,
            content=b'{"a": 1}',
            manifest=pushed.digest,
            layer=digest_of(b'{"a": 1}'),
            annotations=notes,
            artifact_type=BUNDLE,
        ),
    )


def test_cosigns_tags(running: Running, repository: Repository) -> None:
    image = repository.image("v1")
    layers = [(SIMPLE_SIGNING, content, SIGNATURE_NOTES) for content in (b"one", b"two")]
    signatures = repository.artifact(layers, tag=tag_of(image, ".sig"))
    attestations = repository.artifact([(DSSE, b"{}1", {"predicateType": "p"})], tag=tag_of(image, ".att"))
    pieces = found(running, ":v1").pieces
    assert [(each.layout, each.content, each.manifest, each.covers) for each in pieces] == [
        (Layout.COSIGN_SIGNATURE, b"one", signatures.digest, image.digest),
        (Layout.COSIGN_SIGNATURE, b"two", signatures.digest, image.digest),
        (Layout.COSIGN_ATTESTATION, b"{}1", attestations.digest, image.digest),
    ]
    assert pieces[0].annotations == SIGNATURE_NOTES


def test_buildkit_says_what_it_built(running: Running, repository: Repository) -> None:
    image = repository.image()
    notes = {"in-toto.io/predicate-type": "https://spdx.dev/Document"}
    said = repository.artifact([(STATEMENT, b"{}spdx", notes)])
    index = repository.index([image.descriptor(platform=AMD64), attestation(said, image.digest)], tag="v1")
    assert found(running, ":v1") == Found(
        running.host,
        NAME,
        index.digest,
        {image.digest: "linux/amd64"},
        (
            Piece(
                Layout.BUILDKIT,
                image.digest,
                "linux/amd64",
                STATEMENT,
                b"{}spdx",
                said.digest,
                digest_of(b"{}spdx"),
                notes,
                EMPTY,
            ),
        ),
        root=index.content,
    )


def attestation(pushed: Pushed, about: str, **more: Any) -> dict[str, Any]:
    notes = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": about}
    return pushed.descriptor(**{"platform": {"os": "unknown", "architecture": "unknown"}, "annotations": notes, **more})


def layout_of(media_type: str, kind: str = "", **annotations: str) -> Layout | str:
    """What one layer of a manifest is judged to be; the sentence if it is nothing."""
    layer = Descriptor(media_type, "sha256:" + "1" * 64, 1, annotations=annotations)
    (judged,) = judge(Manifest("sha256:" + "2" * 64, MANIFEST, b"", artifact_type=kind, layers=(layer,)))
    return judged if isinstance(judged, str) else judged[0]


@pytest.mark.parametrize(
    ("media_type", "layout"),
    [
        ("application/vnd.dev.sigstore.bundle.v0.3+json", Layout.BUNDLE),
        ("application/vnd.dev.sigstore.bundle.v0.4+json", Layout.BUNDLE),
        ("application/vnd.dev.sigstore.bundle+json;version=0.1", Layout.BUNDLE),
        ("application/vnd.dev.sigstore.bundle+json; version=0.2", Layout.BUNDLE),
        ("application/vnd.dev.cosign.simplesigning.v1+json", Layout.COSIGN_SIGNATURE),
        ("application/vnd.dsse.envelope.v1+json", Layout.DSSE),
        ("application/vnd.in-toto.provenance+dsse", Layout.DSSE),
        ("application/vnd.in-toto+json", Layout.BUILDKIT),
        ("application/vnd.cyclonedx+json", Layout.DOCUMENT),
        ("application/vnd.cyclonedx+json; version=1.6", Layout.DOCUMENT),
        ("application/spdx+json", Layout.DOCUMENT),
        ("text/spdx+json", Layout.DOCUMENT),
        ("text/spdx", Layout.DOCUMENT),
        ("application/sarif+json", Layout.DOCUMENT),
        ("application/vnd.openvex+json", Layout.DOCUMENT),
        ("application/json", Layout.DOCUMENT),
    ],
)
def test_layout_of_each_media_type(media_type: str, layout: Layout) -> None:
    assert layout_of(media_type) is layout


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.cyclonedx+json+gzip",
        "application/zip",
        "",
    ],
)
def test_layers_that_are_no_evidence(media_type: str) -> None:
    assert f"is of the type {media_type!r}, which is no evidence" in str(layout_of(media_type))


def test_envelope_with_cosigns_annotations_is_cosigns() -> None:
    notes = {"dev.sigstore.cosign/certificate": "..."}
    assert layout_of(DSSE, **notes) is Layout.COSIGN_ATTESTATION


def test_generic_layer_of_a_bundle_is_a_bundle() -> None:
    assert layout_of("application/octet-stream", kind=BUNDLE) is Layout.BUNDLE


def test_signatures_of_the_notary_project_are_named() -> None:
    assert "Notary Project" in str(layout_of("application/jose+json", kind="application/vnd.cncf.notary.signature"))


@pytest.mark.parametrize(
    ("content", "layout"),
    [
        (json.dumps({"mediaType": BUNDLE}).encode(), Layout.BUNDLE),
        (b'{"payload": "", "payloadType": "", "signatures": []}', Layout.DSSE),
        (b'{"bomFormat": "CycloneDX"}', Layout.DOCUMENT),
        (b'["payload", "payloadType", "signatures"]', Layout.DOCUMENT),
        (b'{"mediaType": 1}', Layout.DOCUMENT),
        (b"not JSON", Layout.DOCUMENT),
        (b"[" * 100_000, Layout.DOCUMENT),
        (
            b'{"mediaType": "' + BUNDLE.encode() + b'", "a": [' + b"[]," * discovery.MAX_SNIFFED_VALUES + b"0]}",
            Layout.DOCUMENT,
        ),
        (
            b'{"mediaType": "' + BUNDLE.encode() + b'", "a": "' + b"a" * discovery.MAX_SNIFFED_BYTES + b'"}',
            Layout.DOCUMENT,
        ),
    ],
)
def test_json_without_a_type_is_looked_into(
    running: Running, repository: Repository, content: bytes, layout: Layout
) -> None:
    refer(repository, repository.image("v1"), [("application/json", content, {})])
    assert [each.layout for each in found(running, ":v1").pieces] == [layout]


# Where it hangs.


def test_signature_on_the_index_and_documents_on_the_platforms(running: Running, repository: Repository) -> None:
    one, two = repository.image(content=b"one"), repository.image(content=b"two")
    index = repository.index([one.descriptor(platform=AMD64), two.descriptor(platform=ARM64)], tag="v1")
    refer(repository, index, [(BUNDLE, b"{}signature", {})])
    refer(repository, one, [("application/spdx+json", b"{}one", {})])
    repository.artifact([(DSSE, b"{}two", {})], tag=tag_of(two, ".att"))
    everything = found(running, ":v1")
    assert everything.digest == index.digest
    assert everything.manifests == {one.digest: "linux/amd64", two.digest: "linux/arm64/v8"}
    assert {(each.content, each.covers, each.platform) for each in everything.pieces} == {
        (b"{}signature", index.digest, ""),
        (b"{}one", one.digest, "linux/amd64"),
        (b"{}two", two.digest, "linux/arm64/v8"),
    }
    assert everything.unread == ()


def test_platform_named_by_its_own_digest_has_what_hangs_on_it_alone(running: Running, repository: Repository) -> None:
    image = repository.image()
    index = repository.index([image.descriptor(platform=AMD64)], tag="v1")
    refer(repository, index, [(BUNDLE, b"{}index", {})])
    refer(repository, image, [(BUNDLE, b"{}image", {})])
    assert [each.content for each in found(running, f"@{image.digest}").pieces] == [b"{}image"]


def test_two_of_cosigns_signatures_are_one_payload(running: Running, repository: Repository) -> None:
    image = repository.image("v1")
    notes = [{"dev.cosignproject.cosign/signature": signature} for signature in ("of the first", "of the second")]
    layers = [(SIMPLE_SIGNING, b"the same payload", each) for each in notes]
    repository.artifact(layers, tag=tag_of(image, ".sig"))
    assert [each.annotations for each in found(running, ":v1").pieces] == notes


def test_layer_that_is_named_often_is_not_read_without_end(
    running: Running, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "MAX_EVIDENCE_BYTES", 9)
    repository.artifact([(SIMPLE_SIGNING, b"1234", {})] * 3, tag=tag_of(repository.image("v1"), ".sig"))
    with pytest.raises(TooLarge, match="has more than 9 bytes"):
        found(running, ":v1")


def test_one_layer_under_several_manifests_is_fetched_once(running: Running, repository: Repository) -> None:
    image = repository.image("v1")
    both = [
        repository.artifact([(BUNDLE, b"{}same", {})], subject=image, artifact_type=kind) for kind in ("a/b", "c/d")
    ]
    repository.fallback(image, both)
    with fault_proxy(running.host) as proxy:
        pieces = found(running, ":v1", host=proxy.host).pieces
        assert {each.manifest for each in pieces} == {each.digest for each in both}
        assert len(proxy.asked("/blobs/")) == 1


def test_list_is_not_believed_but_the_manifest(running: Running, repository: Repository) -> None:
    image, other = repository.image("v1"), repository.image("v2", content=b"another")
    real = repository.artifact([(BUNDLE, b"{}real", {})], subject=image)
    of_other = repository.artifact([(BUNDLE, b"{}other", {})], subject=other)
    of_none = repository.artifact([(BUNDLE, b"{}none", {})])
    entries = [
        each.descriptor(artifactType=BUNDLE, annotations={"a": "b"}) for each in (real, of_other, of_none, image)
    ]
    gone = {"mediaType": MANIFEST, "digest": "sha256:" + "9" * 64, "size": 1}
    # go-containerregistry wants the entries of an index to exist; another media type is not looked at.
    repository.index([*entries, {**gone, "mediaType": "application/x"}], tag=image.digest.replace(":", "-"))
    everything = found(running, ":v1")
    assert [each.content for each in everything.pieces] == [b"{}real"]
    assert set(everything.unread) == {
        Unread(image.digest, of_other.digest, f"it is listed here, and refers to {other.digest}"),
        Unread(image.digest, of_none.digest, "it is listed here, and refers to nothing"),
        Unread(image.digest, image.digest, "it is listed here, and refers to nothing"),
        Unread(image.digest, str(gone["digest"]), "it is named, and the registry does not have it"),
    }


def test_what_cannot_be_read_is_told(running: Running, repository: Repository) -> None:
    image = repository.image("v1")
    subject = image.descriptor()
    bad = repository.manifest({"mediaType": MANIFEST, "layers": 1, "subject": subject})
    layer = {"mediaType": BUNDLE, "digest": "sha256:" + "8" * 64, "size": 5}
    gone = repository.manifest({"mediaType": MANIFEST, "layers": [layer], "subject": subject})
    real = {**layer, "digest": repository.blob(b"{}1"), "size": 4}
    wrong_size = repository.manifest({"mediaType": MANIFEST, "layers": [real], "subject": subject})
    empty = repository.artifact([(EMPTY, b"{}", {})], subject=image, artifact_type="a/b")
    index = repository.index([], subject=subject)
    repository.fallback(image, [bad, gone, wrong_size, empty, index])
    tag = repository.manifest(b"[]", tag=tag_of(image, ".sig"))
    everything = found(running, ":v1")
    assert everything.pieces == ()
    said = {each.manifest: each.reason for each in everything.unread}
    assert said.pop(bad.digest).endswith(f"layers in the manifest {bad.digest} is not a list")
    assert said.pop(tag.digest).endswith(f"the manifest {tag.digest} is not a JSON object")
    assert said == {
        gone.digest: f"its layer sha256:{'8' * 64} is named, and the registry does not have it",
        wrong_size.digest: f"its layer {digest_of(b'{}1')} has another size than it says",
        empty.digest: "it is of the type 'a/b' and has no content",
        index.digest: "it is an index, and has no evidence itself",
    }


def test_fallback_tag_that_is_no_list_is_told_and_hides_nothing(running: Running, repository: Repository) -> None:
    image = repository.image("v1")
    repository.artifact([(SIMPLE_SIGNING, b"{}sig", {})], tag=tag_of(image, ".sig"))
    bad = repository.manifest(b"not JSON", tag=tag_of(image, ""))
    everything = found(running, ":v1")
    assert [each.content for each in everything.pieces] == [b"{}sig"]
    assert [(each.covers, each.manifest) for each in everything.unread] == [(image.digest, bad.digest)]


def test_buildkit_entries_are_about_a_manifest_of_the_index(running: Running, repository: Repository) -> None:
    image = repository.image()
    said = repository.artifact([(STATEMENT, b"{}", {})])
    nowhere = "sha256:" + "7" * 64
    repository.index([image.descriptor(platform=AMD64), attestation(said, nowhere)], tag="v1")
    everything = found(running, ":v1")
    assert everything.pieces == ()
    assert [each.reason for each in everything.unread] == [f"it is about '{nowhere}', which is not in the index"]


@pytest.mark.parametrize("platform", [AMD64, {}, None])
def test_what_could_run_is_never_taken_for_an_attestation(
    running: Running, repository: Repository, platform: dict[str, str] | None
) -> None:
    one, two = repository.image(content=b"one"), repository.image(content=b"two")
    repository.index([one.descriptor(platform=AMD64), attestation(two, one.digest, platform=platform)], tag="v1")
    assert set(found(running, ":v1").manifests) == {one.digest, two.digest}


def test_attestation_cannot_hide_a_platform_of_the_same_digest(running: Running, repository: Repository) -> None:
    image = repository.image()
    refer(repository, image, [(BUNDLE, b"{}", {})])
    for entries in ([0, 1], [1, 0]):
        both = [image.descriptor(platform=AMD64), attestation(image, image.digest)]
        repository.index([both[number] for number in entries], tag="v1")
        everything = found(running, ":v1")
        assert everything.manifests == {image.digest: "linux/amd64"}
        assert [each.layout for each in everything.pieces] == [Layout.BUNDLE]


def test_index_that_is_listed_as_a_manifest_too_is_walked(running: Running, repository: Repository) -> None:
    image = repository.image()
    inner = repository.index([image.descriptor(platform=AMD64)])
    for entries in ([0, 1], [1, 0]):
        both = [inner.descriptor(), {**inner.descriptor(), "mediaType": MANIFEST}]
        repository.index([both[number] for number in entries], tag="v1")
        assert set(found(running, ":v1").manifests) == {inner.digest, image.digest}


def test_entries_that_are_gone_are_told(running: Running, repository: Repository) -> None:
    """A copy of an index need not have all that it names."""
    image = repository.image()
    inner = repository.index([image.descriptor(platform=AMD64)])
    said = repository.artifact([(STATEMENT, b"{}", {})])
    entries = [image.descriptor(platform=AMD64), inner.descriptor(), attestation(said, image.digest)]
    index = repository.index(entries, tag="v1")
    with fault_proxy(running.host) as proxy:
        proxy.only, proxy.fault = f"/manifests/({inner.digest}|{said.digest})", faults.status(404)
        everything = found(running, ":v1", host=proxy.host)
    gone = "it is named, and the registry does not have it"
    assert everything.unread == (Unread(index.digest, inner.digest, gone), Unread(image.digest, said.digest, gone))


def test_digest_too_long_for_a_tag_has_none(running: Running) -> None:
    body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": []}).encode()
    digest = f"sha512:{hashlib.sha512(body).hexdigest()}"
    with fault_proxy(running.host) as proxy:
        proxy.only, proxy.fault = f"/manifests/{digest}$", faults.answer(body, Content_Type=MANIFEST)
        assert found(running, f"@{digest}", host=proxy.host).manifests == {digest: ""}
        asked = [path.rpartition("/")[2] for path in proxy.requests]
    assert sorted(asked) == [f"sha512-{digest[7:71]}", digest, digest]


def test_nested_indexes_are_walked(running: Running, repository: Repository) -> None:
    image = repository.image()
    inner = repository.index([image.descriptor(platform=AMD64)])
    outer = repository.index([inner.descriptor(), inner.descriptor(), image.descriptor(platform=AMD64)], tag="v1")
    refer(repository, inner, [(BUNDLE, b"{}inner", {})])
    refer(repository, image, [(BUNDLE, b"{}image", {})])
    everything = found(running, ":v1")
    assert (everything.digest, everything.manifests) == (outer.digest, {image.digest: "linux/amd64"})
    assert sorted(each.content for each in everything.pieces) == [b"{}image", b"{}inner"]


# Round trips.


def rounds(running: Running, reference: str) -> list[list[str]]:
    """What is asked in each round trip, by kind."""
    counter = Rounds()
    asked = f"{running.host}/{NAME}{reference}"
    run(lambda client: look(client, asked), plain(running.host), connect=counter.connect)
    return [[path.removeprefix(f"/v2/{NAME}/").partition("/")[0] for path in each] for each in counter.rounds]


FOUR = ["manifests", "manifests", "manifests", "referrers"]
"""The fallback tag, `.sig`, `.att`, and the referrers API."""


def test_three_round_trips_for_an_image_by_its_digest(running: Running, repository: Repository) -> None:
    image = repository.image()
    refer(repository, image, [(BUNDLE, b"{}bundle", {})])
    repository.artifact([(SIMPLE_SIGNING, b"{}sig", {})], tag=tag_of(image, ".sig"))
    repository.artifact([(DSSE, b"{}att", {})], tag=tag_of(image, ".att"))
    assert rounds(running, f"@{image.digest}") == [["manifests", *FOUR], ["manifests"], ["blobs", "blobs", "blobs"]]


def test_two_for_tags_alone_and_one_for_nothing(running: Running, repository: Repository) -> None:
    image = repository.image()
    assert rounds(running, f"@{image.digest}") == [["manifests", *FOUR]]
    repository.artifact([(SIMPLE_SIGNING, b"{}sig", {})], tag=tag_of(image, ".sig"))
    assert rounds(running, f"@{image.digest}") == [["manifests", *FOUR], ["blobs"]]


def test_one_more_to_know_the_digest_of_a_tag(running: Running, repository: Repository) -> None:
    image = repository.image("v1")
    refer(repository, image, [(BUNDLE, b"{}bundle", {})])
    assert rounds(running, ":v1") == [["manifests"], ["manifests", *FOUR], ["manifests"], ["blobs"]]


def test_one_more_for_what_is_below_an_index(running: Running, repository: Repository) -> None:
    image = repository.image()
    said = repository.artifact([(STATEMENT, b"{}", {})])
    index = repository.index([image.descriptor(platform=AMD64), attestation(said, image.digest)])
    refer(repository, image, [(BUNDLE, b"{}bundle", {})])
    asked = rounds(running, f"@{index.digest}")
    assert asked == [["manifests", *FOUR], ["manifests", *FOUR], ["manifests"], ["blobs", "blobs"]]


# Limits.


def test_bundle_of_fifty_megabytes_is_not_fetched(running: Running, repository: Repository) -> None:
    image = repository.image("v1")
    size = 50 * 2**20
    layer = {"mediaType": BUNDLE, "digest": "sha256:" + "5" * 64, "size": size}
    large = repository.manifest({"mediaType": MANIFEST, "layers": [layer], "subject": image.descriptor()})
    small = repository.artifact([(BUNDLE, b"{}small", {})], subject=image)
    repository.fallback(image, [large, small])
    with fault_proxy(running.host) as proxy:
        everything = found(running, ":v1", host=proxy.host)
        assert len(proxy.asked("/blobs/")) == 1
    assert [each.content for each in everything.pieces] == [b"{}small"]
    reason = f"its layer sha256:{'5' * 64} has {size} bytes, more than {discovery.MAX_PIECE_BYTES}"
    assert everything.unread == (Unread(image.digest, large.digest, reason),)


@pytest.mark.parametrize("limit", ["MAX_REFERRING", "MAX_LAYERS", "MAX_MANIFESTS_BYTES", "MAX_EVIDENCE_BYTES"])
def test_more_than_a_limit_is_refused_and_never_left_out(
    running: Running, repository: Repository, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    image = repository.image("v1")
    several = [repository.artifact([(BUNDLE, b"{}%d" % number, {})], subject=image) for number in range(3)]
    repository.fallback(image, several)
    assert len(found(running, ":v1").pieces) == 3
    monkeypatch.setattr(discovery, limit, 2)
    with pytest.raises(TooLarge, match="more than 2 "):
        found(running, ":v1")


def test_too_many_entries_of_an_index_are_refused(running: Running, repository: Repository) -> None:
    entries = [
        {"mediaType": "application/x", "digest": f"sha256:{number:064x}", "size": 1}
        for number in range(discovery.MAX_INDEX_ENTRIES + 1)
    ]
    repository.index(entries, tag="v1")
    with pytest.raises(TooLarge, match=f"there are more than {discovery.MAX_INDEX_ENTRIES} manifests below"):
        found(running, ":v1")


def test_entries_that_are_no_manifests_are_told(running: Running, repository: Repository) -> None:
    index = repository.index([{"mediaType": "a/b", "digest": "sha256:" + "6" * 64, "size": 1}], tag="v1")
    reason = "the index names it as 'a/b', which is no manifest"
    assert found(running, ":v1").unread == (Unread(index.digest, "sha256:" + "6" * 64, reason),)


def test_indexes_that_are_nested_too_deep_are_refused(running: Running, repository: Repository) -> None:
    inner = repository.image()
    for _ in range(discovery.MAX_INDEX_DEPTH):
        inner = repository.index([inner.descriptor()])
    assert found(running, f"@{inner.digest}").pieces == ()
    deeper = repository.index([inner.descriptor()])
    with pytest.raises(TooLarge, match=f"indexes are nested more than {discovery.MAX_INDEX_DEPTH} deep"):
        found(running, f"@{deeper.digest}")


def test_index_that_contains_itself_is_a_lie(running: Running, repository: Repository) -> None:
    """No index can have its own digest in it, so whoever sends one is found out by the digest."""
    own = "sha256:" + "a" * 64
    entry = {"mediaType": INDEX, "digest": own, "size": 100}
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
    with fault_proxy(running.host) as proxy:
        proxy.only = f"/manifests/{own}"
        proxy.fault = faults.answer(body, Content_Type=INDEX, Docker_Content_Digest=own)
        with pytest.raises(DigestMismatch):
            found(running, f"@{own}", host=proxy.host)


def test_tag_that_moves_to_itself_ends(running: Running, repository: Repository) -> None:
    """The fallback tag of an image may list the image, and itself: neither refers to it."""
    image = repository.image("v1")
    inner = repository.fallback(image, [image])
    repository.fallback(image, [image, inner])
    everything = found(running, ":v1")
    assert everything.pieces == ()
    assert {each.manifest for each in everything.unread} == {image.digest, inner.digest}


# Failures.


def test_image_that_is_not_there(running: Running, repository: Repository) -> None:
    repository.image("v1")
    for reference in (":v2", "@sha256:" + "0" * 64):
        with pytest.raises(NotFound):
            found(running, reference)


def test_reference_that_does_not_parse() -> None:
    async def act(client: RegistryClient) -> None:
        with pytest.raises(
            Malformed, match="the image reference 'UPPER' does not parse: the repository must be lower case"
        ):
            await discover(client, parse_image("UPPER", ""), deadline=soon())

    run(act, RegistrySettings())


@pytest.mark.parametrize(
    "part", [r"/referrers/", r"manifests/sha256-[0-9a-f]+$", r"\.sig$", r"\.att$", r"/blobs/", "REFERRING"]
)
def test_one_part_that_cannot_be_fetched_makes_all_of_it_fail(
    running: Running, repository: Repository, part: str
) -> None:
    image = repository.image("v1")
    pushed = refer(repository, image, [(BUNDLE, b"{}bundle", {})])
    with fault_proxy(running.host) as proxy:
        proxy.only = pushed.digest if part == "REFERRING" else part
        for fault in (faults.status(500), faults.status(403), faults.status(429), faults.reset_in_the_body):
            proxy.fault = fault
            with pytest.raises(RegistryFailure):
                found(running, ":v1", host=proxy.host)
        proxy.fault = None
        assert len(found(running, ":v1", host=proxy.host).pieces) == 1


def test_larger_than_it_says_is_a_failure_of_the_registry(running: Running, repository: Repository) -> None:
    image = repository.image("v1")
    layer = {"mediaType": BUNDLE, "digest": repository.blob(b"12345"), "size": 4}
    repository.fallback(
        image, [repository.manifest({"mediaType": MANIFEST, "layers": [layer], "subject": image.descriptor()})]
    )
    with pytest.raises(TooLarge, match="has more than 4 bytes"):
        found(running, ":v1")


# Whatever is there.

TYPES = st.sampled_from([BUNDLE, SIMPLE_SIGNING, DSSE, STATEMENT, EMPTY, MANIFEST, INDEX, "application/json", ""])
DIGESTS = st.sampled_from([f"sha256:{number:064x}" for number in range(4)])
LAYERS = st.lists(st.builds(Descriptor, TYPES, DIGESTS, st.integers(0, 10)), max_size=4)


@given(LAYERS, TYPES, TYPES, st.booleans())
def test_each_layer_is_judged(layers: list[Descriptor], media_type: str, kind: str, is_tag: bool) -> None:
    manifest = Manifest("sha256:" + "f" * 64, media_type, b"", artifact_type=kind, layers=tuple(layers))
    judged = judge(manifest, is_attestation_tag=is_tag)
    assert judged
    with_content = [layer for layer in layers if layer.media_type != EMPTY]
    assert media_type == INDEX or not with_content or len(judged) == len(with_content)
