"""The ledger: every decision, one row each, in an SQLite database that other processes can read meanwhile.

One thread writes. Decisions that arrive while it commits go into the next commit together, as one statement: SQLite
then runs without the interpreter's lock from the first row to the end of the commit, and the event loop is woken once.

What is kept of a decision is its *record*, a JSON object with these fields (times are UTC, ISO 8601 with milliseconds):

    id, time, door, outcome, subject {group, version, kind, namespace, name, uid, digest}, operation, subresource, user,
    groups, dry_run, bundle_digest, configuration_digest, engine, engine_version, cached, milliseconds, no_match,
    not_passed [policy name and policy id of each evaluation that did not pass],
    evaluations [{binding, policy, policy_id, severity, result, enforcement, on_undecided, reason, waivers, facts,
                  findings [{message, path, patches [{op, path, value}]}], findings_omitted}], notes,
    match_inputs {type, namespace, name, namespace_labels, labels, being_deleted, inferred (only if it is)}

Beside the decisions stand the configurations and bundles that they were made with, by digest, so that a decision can be
explained for as long as it is kept. Objects are not kept, only their digest.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Literal
from urllib.parse import quote

import orjson

from pratique.builtin import RULES
from pratique.canonical import canonical_json, compact_json
from pratique.configuration import Configuration, build
from pratique.decision import (
    Decision,
    Door,
    Enforcement,
    Evaluation,
    Finding,
    Outcome,
    Patch,
    Result,
    Severity,
    SubjectRef,
)
from pratique.errors import ConfigError, EvaluationError, InputError, PratiqueError, Problem
from pratique.matching import MatchInputs
from pratique.policy import PolicyMetadata, PolicySet
from pratique.yamlfile import Document

DATABASE_NAME = "decisions.sqlite3"
"""The file in the state folder."""

APPLICATION_ID = 0x50524154
"""`PRAT`: tells our databases from others (SQLite's `application_id`)."""

SCHEMA_VERSION = 1

MAX_WAITING = 20_000
"""Decisions that wait for a commit: protects memory when the disk is slower than the door."""

MAX_COMMIT_ROWS = 1_000
MAX_COMMIT_BYTES = 8 * 2**20
"""One commit at most: protects the latency of the decisions in it."""

MAX_RECORD_BYTES = 256 * 1024
"""One record at most: protects the ledger against a policy with a finding for each of a thousand list items."""

KEPT_FINDINGS = 20
"""Findings kept of each evaluation where a record would be larger than `MAX_RECORD_BYTES`."""

PAGE_ROWS = 500
"""Decisions read at one time: a few megabytes."""

BUSY_SECONDS = 2.0
"""How long to wait for another process that writes to the same file: less than a webhook's timeout."""

_MOVED_CHECK_SECONDS = 1.0

decision_log = logging.getLogger("pratique.decision")
"""Gets one message for each commit: the decisions in it as JSON, one to a line. See `log_decisions_to`."""

log = logging.getLogger("pratique.ledger")

Durability = Literal["strict", "relaxed"]

_SCHEMA: Final = f"""
CREATE TABLE decisions (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    time TEXT NOT NULL,
    door TEXT NOT NULL,
    outcome TEXT NOT NULL,
    "group" TEXT NOT NULL,
    version TEXT NOT NULL,
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    digest TEXT NOT NULL,
    operation TEXT NOT NULL,
    subresource TEXT NOT NULL,
    user TEXT NOT NULL,
    dry_run INTEGER NOT NULL,
    bundle_digest TEXT NOT NULL,
    configuration_digest TEXT NOT NULL,
    engine TEXT NOT NULL,
    milliseconds REAL NOT NULL,
    cached INTEGER NOT NULL,
    not_passed TEXT NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE TABLE configurations (
    digest TEXT NOT NULL PRIMARY KEY,
    first_used TEXT NOT NULL,
    documents TEXT NOT NULL
) STRICT;
CREATE TABLE bundles (
    digest TEXT NOT NULL PRIMARY KEY,
    first_used TEXT NOT NULL,
    policies TEXT NOT NULL
) STRICT;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""

_COLUMNS: Final = (
    "id", "time", "door", "outcome", '"group"', "version", "kind", "namespace", "name", "uid", "digest", "operation",
    "subresource", "user", "dry_run", "bundle_digest", "configuration_digest", "engine", "milliseconds", "cached",
    "not_passed", "record",
)  # fmt: skip

_STATEMENT_ROWS: Final = 64
"""Rows of one INSERT at most. Each number of rows is a statement of its own, prepared once."""


def _insert_statement(rows: int) -> str:
    """The statement that inserts so many rows. A retry after a failure of which the outcome is not known must not fail
    on what is already there."""
    row = f"({', '.join('?' * len(_COLUMNS))})"
    return f"INSERT OR IGNORE INTO decisions ({', '.join(_COLUMNS)}) VALUES {', '.join([row] * rows)}"  # noqa: S608 - constants


_INSERTS: Final = tuple(_insert_statement(rows) for rows in range(1, _STATEMENT_ROWS + 1))


class LedgerError(EvaluationError):
    """A decision could not be recorded, hence does not count; `str()` says why and what to do."""


# Writing


@dataclass(frozen=True, slots=True)
class _Entry:
    """A decision on its way to the disk: its row, and the part of its record that the log shows."""

    row: tuple[object, ...]
    head: str
    future: asyncio.Future[None] | None


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A configuration and a bundle on their way to the disk."""

    rows: tuple[tuple[str, tuple[str, str, str]], ...]
    future: asyncio.Future[None]


class Ledger:
    """Writes decisions; open it with `Ledger.open`, end it with `close`.

    With `durability="strict"`, `record` returns when the decision is in the file and the file's log was flushed to the
    disk (`synchronous=FULL`): it survives `kill -9` of this process, a crash of the system and loss of power, as far as
    the disk keeps what it reported as flushed. With `relaxed`, it returns at once: a killed process loses what waited
    in memory (usually milliseconds of it), a loss of power also what the system had not written; failures show only in
    the log and in `failed`.

    Several processes may write to one file; each waits up to `BUSY_SECONDS` for the other. After a failure (disk full,
    file removed, read-only) the next decision tries again with a new connection, and `failure` is empty as soon as one
    succeeds. To be used from one event loop. Nothing here limits the wait for a disk that hangs: that is for the
    caller, who has the deadline; a decision that was given up may then still be found recorded.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, *, durability: Durability, logs: bool) -> None:
        self.path = path
        self.durability = durability
        self.recorded = 0
        """Decisions committed."""
        self.refused = 0
        """Decisions that were not even tried to be recorded: the queue was full, or JSON cannot carry them."""
        self.failed = 0
        """Decisions that could not be written."""
        self.commits = 0
        self.failure = ""
        """Why the last commit failed; empty if it did not."""
        self._logs = logs
        self._connection: sqlite3.Connection | None = connection
        self._inode = _inode(path)
        self._next_moved_check = 0.0
        self._queue: deque[_Entry | _Snapshot] = deque()
        self._snapshots: dict[str, tuple[str, tuple[str, str, str]]] = {}
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._idle = False
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._write, name="pratique-ledger", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path, *, durability: Durability = "strict", logs: bool = True) -> Ledger:
        """The ledger in the file at `path`, created if need be: the folder with mode 0700, the file with 0600.

        With `logs`, each decision is also a message of the logger `pratique.decision`.

        Raises:
            ConfigError: the file cannot be used; the sentence says why and what to do.
        """
        try:
            return cls(path, _open_for_writing(path, durability), durability=durability, logs=logs)
        except LedgerError as error:
            raise ConfigError(Problem(str(path), "", str(error))) from error

    @property
    def waiting(self) -> int:
        """Decisions that wait for a commit."""
        return len(self._queue)

    async def record(self, decision: Decision) -> None:
        """Record `decision`; as durably as the class says.

        Raises:
            LedgerError: it is not recorded, or it is not known whether it is.
        """
        loop = self._checked_loop()
        if len(self._queue) >= MAX_WAITING:
            self.refused += 1
            raise LedgerError(
                f"{MAX_WAITING} decisions already wait to be recorded; the disk is too slow for the load, retry later"
            )
        try:
            entry = _entry_of(decision, None if self.durability == "relaxed" else loop.create_future())
        except InputError as error:
            self.refused += 1
            raise LedgerError(f"the decision cannot be recorded: {error}") from error
        self._put(entry)
        if entry.future is not None:
            await entry.future

    async def record_configuration(self, configuration: Configuration, policies: PolicySet) -> None:
        """Record what decisions are made with from now on, once for each digest. Returns after the commit.

        Raises:
            LedgerError: it is not recorded.
        """
        loop = self._checked_loop()
        now = _iso(datetime.now(UTC))
        rows = (
            ("configurations", (configuration.digest, now, canonical_json(list(configuration.documents)).decode())),
            ("bundles", (policies.digest, now, _bundle_json(policies).decode())),
        )
        future: asyncio.Future[None] = loop.create_future()
        self._put(_Snapshot(rows, future))
        await future

    async def close(self) -> None:
        """Commit what waits and close the file. Idempotent."""
        self._closing = True
        self._wake.put(None)
        await asyncio.to_thread(self._thread.join)

    def _checked_loop(self) -> asyncio.AbstractEventLoop:
        if self._closing:
            raise LedgerError("the ledger is closed because the server is stopping; retry")
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        return loop

    def _put(self, entry: _Entry | _Snapshot) -> None:
        # The thread says that it is idle before it looks for work once more: between the two, nothing can be missed.
        self._queue.append(entry)
        if self._idle:
            self._idle = False
            self._wake.put(None)

    # From here on: the writer's thread.

    def _write(self) -> None:
        while True:
            batch = self._take()
            if batch:
                self._commit(batch)
                continue
            self._idle = True
            if not self._queue:
                if self._closing:
                    break
                self._wake.get()
            self._idle = False
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()

    def _take(self) -> list[_Entry | _Snapshot]:
        batch: list[_Entry | _Snapshot] = []
        size = 0
        while self._queue and len(batch) < MAX_COMMIT_ROWS and size < MAX_COMMIT_BYTES:
            entry = self._queue.popleft()
            batch.append(entry)
            size += len(entry.head) if isinstance(entry, _Entry) else 0
        return batch

    def _commit(self, batch: Sequence[_Entry | _Snapshot]) -> None:
        entries = [entry for entry in batch if isinstance(entry, _Entry)]
        snapshots = [entry for entry in batch if isinstance(entry, _Snapshot)]
        failure = ""
        try:
            connection = self._usable_connection()
            # Snapshots first, so that no decision stands without them.
            for snapshot in snapshots:
                for table, row in snapshot.rows:
                    connection.execute(_snapshot_statement(table), row)
                    self._snapshots[row[0]] = (table, row)
            if entries:
                _insert(connection, [entry.row for entry in entries])
        except LedgerError as error:
            failure = str(error)
        except sqlite3.Error as error:
            failure = _sentence(error)
        except (ValueError, OverflowError, MemoryError) as error:  # of these decisions, not of the disk
            failure = f"SQLite cannot hold this: {error}"
        if failure:
            self._drop_connection()
            self.failed += len(entries)
            if failure != self.failure:
                log.error("decisions cannot be recorded in %s: %s", self.path, failure)
        else:
            self.recorded += len(entries)
            self.commits += 1
            if self.failure:
                log.warning("decisions are recorded in %s again", self.path)
        self.failure = failure
        futures = [entry.future for entry in batch if entry.future is not None]
        if futures and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(_settle, futures, failure)
        if entries and self._logs and decision_log.isEnabledFor(logging.INFO):
            mark = '{"log":"decision","recorded":false,' if failure else '{"log":"decision","recorded":true,'
            decision_log.info("%s", "\n".join([f"{mark}{entry.head[1:]}}}" for entry in entries]))

    def _usable_connection(self) -> sqlite3.Connection:
        """The connection; a new one after a failure, or where the file is not the one that was opened.

        SQLite would go on writing to a file that was removed, and what it reports as committed would be gone.
        """
        now = time.monotonic()
        if self._connection is not None and now >= self._next_moved_check:
            self._next_moved_check = now + _MOVED_CHECK_SECONDS
            if _inode(self.path) != self._inode:
                log.warning("%s was removed or replaced; opening it again", self.path)
                self._drop_connection()
        if self._connection is None:
            connection = _open_for_writing(self.path, self.durability)
            for table, row in self._snapshots.values():
                connection.execute(_snapshot_statement(table), row)
            self._connection, self._inode = connection, _inode(self.path)
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def log_decisions_to(handler: logging.Handler) -> None:
    """Send the log line of each decision to `handler` as it is, and nowhere else."""
    handler.setFormatter(logging.Formatter("%(message)s"))
    decision_log.handlers[:] = [handler]
    decision_log.propagate = False
    decision_log.setLevel(logging.INFO)


def _settle(futures: Sequence[asyncio.Future[None]], failure: str) -> None:
    for future in futures:
        if future.done():  # its request was cancelled
            continue
        if failure:
            future.set_exception(LedgerError(failure))
        else:
            future.set_result(None)


def _insert(connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert and commit `rows`. A few are one statement, a transaction of its own: one call without the lock."""
    if len(rows) <= _STATEMENT_ROWS:
        connection.execute(_INSERTS[len(rows) - 1], list(chain.from_iterable(rows)))
        return
    connection.execute("BEGIN IMMEDIATE")
    for first in range(0, len(rows), _STATEMENT_ROWS):
        some = rows[first : first + _STATEMENT_ROWS]
        connection.execute(_INSERTS[len(some) - 1], list(chain.from_iterable(some)))
    connection.execute("COMMIT")


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _snapshot_statement(table: str) -> str:
    return f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)"  # noqa: S608 - one of two constants


