"""Evidence as a file: what hangs on images, byte by byte, for places that cannot ask the registry.

    {"format": "pratique.dev/evidence/v1", "images": [
        {"reference": "registry.internal/app:1", "registry", "repository", "digest", "manifests": {digest: platform},
         "root": "<base64>",
         "pieces": [{"layout", "covers", "platform", "media_type", "artifact_type", "manifest", "layer", "annotations",
                     "content": "<base64>"}],
         "unread": [{"covers", "manifest", "reason"}]}]}

It holds what was *found*, not what was made of it: whoever reads it verifies every signature anew, by its own trust,
and that manifests and platforms are those of the index (`root`, which has the image's digest). Who carries it can leave
evidence out, and add what nobody signed; a policy that asks for signatures does not count that.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from attestations.discovery import MAX_EVIDENCE_BYTES, MAX_LAYERS
from attestations.evidence import Found, Layout, Piece, Unread
from attestations.failures import Malformed, TooLarge
from attestations.manifest import (
    DOCKER_MANIFEST,
    INDEX_TYPES,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    digest_of,
    essence,
    parse_manifest,
)
from pratique.canonical import sha256
from pratique.errors import ConfigError, EvidenceUnavailable, Problem
from pratique.pointer import pointer
from pratique.replace_file import replace_file
from pratique.subject import ImageRef

FORMAT = "pratique.dev/evidence/v1"
IMPORTED_NAME = "imported-evidence.json"
"""The file in the state folder of a server that `pratique evidence import` writes."""
MAX_BYTES = 512 * 2**20
"""Protects the process from a file that was named by mistake."""
_MAX_REASON = 2_000
"""Characters of why something was not read: protects the documents of policies, in which it stands."""
_MAX_MESSAGE = 300
"""Characters of what the schema says is wrong: it quotes the value."""

_DIGEST = {"type": "string", "pattern": "^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})$"}
_TEXT = {"type": "string"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


_SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_object(
        format={"const": FORMAT},
        images={
            "type": "array",
            "items": _object(
                reference=_TEXT,
                registry=_TEXT,
                repository=_TEXT,
                digest=_DIGEST,
                manifests={"type": "object", "propertyNames": _DIGEST, "additionalProperties": _TEXT},
                root=_TEXT,
                pieces={
                    "type": "array",
                    "maxItems": MAX_LAYERS,
                    "items": _object(
                        layout={"enum": [layout.value for layout in Layout]},
                        covers=_DIGEST,
                        platform=_TEXT,
                        media_type=_TEXT,
                        artifact_type=_TEXT,
                        manifest=_TEXT,
                        layer=_TEXT,
                        annotations=_TEXTS,
                        content=_TEXT,
                    ),
                },
                unread={
                    "type": "array",
                    "maxItems": MAX_LAYERS,
                    "items": _object(covers=_TEXT, manifest=_TEXT, reason={**_TEXT, "maxLength": _MAX_REASON}),
                },
            ),
        },
    ),
}


class RecordedImages:
    """Says of images what an evidence file does, in place of a registry."""

    def __init__(self, images: Mapping[str, Found], file: str, digest: str) -> None:
        """`images` are by reference as they were asked for; `digest` is another one for every other file."""
        self.images = images
        self.file = file
        self.digest = digest
        self._tags = {reference: found.digest for reference, found in images.items()}
        self._found = {_key(found.registry, found.repository, found.digest): found for found in images.values()}

    def of(self, registry: str, repository: str, digest: str) -> Found | None:
        """What hung on the image, if the file says."""
        return self._found.get(_key(registry, repository, digest))

    async def resolve(self, image: ImageRef, *, deadline: float) -> str:
        """The digest that the reference had when the file was written. Raises: EvidenceUnavailable."""
        digest = self._tags.get(image.reference)
        if digest is None:
            raise EvidenceUnavailable(f"{self.file} says nothing of {image.reference}; export it there too")
        return digest

    async def discover(self, image: ImageRef, digest: str, *, deadline: float) -> Found:
        """What hung on the image when the file was written. Raises: EvidenceUnavailable."""
        found = self.of(image.registry, image.repository, digest)
        if found is None:
            raise EvidenceUnavailable(f"{self.file} says nothing of {image.reference}; export it there too")
        return found


def _key(registry: str, repository: str, digest: str) -> str:
    return f"{registry}/{repository}@{digest}"


def write_evidence(file: Path, images: Mapping[str, Found]) -> None:
    """Write what was found of each reference, in one step.

    Raises:
        EvidenceUnavailable: it is more than is read again, or `found_of` would not take it. OSError.
    """
    documents = [image_document(name, found) for name, found in sorted(images.items())]
    try:
        for document in documents:
            found_of(document)
    except ValueError as error:
        raise EvidenceUnavailable(f"{file} was not written: {error}") from error
    content = orjson.dumps({"format": FORMAT, "images": documents}, option=orjson.OPT_INDENT_2) + b"\n"
    if len(content) > MAX_BYTES:
        raise EvidenceUnavailable(
            f"{file} was not written: it would have more than {MAX_BYTES} bytes; name fewer images"
        )
    replace_file(file, content)


def read_evidence(file: Path) -> RecordedImages:
    """What `file` says.

    Raises:
        ConfigError: it cannot be read, or is not such a file.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(Problem(str(file), "", f"this cannot be read: {error.strerror}")) from error
    if len(content) > MAX_BYTES:
        raise ConfigError(Problem(str(file), "", f"more than {MAX_BYTES} bytes"))
    try:
        document = orjson.loads(content)
    except ValueError as error:
        raise ConfigError(Problem(str(file), "", f"this is not JSON: {error}")) from error
    for wrong in jsonschema_rs.validator_for(dict(_SCHEMA)).iter_errors(document):
        raise ConfigError(Problem(str(file), pointer(*wrong.instance_path) or "/", wrong.message[:_MAX_MESSAGE]))
    images = {}
    for index, image in enumerate(document["images"]):
        try:
            images[image["reference"]] = found_of(image)
        except ValueError as error:
            raise ConfigError(Problem(str(file), pointer("images", index), str(error))) from error
    return RecordedImages(images, str(file), sha256(content))


