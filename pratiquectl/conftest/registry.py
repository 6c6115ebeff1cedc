"""conftest's artifacts in OCI registries, what `push` writes and `pull` reads: with the client of `attestations`, and
the logins of Docker's configuration.

The references are conftest's, not those of images: what stands before the first slash is a registry, whatever it is.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from attestations.credentials import DockerConfiguration
from attestations.failures import NotFound, RegistryFailure, Unauthorised
from attestations.manifest import OCI_MANIFEST
from attestations.registry_settings import HostSettings, RegistrySettings
from attestations.upload import UploadClient
from pratiquectl.conftest.archives import MAX_BYTES
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.fetching import SECONDS

POLICY_LAYER_TYPE = "application/vnd.cncf.openpolicyagent.policy.layer.v1+rego"
DATA_LAYER_TYPE = "application/vnd.cncf.openpolicyagent.data.layer.v1+json"
CONFIG_TYPE = "application/vnd.unknown.config.v1+json"
TITLE = "org.opencontainers.image.title"

CONNECT_SECONDS = 30.0
"""For a registry to accept a connection."""

_REFERENCE = re.compile(
    r"(?P<host>[^/]+)/(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reference:
    """Where an artifact is: registry, repository, and tag or digest."""

    host: str
    repository: str
    reference: str


def parse_reference(text: str) -> Reference:
    """The reference that `text` writes out; without a tag, `latest`.

    Raises:
        ConftestError: it is none.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise ConftestError(f"invalid reference: {text!r} is not registry/repository:tag")
    return Reference(found["host"], found["repository"], found["digest"] or found["tag"] or "latest")


def is_loopback(host: str) -> bool:
    """Whether the registry is on this machine, by its name alone."""
    name = host.rpartition(":")[0] or host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


class Registry:
    """One repository of a registry. `tls` None means: unless it is on this machine."""

    def __init__(self, reference: Reference, *, tls: bool | None, environ: Mapping[str, str]) -> None:
        secure = not is_loopback(reference.host) if tls is None else tls
        self._reference = reference
        self._settings = (RegistrySettings if secure else _InTheClear)(connect_seconds=CONNECT_SECONDS)
        self._credentials = DockerConfiguration.of_environment(environ)

    def push(self, blobs: Sequence[bytes], manifest: bytes, references: Sequence[str]) -> None:
        """Uploads the blobs that are not there, and then the manifest under each of the references.

        Raises:
            ConftestError: the registry does not take them.
        """
        host, repository = self._reference.host, self._reference.repository

        async def act(client: UploadClient) -> None:
            for content in blobs:
                with self._told("uploading a blob"):
                    await client.push_blob(host, repository, content, deadline=time.monotonic() + SECONDS)
            for reference in references:
                with self._told("pushing the manifest"):
                    deadline = time.monotonic() + SECONDS
                    await client.push_manifest(
                        host, repository, manifest, reference, media_type=OCI_MANIFEST, deadline=deadline
                    )

        self._run(act)

    def pull(self) -> list[tuple[str, bytes]]:
        """The files of the artifact: title and content of its layers, without those that have no title.

        Raises:
            ConftestError: there is no such artifact, one of its digests is wrong, or it is too large.
        """
        host, repository, wanted = self._reference.host, self._reference.repository, self._reference.reference
        deadline = time.monotonic() + SECONDS

        async def act(client: UploadClient) -> list[tuple[str, bytes]]:
            with self._told("fetching the manifest"):
                try:
                    manifest = await client.manifest(host, repository, wanted, deadline=deadline)
                except NotFound:
                    raise ConftestError(f"{host}/{repository}:{wanted}: not found") from None
            if manifest.is_index:
                raise ConftestError(f"{host}/{repository}:{wanted} is an index of several artifacts: name one of them")
            files: list[tuple[str, bytes]] = []
            for layer in manifest.layers:
                if title := layer.annotations.get(TITLE):
                    with self._told(f"fetching {layer.digest}"):
                        content = await client.blob(
                            host, repository, layer.digest, max_bytes=MAX_BYTES, deadline=deadline
                        )
                    files.append((title, content))
                    if sum(len(content) for _, content in files) > MAX_BYTES:
                        raise ConftestError(f"{host}/{repository}:{wanted} comes to more than {MAX_BYTES} bytes")
            return files

        return self._run(act)

    def _run(self, act: Callable[[UploadClient], Awaitable[T]]) -> T:
        async def main() -> T:
            client = UploadClient(self._settings, self._credentials)
            try:
                return await act(client)
            finally:
                await client.aclose()

        return asyncio.run(main())

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Raises: ConftestError: the registry fails meanwhile."""
        try:
            yield
        except Unauthorised as failure:
            words = f": {failure.said}" if failure.said else ""
            problems = "".join(f"; {each}" for each in failure.problems)
            told = f"{doing}: {self._reference.host} answers {failure.status}{words}{problems}"
            raise ConftestError(told) from failure
        except (RegistryFailure, NotFound) as failure:
            raise ConftestError(f"{doing}: {failure}") from failure


class _InTheClear(RegistrySettings):
    """Settings for a registry without TLS: where it sends us over plain HTTP, for tokens or blobs, is no less safe."""

    def of(self, host: str) -> HostSettings:
        return HostSettings(host, plain_http=True)
