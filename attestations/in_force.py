"""Evidence as it is in force: the configuration in a file and the store, kept up to date as the file changes.

A changed configuration that cannot be read leaves the last good one in force; `problem` then says why.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from attestations.credentials import CredentialSource, DockerConfiguration, Several, pull_secret
from attestations.evidence import Found
from attestations.evidence_config import NOBODY, EvidenceConfiguration, read_evidence_config
from attestations.evidence_file import IMPORTED_NAME, RecordedImages, merged, read_evidence
from attestations.image_reader import Discoverer, ImageReader, Registries
from attestations.images import images_of
from attestations.registry import RegistryClient
from attestations.store import (
    DATABASE_NAME,
    FACT_NAMES,
    MAX_IMAGES,
    READING_SECONDS,
    EvidenceDatabase,
    EvidenceSource,
    EvidenceStore,
)
from pratique.errors import ConfigError, EvidenceUnavailable, Problem
from pratique.facts import FactSource
from pratique.subject import ImageRef, Subject
from pratique.watching import Signature, signature
from pratique.yamlfile import load_documents

log = logging.getLogger(__name__)


def credentials_of(configuration: EvidenceConfiguration, environ: Mapping[str, str]) -> CredentialSource:
    """The logins that the configuration names; without any, those that Docker itself would use.

    Raises:
        ConfigError: a pull secret cannot be read.
    """
    sources: list[CredentialSource] = []
    if configuration.docker_config is not None:
        sources.append(DockerConfiguration(configuration.docker_config, environ=environ))
    elif not configuration.pull_secrets:
        sources.append(DockerConfiguration.of_environment(environ))
    for file in configuration.pull_secrets:
        try:
            documents = list(load_documents(file.read_bytes(), str(file)))
        except OSError as error:
            raise ConfigError(Problem(str(file), "", f"this cannot be read: {error.strerror}")) from error
        for document in documents:
            if isinstance(document, Problem):
                raise ConfigError(document)
            if not isinstance(document.value, dict):
                raise ConfigError(Problem(str(file), document.where, "this is no Secret"))
            sources.append(pull_secret(document.value))
    return Several(*sources)


RETRY_SECONDS = 15.0
"""When a configuration that could not be used is tried again though it is the same: files that it names may be there by
then. An import can have half a gigabyte."""
UNUSABLE = "the evidence configuration cannot be used: ask whoever runs Pratique, whose log says why"
"""What users are told: what is in the configuration is none of their business."""


class _Unusable:
    """A Discoverer that finds nothing out."""

    async def resolve(self, image: ImageRef, *, deadline: float) -> str:
        raise EvidenceUnavailable(UNUSABLE)

    async def discover(self, image: ImageRef, digest: str, *, deadline: float) -> Found:
        raise EvidenceUnavailable(UNUSABLE)


class EvidenceInForce:
    """The store of evidence with what is trusted now. To be used from one event loop; close it."""

    def __init__(
        self,
        file: Path | None,
        *,
        environ: Mapping[str, str],
        state: Path | None = None,
        recorded: RecordedImages | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        start_anyway: bool = False,
    ) -> None:
        """Without a `file` nobody is trusted: signatures are found, and none counts. `state` is where what was read is
        kept, and imported evidence lies. With `recorded`, no registry is asked. Keys are good or not by `clock`.

        With `start_anyway`, a configuration that cannot be used makes all evidence unavailable until it is mended: a
        server that starts again must not stay away because of it.

        Raises:
            ConfigError: the configuration cannot be used. EvidenceUnavailable: nothing can be kept in `state`.
        """
        self.problem = ""
        """Why what is in force is not what is in the file; empty if it is."""
        self.reloads = 0
        """How often another configuration came into force."""
        self._file = file
        self._environ = environ
        self._state = state
        self._recorded = recorded
        self._clock = clock
        self._client: RegistryClient | None = None
        self._retry_at = 0.0
        self._closing: set[asyncio.Task[None]] = set()
        self._watched: tuple[Path, ...] = () if file is None else (file,)
        self._tried: Signature = self._seen()
        try:
            self.reader = self._reader(*self._read())
        except ConfigError as error:
            if not start_anyway:
                raise
            self._refuse(error)
            self.reader = ImageReader(NOBODY, _Unusable())
        """Reads images with what is in force."""
        database = None if state is None else EvidenceDatabase(state / DATABASE_NAME)
        self.store = EvidenceStore(self.reader, database=database, clock=clock)
        self.sources: Mapping[str, FactSource] = {name: EvidenceSource(name, self.store) for name in FACT_NAMES}
        """By name, for an Engine."""

    def state(self) -> dict[str, object]:
        """For people who look at the server."""
        return {
            "digest": self.reader.configuration.digest,
            "reloads": self.reloads,
            "readings": self.store.readings,
            "failed_readings": self.store.failed_readings,
            "problem": self.problem,
        }

    def foresee(self, subject: Subject) -> None:
        """Begin to read the images of `subject`, whose pods will be asked about soon."""
        images = images_of(subject)
        if len(images) <= MAX_IMAGES:
            self.store.prefetch(images.values())

    def doubt(self, subject: Subject) -> None:
        """Look again soon at the images of `subject`, which was refused for what is known of them."""
        self.store.doubt(images_of(subject).values())

    async def poll(self) -> None:
        """Look once; bring the files into force if they are others than before, or say why not."""
        seen = await asyncio.to_thread(self._seen)
        if seen == self._tried and (not self.problem or time.monotonic() < self._retry_at):
            return
        self._tried = seen
        former, client = self.reader, self._client
        try:
            self.reader = self._reader(*await asyncio.to_thread(self._read))
        except ConfigError as error:
            self._refuse(error)
            return
        self.problem = ""
        self.store.reader = self.reader
        if client is not None:
            self._close_later(client)
        if former.version != self.reader.version:
            self.reloads += 1
            log.info("in force: evidence configuration %s", self.reader.configuration.digest)

    async def watch(self, poll_seconds: float) -> None:
        """Follow the files until cancelled. Never raises anything else."""
        while True:
            await asyncio.sleep(poll_seconds)
            try:
                await self.poll()
            except Exception as error:  # a bug must not end the watch: it is shown and logged
                log.exception("the evidence configuration could not be looked at because of a bug")
                self.problem = f"this is a bug: {type(error).__name__}: {error}"

    async def aclose(self) -> None:
        """End what is being read, and close connections and database."""
        await self.store.aclose()
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _refuse(self, error: ConfigError) -> None:
        if str(error) != self.problem:
            log.error("the evidence configuration is not in force: %s", error)
        self.problem = str(error)
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _seen(self) -> Signature:
        return signature(*self._watched)

    def _read(self) -> tuple[EvidenceConfiguration, RecordedImages | None]:
        """What is in the files: the configuration, and imported evidence. Raises: ConfigError."""
        configuration = NOBODY if self._file is None else read_evidence_config(self._file)
        imported = None if self._state is None else self._state / IMPORTED_NAME
        return configuration, read_evidence(imported) if imported is not None and imported.exists() else None

    def _reader(self, configuration: EvidenceConfiguration, carried: RecordedImages | None) -> ImageReader:
        """Raises: ConfigError; what is in force has not changed."""
        discoverer: Discoverer
        if self._recorded is not None:
            discoverer = self._recorded
        else:
            client = RegistryClient(configuration.registries, credentials_of(configuration, self._environ))
            discoverer, self._client = Registries(client, configuration.allowed), client
        imported = None if self._state is None else self._state / IMPORTED_NAME
        watched = (self._file, *configuration.files, imported)
        self._watched = tuple(path for path in watched if path is not None)
        return ImageReader(configuration, discoverer, carried=carried, clock=self._clock)

    def _close_later(self, client: RegistryClient) -> None:
        """When what is being read with it has ended."""

        async def close() -> None:
            try:
                await asyncio.sleep(READING_SECONDS)
            finally:
                await client.aclose()

        task = asyncio.create_task(close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def read_all_evidence(files: Sequence[Path]) -> RecordedImages | None:
    """What all `files` say together; None without any. Raises: ConfigError."""
    return merged([read_evidence(file) for file in files]) if files else None