def image_document(reference: str, found: Found) -> dict[str, Any]:
    """What was found of the image, as JSON has it."""
    return {
        "reference": reference,
        "registry": found.registry,
        "repository": found.repository,
        "digest": found.digest,
        "manifests": dict(found.manifests),
        "root": base64.b64encode(found.root).decode(),
        "pieces": [
            {
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
            for piece in found.pieces
        ],
        "unread": [{"covers": each.covers, "manifest": each.manifest, "reason": each.reason} for each in found.unread],
    }


def found_of(image: Mapping[str, Any]) -> Found:
    """What `image_document` was made of.

    Raises:
        ValueError: it was not, or says otherwise of the image's manifests than the bytes that have its digest.
    """
    name = image["reference"]
    content = base64.b64decode(image["root"], validate=True)
    if digest_of(content, like=image["digest"]) != image["digest"]:
        raise ValueError(f"the manifest of {name} does not have the digest {image['digest']}")
    root = root_of(content, image["digest"])
    # All of them, and their platforms: an image is signed where every manifest is, and has to have an SBOM for each
    # platform that a policy names.
    manifests = {} if root.is_index else {root.digest: ""}
    for entry in choices(root):
        if essence(entry.media_type) in INDEX_TYPES:
            raise ValueError(f"the index of {name} has the index {entry.digest} in it, which a file cannot vouch for")
        if essence(entry.media_type) in (OCI_MANIFEST, DOCKER_MANIFEST):
            manifests[entry.digest] = entry.platform
    if image["manifests"] != manifests:
        raise ValueError(f"the index of {name} has other manifests than are said here")
    pieces = tuple(_piece(each, manifests) for each in image["pieces"])
    if sum(len(each.content) for each in pieces) > MAX_EVIDENCE_BYTES:
        raise ValueError(f"the evidence of {name} has more than {MAX_EVIDENCE_BYTES} bytes")
    return Found(
        registry=image["registry"],
        repository=image["repository"],
        digest=image["digest"],
        manifests=manifests,
        pieces=pieces,
        unread=tuple(Unread(**each) for each in image["unread"]),
        root=content,
    )


def _piece(piece: Mapping[str, Any], manifests: Mapping[str, str]) -> Piece:
    """Raises: ValueError."""
    if piece["platform"] != manifests.get(piece["covers"], ""):
        raise ValueError(f"{piece['covers']} is not of the platform {piece['platform'][:100]!r}")
    content = base64.b64decode(piece["content"], validate=True)
    return Piece(**{**piece, "layout": Layout(piece["layout"]), "content": content})


def root_of(content: bytes, digest: str) -> Manifest:
    """The manifest or index of an image, whose media type nobody told.

    Raises:
        ValueError: it is none, or could be read as both.
    """
    document = orjson.loads(content)
    is_index = isinstance(document, dict) and "manifests" in document
    is_told = isinstance(document, dict) and bool(document.get("mediaType"))
    try:
        return parse_manifest(content, "" if is_told else OCI_INDEX if is_index else OCI_MANIFEST, digest=digest)
    except (Malformed, TooLarge) as error:
        raise ValueError(str(error)) from error


def choices(index: Manifest) -> list[Descriptor]:
    """The entries of an index that a runtime may choose; none where it is no index."""
    return [entry for entry in index.manifests if not entry.is_attestation]


def merged(files: Sequence[RecordedImages]) -> RecordedImages:
    """What all of them say; of two that name one reference, the later one."""
    images = {reference: found for each in files for reference, found in each.images.items()}
    return RecordedImages(
        images, " and ".join(each.file for each in files), sha256("".join(each.digest for each in files).encode())
    )


def united(found: Found, carried: Found) -> Found:
    """`found` with the pieces that `carried` has of the same digest beside them."""
    known = {_identity(piece) for piece in found.pieces}
    more = (piece for piece in carried.pieces if _identity(piece) not in known)
    return replace(found, pieces=(*found.pieces, *more)) if carried.digest == found.digest else found


def _identity(piece: Piece) -> tuple[str, str, frozenset[tuple[str, str]]]:
    # Two signatures of cosign 2 have one payload: they differ in the annotations.
    return piece.covers, piece.layer, frozenset(piece.annotations.items())
