"""Evidence as a file: what hangs on images, byte by byte, for places that cannot ask the registry.

    {"format": "pratique.dev/evidence/v1", "images": [
        {"reference": "registry.internal/app:1", "registry", "repository", "digest", "manifests": {digest: platform},
         "root": "<base64>",
         "pieces": [{"layout", "covers", "platform", "media_type", "artifact_type", "manifest", "layer", "annotations",
                     "content": "<base64>"}],
         "unread": [{"covers", "manifest", "reason"}]}]}

It holds what was *found*, not what was made of it: whoever reads it verifies every signature anew, by its own trust,
and that the platform manifests are those of the index (`root`, which has the image's digest). Nothing in it has to be
believed, and whoever carries it can only leave things out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from attestations.evidence import Found, Layout, Piece, Unread
from pratique.errors import ConfigError, EvidenceUnavailable, Problem
from pratique.pointer import pointer
from pratique.replace_file import replace_file
from pratique.subject import ImageRef

FORMAT = "pratique.dev/evidence/v1"
IMPORTED_NAME = "imported-evidence.json"
"""The file in the state folder of a server that `pratique evidence import` writes."""
MAX_BYTES = 512 * 2**20
"""Protects the process from a file that was named by mistake."""

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
                unread={"type": "array", "items": _object(covers=_TEXT, manifest=_TEXT, reason=_TEXT)},
            ),
        },
    ),
}


class RecordedImages:
    """Says of images what an evidence file does, in place of a registry."""

    def __init__(self, images: Mapping[str, Found], file: str) -> None:
        """`images` are by reference as they were asked for."""
        self.images = images
        self.file = file
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


def digest_of(content: bytes, *, like: str) -> str:
    """The digest of `content`, by the algorithm of the digest `like` (OCI image specification, descriptor.md)."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def write_evidence(file: Path, images: Mapping[str, Found]) -> None:
    """Write what was found of each reference, in one step. Raises: OSError."""
    document = {"format": FORMAT, "images": [image_document(name, found) for name, found in sorted(images.items())]}
    replace_file(file, orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def read_evidence(file: Path) -> RecordedImages:
    """What `file` says.

    Raises:
        ConfigError: it is not such a file. OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ConfigError(Problem(str(file), "", f"more than {MAX_BYTES} bytes"))
    try:
        document = orjson.loads(content)
    except ValueError as error:
        raise ConfigError(Problem(str(file), "", f"this is not JSON: {error}")) from error
    for wrong in jsonschema_rs.validator_for(dict(_SCHEMA)).iter_errors(document):
        raise ConfigError(Problem(str(file), pointer(*wrong.instance_path) or "/", wrong.message))
    images = {}
    for index, image in enumerate(document["images"]):
        try:
            images[image["reference"]] = found_of(image)
        except (ValueError, binascii.Error) as error:
            raise ConfigError(Problem(str(file), pointer("images", index, "pieces"), str(error))) from error
    return RecordedImages(images, str(file))


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
        ValueError, binascii.Error: it was not, or its manifests are not those of the index with the image's digest.
    """
    root = base64.b64decode(image["root"], validate=True)
    if digest_of(root, like=image["digest"]) != image["digest"]:
        raise ValueError(f"the manifest of {image['reference']} does not have the digest {image['digest']}")
    # All of them: an image is signed where every manifest is, so one that is left out would count as signed.
    if image["manifests"].keys() != (set(platform_entries(root)) or {image["digest"]}):
        raise ValueError(f"the index of {image['reference']} has other manifests than are said here")
    return Found(
        registry=image["registry"],
        repository=image["repository"],
        digest=image["digest"],
        manifests=image["manifests"],
        pieces=tuple(
            Piece(
                **{
                    **piece,
                    "layout": Layout(piece["layout"]),
                    "content": base64.b64decode(piece["content"], validate=True),
                }
            )
            for piece in image["pieces"]
        ),
        unread=tuple(Unread(**each) for each in image["unread"]),
        root=root,
    )


def platform_entries(root: bytes) -> Iterable[str]:
    """The digests of the platform manifests that an index names, without BuildKit's attestations; none where it is no
    index. Raises: ValueError."""
    document = orjson.loads(root)
    entries = document.get("manifests") if isinstance(document, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("digest"), str):
            raise ValueError("an entry of the index has no digest")
        # As discovery tells them: noted as an attestation, and for no platform, so that no runtime can choose it.
        notes, platform = entry.get("annotations"), entry.get("platform")
        noted = isinstance(notes, dict) and notes.get("vnd.docker.reference.type") == "attestation-manifest"
        nowhere = isinstance(platform, dict) and {platform.get("os"), platform.get("architecture")} == {"unknown"}
        if not (noted and nowhere):
            yield entry["digest"]


def merged(files: Sequence[RecordedImages]) -> RecordedImages:
    """What all of them say; of two that name one reference, the later one."""
    images = {reference: found for each in files for reference, found in each.images.items()}
    return RecordedImages(images, " and ".join(each.file for each in files))


def united(found: Found, carried: Found) -> Found:
    """`found` with the pieces that `carried` has of the same digest beside them."""
    known = {_identity(piece) for piece in found.pieces}
    more = (piece for piece in carried.pieces if _identity(piece) not in known)
    return replace(found, pieces=(*found.pieces, *more)) if carried.digest == found.digest else found


def _identity(piece: Piece) -> tuple[str, str, frozenset[tuple[str, str]]]:
    # Two signatures of cosign 2 have one payload: they differ in the annotations.
    return piece.covers, piece.layer, frozenset(piece.annotations.items())
