"""The ledger, with real files: what was acknowledged is there, whatever happens."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pratique import ledger as module
from pratique.decision import Decision, Door, Enforcement, Outcome, Patch, Result
from pratique.errors import ConfigError, EvaluationError
from pratique.ledger import (
    Durability,
    Filters,
    Ledger,
    LedgerError,
    LedgerReader,
    UnknownDecision,
    decision_log,
    log_decisions_to,
)
from tests.support.decisions import ID, NOW, decision, evaluation, finding, fresh, patched
from tests.support.policies import binding, configuration, policy, policy_set

pytestmark = pytest.mark.slow

POLICIES = policy_set(policy("gpu/limit", id="GPU-001"), policy("image/digest", id="IMG-001"))
CONFIGURATION = configuration(POLICIES, binding("gpu-limit", "gpu/limit"))


@asynccontextmanager
async def opened(path: Path, *, durability: Durability = "strict", logs: bool = False) -> AsyncIterator[Ledger]:
    ledger = Ledger.open(path, durability=durability, logs=logs)
    try:
        yield ledger
    finally:
        await ledger.close()


def record(path: Path, *decisions: Decision) -> None:
    async def run() -> None:
        async with opened(path) as ledger:
            for each in decisions:
                await ledger.record(each)

    asyncio.run(run())


def ids(path: Path) -> list[str]:
    return [each.decision.id for each in LedgerReader(path).read()]


# What is kept


def test_decision_is_read_as_it_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    made = decision(
        evaluation(
            title="Title of gpu/limit",
            remediation="Mend gpu/limit.",
            findings=(
                patched(
                    "naïve \x1b 🚢", "/spec/a~1b", Patch("replace", "/spec", {"a": [1, None]}), Patch("remove", "/x")
                ),
            ),
            facts={"signatures:app": "sha256:9"},
        ),
        evaluation(
            "IMG-001",
            policy="image/digest",
            binding="digest",
            title="Title of image/digest",
            remediation="Mend image/digest.",
            result=Result.EXEMPT,
            reason="waiver w until 2027: agreed",
            waivers=("w@sha256:1",),
        ),
        notes=("a note",),
        configuration_digest=CONFIGURATION.digest,
    )

    async def run() -> None:
        async with opened(path) as ledger:
            await ledger.record_configuration(CONFIGURATION, POLICIES)
            await ledger.record(made)

    asyncio.run(run())
    assert LedgerReader(path).get(ID).decision == made
    snapshot = LedgerReader(path).snapshot(made)
    assert snapshot is not None
    assert snapshot.documents == CONFIGURATION.documents
    assert snapshot.policies == POLICIES


def test_record_has_the_documented_fields(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    record(path, decision(evaluation(), evaluation("IMG-001", policy="image/digest", result=Result.PASS)))
    document = LedgerReader(path).get(ID).document
    assert list(document) == [
        "id", "time", "door", "outcome", "subject", "operation", "subresource", "user", "groups", "dry_run",
        "bundle_digest", "configuration_digest", "engine", "engine_version", "cached", "milliseconds", "no_match",
        "mutating", "not_passed", "evaluations", "notes", "match_inputs",
    ]  # fmt: skip
    assert document["time"] == "2026-11-21T18:00:00.123Z"
    assert document["not_passed"] == ["gpu/limit", "GPU-001"]
    assert document["evaluations"][0] == {
        "binding": "gpu-limit",
        "policy": "gpu/limit",
        "policy_id": "GPU-001",
        "severity": "high",
        "result": "fail",
        "enforcement": "deny",
        "on_undecided": "deny",
        "reason": "",
        "waivers": [],
        "facts": None,
        "findings": [
            {"message": "this Job can use 16 GPUs; at most 4 are allowed", "path": "/spec", "patches": []},
        ],
        "findings_omitted": 0,
    }


def test_record_of_the_time_when_one_waiver_exempted_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    record(path, decision(evaluation(result=Result.EXEMPT, waivers=("w@sha256:1",)), evaluation("IMG-001")))
    with sqlite3.connect(path) as connection:
        (text,) = connection.execute("SELECT record FROM decisions").fetchone()
        older = text.replace('"waivers":["w@sha256:1"]', '"waiver":"w@sha256:1"').replace('"waivers":[]', '"waiver":""')
        connection.execute("UPDATE decisions SET record = ?", (older,))
    connection.close()
    assert "waivers" not in older
    assert [each.waivers for each in LedgerReader(path).get(ID).decision.evaluations] == [("w@sha256:1",), ()]
    assert list(LedgerReader(path).waivers_used()) == ["w@sha256:1"]


def test_columns_say_the_same_as_the_record(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    record(path, decision(evaluation(), dry_run=True, subresource="scale"))
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        row = dict(connection.execute("SELECT * FROM decisions").fetchone())
    connection.close()
    document = json.loads(row.pop("record"))
    assert row.pop("sequence") == 1
    assert json.loads(row.pop("not_passed")) == document["not_passed"]
    flat = {**document, **document["subject"]}
    assert row == {name: flat[name] for name in row}


def test_huge_record_is_cut_with_a_count(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    many = tuple(finding("x" * 500, f"/{number}") for number in range(1000))
    record(
        path,
        decision(evaluation(findings=many), match_inputs=replace(decision().match_inputs, labels={"a": "x" * 300_000})),
    )
    kept = LedgerReader(path).get(ID)
    assert len(kept.decision.evaluations[0].findings) == module.KEPT_FINDINGS
    assert kept.document["evaluations"][0]["findings_omitted"] == 980
    assert kept.document["match_inputs"] is None


def test_what_json_cannot_carry_is_refused_and_the_next_decision_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"

    async def run() -> None:
        async with opened(path) as ledger:
            with pytest.raises(LedgerError, match="cannot be recorded"):
                await ledger.record(decision(evaluation(findings=(finding("\ud800"),))))
            await ledger.record(decision())
            assert (ledger.recorded, ledger.refused) == (1, 1)

    asyncio.run(run())
    assert ids(path) == [ID]


def test_decision_recorded_twice_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    record(path, decision(), decision())
    assert ids(path) == [ID]


def test_file_and_folder_are_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "deep" / "d.sqlite3"

    async def run() -> None:
        async with opened(path) as ledger:
            await ledger.record(decision())
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
            assert modes == {"d.sqlite3": 0o600, "d.sqlite3-shm": 0o600, "d.sqlite3-wal": 0o600}

    before = os.umask(0)
    try:
        asyncio.run(run())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


# Nothing acknowledged is lost


@pytest.mark.parametrize("count", [20, 200])
def test_every_acknowledged_decision_survives_kill_9(tmp_path: Path, count: int) -> None:
    path = tmp_path / "d.sqlite3"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pratique.ledger_writer", path, "strict"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    first = b"".join(process.stdout.readline() for _ in range(count))
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.stdout.close()
    process.wait()
    # A last line may have been cut by the kill.
    acknowledged = (first + rest).decode().rpartition("\n")[0].split("\n")
    kept = ids(path)
    assert len(acknowledged) >= count
    assert set(acknowledged) <= set(kept)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_many_at_once_are_few_commits(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    made = [fresh(evaluation(), seconds=number) for number in range(1200)]

    async def run() -> Ledger:
        async with opened(path) as ledger:
            with locked(path):  # the first commit has to wait until all the others are there
                tasks = [asyncio.create_task(ledger.record(each)) for each in made]
                await asyncio.sleep(0)
            await asyncio.gather(*tasks)
        return ledger

    ledger = asyncio.run(run())
    assert ids(path) == [each.id for each in reversed(made)]
    assert ledger.recorded == 1200
    assert ledger.commits <= 3  # the one that waited, and two of at most 1,000


def test_cancelled_request_does_not_disturb_the_others(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"

    async def run() -> None:
        async with opened(path) as ledger:
            tasks = [asyncio.create_task(ledger.record(fresh(seconds=number))) for number in range(10)]
            await asyncio.sleep(0)
            tasks[3].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(result) for result in results].count(asyncio.CancelledError) == 1

    asyncio.run(run())
    assert len(ids(path)) == 10


def test_relaxed_returns_at_once_and_close_writes_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"

    async def run() -> None:
        async with opened(path, durability="relaxed") as ledger:
            for number in range(500):
                await ledger.record(fresh(seconds=number))

    asyncio.run(run())
    assert len(ids(path)) == 500


def test_full_queue_is_an_error_and_nothing_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    path = tmp_path / "d.sqlite3"

    async def run() -> list[BaseException | None]:
        async with opened(path) as ledger:
            with locked(path):
                await asyncio.to_thread(time.sleep, 0)
                results = asyncio.gather(
                    *(ledger.record(fresh(seconds=number)) for number in range(20)), return_exceptions=True
                )
                await asyncio.sleep(0.05)
            return await results

    results = asyncio.run(run())
    refused = [result for result in results if isinstance(result, LedgerError)]
    assert refused
    assert "already wait" in str(refused[0])
    assert len(ids(path)) == len(results) - len(refused)


def test_closed_ledger_refuses(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path / "d.sqlite3") as ledger:
            await ledger.close()
            with pytest.raises(LedgerError, match="closed"):
                await ledger.record(decision())

    asyncio.run(run())


# Disks fail


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process holds the write lock."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Writing beyond `size` fails, as the kernel sees to it (the signal that goes with it is ignored by Python)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def until_it_fails(ledger: Ledger, acknowledged: list[str]) -> None:
    for number in range(200):
        made = fresh(evaluation(), seconds=number)
        await ledger.record(made)
        acknowledged.append(made.id)


def test_failing_disk_is_a_typed_error_and_recording_goes_on_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "d.sqlite3"
    acknowledged: list[str] = []

    async def run() -> None:
        async with opened(path) as ledger:
            with no_file_larger_than(200_000):
                with pytest.raises(LedgerError, match="the disk"):
                    await until_it_fails(ledger, acknowledged)
                assert "the disk" in ledger.failure
            made = fresh(evaluation(), seconds=1000)
            await ledger.record(made)
            acknowledged.append(made.id)
            assert ledger.failure == ""

    asyncio.run(run())
    assert len(acknowledged) > 10
    assert set(acknowledged) <= set(ids(path))
    assert [entry.levelname for entry in caplog.records] == ["ERROR", "WARNING"]


FULL_DISK = """
import asyncio, sys
from pathlib import Path
from pratique.ledger import Ledger, LedgerError
from tests.support.decisions import fresh
from contextlib import suppress

