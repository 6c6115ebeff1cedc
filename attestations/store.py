"""What is known of images, by digest: in memory, behind that in SQLite, behind that whoever reads it from a registry.

    get(image, deadline) -> resolve the tag -> memory -> SQLite -> one reading for all who wait: registry -> kept

* The key of what is kept is repository, digest and `version`, which stands for what is trusted, how we verify and what
  was carried here: another trust configuration never sees what an older one found.
* A tag is resolved anew each time but for `TAG_SECONDS`: what was signed a minute ago is not what it names now.
* Who waits leaves at its own deadline; the reading goes on, so that the retry a moment later finds it.
* What could not be looked at is told and never kept.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import orjson

from attestations.failures import NotFound
from attestations.images import images_of, reference_of
from pratique.canonical import canonical_json, sha256
from pratique.errors import EvidenceUnavailable, PratiqueError
from pratique.facts import Absent, Fact, Known, Unavailable
from pratique.image import parse_image
from pratique.subject import ImageRef, Subject

log = logging.getLogger(__name__)

DATABASE_NAME = "evidence.sqlite3"
"""The file in the state folder, beside the ledger. It can be deleted at any time: all of it can be read again."""

TAG_SECONDS = 1.0
"""How long the digest that a tag led to is believed: long enough for the pods of one burst."""
KEPT = timedelta(hours=1)
"""How long what was found is believed. The digest does not change; what hangs on it can be added to."""
ABSENT_KEPT = timedelta(minutes=1)
"""How long "it is not there" is believed: the pipeline that will push it may just be running. What somebody was refused
for is believed no longer, either."""
READING_SECONDS = 60.0
"""How long one image may take to be read, whoever still waits for it."""
MAX_READINGS = 8
"""Images that are read at one time; protects memory, since each may hold a document of megabytes."""
MAX_PENDING = 2_000
"""Readings and resolutions that are under way or wait for their turn; protects memory, and who comes later: what is
beyond is told to come again."""
MAX_IMAGES = 256
"""Images of one object; protects everybody else from one that names thousands."""
MAX_PREFETCHES = 1_000
"""Images that wait to be read before anybody asks for them; the others are read when they are asked for."""
PREFETCHES_AT_ONCE = MAX_READINGS // 2
"""Of those that are read at one time: who waits for an answer is not to wait for what nobody has asked for yet."""
MAX_MEMORY_BYTES = 64 * 2**20
MAX_DATABASE_BYTES = 512 * 2**20
"""Protects the disk: what was read longest ago goes first."""
LOCK_SECONDS = 5.0
"""How long another process may hold the database."""
_BYTES_PER_ENTRY = 2_000
"""An estimate of what an entry costs in memory beside its JSON text; that text costs about five times its length."""
_COST_OF_TEXT = 5

FACT_NAMES = ("digests", "signatures", "sbom", "vulnerabilities", "provenance")
"""The facts that one reading of an image gives, each the `name` of a source."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ImageEvidence:
    """What is known of one image: for each of `FACT_NAMES` a fact, and until when it is believed; `size` is how many
    bytes it has as JSON."""

    digest: str
    facts: Mapping[str, Known | Absent]
    expires: Mapping[str, datetime]
    size: int


class Reader(Protocol):
    """Who looks. Implemented by `attestations.image_reader.ImageReader`, which knows registries; nothing here does."""

    @property
    def version(self) -> str:
        """Another one whenever the same image might be judged otherwise: what is trusted, how we verify, and what was
        carried here."""

    @property
    def believed_until(self) -> datetime | None:
        """When what is trusted changes by the clock alone (a key ends or begins); None where it does not."""

    async def resolve(self, image: ImageRef, *, deadline: float) -> str:
        """The digest that `image` names now. Raises: NotFound, EvidenceUnavailable."""

    async def read(self, image: ImageRef, digest: str, *, deadline: float) -> Mapping[str, Any]:
        """By fact name, the value or, as text, the reason why there is none. Raises: NotFound, EvidenceUnavailable."""