def _open_for_writing(path: Path, durability: Durability) -> sqlite3.Connection:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise LedgerError(f"the file cannot be made: {error.strerror}; name another state folder") from error
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise LedgerError(_sentence(error)) from error
    try:
        _use_write_ahead_log(connection)
        connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'strict' else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        if _is_empty(connection):
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
        _check_schema(connection)
        connection.execute("COMMIT")
    except (sqlite3.Error, LedgerError) as error:
        connection.close()
        if isinstance(error, LedgerError):
            raise
        raise LedgerError(_sentence(error)) from error
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite does not wait for another process that does so at the same moment; this does."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            if mode != "wal":
                raise LedgerError("the file system cannot hold a write-ahead log; put the state folder on a local disk")
            return


def _is_empty(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,))


def _check_schema(connection: sqlite3.Connection) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise LedgerError("this is a database of another program; name another state folder")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"this was written by a newer Pratique (schema {version}, here {SCHEMA_VERSION}); use that version"
        )


_SENTENCES: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_BUSY: "another process keeps the database locked; end it",
    sqlite3.SQLITE_LOCKED: "another process keeps the database locked; end it",
    sqlite3.SQLITE_READONLY: "the database cannot be written; make the file, its folder and its file system writable",
    sqlite3.SQLITE_CORRUPT: "the database is damaged; move it away and keep it as evidence",
    sqlite3.SQLITE_NOTADB: "this is not a database; name another state folder",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened; see to the permissions of the file and its folder",
    sqlite3.SQLITE_IOERR: "the disk does not work as it should; see the system's log",
}