async def main(folder):
    ledger = Ledger.open(folder / "d.sqlite3", logs=False)
    ballast = folder / "ballast"
    said = ""
    with suppress(OSError), ballast.open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(4096))
    try:
        for number in range(500):
            await ledger.record(fresh(seconds=number))
    except LedgerError as error:
        said = str(error)
    ballast.unlink()
    await ledger.record(fresh(seconds=1000))
    await ledger.close()
    print(said)

asyncio.run(main(Path(sys.argv[1])))
"""


def test_full_disk_is_named_as_such(tmp_path: Path) -> None:
    mounted = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mounted, "sh", tmp_path, sys.executable, FULL_DISK],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no file system of our own can be mounted here: {done.stderr}")
    assert done.stdout == "the disk is full; free some space (database or disk is full)\n", done.stderr


def test_lock_of_another_process_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"

    async def run() -> None:
        async with opened(path) as ledger:
            with locked(path):
                task = asyncio.create_task(ledger.record(decision()))
                await asyncio.sleep(0.1)
                assert not task.done()
            await task

    asyncio.run(run())


def test_lock_that_stays_is_a_typed_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    path = tmp_path / "d.sqlite3"

    async def run() -> None:
        async with opened(path) as ledger:
            with locked(path), pytest.raises(EvaluationError, match="keeps the database locked"):
                await ledger.record(decision())
            await ledger.record(decision())

    asyncio.run(run())
    assert ids(path) == [ID]


def test_removed_file_is_made_anew_with_what_decisions_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOVED_CHECK_SECONDS", 0.0)
    path = tmp_path / "d.sqlite3"
    made = decision(configuration_digest=CONFIGURATION.digest)

    async def run() -> None:
        async with opened(path) as ledger:
            await ledger.record_configuration(CONFIGURATION, POLICIES)
            for file in tmp_path.iterdir():
                file.unlink()
            await ledger.record(made)

    asyncio.run(run())
    assert ids(path) == [ID]
    assert LedgerReader(path).snapshot(made) is not None


def test_damaged_file_is_a_typed_error_until_it_is_moved_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOVED_CHECK_SECONDS", 0.0)
    path = tmp_path / "d.sqlite3"

    async def run() -> None:
        async with opened(path) as ledger:
            await ledger.record(decision())
            (tmp_path / "x").write_bytes(b"not a database at all " * 1000)
            (tmp_path / "x").replace(path)
            for suffix in ("-wal", "-shm"):
                (tmp_path / f"d.sqlite3{suffix}").unlink(missing_ok=True)
            with pytest.raises(LedgerError, match="not a database"):
                await ledger.record(decision())
            path.rename(tmp_path / "evidence")
            await ledger.record(decision())

    asyncio.run(run())
    assert ids(path) == [ID]


# Files that are not ours to write


def test_newer_schema_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    record(path, decision())
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    sentence = "this was written by a newer Pratique (schema 99, here 1); use that version"
    with pytest.raises(ConfigError) as refused:
        Ledger.open(path)
    assert str(refused.value) == f"{path}: {sentence}"
    with pytest.raises(ConfigError, match="newer Pratique"):
        LedgerReader(path).get(ID)


def test_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (name)")
    connection.close()
    with pytest.raises(ConfigError, match="database of another program"):
        Ledger.open(path)


def test_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        Ledger.open(tmp_path / "file" / "d.sqlite3")


def test_reader_without_a_ledger_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--state"):
        LedgerReader(tmp_path / "d.sqlite3").get(ID)


def test_two_processes_start_and_write_together(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    writers = [
        subprocess.Popen([sys.executable, "-m", "tests.pratique.ledger_writer", path, "strict"], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    outputs = []
    for writer in writers:
        assert writer.stdout is not None
        outputs.append(writer.stdout.readline())
    time.sleep(0.3)
    seen_meanwhile = len(ids(path))
    for number, writer in enumerate(writers):
        writer.kill()
        assert writer.stdout is not None
        outputs[number] += writer.stdout.read()
        writer.stdout.close()
        writer.wait()
    acknowledged = {line for output in outputs for line in output.decode().rpartition("\n")[0].split("\n")}
    assert seen_meanwhile > 0
    assert acknowledged <= set(ids(path))


# Reading


@pytest.fixture
def several(tmp_path: Path) -> Path:
    path = tmp_path / "d.sqlite3"
    record(
        path,
        fresh(evaluation(), seconds=1),
        fresh(evaluation(result=Result.PASS), seconds=2, user="bob"),
        fresh(evaluation("IMG-001", policy="image/digest", result=Result.ERROR), seconds=3, door=Door.CI),
        fresh(evaluation(enforcement=Enforcement.WARN), seconds=4),
    )
    return path


@pytest.mark.parametrize(
    ("filters", "seconds"),
    [
        (Filters(), [4, 3, 2, 1]),
        (Filters(limit=2), [4, 3]),
        (Filters(limit=0), []),
        (Filters(since=NOW + timedelta(seconds=2)), [4, 3, 2]),
        (Filters(until=NOW + timedelta(seconds=2)), [1]),
        (Filters(since=NOW + timedelta(seconds=2), until=NOW + timedelta(seconds=4)), [3, 2]),
        (Filters(outcome=Outcome.DENIED), [1]),
        (Filters(outcome=Outcome.UNDECIDED), [3]),
        (Filters(policy="gpu/limit"), [4, 1]),
        (Filters(policy="GPU-001"), [4, 1]),
        (Filters(policy="GPU-00"), []),
        (Filters(user="bob"), [2]),
        (Filters(kind="Job", namespace="team-a"), [4, 3, 2, 1]),
        (Filters(namespace="' OR 1=1 --"), []),
        (Filters(door=Door.CI), [3]),
    ],
)
def test_filters(several: Path, filters: Filters, seconds: list[int]) -> None:
    found = [round((each.decision.time - NOW).total_seconds()) for each in LedgerReader(several).read(filters)]
    assert found == seconds


def test_list_longer_than_a_page_is_whole_and_lets_the_writer_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_ROWS", 4)
    path = tmp_path / "d.sqlite3"
    made = [fresh(seconds=number) for number in range(12)]
    record(path, *made)
    newest = [each.id for each in reversed(made)]
    assert ids(path) == newest
    assert [each.decision.id for each in LedgerReader(path).read(Filters(limit=6))] == newest[:6]
    reading = LedgerReader(path).read()
    first = next(reading)
    record(path, fresh(seconds=100))
    with sqlite3.connect(path) as connection:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.close()
    assert busy == 0
    assert [first.decision.id, *(each.decision.id for each in reading)] == newest


def test_id_may_be_shortened_while_it_is_the_only_one(several: Path) -> None:
    last = ids(several)[0]
    assert LedgerReader(several).get(last[:20].upper()).decision.id == last
    with pytest.raises(UnknownDecision, match="more than one"):
        LedgerReader(several).get(last[:4])
    with pytest.raises(UnknownDecision, match="there is no decision"):
        LedgerReader(several).get("ffff")
    with pytest.raises(UnknownDecision, match="not a decision id"):
        LedgerReader(several).get("%")


def test_decision_without_its_snapshot_still_reads(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    record(path, decision(evaluation()))
    reader = LedgerReader(path)
    kept = reader.get(ID).decision
    assert reader.snapshot(kept) is None
    assert kept.evaluations[0].title == ""


# The log


def test_each_decision_is_one_json_line_without_labels(tmp_path: Path) -> None:
    stream = (tmp_path / "log").open("w+")
    handler = logging.StreamHandler(stream)
    before = (decision_log.handlers[:], decision_log.propagate, decision_log.level)
    log_decisions_to(handler)
    try:

        async def run() -> None:
            async with opened(tmp_path / "d.sqlite3", logs=True) as ledger:
                await asyncio.gather(*(ledger.record(fresh(evaluation(), seconds=number)) for number in range(5)))

        asyncio.run(run())
    finally:
        decision_log.handlers[:], decision_log.propagate = before[0], before[1]
        decision_log.setLevel(before[2])
    stream.seek(0)
    lines = [json.loads(line) for line in stream]
    stream.close()
    assert [line["log"] for line in lines] == ["decision"] * 5
    assert {line["id"] for line in lines} == set(ids(tmp_path / "d.sqlite3"))
    assert all(line["recorded"] and "match_inputs" not in line for line in lines)


def test_decision_that_could_not_be_recorded_is_logged_as_such(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    caplog.set_level(logging.INFO, logger="pratique.decision")
    path = tmp_path / "d.sqlite3"

    async def run() -> None:
        async with opened(path, logs=True) as ledger:
            with locked(path), pytest.raises(LedgerError):
                await ledger.record(decision())

    asyncio.run(run())
    (line,) = [entry.getMessage() for entry in caplog.records if entry.name == "pratique.decision"]
    assert json.loads(line)["recorded"] is False
