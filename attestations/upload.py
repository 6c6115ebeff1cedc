"""Uploads to OCI registries (OCI distribution-spec 1.1, "Push"), which `pratique push` needs."""

from __future__ import annotations

from urllib.parse import quote

import httpx

from attestations.failures import Malformed, ServerFailed
from attestations.manifest import digest_of
from attestations.registry import MAX_MANIFEST_BYTES, RegistryClient, path_of
from attestations.tokens import Place
from attestations.transport import Answer, name_of, same_origin

_ACTIONS = "pull,push"
_BLOB = "application/octet-stream"


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
    ) -> None:
        """Stores the manifest under a tag or its digest.

        Raises:
            ServerFailed: the registry does not take it.
        """
        place = self._place(registry, repository, _ACTIONS)
        asked = f"the upload of the manifest {reference} to {registry}/{repository}"
        target = f"manifests/{path_of(reference)}"
        answer = await self._send(place, "PUT", target, content, media_type, asked=asked, deadline=deadline)
        _expect(answer, 201, asked)

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
