"""The store: one reading for all who ask, nothing kept that was not seen, nothing lost when the process is."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from attestations import store as module
from attestations.failures import NotFound, ServerFailed
from attestations.store import (
    ABSENT_KEPT,
    DATABASE_NAME,
    FACT_NAMES,
    KEPT,
    MAX_IMAGES,
    MAX_PREFETCHES,
    PREFETCHES_AT_ONCE,
    EvidenceDatabase,
    EvidenceSource,
    EvidenceStore,
)
from pratique.errors import EvidenceUnavailable
from pratique.facts import Absent, Known, Unavailable
from pratique.image import parse_image
from pratique.kinds import subject_of
from pratique.subject import ImageRef

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
PINNED = f"r.example/app@{DIGEST}"
START = datetime(2026, 11, 29, tzinfo=UTC)


@dataclass
class ScriptedReader:
    """Answers as it is told, and counts; `gate` holds answers back until it is set."""

    version: str = "1"
    believed_until: datetime | None = None
    digest: str = DIGEST
    values: Mapping[str, Any] = field(
        default_factory=lambda: {name: {"of": name} for name in FACT_NAMES if name != "sbom"} | {"sbom": "no SBOM"}
    )
    failure: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    resolved: int = 0
    read_images: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    async def resolve(self, image: ImageRef, *, deadline: float) -> str:
        self.resolved += 1
        await self.gate.wait()
        return self.digest

    async def read(self, image: ImageRef, digest: str, *, deadline: float) -> Mapping[str, Any]:
        self.read_images.append(digest)
        self.begun.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return self.values


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def soon(seconds: float = 10) -> float:
    return time.monotonic() + seconds


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


def image(text: str = PINNED) -> ImageRef:
    found = parse_image(text, "")
    assert not found.error
    return found


def test_many_who_ask_are_one_reading() -> None:
    async def test() -> None:
        reader = ScriptedReader()
        reader.gate.clear()
        store = EvidenceStore(reader)
        asked = [
            asyncio.create_task(store.get(image(), (name,), deadline=soon()))
            for _ in range(50)
            for name in FACT_NAMES[1:]
        ]
        await asyncio.sleep(0)
        assert store.being_read == 1
        reader.gate.set()
        found = await asyncio.gather(*asked)
        assert reader.read_images == [DIGEST]
        assert {type(each.facts["signatures"]) for each in found} == {Known}
        assert {each.facts["sbom"] for each in found} == {Absent("no SBOM")}
        await store.get(image(), FACT_NAMES, deadline=soon())
        assert (reader.read_images, store.hits, store.readings) == ([DIGEST], 1, 1)
        await store.aclose()

    run(test)


def test_who_cannot_wait_is_told_and_the_retry_finds_it() -> None:
    async def test() -> None:
        reader = ScriptedReader()
        reader.gate.clear()
        store = EvidenceStore(reader)
        with pytest.raises(EvidenceUnavailable, match=r"could not be read in 0\.\d s; it is still being read: retry"):
            await store.get(image(), ("signatures",), deadline=soon(0.02))
        assert store.being_read == 1
        reader.gate.set()
        found = await store.get(image(), ("signatures",), deadline=soon())
        assert (len(reader.read_images), type(found.facts["signatures"])) == (1, Known)
        await store.aclose()

    run(test)


@pytest.mark.parametrize("failure", [ServerFailed("r.example answered 503"), NotFound("r.example has no such image")])
def test_what_could_not_be_looked_at_is_told_and_never_kept(failure: Exception) -> None:
    async def test() -> None:
        reader = ScriptedReader(failure=failure)
        store = EvidenceStore(reader)
        source = EvidenceSource("signatures", store)
        for _ in range(2):
            told = (await source.gather([PINNED], deadline=soon()))[PINNED]
            assert told == (Absent if isinstance(failure, NotFound) else Unavailable)(str(failure))
        assert len(reader.read_images) == 2
        reader.failure = None
        assert isinstance((await source.gather([PINNED], deadline=soon()))[PINNED], Known)
        await store.aclose()

    run(test)


def test_absence_is_believed_for_a_minute_and_presence_for_longer() -> None:
    async def test() -> None:
        clock, reader = Clock(), ScriptedReader()
        store = EvidenceStore(reader, clock=clock)
        await store.get(image(), FACT_NAMES, deadline=soon())
        clock.now += ABSENT_KEPT - timedelta(seconds=1)
        await store.get(image(), ("sbom",), deadline=soon())
        assert len(reader.read_images) == 1
        clock.now += timedelta(seconds=1)
        await store.get(image(), ("signatures",), deadline=soon())
        assert len(reader.read_images) == 1
        await store.get(image(), ("sbom",), deadline=soon())
        assert len(reader.read_images) == 2
        clock.now += KEPT
        await store.get(image(), ("signatures",), deadline=soon())
        assert len(reader.read_images) == 3
        await store.aclose()

    run(test)


REFUSED = [{"reason": "unknown-key"}]


@pytest.mark.parametrize(
    ("name", "value", "is_mended_soon"),
    [
        ("signatures", {"signers": [], "refused": REFUSED}, True),
        ("signatures", {"signers": [], "signatures": [{"signer": "board"}], "refused": []}, True),  # one of two
        ("signatures", {"signers": ["ci"], "refused": REFUSED}, False),
        ("sbom", {"documents": [], "refused": REFUSED}, True),
        ("vulnerabilities", {"scans": [], "refused": REFUSED}, True),
        ("provenance", {"statements": [], "refused": REFUSED}, True),
        ("sbom", {"documents": [{}], "refused": REFUSED}, False),
        ("digests", {"digest": DIGEST}, False),
    ],
)
def test_what_does_not_count_is_looked_for_again_soon(name: str, value: Any, is_mended_soon: bool) -> None:
    async def test() -> None:
        clock = Clock()
        reader = ScriptedReader(values={**{each: {"of": "it"} for each in FACT_NAMES}, name: value})
        store = EvidenceStore(reader, clock=clock)
        await store.get(image(), FACT_NAMES, deadline=soon())
        clock.now += ABSENT_KEPT
        await store.get(image(), (name, "signatures"), deadline=soon())
        assert len(reader.read_images) == 1 + is_mended_soon
        await store.aclose()

    run(test)


@pytest.mark.parametrize("name", [PINNED, "r.example/app:1"])
def test_what_somebody_was_refused_for_is_looked_at_again_after_a_minute(tmp_path: Path, name: str) -> None:
    async def test() -> None:
        clock, reader = Clock(), ScriptedReader()
        database = EvidenceDatabase(tmp_path / DATABASE_NAME)
        store = EvidenceStore(reader, clock=clock, database=database)
        asked = image(name), ("signatures",)
        store.doubt([asked[0]])  # nothing is known of it yet
        await store.get(*asked, deadline=soon())
        clock.now += ABSENT_KEPT / 2
        store.doubt([asked[0]])
        await store.get(*asked, deadline=soon())
        assert len(reader.read_images) == 1
        clock.now += ABSENT_KEPT / 2
        await store.get(*asked, deadline=soon())
        assert len(reader.read_images) == 2
        clock.now += ABSENT_KEPT  # nobody was refused for what was found then
        await store.get(*asked, deadline=soon())
        assert len(reader.read_images) == 2
        await store.aclose()

    run(test)


def test_what_is_doubted_is_so_on_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        clock, reader = Clock(), ScriptedReader(values={"signatures": {"of": "x" * 100_000}})
        store = EvidenceStore(reader, clock=clock, database=EvidenceDatabase(tmp_path / DATABASE_NAME))
        await store.get(image(), ("signatures",), deadline=soon())
        monkeypatch.setattr(module, "MAX_MEMORY_BYTES", store.bytes * 3 // 2)  # for one
        store.doubt([image()])
        await store.get(image(f"r.example/app@{OTHER}"), ("signatures",), deadline=soon())  # takes its place in memory
        clock.now += ABSENT_KEPT
        await store.get(image(), ("signatures",), deadline=soon())
        assert reader.read_images == [DIGEST, OTHER, DIGEST]
        await store.aclose()

    run(test)


def test_nothing_is_believed_beyond_the_day_on_which_a_key_ends() -> None:
    async def test() -> None:
        clock, reader = Clock(), ScriptedReader(believed_until=START + timedelta(seconds=30))
        store = EvidenceStore(reader, clock=clock)
        found = await store.get(image(), ("signatures",), deadline=soon())
        assert found.expires["signatures"] == START + timedelta(seconds=30)
        clock.now += timedelta(seconds=30)
        reader.believed_until = None
        found = await store.get(image(), ("signatures",), deadline=soon())
        assert found.expires["signatures"] == clock.now + KEPT
        await store.aclose()

    run(test)


def test_a_key_that_ends_while_it_is_verified_is_not_believed_afterwards() -> None:
    async def test() -> None:
        clock, reader = Clock(), ScriptedReader(believed_until=START + timedelta(seconds=30))
        reader.gate.clear()
        store = EvidenceStore(reader, clock=clock)
        asked = asyncio.create_task(store.get(image(), ("signatures",), deadline=soon()))
        await reader.begun.wait()
        clock.now += timedelta(seconds=31)
        reader.believed_until = None  # there is no other key that ends
        reader.gate.set()
        await asked
        await store.get(image(), ("signatures",), deadline=soon())
        assert len(reader.read_images) == 2
        await store.aclose()

    run(test)


def test_another_trust_configuration_reads_again(tmp_path: Path) -> None:
    async def test() -> None:
        reader, stricter = ScriptedReader(), ScriptedReader(version="2")
        store = EvidenceStore(reader, database=EvidenceDatabase(tmp_path / DATABASE_NAME))
        await store.get(image(), ("signatures",), deadline=soon())
        store.reader = stricter
        await store.get(image(), ("signatures",), deadline=soon())
        assert (len(reader.read_images), len(stricter.read_images)) == (1, 1)
        await store.aclose()

    run(test)


def test_a_tag_is_resolved_anew_and_what_it_named_before_says_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(module, "TAG_SECONDS", 0.0)
        reader = ScriptedReader()
        store = EvidenceStore(reader)
        first = await store.get(image("r.example/app:1"), ("signatures",), deadline=soon())
        reader.digest = OTHER
        second = await store.get(image("r.example/app:1"), ("signatures",), deadline=soon())
        assert (first.digest, second.digest, reader.read_images) == (DIGEST, OTHER, [DIGEST, OTHER])
        await store.aclose()

    run(test)


def test_the_pods_of_one_burst_resolve_a_tag_once() -> None:
    async def test() -> None:
        reader = ScriptedReader()
        store = EvidenceStore(reader)
        asked = (store.get(image("r.example/app:1"), ("digests",), deadline=soon()) for _ in range(200))
        digests = {each.digest for each in await asyncio.gather(*asked)}
        assert (digests, reader.resolved, reader.read_images) == ({DIGEST}, 1, [])
        await store.aclose()

    run(test)


def test_another_process_finds_what_was_read(tmp_path: Path) -> None:
    async def first() -> None:
        store = EvidenceStore(ScriptedReader(), database=EvidenceDatabase(tmp_path / DATABASE_NAME))
        await store.get(image(), FACT_NAMES, deadline=soon())
        await store.aclose()

    async def second() -> None:
        reader = ScriptedReader(failure=ServerFailed("down"))
        store = EvidenceStore(reader, database=EvidenceDatabase(tmp_path / DATABASE_NAME))
        found = await store.get(image(), FACT_NAMES, deadline=soon())
        assert isinstance(found.facts["signatures"], Known)
        assert (found.facts["signatures"].value, found.facts["sbom"]) == ({"of": "signatures"}, Absent("no SBOM"))
        assert reader.read_images == []
        await store.aclose()

    run(first)
    run(second)


@pytest.mark.parametrize("content", [b"not a database" * 100, b""])
def test_a_broken_database_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(content)

    async def test() -> None:
        store = EvidenceStore(ScriptedReader(), database=EvidenceDatabase(tmp_path / DATABASE_NAME))
        await store.get(image(), FACT_NAMES, deadline=soon())
        await store.aclose()

    run(test)
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        assert connection.execute("SELECT count(*) FROM evidence").fetchone() == (1,)


def test_a_database_that_another_process_holds_is_not_taken_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.01)
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(EvidenceUnavailable, match="another process does not let go of it"):
            EvidenceDatabase(tmp_path / DATABASE_NAME)
        other.execute("CREATE TABLE theirs (x)")
        other.execute("COMMIT")
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        assert connection.execute("SELECT count(*) FROM theirs").fetchone() == (0,)


def test_where_there_can_be_no_database_that_is_said(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).mkdir()
    with pytest.raises(EvidenceUnavailable, match="evidence cannot be kept here"):
        EvidenceDatabase(tmp_path / DATABASE_NAME)


def test_a_row_that_is_not_ours_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        database = EvidenceDatabase(tmp_path / DATABASE_NAME)
        reader = ScriptedReader()
        store = EvidenceStore(reader, database=database)
        await store.get(image(), FACT_NAMES, deadline=soon())
        await store.aclose()
        with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection, connection:
            connection.execute("UPDATE evidence SET content = '{\"digest\": 1}'")
        store = EvidenceStore(reader, database=EvidenceDatabase(tmp_path / DATABASE_NAME))
        await store.get(image(), FACT_NAMES, deadline=soon())
        assert len(reader.read_images) == 2
        await store.aclose()

    run(test)
    assert "cannot be read" in caplog.text


def test_memory_and_disk_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MEMORY_BYTES", 100_000)
    monkeypatch.setattr(module, "MAX_DATABASE_BYTES", 200_000)

    async def test() -> None:
        reader = ScriptedReader(values={name: {"text": "x" * 1_000} for name in FACT_NAMES})
        store = EvidenceStore(reader, database=EvidenceDatabase(tmp_path / DATABASE_NAME))
        for number in range(200):
            await store.get(image(f"r.example/app@sha256:{number:064x}"), FACT_NAMES, deadline=soon())
            assert store.bytes <= 100_000
        with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
            (kept,) = connection.execute("SELECT count(*) FROM evidence").fetchone()
        assert 10 < kept < 60
        await store.aclose()

    run(test)


def test_what_lapsed_on_disk_is_not_told_to_who_joins_one_that_did_not(tmp_path: Path) -> None:
    """The sources of one decision ask side by side: signatures are believed for longer than that there is no SBOM."""

    async def test() -> None:
        clock, reader = Clock(), ScriptedReader()
        file = tmp_path / DATABASE_NAME
        store = EvidenceStore(reader, database=EvidenceDatabase(file), clock=clock)
        await store.get(image(), FACT_NAMES, deadline=soon())
        await store.aclose()
        clock.now += ABSENT_KEPT
        reader.values = {**reader.values, "sbom": {"documents": ["it is there now"]}}
        store = EvidenceStore(reader, database=EvidenceDatabase(file), clock=clock)
        sources = [EvidenceSource(name, store) for name in ("signatures", "sbom")]
        signatures, sbom = await asyncio.gather(*(each.gather([PINNED], deadline=soon()) for each in sources))
        assert isinstance(signatures[PINNED], Known)
        assert isinstance(sbom[PINNED], Known)
        assert len(reader.read_images) == 2
        await store.aclose()

    run(test)


def test_who_asks_does_not_wait_for_what_is_only_foreseen() -> None:
    async def test() -> None:
        reader = ScriptedReader()
        reader.gate.clear()
        store = EvidenceStore(reader)
        store.prefetch(image(f"r.example/app:{number}") for number in range(2_000))
        for _ in range(20):
            await asyncio.sleep(0)
        assert reader.resolved == PREFETCHES_AT_ONCE
        assert store.being_read <= MAX_PREFETCHES + PREFETCHES_AT_ONCE
        asked = asyncio.create_task(store.get(image(), ("signatures",), deadline=soon()))
        await reader.begun.wait()
        assert reader.read_images == [DIGEST]
        reader.gate.set()
        await asked
        await store.aclose()

    run(test)


def test_one_object_cannot_take_all_the_time_there_is() -> None:
    async def test() -> None:
        reader = ScriptedReader()
        store = EvidenceStore(reader)
        source = EvidenceSource("signatures", store)
        many = [f"r.example/app@sha256:{number:064x}" for number in range(MAX_IMAGES + 1)]
        told = await source.gather(many, deadline=soon())
        assert told.keys() == set(many)
        assert {type(each) for each in told.values()} == {Unavailable}
        assert reader.read_images == []
        assert {type(each) for each in (await source.gather(many[1:], deadline=soon())).values()} == {Known}
        await store.aclose()

    run(test)


def test_more_than_can_be_read_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 10)

    async def test() -> None:
        reader = ScriptedReader()
        reader.gate.clear()
        store = EvidenceStore(reader)
        source = EvidenceSource("signatures", store)
        many = [f"r.example/app@sha256:{number:064x}" for number in range(20)]
        asked = asyncio.create_task(source.gather(many, deadline=soon()))
        await reader.begun.wait()
        joined = asyncio.create_task(source.gather(many[:1], deadline=soon()))
        await asyncio.sleep(0)
        assert store.being_read == 10
        reader.gate.set()
        told = list((await asked).values())
        assert [type(each) for each in told] == [Known] * 10 + [Unavailable] * 10
        assert told[-1] == Unavailable("10 images are being read, or wait to be: retry in a moment")
        assert isinstance((await joined)[many[0]], Known)
        await store.aclose()

    run(test)


def test_a_bug_leaves_an_image_undecided(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        store = EvidenceStore(ScriptedReader(failure=KeyError("a defect of ours")))
        found = await EvidenceSource("signatures", store).gather([PINNED], deadline=soon())
        assert found == {
            PINNED: Unavailable(f"signatures of {PINNED} could not be looked up: this is a bug (KeyError)")
        }
        await store.aclose()

    run(test)
    assert "a defect of ours" in caplog.text


def test_only_so_many_are_read_at_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_READINGS", 3)

    async def test() -> None:
        reader = ScriptedReader()
        reader.gate.clear()
        store = EvidenceStore(reader)
        images = [image(f"r.example/app@sha256:{number:064x}") for number in range(20)]
        store.prefetch(images)
        while len(reader.read_images) < 3:  # noqa: ASYNC110 - what is waited for is no event
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        assert len(reader.read_images) == 3
        reader.gate.set()
        await asyncio.gather(*(store.get(each, FACT_NAMES, deadline=soon()) for each in images))
        assert len(reader.read_images) == 20
        await store.aclose()

    run(test)


def test_the_keys_are_the_references_of_images_and_oci_models() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x", "namespace": "team"},
        "spec": {
            "initContainers": [{"name": "i", "image": "r.example/init:1"}],
            "containers": [
                {"name": "a", "image": "r.example/app:1", "args": ["--model", "oci://r.example/models/llama:3"]},
                {"name": "b", "image": "r.example/app:1"},
                {"name": "c", "image": "r.example/UPPER"},
            ],
            "volumes": [{"name": "m", "image": {"reference": "r.example/models/bert:2"}}],
        },
    }
    source = EvidenceSource("signatures", EvidenceStore(ScriptedReader()))
    keys = source.keys(subject_of(pod))
    assert keys == [
        "oci://r.example/models/llama:3",
        "r.example/app:1",
        "r.example/init:1",
        "r.example/models/bert:2",
    ]


def test_closing_ends_what_is_being_read() -> None:
    async def test() -> None:
        reader = ScriptedReader()
        reader.gate.clear()
        store = EvidenceStore(reader)
        store.prefetch([image()])
        await asyncio.sleep(0)
        asked = asyncio.create_task(EvidenceSource("sbom", store).gather([PINNED], deadline=soon()))
        await asyncio.sleep(0)
        await store.aclose()
        assert store.being_read == 0
        told = (await asked)[PINNED]
        assert isinstance(told, Unavailable)
        assert "because this process ends" in told.reason

    run(test)
