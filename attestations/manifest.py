"""Manifests and indexes: bytes become frozen dataclasses here (OCI image-spec 1.1, Docker's image manifest 2.2).

Strict where readers differ: a runtime must not find another image in the same bytes than we do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jiter

from attestations.failures import Malformed, TooLarge
from pratique.canonical import has_more_values

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
"""Of the release candidates of image-spec 1.1: its `blobs` are what `layers` became. Registries still hold some."""
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST, OCI_ARTIFACT})
ACCEPT = ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX, OCI_ARTIFACT))

MAX_DESCRIPTORS = 2000
"""Protects the event loop: so many are read in a few milliseconds, and no honest manifest has as many."""
MAX_VALUES = 50_000
"""Protects the event loop: a parser stops it, for a second where a manifest is full of `[]`."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_MAX_SIZE = 2**63 - 1
"""Sizes are int64 in image-spec's `Descriptor`."""
_MANIFEST_FIELDS = ("mediaType", "artifactType", "config", "layers", "blobs", "manifests", "subject", "annotations")
_DESCRIPTOR_FIELDS = ("mediaType", "digest", "size", "artifactType", "annotations", "platform")
_PLATFORM_FIELDS = ("os", "architecture", "variant")
_ATTESTATION = "vnd.docker.reference.type", "attestation-manifest"
_NO_PLATFORM = "unknown/unknown"


class NotAManifest(Malformed):
    """What has the digest `digest`, as the registry said, is nevertheless no manifest: somebody pushed it so."""

    def __init__(self, message: str, digest: str) -> None:
        super().__init__(message)
        self.digest = digest


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says of something else (image-spec, descriptor.md). `platform` is `os/architecture[/variant]`,
    empty where nothing is said."""

    media_type: str
    digest: str
    size: int
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""

    @property
    def is_attestation(self) -> bool:
        """Whether no runtime can take the entry of an index for an image: noted as an attestation, *and* for no
        platform, as BuildKit writes it (moby/buildkit, docs/attestations)."""
        name, value = _ATTESTATION
        return self.annotations.get(name) == value and self.platform == _NO_PLATFORM


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or an index, and the bytes that it was read from; of an index, `manifests` are its entries."""

    digest: str
    media_type: str
    content: bytes = field(repr=False)
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES

    @property
    def kind(self) -> str:
        """What the artifact says that it is: `artifactType`, or the media type of its configuration (image-spec,
        manifest.md)."""
        return self.artifact_type or (self.config.media_type if self.config else "")


def is_digest(text: str) -> bool:
    """Whether `text` is a digest that we can compute."""
    return _DIGEST.fullmatch(text) is not None


def digest_of(content: bytes, *, like: str = "sha256:") -> str:
    """The digest of `content` with the algorithm of the digest `like`, for which `is_digest` holds."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def essence(media_type: str) -> str:
    """The media type without its parameters, in lower case (RFC 9110, 8.3.1)."""
    return media_type.partition(";")[0].strip().lower()


def parse_manifest(content: bytes, content_type: str, *, digest: str) -> Manifest:
    """The manifest or index that `content`, whose digest is `digest`, was sent as.

    Raises:
        Malformed: it is none. TooLarge: it lists more than MAX_DESCRIPTORS things.
    """
    document = _parsed(content, digest)
    _no_twins(document, _MANIFEST_FIELDS, digest)
    said, sent = _text(document, "mediaType", digest), essence(content_type)
    media_type = essence(said) or sent
    if media_type not in INDEX_TYPES | MANIFEST_TYPES:
        raise Malformed(f"{digest} is of the type {media_type[:100]!r}, which is no manifest or index that we know")
    if sent in INDEX_TYPES | MANIFEST_TYPES and sent != media_type:
        raise Malformed(f"{digest} was sent as {sent} and says that it is {media_type}")
    is_index = media_type in INDEX_TYPES
    # distribution-spec, CVE-2021-41190: what could be read as both is neither.
    if is_index and ("layers" in document or "config" in document):
        raise Malformed(f"the index {digest} has the layers or the configuration of a manifest, too")
    if not is_index and "manifests" in document:
        raise Malformed(f"the manifest {digest} has the entries of an index, too")
    layers = "blobs" if media_type == OCI_ARTIFACT else "layers"
    return Manifest(
        digest=digest,
        media_type=media_type,
        content=content,
        artifact_type=_text(document, "artifactType", digest),
        config=_optional_descriptor(document, "config", digest),
        layers=() if is_index else _descriptors(document, layers, digest),
        manifests=_descriptors(document, "manifests", digest) if is_index else (),
        subject=_optional_descriptor(document, "subject", digest),
        annotations=_annotations(document, digest),
    )


def _parsed(content: bytes, digest: str) -> Mapping[str, Any]:
    if has_more_values(content, MAX_VALUES):
        raise Malformed(f"the manifest {digest} has more than {MAX_VALUES} values in it")
    try:
        document = jiter.from_json(content, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="none")
    except ValueError as error:
        raise Malformed(f"the manifest {digest} is not JSON: {str(error)[:200]}") from error
    if not isinstance(document, dict):
        raise Malformed(f"the manifest {digest} is not a JSON object")
    return document


def _no_twins(document: Mapping[str, Any], fields: tuple[str, ...], digest: str) -> None:
    """Raises: Malformed: there is a field in other letters, such as `Manifests`, which Go takes for `manifests`."""
    known = {name.casefold() for name in fields}
    for name in document:
        if name not in fields and name.casefold() in known:
            raise Malformed(f"the manifest {digest} has a field {name!r}, which others read as another")


def _text(document: Mapping[str, Any], name: str, digest: str) -> str:
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed(f"{name} in the manifest {digest} is not text")
    return value


def _annotations(document: Mapping[str, Any], digest: str) -> Mapping[str, str]:
    value = document.get("annotations")
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise Malformed(f"annotations in the manifest {digest} are not texts by name")
    return value


def _descriptors(document: Mapping[str, Any], name: str, digest: str) -> tuple[Descriptor, ...]:
    value = document.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Malformed(f"{name} in the manifest {digest} is not a list")
    if len(value) > MAX_DESCRIPTORS:
        raise TooLarge(f"{name} in the manifest {digest} has {len(value)} entries, more than {MAX_DESCRIPTORS}")
    return tuple(_descriptor(each, name, digest) for each in value)


def _optional_descriptor(document: Mapping[str, Any], name: str, digest: str) -> Descriptor | None:
    value = document.get(name)
    return None if value is None else _descriptor(value, name, digest)


def _descriptor(value: object, name: str, digest: str) -> Descriptor:
    if not isinstance(value, dict):
        raise Malformed(f"{name} in the manifest {digest} has a descriptor that is not an object")
    _no_twins(value, _DESCRIPTOR_FIELDS, digest)
    target, size = _text(value, "digest", digest), value.get("size")
    if not is_digest(target):
        raise Malformed(
            f"{name} in the manifest {digest} names the digest {target[:150]!r}, which is none that we know"
        )
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_SIZE:
        raise Malformed(f"{name} in the manifest {digest} does not give the size of {target}")
    return Descriptor(
        media_type=_text(value, "mediaType", digest),
        digest=target,
        size=size,
        artifact_type=_text(value, "artifactType", digest),
        annotations=_annotations(value, digest),
        platform=_platform(value.get("platform"), digest),
    )


def _platform(value: object, digest: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, dict):
        raise Malformed(f"a platform in the manifest {digest} is not an object")
    _no_twins(value, _PLATFORM_FIELDS, digest)
    return "/".join(part for part in (_text(value, name, digest) for name in _PLATFORM_FIELDS) if part)
