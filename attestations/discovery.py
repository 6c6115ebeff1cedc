"""All that hangs on an image, whatever the layout: a reference with a digest becomes `Found`.

On the index and on each manifest below it are asked, side by side: the referrers API, its fallback tag, and cosign's
tags `.sig` and `.att`. What refers is judged by its own manifest and the media types of its layers, never by what a
list says of it (where `artifactType` is often `application/vnd.oci.empty.v1+json`).

How often we go to the registry and back, after the login (`tests/attestations/test_discovery.py` counts):

    image   1. manifest, and all that is asked about its digest   2. referring manifests   3. layers
    index   one more: the digests below it are known when it is there

Each layer is fetched once, and the number of requests does not depend on who is going to look at them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from attestations.evidence import Found, Layout, Piece, Unread
from attestations.failures import Malformed, NotFound, TooLarge
from attestations.manifest import (
    DOCKER_MANIFEST,
    INDEX_TYPES,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    NotAManifest,
    essence,
)
from attestations.registry import RegistryClient
from attestations.together import together
from pratique.canonical import has_more_values
from pratique.subject import ImageRef

MAX_INDEX_DEPTH = 3
"""How deep indexes may be nested. Real ones have one level; deeper ones only make us ask."""
MAX_INDEX_ENTRIES = 256
"""How many manifests, attestation manifests included, may be below an image: each means four questions or more."""
MAX_REFERRING = 1000
"""How many manifests of evidence one image may have, over all its platforms: each is a request."""
MAX_MANIFESTS_BYTES = 32 * 2**20
"""Protects memory from all the manifests of one image."""
MAX_LAYERS = 2000
"""How many pieces of evidence those may have together: each is a request."""
MAX_PIECE_BYTES = 32 * 2**20
"""Protects memory from one piece of evidence; the largest SBOMs with all their files stay below."""
MAX_EVIDENCE_BYTES = 96 * 2**20
"""Protects memory from all the evidence of one image, and time: a layer that is named twice is read twice."""
MAX_SNIFFED_BYTES = 2**20
MAX_SNIFFED_VALUES = 2000
"""Up to this size, JSON without a media type of its own is looked into: what is to be recognised there is small."""

_LONGEST_TAG = 128
_ATTESTED = "vnd.docker.reference.digest"
_BUNDLE = "application/vnd.dev.sigstore.bundle"
_SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
_STATEMENT = "application/vnd.in-toto+json"
_DSSE = frozenset({"application/vnd.dsse.envelope.v1+json", "application/vnd.dsse+json"})
_DSSE_OF_PREDICATE = re.compile(r"application/vnd\.in-toto\.[a-z0-9._+-]+\+dsse")
_COSIGN_ANNOTATIONS = ("dev.cosignproject.cosign/", "dev.sigstore.cosign/")
_NOTATION = "application/vnd.cncf.notary.signature"
_GENERIC = frozenset({"application/json", "application/octet-stream", "text/json", "text/plain"})
_DOCUMENTS = frozenset({"text/spdx", "application/spdx", "application/vnd.cyclonedx", "application/vnd.cyclonedx+xml"})


@dataclass(frozen=True, slots=True)
class _Holder:
    """A manifest that holds evidence about the digest `covers`."""

    covers: str
    manifest: Manifest
    is_attestation_tag: bool = False


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A layer that is evidence."""

    layout: Layout
    holder: _Holder
    layer: Descriptor


@dataclass(slots=True)
class _Harvest:
    """What was found so far."""

    platforms: dict[str, str] = field(default_factory=dict)
    holders: list[_Holder] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


async def discover(client: RegistryClient, image: ImageRef, *, deadline: float) -> Found:
    """Everything that hangs on the image, which is named by its digest. What cannot be read as evidence is `Unread`;
    what cannot be *fetched* makes all of it fail, because a piece that is missing must not look like one that does not
    exist.

    Raises:
        NotFound: there is no such image.
        RegistryFailure: the registry does not answer, or not with what it has to; or there is more than our limits.
    """
    if image.error:
        raise Malformed(f"the image reference {image.reference!r} does not parse: {image.error}")
    return await _Discovery(client, image, deadline).run()


