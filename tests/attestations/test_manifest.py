"""Manifests and indexes: what they are, and that nobody else can read something else in the same bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestations.failures import Malformed, TooLarge
from attestations.manifest import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    MAX_DESCRIPTORS,
    MAX_VALUES,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    digest_of,
    is_digest,
    parse_manifest,
)

SHA256 = "sha256:" + "a" * 64
LAYER = {"mediaType": "application/x", "digest": SHA256, "size": 3}


def parsed(document: Any, content_type: str = "") -> Manifest:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_manifest(content, content_type, digest=digest_of(content))


def manifest(**fields: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": LAYER, "layers": [LAYER], **fields}


def test_manifest_of_an_artifact() -> None:
    document = manifest(
        artifactType="application/vnd.dev.sigstore.bundle.v0.3+json",
        subject={**LAYER, "mediaType": OCI_MANIFEST},
        layers=[{**LAYER, "annotations": {"a": "b"}}],
        annotations={"c": "d"},
    )
    found = parsed(document, OCI_MANIFEST)
    assert found == Manifest(
        digest=digest_of(found.content),
        media_type=OCI_MANIFEST,
        content=json.dumps(document).encode(),
        artifact_type="application/vnd.dev.sigstore.bundle.v0.3+json",
        config=Descriptor("application/x", SHA256, 3),
        layers=(Descriptor("application/x", SHA256, 3, annotations={"a": "b"}),),
        subject=Descriptor(OCI_MANIFEST, SHA256, 3),
        annotations={"c": "d"},
    )
    assert not found.is_index


def test_index_with_platforms() -> None:
    entries = [
        {**LAYER, "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
        {**LAYER, "platform": {"os": "linux", "architecture": "amd64", "os.version": "1"}},
        LAYER,
    ]
    found = parsed({"schemaVersion": 2, "manifests": entries}, f"{OCI_INDEX}; charset=utf-8")
    assert found.is_index
    assert [each.platform for each in found.manifests] == ["linux/arm/v7", "linux/amd64", ""]


@pytest.mark.parametrize(
    ("media_type", "is_index"),
    [(OCI_MANIFEST, False), (DOCKER_MANIFEST, False), (OCI_INDEX, True), (DOCKER_INDEX, True)],
)
def test_media_type_may_be_in_the_document_or_the_header(media_type: str, is_index: bool) -> None:
    assert parsed({"mediaType": media_type}, "application/octet-stream").is_index is is_index
    assert parsed({}, media_type.upper()).is_index is is_index


def test_artifact_manifest_has_blobs_for_layers() -> None:
    assert parsed({"mediaType": OCI_ARTIFACT, "blobs": [LAYER]}).layers == (Descriptor("application/x", SHA256, 3),)


def test_kind_is_the_artifact_type_or_that_of_the_configuration() -> None:
    assert parsed(manifest(artifactType="a/b")).kind == "a/b"
    assert parsed(manifest()).kind == "application/x"
    assert parsed({"mediaType": OCI_MANIFEST}).kind == ""


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "is not JSON"),
        (b"\xff{}", "is not JSON"),
        (b"[" * 10_000, "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'{"mediaType": "a", "mediaType": "b"}', "is not JSON: .*uplicate"),
        ({}, "which is no manifest or index that we know"),
        ({"mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws"}, "which is no manifest or index"),
        ({"mediaType": 1}, "mediaType .* is not text"),
        (manifest(manifests=[]), "has the entries of an index, too"),
        ({"mediaType": OCI_INDEX, "manifests": [], "layers": []}, "has the layers or the configuration"),
        ({"mediaType": OCI_INDEX, "manifests": [], "config": LAYER}, "has the layers or the configuration"),
        (manifest(layers={}), "layers .* is not a list"),
        (manifest(layers=[1]), "has a descriptor that is not an object"),
        (manifest(Layers=[]), "has a field 'Layers', which others read as another"),
        ({**manifest(), "layer\u017f": []}, "which others read as another"),
        (manifest(layers=[{**LAYER, "Digest": SHA256}]), "has a field 'Digest'"),
        (manifest(layers=[{**LAYER, "digest": "sha256:abc"}]), "which is none that we know"),
        (manifest(layers=[{**LAYER, "digest": SHA256.upper()}]), "which is none that we know"),
        (manifest(layers=[{**LAYER, "digest": "md5:" + "a" * 32}]), "which is none that we know"),
        (manifest(layers=[{**LAYER, "size": -1}]), "does not give the size"),
        (manifest(layers=[{**LAYER, "size": 2**63}]), "does not give the size"),
        (manifest(layers=[{**LAYER, "size": True}]), "does not give the size"),
        (manifest(layers=[{**LAYER, "size": "3"}]), "does not give the size"),
        (manifest(layers=[{**LAYER, "annotations": {"a": 1}}]), "are not texts by name"),
        (manifest(annotations=[]), "are not texts by name"),
        (manifest(subject=[]), "has a descriptor that is not an object"),
        ({"mediaType": OCI_INDEX, "manifests": [{**LAYER, "platform": "linux"}]}, "a platform .* is not an object"),
        ({"mediaType": OCI_INDEX, "manifests": [{**LAYER, "platform": {"os": 1}}]}, "os .* is not text"),
        (
            {"mediaType": OCI_INDEX, "manifests": [{**LAYER, "platform": {"os": "unknown", "OS": "linux"}}]},
            "has a field 'OS', which others read as another",
        ),
    ],
)
def test_what_is_no_manifest_is_refused(document: Any, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        parsed(document)


def test_lists_are_limited() -> None:
    assert len(parsed(manifest(layers=[LAYER] * MAX_DESCRIPTORS)).layers) == MAX_DESCRIPTORS
    with pytest.raises(TooLarge, match=f"layers .* has {MAX_DESCRIPTORS + 1} entries, more than {MAX_DESCRIPTORS}"):
        parsed(manifest(layers=[LAYER] * (MAX_DESCRIPTORS + 1)))


def test_values_are_limited_before_they_are_parsed() -> None:
    """Whatever they are: unknown fields, annotations, nothing at all."""
    for more in (b'"x": [%b1]' % (b"[]," * MAX_VALUES), b'"annotations": {%b"": ""}' % (b'"": "",' * MAX_VALUES)):
        with pytest.raises(Malformed, match=f"has more than {MAX_VALUES} values in it"):
            parsed(b'{"mediaType": "%b", %b}' % (OCI_MANIFEST.encode(), more))
    most = ["a" for _ in range(MAX_VALUES - 4)]
    assert parsed({"mediaType": OCI_MANIFEST, "x": most}).layers == ()


def test_header_and_document_must_agree() -> None:
    with pytest.raises(Malformed, match=r"was sent as application/vnd.oci.image.index.v1\+json and says that it is"):
        parsed(manifest(), OCI_INDEX)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_digests_of_all_algorithms(algorithm: str) -> None:
    digest = digest_of(b"content", like=f"{algorithm}:")
    assert is_digest(digest)
    assert digest_of(b"content", like=digest) == digest != digest_of(b"other", like=digest)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(SHA256),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(list(LAYER)) | st.text(), values),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([*manifest(), "manifests", "subject", "annotations", "blobs"]), JSON), st.text())
def test_nothing_makes_it_raise_anything_else(document: dict[str, Any], content_type: str) -> None:
    for media_type in (OCI_MANIFEST, OCI_INDEX):
        try:
            parsed({"mediaType": media_type, **document}, content_type)
        except Malformed:
            continue


@given(st.binary())
def test_no_bytes_make_it_raise_anything_else(content: bytes) -> None:
    with pytest.raises(Malformed):
        parsed(content)