def _sentence(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    sentence = _SENTENCES.get(code & 0xFF) if isinstance(code, int) else None
    return f"{sentence} ({error})" if sentence else f"SQLite says: {error}"


# A decision as a record


def _entry_of(decision: Decision, future: asyncio.Future[None] | None) -> _Entry:
    """`decision` on its way.

    Raises:
        InputError: it holds what JSON cannot carry.
    """
    fields = record_document(decision)
    head = compact_json(fields)
    if len(head) > MAX_RECORD_BYTES:
        head = compact_json(record_document(decision, kept_findings=KEPT_FINDINGS))
        if len(head) > MAX_RECORD_BYTES:
            head = compact_json(record_document(decision, kept_findings=0))
    inputs = compact_json(_inputs(decision.match_inputs))
    if len(inputs) > MAX_RECORD_BYTES:
        inputs = b"null"
    subject = decision.subject
    shown = head[:-1].decode()
    row = (
        decision.id, fields["time"], decision.door.value, decision.outcome.value, subject.group, subject.version,
        subject.kind, subject.namespace, subject.name, subject.uid, subject.digest, decision.operation,
        decision.subresource, decision.user, decision.dry_run, decision.bundle_digest, decision.configuration_digest,
        decision.engine, fields["milliseconds"], decision.cached, orjson.dumps(fields["not_passed"]).decode(),
        f'{shown},"match_inputs":{inputs.decode()}}}',
    )  # fmt: skip
    return _Entry(row, shown, future)


def record_document(decision: Decision, *, kept_findings: int | None = None) -> dict[str, Any]:
    """The record of `decision` without its `match_inputs`, for `canonical.compact_json` to write."""
    subject = decision.subject
    not_passed: list[str] = []
    evaluations = []
    for evaluation in decision.evaluations:
        if evaluation.result is not Result.PASS:
            not_passed += (evaluation.policy, evaluation.policy_id)
        evaluations.append(
            {
                "binding": evaluation.binding,
                "policy": evaluation.policy,
                "policy_id": evaluation.policy_id,
                "severity": evaluation.severity,
                "result": evaluation.result,
                "enforcement": evaluation.enforcement,
                "on_undecided": evaluation.on_undecided,
                "reason": evaluation.reason,
                "waivers": evaluation.waivers,
                "facts": evaluation.facts,
                "findings": evaluation.findings[:kept_findings],
                "findings_omitted": 0 if kept_findings is None else max(0, len(evaluation.findings) - kept_findings),
            }
        )
    return {
        "id": decision.id,
        "time": _iso(decision.time),
        "door": decision.door,
        "outcome": decision.outcome,
        "subject": {
            "group": subject.group,
            "version": subject.version,
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": subject.uid,
            "digest": subject.digest,
        },
        "operation": decision.operation,
        "subresource": decision.subresource,
        "user": decision.user,
        "groups": decision.groups,
        "dry_run": decision.dry_run,
        "bundle_digest": decision.bundle_digest,
        "configuration_digest": decision.configuration_digest,
        "engine": decision.engine,
        "engine_version": decision.engine_version,
        "cached": decision.cached,
        "milliseconds": round(decision.milliseconds, 3),
        "no_match": not evaluations,
        "mutating": decision.mutating,
        "not_passed": not_passed,
        "evaluations": evaluations,
        "notes": decision.notes,
    }


def _inputs(inputs: MatchInputs) -> dict[str, Any]:
    return {
        "type": inputs.type,
        "namespace": inputs.namespace,
        "name": inputs.name,
        "namespace_labels": inputs.namespace_labels,
        "labels": inputs.labels,
        "being_deleted": inputs.being_deleted,
        **({"inferred": True} if inputs.inferred else {}),
    }


def _iso(time_: datetime) -> str:
    return time_.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _bundle_json(policies: PolicySet) -> bytes:
    return canonical_json(
        [
            {
                "name": policy.name,
                "id": policy.id,
                "title": policy.title,
                "description": policy.description,
                "severity": policy.severity,
                "subjects": sorted(policy.subjects),
                "needs": sorted(policy.needs),
                "parameters": policy.parameters,
                "remediation": policy.remediation,
                "controls": policy.controls,
                "references": policy.references,
                "file": policy.file,
                "line": policy.line,
                "has_patches": policy.has_patches,
                "override": policy.override,
            }
            for policy in policies.policies.values()
        ]
    )


# Reading


@dataclass(frozen=True, slots=True)
class Filters:
    """Which decisions to read. `since` is included, `until` not. `policy`: the name or id of one that did not pass."""

    since: datetime | None = None
    until: datetime | None = None
    namespace: str = ""
    outcome: Outcome | None = None
    policy: str = ""
    user: str = ""
    kind: str = ""
    door: Door | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A decision as it was recorded: `document` is the record itself, `decision` what it stands for."""

    document: Mapping[str, Any]
    decision: Decision


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a decision was made with: the configuration's documents and the policies' metadata (without their Rego)."""

    documents: tuple[Mapping[str, Any], ...]
    policies: PolicySet

    def configuration(self) -> Configuration:
        """The configuration as it was, with the approvers and approvals that there were then.

        Raises:
            ConfigError: the documents were valid for another version of Pratique, but are not for this one.
        """
        documents = [Document("recorded", index, 0, value) for index, value in enumerate(self.documents)]
        return build(documents, self.policies, recorded=True)


@dataclass(slots=True)
class LedgerReader:
    """Reads a ledger, also while another process writes to it.

    Raises:
        ConfigError: from every method: the file cannot be read; the sentence says why and what to do.
    """

    path: Path
    _bundles: dict[str, PolicySet] = field(default_factory=dict, init=False)

    def read(self, filters: Filters = Filters()) -> Iterator[Record]:
        """The decisions that pass `filters`, the newest first.

        They are read in pages: a reader who takes long must not keep the writer from reusing its log.
        """
        conditions, values = _conditions(filters)
        wanted = filters.limit if filters.limit is not None else sys.maxsize
        page: list[Record] = []
        while wanted > 0:
            before = [("id < ?", page[-1].decision.id)] if page else []
            where = " AND ".join([*conditions, *(condition for condition, _ in before)])
            query = (
                f"SELECT record FROM decisions {f'WHERE {where}' if where else ''} "  # noqa: S608 - values are bound
                f"ORDER BY id DESC LIMIT {min(wanted, PAGE_ROWS)}"
            )
            with closing(self._connect()) as connection:
                rows = list(self._rows(connection, query, [*values, *(value for _, value in before)]))
                page = [self._record(connection, text) for (text,) in rows]
            yield from page
            if len(page) < PAGE_ROWS:
                return
            wanted -= len(page)

    def waivers_used(self) -> Mapping[str, datetime]:
        """When each waiver, by its `Waiver.reference`, last exempted something; those that never did are not there."""
        found: dict[str, datetime] = {}
        before = sys.maxsize
        while True:
            query = (
                "SELECT sequence, record FROM decisions WHERE sequence < ? AND instr(record, ?) > 0"
                " ORDER BY sequence DESC LIMIT ?"
            )
            with closing(self._connect()) as connection:
                rows = list(self._rows(connection, query, [before, '"result":"exempt"', PAGE_ROWS]))
            for sequence, text in rows:
                before = sequence
                document = orjson.loads(text)
                for evaluation in document["evaluations"]:
                    if evaluation["result"] == Result.EXEMPT:  # of none, where it was a bypass
                        for waiver in _waivers(evaluation):
                            found.setdefault(waiver, datetime.fromisoformat(document["time"]))
            if len(rows) < PAGE_ROWS:
                return found

    def get(self, id: str) -> Record:
        """The decision with this id, or the only one whose id begins with it.

        Raises:
            UnknownDecision: there is none, or there are several.
        """
        prefix = id.strip().lower()
        if not prefix or set(prefix) - set("0123456789abcdef-"):
            raise UnknownDecision(f"{id!r} is not a decision id; `pratique decisions list` shows those that there are")
        query = "SELECT id, record FROM decisions WHERE id >= ? AND id < ? ORDER BY id LIMIT 2"
        with closing(self._connect()) as connection:
            rows = list(self._rows(connection, query, [prefix, f"{prefix}g"]))
            if not rows:
                raise UnknownDecision(
                    f"there is no decision {id} in {self.path}; `pratique decisions list` shows those that there are"
                )
            if len(rows) > 1 and rows[0][0] != prefix:
                raise UnknownDecision(f"more than one decision id begins with {id}; write more of it")
            return self._record(connection, rows[0][1])

    def snapshot(self, decision: Decision) -> Snapshot | None:
        """What `decision` was made with; None where that was not recorded."""
        with closing(self._connect()) as connection:
            query = "SELECT documents FROM configurations WHERE digest = ?"
            rows = list(self._rows(connection, query, [decision.configuration_digest]))
            policies = self._policies(connection, decision.bundle_digest)
        if not rows or policies is None:
            return None
        return Snapshot(tuple(orjson.loads(rows[0][0])), policies)

    def _connect(self) -> sqlite3.Connection:
        if not self.path.is_file():
            raise self._problem("there is no ledger here; name the state folder of the server with --state")
        try:
            uri = f"file:{quote(str(self.path.absolute()))}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise self._problem(_sentence(error)) from error
        try:
            _check_schema(connection)
        except (sqlite3.Error, LedgerError) as error:
            connection.close()
            raise self._problem(_sentence(error) if isinstance(error, sqlite3.Error) else str(error)) from error
        return connection

    def _rows(self, connection: sqlite3.Connection, query: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        try:
            yield from connection.execute(query, values)
        except sqlite3.Error as error:
            raise self._problem(_sentence(error)) from error

    def _record(self, connection: sqlite3.Connection, text: str) -> Record:
        document = orjson.loads(text)
        policies = self._policies(connection, document["bundle_digest"])
        return Record(document, _decision(document, policies.policies if policies else {}))

    def _policies(self, connection: sqlite3.Connection, digest: str) -> PolicySet | None:
        if digest not in self._bundles:
            for (text,) in self._rows(connection, "SELECT policies FROM bundles WHERE digest = ?", [digest]):
                self._bundles[digest] = _bundle(digest, orjson.loads(text))
        return self._bundles.get(digest)

    def _problem(self, message: str) -> ConfigError:
        return ConfigError(Problem(str(self.path), "", message))


class UnknownDecision(PratiqueError):
    """No decision, or more than one, goes by the id that was given."""


def _conditions(filters: Filters) -> tuple[list[str], list[object]]:
    """Ids are UUIDs of version 7, in the order of time: a period is a range of ids and needs no index of its own."""
    found: list[tuple[str, object]] = []
    if filters.since is not None:
        found.append(("id >= ?", _first_id(filters.since)))
    if filters.until is not None:
        found.append(("id < ?", _first_id(filters.until)))
    for column in ("namespace", "user", "kind"):
        if value := getattr(filters, column):
            found.append((f"{column} = ?", value))
    if filters.outcome is not None:
        found.append(("outcome = ?", filters.outcome.value))
    if filters.door is not None:
        found.append(("door = ?", filters.door.value))
    if filters.policy:
        found.append(("instr(not_passed, ?) > 0", orjson.dumps(filters.policy).decode()))
    return [condition for condition, _ in found], [value for _, value in found]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _first_id(time_: datetime) -> str:
    milliseconds = min(max(0, -((_EPOCH - time_) // timedelta(milliseconds=1))), (1 << 48) - 1)
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _decision(document: Mapping[str, Any], policies: Mapping[str, PolicyMetadata]) -> Decision:
    subject = document["subject"]
    # Where the inputs were too large to keep, what is left explains at least the kind and the operation.
    inputs = document["match_inputs"] or {
        "type": "", "namespace": subject["namespace"], "name": subject["name"], "namespace_labels": None, "labels": {},
        "being_deleted": False,
    }  # fmt: skip
    groups = tuple(document["groups"])
    return Decision(
        id=document["id"],
        time=datetime.fromisoformat(document["time"]),
        door=Door(document["door"]),
        subject=SubjectRef(**subject),
        operation=document["operation"],
        subresource=document["subresource"],
        user=document["user"],
        groups=groups,
        dry_run=document["dry_run"],
        outcome=Outcome(document["outcome"]),
        evaluations=tuple(_evaluation(value, policies) for value in document["evaluations"]),
        bundle_digest=document["bundle_digest"],
        configuration_digest=document["configuration_digest"],
        engine=document["engine"],
        engine_version=document["engine_version"],
        cached=document["cached"],
        milliseconds=document["milliseconds"],
        match_inputs=MatchInputs(
            group=subject["group"],
            kind=subject["kind"],
            operation=document["operation"],
            subresource=document["subresource"],
            user=document["user"],
            groups=groups,
            **inputs,
        ),
        notes=tuple(document["notes"]),
        mutating=document.get("mutating", False),  # records of before there were mutations
    )


def _waivers(evaluation: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of a recorded evaluation; before waivers could add up, there was one, or an empty string."""
    if "waivers" in evaluation:
        return tuple(evaluation["waivers"])
    return (evaluation["waiver"],) if evaluation["waiver"] else ()


def _evaluation(value: Mapping[str, Any], policies: Mapping[str, PolicyMetadata]) -> Evaluation:
    policy = policies.get(value["policy"]) or RULES.get(value["policy"])
    return Evaluation(
        binding=value["binding"],
        policy=value["policy"],
        policy_id=value["policy_id"],
        title=policy.title if policy else "",
        severity=Severity(value["severity"]),
        remediation=policy.remediation if policy else "",
        result=Result(value["result"]),
        enforcement=Enforcement(value["enforcement"]),
        on_undecided=Enforcement(value["on_undecided"]),
        reason=value["reason"],
        findings=tuple(
            Finding(finding["message"], finding["path"], tuple(Patch(**patch) for patch in finding["patches"]))
            for finding in value["findings"]
        ),
        waivers=_waivers(value),
        facts=value["facts"],
    )


def _bundle(digest: str, values: Sequence[Mapping[str, Any]]) -> PolicySet:
    policies = {
        value["name"]: PolicyMetadata(
            **{
                **value,
                "severity": Severity(value["severity"]),
                "subjects": frozenset(value["subjects"]),
                "needs": frozenset(value["needs"]),
                "references": tuple(value["references"]),
            }
        )
        for value in values
    }
    return PolicySet(digest=digest, modules=(), policies=policies)
