"""Uploads to OCI registries (OCI distribution-spec 1.1, "Push"): artifacts, and what is to hang on images."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from attestations.failures import Malformed, NotFound, ServerFailed
from attestations.manifest import OCI_INDEX, OCI_MANIFEST, digest_of
from attestations.registry import MAX_MANIFEST_BYTES, RegistryClient, fallback_tag, path_of
from attestations.tokens import Place
from attestations.transport import Answer, name_of, same_origin

_ACTIONS = "pull,push"
_BLOB = "application/octet-stream"
_EMPTY, _EMPTY_TYPE = b"{}", "application/vnd.oci.empty.v1+json"
_TRIES = 3
"""How often a list that others write as well is written until what we put into it is there."""


class UploadClient(RegistryClient):
    """A client that writes, too. Mirrors are for reading: what is uploaded goes to the registry itself.

    Each method raises, beside what it says itself, what those of `RegistryClient` do.
    """

    async def push_blob(self, registry: str, repository: str, content: bytes, *, deadline: float) -> str:
        """Uploads `content` in one piece, unless it is there; its digest.

        Raises:
            ServerFailed: the registry does not take it.
        """
        place = self._place(registry, repository, _ACTIONS)
        digest = digest_of(content)
        asked = f"the upload of the blob {digest} to {registry}/{repository}"
        if (await self._send(place, "HEAD", f"blobs/{digest}", asked=asked, deadline=deadline)).status == 200:
            return digest
        started = await self._send(place, "POST", "blobs/uploads/", asked=asked, deadline=deadline)
        _expect(started, 202, asked)
        target = str(_target(started, digest, asked))
        answer = await self._send(place, "PUT", target, content, _BLOB, asked=asked, deadline=deadline)
        _expect(answer, 201, asked)
        return digest

    async def push_manifest(
        self, registry: str, repository: str, content: bytes, reference: str, *, media_type: str, deadline: float
    ) -> str:
        """Stores the manifest under a tag or its digest. What it refers to, where the registry lists that it does.

        Raises:
            ServerFailed: the registry does not take it.
        """
        place = self._place(registry, repository, _ACTIONS)
        asked = f"the upload of the manifest {reference} to {registry}/{repository}"
        target = f"manifests/{path_of(reference)}"
        answer = await self._send(place, "PUT", target, content, media_type, asked=asked, deadline=deadline)
        _expect(answer, 201, asked)
        return str(answer.headers.get("OCI-Subject", ""))

    async def attach(
        self,
        registry: str,
        repository: str,
        digest: str,
        content: bytes,
        *,
        media_type: str,
        annotations: Mapping[str, str],
        deadline: float,
    ) -> str:
        """Hangs `content` on the manifest or index with `digest`; the digest of the manifest that refers to it.

        Where the registry does not say that it lists who refers to what, that is written under the fallback tag too
        ("Pushing Manifests with Subject"): nobody keeps two from doing so at once, so it is read back.

        Raises:
            NotFound: there is nothing with that digest.
            ServerFailed: the registry does not take it, or others overwrite the list again and again.
            Malformed: what is under the fallback tag is no list.
        """
        place = self._place(registry, repository, _ACTIONS)
        subject = await self._resolve(place, digest, deadline)
        for blob in (_EMPTY, content):
            await self.push_blob(registry, repository, blob, deadline=deadline)
        manifest = orjson.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": media_type,
                "config": _descriptor(_EMPTY_TYPE, _EMPTY),
                "layers": [_descriptor(media_type, content)],
                "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size},
                "annotations": annotations,
            }
        )
        made = digest_of(manifest)
        entry = {**_descriptor(OCI_MANIFEST, manifest), "artifactType": media_type, "annotations": annotations}
        listed = await self.push_manifest(
            registry, repository, manifest, made, media_type=OCI_MANIFEST, deadline=deadline
        )
        if listed != digest:
            await self._list(place, digest, entry, deadline)
        return made

    async def _list(self, place: Place, digest: str, entry: Mapping[str, Any], deadline: float) -> None:
        """Writes `entry` into the list of what refers to `digest`, beside what is there."""
        tag = fallback_tag(digest)
        where = f"the tag {tag} of {place.registry}/{place.repository}"
        for written in range(_TRIES + 1):
            document: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX}
            media_type, listed = OCI_INDEX, frozenset[str]()
            with suppress(NotFound):
                index = await self._manifest(place, tag, deadline)
                if not index.is_index:
                    raise Malformed(f"{where}, which lists what refers to {digest}, is no index: remove it")
                document, media_type = orjson.loads(index.content), index.media_type
                listed = frozenset(each.digest for each in index.manifests)
            if entry["digest"] in listed:
                return
            if written < _TRIES:
                document["manifests"] = [*(document.get("manifests") or ()), entry]
                await self.push_manifest(
                    *(place.registry, place.repository, orjson.dumps(document), tag),
                    media_type=media_type,
                    deadline=deadline,
                )
        raise ServerFailed(
            f"{where} does not keep what was written to it, {_TRIES} times: others write there; try again"
        )

    async def _send(
        self,
        place: Place,
        method: str,
        target: str,
        content: bytes = b"",
        media_type: str = "",
        *,
        asked: str,
        deadline: float,
    ) -> Answer:
        """The answer of the repository, or of the store to which it leads, which gets no login of ours."""
        headers = {"Content-Type": media_type} if media_type else {}
        url = place.url.join(target)
        if not same_origin(url, place.url) and self._transport.may_lead_to(place.url, url):
            return await self._transport.ask(
                url,
                method=method,
                content=content,
                headers=headers,
                asked=asked,
                deadline=deadline,
                max_bytes=MAX_MANIFEST_BYTES,
                redirects=0,
            )
        return await self._ask(
            place,
            target,
            method=method,
            content=content,
            headers=headers,
            asked=asked,
            deadline=deadline,
            max_bytes=MAX_MANIFEST_BYTES,
        )


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _target(started: Answer, digest: str, asked: str) -> httpx.URL:
    """Where an upload that was started goes on; its query stays as it is."""
    location = started.headers.get("Location", "")
    try:
        return started.url.join(f"{location}{'&' if '?' in location else '?'}digest={quote(digest, safe='')}")
    except (httpx.InvalidURL, ValueError) as error:
        raise Malformed(f"{name_of(started.url)} leads to no address, asked for {asked}") from error


def _expect(answer: Answer, status: int, asked: str) -> None:
    if answer.status != status:
        said = f": {answer.said}" if answer.said else ""
        raise ServerFailed(f"{name_of(answer.url)} answers {answer.status}, asked for {asked}{said}")