class _Discovery:
    """One image. Methods that return a `_Harvest` do not know of each other, so that all can run side by side."""

    def __init__(self, client: RegistryClient, image: ImageRef, deadline: float) -> None:
        self._client = client
        self._image = image
        self._deadline = deadline
        self._seen: set[tuple[str, str, bool]] = set()
        """Entries of indexes that were looked at, with their media type and whether as an attestation: one that is
        listed as two things is looked at as both, one that is listed twice once."""
        self._referring = 0
        self._manifest_bytes = 0

    async def run(self) -> Found:
        root, harvest = await self._root()
        wanted = list(self._wanted(harvest))
        pieces = await self._pieces(wanted, harvest)
        return Found(
            registry=self._image.registry,
            repository=self._image.repository,
            digest=root.digest,
            manifests=harvest.platforms,
            pieces=tuple(pieces),
            unread=tuple(dict.fromkeys(harvest.unread)),
            root=root.content,
        )

    async def _root(self) -> tuple[Manifest, _Harvest]:
        """The image's own manifest or index, and all manifests of evidence."""
        roots: list[Manifest] = []

        async def descend() -> _Harvest:
            roots.append(await self._manifest(self._image.digest))
            return await self._below(roots[0], depth=1)

        harvests = await together((descend(), self._about(self._image.digest)))
        return roots[0], _merged(harvests)

    async def _below(self, manifest: Manifest, *, depth: int) -> _Harvest:
        """What is found on the manifests below an index; a manifest is its own only platform."""
        if not manifest.is_index:
            return _Harvest(platforms={manifest.digest: ""})
        if depth > MAX_INDEX_DEPTH:
            raise TooLarge(f"indexes are nested more than {MAX_INDEX_DEPTH} deep in {self._image.reference}")
        covered = {each.digest for each in manifest.manifests if not each.is_attestation}
        tasks: list[Coroutine[Any, Any, _Harvest]] = []
        for entry in self._unseen(manifest.manifests):
            if entry.is_attestation:
                tasks.append(self._attestation(entry, manifest.digest, covered))
            elif essence(entry.media_type) in INDEX_TYPES:
                tasks += [self._nested(entry, manifest.digest, depth), self._about(entry.digest)]
            elif essence(entry.media_type) in (OCI_MANIFEST, DOCKER_MANIFEST):
                tasks += [_platform(entry), self._about(entry.digest)]
            else:
                reason = f"the index names it as {entry.media_type[:100]!r}, which is no manifest"
                tasks.append(_nothing(Unread(manifest.digest, entry.digest, reason)))
        return _merged(await together(tasks))

    def _unseen(self, entries: Iterable[Descriptor]) -> list[Descriptor]:
        found = {(each.digest, essence(each.media_type), each.is_attestation): each for each in entries}
        unseen = [entry for key, entry in found.items() if key not in self._seen]
        self._seen |= found.keys()
        if len(self._seen) > MAX_INDEX_ENTRIES:
            raise TooLarge(f"there are more than {MAX_INDEX_ENTRIES} manifests below {self._image.reference}")
        return unseen

    async def _nested(self, entry: Descriptor, index: str, depth: int) -> _Harvest:
        read = await self._referred(entry.digest, covers=index)
        if isinstance(read, Unread):
            return _Harvest(unread=[read])
        return await self._below(read, depth=depth + 1)

    async def _attestation(self, entry: Descriptor, index: str, covered: set[str]) -> _Harvest:
        """An entry in which BuildKit keeps what it says about another (moby/buildkit, docs/attestations)."""
        about = entry.annotations.get(_ATTESTED, "")
        if about not in covered:
            reason = f"it is about {about[:150]!r}, which is not in the index"
            return _Harvest(unread=[Unread(index, entry.digest, reason)])
        read = await self._referred(entry.digest, covers=about)
        if isinstance(read, Unread):
            return _Harvest(unread=[read])
        return _Harvest(holders=[_Holder(about, read)])

    async def _about(self, digest: str) -> _Harvest:
        """What refers to the digest, and cosign's two tags."""
        referrers, tags = self._referrers(digest), digest.replace(":", "-", 1)
        signatures, attestations = self._tag(digest, f"{tags}.sig"), self._tag(digest, f"{tags}.att")
        return _merged(await together((referrers, signatures, attestations)))

    async def _referrers(self, digest: str) -> _Harvest:
        where = self._image.registry, self._image.repository
        listed = await self._client.referrers(*where, digest, deadline=self._deadline)
        self._referring += len(listed.manifests)
        if self._referring > MAX_REFERRING:
            raise TooLarge(f"more than {MAX_REFERRING} manifests of evidence hang on {self._image.reference}")
        read = await together(self._referred(each.digest, covers=digest) for each in listed.manifests)
        harvest = _Harvest(unread=[Unread(digest, *each) for each in listed.unread.items()])
        for each in read:
            if isinstance(each, Unread):
                harvest.unread.append(each)
            elif each.subject is None or each.subject.digest != digest:
                about = each.subject.digest if each.subject else "nothing"
                harvest.unread.append(Unread(digest, each.digest, f"it is listed here, and refers to {about}"))
            else:
                harvest.holders.append(_Holder(digest, each))
        return harvest

    async def _tag(self, digest: str, tag: str) -> _Harvest:
        if len(tag) > _LONGEST_TAG:
            return _Harvest()  # of a SHA-512 digest: no registry can have it
        try:
            manifest = await self._manifest(tag)
        except NotFound:
            return _Harvest()
        except NotAManifest as error:
            return _Harvest(unread=[Unread(digest, error.digest, str(error))])
        return _Harvest(holders=[_Holder(digest, manifest, tag.endswith(".att"))])

    async def _referred(self, digest: str, *, covers: str) -> Manifest | Unread:
        """A manifest that something names by its digest."""
        try:
            return await self._manifest(digest)
        except NotFound:
            return Unread(covers, digest, "it is named, and the registry does not have it")
        except NotAManifest as error:
            return Unread(covers, digest, str(error))

    async def _manifest(self, reference: str) -> Manifest:
        where = self._image.registry, self._image.repository
        manifest = await self._client.manifest(*where, reference, deadline=self._deadline)
        self._manifest_bytes += len(manifest.content)
        if self._manifest_bytes > MAX_MANIFESTS_BYTES:
            raise TooLarge(f"the manifests of {self._image.reference} have more than {MAX_MANIFESTS_BYTES} bytes")
        return manifest

    def _wanted(self, harvest: _Harvest) -> Iterable[_Wanted]:
        """The layers that are evidence, within the limits; each once, although it may be found in two ways."""
        found: dict[tuple[str, str, int], _Wanted] = {}
        for holder in harvest.holders:
            # By its place: two of cosign's signatures are one payload, and differ in the annotations of the layer.
            judged = judge(holder.manifest, is_attestation_tag=holder.is_attestation_tag)
            for place, each in enumerate(judged):
                if isinstance(each, str):
                    harvest.unread.append(Unread(holder.covers, holder.manifest.digest, each))
                else:
                    layout, layer = each
                    key = (holder.covers, holder.manifest.digest, place)
                    found.setdefault(key, _Wanted(layout, holder, layer))
        if len(found) > MAX_LAYERS:
            raise TooLarge(f"more than {MAX_LAYERS} pieces of evidence hang on {self._image.reference}")
        return found.values()

    async def _pieces(self, wanted: Sequence[_Wanted], harvest: _Harvest) -> list[Piece]:
        sizes = self._sizes(wanted, harvest)
        blobs = await together(self._blob(digest, size) for digest, size in sizes.items())
        contents = dict(zip(sizes, blobs, strict=True))
        return await asyncio.to_thread(_made, wanted, contents, harvest)

    def _sizes(self, wanted: Sequence[_Wanted], harvest: _Harvest) -> dict[str, int]:
        """What is fetched: the size of each layer by its digest, without those that are too large.

        Raises:
            TooLarge: all together it is too much. What would be left out may be what is newest.
        """
        sizes: dict[str, int] = {}
        total = 0
        for each in wanted:
            layer = each.layer
            if layer.size > MAX_PIECE_BYTES:
                reason = f"its layer {layer.digest} has {layer.size} bytes, more than {MAX_PIECE_BYTES}"
                harvest.unread.append(Unread(each.holder.covers, each.holder.manifest.digest, reason))
            else:
                sizes.setdefault(layer.digest, layer.size)
                total += layer.size
        if total > MAX_EVIDENCE_BYTES:
            raise TooLarge(f"the evidence of {self._image.reference} has more than {MAX_EVIDENCE_BYTES} bytes")
        return sizes

    async def _blob(self, digest: str, size: int) -> bytes | None:
        where = self._image.registry, self._image.repository
        try:
            return await self._client.blob(*where, digest, max_bytes=size, deadline=self._deadline)
        except NotFound:
            return None