class EvidenceStore:
    """Evidence of images, each read once. To be used from one event loop."""

    def __init__(
        self,
        reader: Reader,
        *,
        database: EvidenceDatabase | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.reader = reader
        """Can be replaced at any time: what its version did not read is read again."""
        self.hits = 0
        self.readings = 0
        self.failed_readings = 0
        self.bytes = 0
        self._database = database
        self._clock = clock
        self._entries: OrderedDict[str, tuple[ImageEvidence, int]] = OrderedDict()
        self._tags: dict[str, tuple[str, float]] = {}
        self._doubted: set[str] = set()
        self._pending: dict[str, asyncio.Task[Any]] = {}
        self._places = asyncio.Semaphore(MAX_READINGS)
        self._places_ahead = asyncio.Semaphore(PREFETCHES_AT_ONCE)

    @property
    def being_read(self) -> int:
        """Readings and resolutions under way."""
        return len(self._pending)

    async def get(self, image: ImageRef, names: Sequence[str], *, deadline: float) -> ImageEvidence:
        """What is known of `image`, with facts for all of `names`, by `deadline` (a `time.monotonic()` instant).

        Raises:
            NotFound: the registry has no such image. EvidenceUnavailable: it could not be looked at, or not in time.
        """
        started = time.monotonic()
        try:
            digest = image.digest or await self._resolved(image, deadline=deadline)
            reader = self.reader
            key = self._key(image, digest, reader)
            if (known := self._known(key, names)) is not None:
                self.hits += 1
                return known
            if tuple(names) == ("digests",):
                return self._evidence(digest, {"digests": {"digest": digest}})
            if (database := self._database) is not None and key not in self._pending:
                await self._shared(f"kept {key}", lambda: self._load(key, database), deadline=deadline)
                if (known := self._known(key, names)) is not None:
                    self.hits += 1
                    return known
            return await self._shared(key, lambda: self._read(key, reader, image, digest), deadline=deadline)
        except TimeoutError:
            seconds = time.monotonic() - started
            raise EvidenceUnavailable(
                f"what {image.registry} has of {image.reference} could not be read in {seconds:.1f} s; it is still"
                " being read: retry in a moment, or ask whoever runs the registry"
            ) from None

    def prefetch(self, images: Iterable[ImageRef]) -> None:
        """Begin to read what will be asked for soon; what fails is asked for again by whoever needs it."""
        for image in images:
            if not image.error and len(self._pending) < MAX_PREFETCHES:
                self._start(f"prefetch {image.reference}", lambda image=image: self._prefetched(image))  # type: ignore[misc]

    def doubt(self, images: Iterable[ImageRef]) -> None:
        """Believe what was found of them for `ABSENT_KEPT` only: who was refused for it may be mending that."""
        for image in images:
            digest = image.digest or self._tags.get(_tag_key(image), ("", 0.0))[0]
            if digest:
                if len(self._doubted) >= _MAX_DOUBTED:
                    self._doubted.clear()
                self._doubted.add(self._key(image, digest, self.reader))

    async def aclose(self) -> None:
        """End what is being read, and close the database."""
        tasks = list(self._pending.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._database is not None:
            await asyncio.to_thread(self._database.close)

    # Reading

    async def _prefetched(self, image: ImageRef) -> None:
        async with self._places_ahead:
            with suppress(PratiqueError):
                await self.get(image, FACT_NAMES, deadline=time.monotonic() + READING_SECONDS)

    async def _resolved(self, image: ImageRef, *, deadline: float) -> str:
        key = _tag_key(image)
        found = self._tags.get(key)
        if found is not None and time.monotonic() - found[1] < TAG_SECONDS:
            return found[0]

        async def resolve() -> str:
            asked_at = time.monotonic()
            digest = await self.reader.resolve(image, deadline=asked_at + READING_SECONDS)
            if len(self._tags) >= _MAX_TAGS:
                self._tags.clear()
            self._tags[key] = digest, asked_at
            return digest

        return await self._shared(f"tag {key}", resolve, deadline=deadline)

    async def _load(self, key: str, database: EvidenceDatabase) -> None:
        """Take into memory what is on disk."""
        kept = await asyncio.to_thread(database.get, key)
        if kept is not None:
            self._keep(key, kept)

    async def _read(self, key: str, reader: Reader, image: ImageRef, digest: str) -> ImageEvidence:
        async with self._places:
            self.readings += 1
            until = reader.believed_until  # asked before: a key may end while it is verified
            try:
                values = await reader.read(image, digest, deadline=time.monotonic() + READING_SECONDS)
            except PratiqueError:
                self.failed_readings += 1
                raise
        evidence = await asyncio.to_thread(self._evidence, digest, values, until)  # megabytes take a while
        self._doubted.discard(key)
        self._keep(key, evidence)
        if self._database is not None:
            await asyncio.to_thread(self._database.put, key, evidence, self._clock())
        return evidence

    def _evidence(self, digest: str, values: Mapping[str, Any], until: datetime | None = None) -> ImageEvidence:
        """The facts that the values are; nothing is believed beyond `until`."""
        now = self._clock()
        facts: dict[str, Known | Absent] = {}
        expires: dict[str, datetime] = {}
        for name, value in values.items():
            ends = now + (ABSENT_KEPT if isinstance(value, str) or _counts_for_nothing(value) else KEPT)
            expires[name] = ends if until is None else min(ends, until)
            if isinstance(value, str):
                facts[name] = Absent(value)
            else:
                facts[name] = Known(value, now, expires[name], sha256(canonical_json(value)))
        return ImageEvidence(digest, facts, expires, len(orjson.dumps(values)))

    async def _shared(self, key: str, begin: Callable[[], Coroutine[Any, Any, T]], *, deadline: float) -> T:
        """What `begin` comes to, for all who ask for `key` meanwhile.

        Raises:
            TimeoutError; EvidenceUnavailable: too much is to be read, or the store was closed; and what `begin` raises.
        """
        if key not in self._pending and len(self._pending) >= MAX_PENDING:
            raise EvidenceUnavailable(f"{len(self._pending)} images are being read, or wait to be: retry in a moment")
        task: asyncio.Task[T] = self._start(key, begin)
        await asyncio.wait({task}, timeout=max(0.0, deadline - time.monotonic()))
        if not task.done():
            raise TimeoutError
        if task.cancelled():
            raise EvidenceUnavailable("what hangs on images is not read any more, because this process ends: retry")
        return task.result()

    def _start(self, key: str, begin: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        task = self._pending.get(key)
        if task is None:
            task = asyncio.create_task(begin())
            self._pending[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: str, task: asyncio.Task[Any]) -> None:
        self._pending.pop(key, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, PratiqueError):
            log.error("reading %s failed because of a bug", key, exc_info=error)

    # Memory

    @staticmethod
    def _key(image: ImageRef, digest: str, reader: Reader) -> str:
        return f"{image.registry}/{image.repository}@{digest} {reader.version}"

    def _known(self, key: str, names: Sequence[str]) -> ImageEvidence | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        evidence, now = entry[0], self._clock()
        if any(name not in evidence.facts or evidence.expires[name] <= now for name in names):
            return None
        if key in self._doubted and any(_is_older(evidence.facts[name], now - ABSENT_KEPT) for name in names):
            return None
        self._entries.move_to_end(key)
        return evidence

    def _keep(self, key: str, evidence: ImageEvidence) -> None:
        size = _BYTES_PER_ENTRY + _COST_OF_TEXT * evidence.size
        if (former := self._entries.pop(key, None)) is not None:
            self.bytes -= former[1]
        if size > MAX_MEMORY_BYTES:
            return
        self._entries[key] = evidence, size
        self.bytes += size
        while self.bytes > MAX_MEMORY_BYTES:
            _, (_, freed) = self._entries.popitem(last=False)
            self.bytes -= freed


_MAX_TAGS = 10_000
_MAX_DOUBTED = 10_000


def _tag_key(image: ImageRef) -> str:
    return f"{image.registry}/{image.repository}:{image.tag}"


def _is_older(fact: Known | Absent, time: datetime) -> bool:
    return isinstance(fact, Known) and fact.collected_at <= time


_COUNTING = ("signers", "documents", "scans", "statements")
"""Where the values of facts have what counts."""


def _counts_for_nothing(value: Any) -> bool:
    """Whether nothing of what was found counts: somebody is about to mend that."""
    counting = [value[name] for name in _COUNTING if name in value] if isinstance(value, Mapping) else []
    return bool(counting) and not any(counting)


# SQLite

_SCHEMA = """
CREATE TABLE IF NOT EXISTS evidence (
    key TEXT PRIMARY KEY, read_at REAL NOT NULL, content BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS evidence_by_age ON evidence (read_at);
"""


_PRIMARY_CODE = 0xFF
"""What tells the kinds of SQLite's errors apart; the rest is detail (sqlite.org/rescode.html)."""


class EvidenceDatabase:
    """Evidence on disk. It is a cache: where the disk fails, that is logged, and images are read again."""

    def __init__(self, path: Path) -> None:
        """Raises: EvidenceUnavailable: there can be no database here."""
        self._path = path
        self._lock = threading.Lock()
        try:
            self._connection = self._opened()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise EvidenceUnavailable(f"{path}: another process does not let go of it; retry") from error
            log.warning("%s cannot be used and is begun anew: %s", path, error)
            try:
                for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
                    file.unlink(missing_ok=True)
                self._connection = self._opened()
            except (sqlite3.Error, OSError) as second:
                raise EvidenceUnavailable(f"{path}: evidence cannot be kept here: {second}") from second

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=LOCK_SECONDS)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    def get(self, key: str) -> ImageEvidence | None:
        """What is kept under `key`."""
        try:
            with (
                self._lock,
                closing(self._connection.execute("SELECT content FROM evidence WHERE key = ?", (key,))) as cursor,
            ):
                row = cursor.fetchone()
            return None if row is None else _evidence(row[0])
        except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
            log.warning("%s: what is kept of %s cannot be read: %s", self._path, key, error)
            return None

    def put(self, key: str, evidence: ImageEvidence, now: datetime) -> None:
        """Keep it, and let go of what is too much."""
        try:
            with self._lock:
                self._connection.execute(
                    "INSERT OR REPLACE INTO evidence VALUES (?, ?, ?)", (key, now.timestamp(), _content(evidence))
                )
                self._trim()
        except sqlite3.Error as error:
            log.warning("%s: the evidence of %s cannot be kept: %s", self._path, key, error)

    def _trim(self) -> None:
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size > MAX_DATABASE_BYTES:
            self._connection.execute(
                "DELETE FROM evidence WHERE key IN (SELECT key FROM evidence ORDER BY read_at LIMIT"
                " 1 + (SELECT count(*) FROM evidence) / 10)"
            )

    def close(self) -> None:
        """Idempotent."""
        with self._lock:
            self._connection.close()


def _content(evidence: ImageEvidence) -> bytes:
    facts: dict[str, Any] = {}
    for name, fact in evidence.facts.items():
        facts[name] = {"expires": evidence.expires[name].isoformat()}
        if isinstance(fact, Absent):
            facts[name]["absent"] = fact.reason
        else:
            facts[name] |= {"value": fact.value, "collected": fact.collected_at.isoformat()}
    return orjson.dumps({"digest": evidence.digest, "facts": facts})


def _evidence(content: bytes) -> ImageEvidence:
    """Raises: ValueError, KeyError, TypeError."""
    document = orjson.loads(content)
    facts: dict[str, Known | Absent] = {}
    expires: dict[str, datetime] = {}
    for name, each in document["facts"].items():
        expires[name] = datetime.fromisoformat(each["expires"])
        if "absent" in each:
            facts[name] = Absent(each["absent"])
        else:
            collected = datetime.fromisoformat(each["collected"])
            facts[name] = Known(each["value"], collected, expires[name], sha256(canonical_json(each["value"])))
    return ImageEvidence(document["digest"], facts, expires, len(content))


# The sources


class EvidenceSource:
    """One of `FACT_NAMES`, as policies ask for it: by the reference of each image as it is written, and of each model
    that is an OCI artifact."""

    def __init__(self, name: str, store: EvidenceStore) -> None:
        self.name = name
        self._store = store

    def keys(self, subject: Subject) -> Sequence[str]:
        """The references; those that cannot be read are for policies to judge, and none of these."""
        return sorted(images_of(subject))

    async def gather(self, keys: Sequence[str], *, deadline: float) -> Mapping[str, Fact]:
        """One fact for each key, by `deadline`; nothing is raised."""
        if len(keys) > MAX_IMAGES:
            why = f"the object names {len(keys)} images; what hangs on more than {MAX_IMAGES} is not looked up for one"
            return dict.fromkeys(keys, Unavailable(f"{why}: make several objects of it"))
        return dict(zip(keys, await asyncio.gather(*(self._fact(key, deadline) for key in keys)), strict=True))

    async def _fact(self, key: str, deadline: float) -> Fact:
        image = parse_image(reference_of(key), "")
        if image.error:
            return Unavailable(f"{key} is not an image reference: {image.error}")
        try:
            evidence = await self._store.get(image, (self.name,), deadline=deadline)
        except NotFound as error:
            return Absent(str(error))
        except EvidenceUnavailable as error:
            return Unavailable(str(error))
        # A bug must leave an image undecided, not a review without an answer; the store has logged it.
        except Exception as error:  # noqa: BLE001 - as above
            return Unavailable(f"{self.name} of {key} could not be looked up: this is a bug ({type(error).__name__})")
        return evidence.facts.get(self.name, Unavailable(f"{self.name} of {key} was not read"))