def judge(manifest: Manifest, *, is_attestation_tag: bool = False) -> list[tuple[Layout, Descriptor] | str]:
    """The layers of a referring manifest that are evidence, with their layout; a sentence for each that is not."""
    kind = essence(manifest.kind)
    if manifest.is_index:
        return ["it is an index, and has no evidence itself"]
    if kind == _NOTATION:
        return ["it is a signature of the Notary Project, which is not read: sign with cosign"]
    layers = [each for each in manifest.layers if each.media_type != "application/vnd.oci.empty.v1+json"]
    if not layers:
        return [f"it is of the type {kind[:100]!r} and has no content"]
    judged: list[tuple[Layout, Descriptor] | str] = []
    for layer in layers:
        layout = _layout(layer, kind, is_attestation_tag=is_attestation_tag)
        if layout is None:
            judged.append(f"its layer {layer.digest} is of the type {layer.media_type[:100]!r}, which is no evidence")
        else:
            judged.append((layout, layer))
    return judged


def _layout(layer: Descriptor, kind: str, *, is_attestation_tag: bool) -> Layout | None:
    media_type = essence(layer.media_type)
    if media_type.startswith(_BUNDLE):
        return Layout.BUNDLE
    if media_type == _SIMPLE_SIGNING:
        return Layout.COSIGN_SIGNATURE
    if media_type in _DSSE or _DSSE_OF_PREDICATE.fullmatch(media_type):
        is_cosign = any(name.startswith(_COSIGN_ANNOTATIONS) for name in layer.annotations)
        return Layout.COSIGN_ATTESTATION if is_attestation_tag or is_cosign else Layout.DSSE
    if media_type == _STATEMENT:
        return Layout.BUILDKIT
    if media_type in _GENERIC and kind.startswith(_BUNDLE):
        return Layout.BUNDLE
    if media_type in _GENERIC | _DOCUMENTS or media_type.endswith("+json"):
        return Layout.DOCUMENT
    return None


def _made(wanted: Sequence[_Wanted], contents: Mapping[str, bytes | None], harvest: _Harvest) -> list[Piece]:
    """The pieces, of the layers' contents by their digests (None for what the registry does not have)."""
    pieces = []
    for each in wanted:
        if each.layer.digest not in contents:
            continue  # it is too large, and its `Unread` is written
        content = contents[each.layer.digest]
        if content is not None and len(content) == each.layer.size:
            pieces.append(_piece(each, content, harvest.platforms))
            continue
        what = "is named, and the registry does not have it" if content is None else "has another size than it says"
        reason = f"its layer {each.layer.digest} {what}"
        harvest.unread.append(Unread(each.holder.covers, each.holder.manifest.digest, reason))
    return pieces


def _piece(wanted: _Wanted, content: bytes, platforms: dict[str, str]) -> Piece:
    layer, manifest = wanted.layer, wanted.holder.manifest
    layout = wanted.layout
    if layout is Layout.DOCUMENT and essence(layer.media_type) in _GENERIC:
        layout = _sniffed(content)
    return Piece(
        layout=layout,
        covers=wanted.holder.covers,
        platform=platforms.get(wanted.holder.covers, ""),
        media_type=layer.media_type,
        content=content,
        manifest=manifest.digest,
        layer=layer.digest,
        annotations=layer.annotations,
        artifact_type=manifest.kind,
    )


def _sniffed(content: bytes) -> Layout:
    """The layout of JSON whose media type says nothing: `oras push` and its like write `application/json`."""
    if len(content) > MAX_SNIFFED_BYTES or has_more_values(content, MAX_SNIFFED_VALUES):
        return Layout.DOCUMENT
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return Layout.DOCUMENT
    if not isinstance(document, dict):
        return Layout.DOCUMENT
    if str(document.get("mediaType", "")).startswith(_BUNDLE):
        return Layout.BUNDLE
    return Layout.DSSE if {"payload", "payloadType", "signatures"} <= document.keys() else Layout.DOCUMENT


async def _platform(entry: Descriptor) -> _Harvest:
    return _Harvest(platforms={entry.digest: entry.platform})


async def _nothing(unread: Unread) -> _Harvest:
    return _Harvest(unread=[unread])


def _merged(harvests: Iterable[_Harvest]) -> _Harvest:
    merged = _Harvest()
    for each in harvests:
        merged.platforms |= each.platforms
        merged.holders += each.holders
        merged.unread += each.unread
    return merged
