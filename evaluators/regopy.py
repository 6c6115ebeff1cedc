"""The embedded engine: regopy (rego-cpp) in a pool of worker processes. Needs no binary.

A worker that crashes, hangs or answers rubbish costs the request in flight an EvaluationError and is replaced at once.
More requests than the workers can serve cost no worker: what would wait for too long is refused at once, and what is
answered too late is thrown away.

Whether a worker hangs is told from what the kernel says of its process, not from the clock: on an overloaded machine a
worker may wait for the processor for longer than any document takes, and to replace it then would make things worse. A
process that holds a document is either running, or ready to run, or waits for the disk; one that is in none of these
states and uses no processor time, look after look, is stopped or waits for what will not come. Where the kernel does
not tell (there is no /proc), a hang ends at the deadline of the request.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.metadata
import json
import os
import re
import struct
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from evaluators.entry import parse_results
from evaluators.regopy_worker import ANSWERED, MAX_FRAME_BYTES, QUOTE
from pratique.errors import EvaluationError, RuleError
from pratique.evaluator import Results
from pratique.policy import PolicyMetadata, PolicySet
from pratique.rego import Token, tokenize

WORKER = Path(__file__).with_name("regopy_worker.py")

START_TIMEOUT_SECONDS = 30.0
"""For a worker to import regopy, compile the bundle and answer the probe; far above the 0.3 s that it takes."""
STOP_TIMEOUT_SECONDS = 1.0
"""For a worker to end once its stdin is closed, before it is killed."""
BACK_OFF_SECONDS = (0.0, 0.05, 0.2, 0.5, 1.0)
"""Waits between attempts to replace a worker that dies at start-up; service must be back 2 s after it can start."""
MAX_QUERIES = 50_000
"""After so many documents a worker is replaced: bounds what a slow leak in regopy can cost."""
DOCUMENT_SECONDS = 1.0
"""What a worker may take for a document at least, also if less is left until the deadline: protects a healthy worker
from being killed for a request that came to it late. A document takes 7 ms."""
WATCH_SECONDS = 0.1
"""Between two looks at the workers."""
HANG_LOOKS = 4
"""After so many looks in a row that find a worker with a document standing still, it hangs. Looks are counted, not
seconds: between two of them the event loop has read what had come, however late it was itself."""
QUEUE_SHARE = 1 / 3
"""The part of its time that a request may wait for a worker. The rest is for what we do not see: on an overloaded
machine an API server was measured to spend 1 to 3 s of its 5 s on connecting, sending and reading our answer."""
_PACE_WEIGHT = 0.1
"""Of a document that took longer than was expected; one that took less sets the pace. So the pace is the best of late,
and what is refused for it would have waited in vain: in the peak of a burst, when answers wait for the event loop, a
document seems to take ten times as long as a moment later."""


class RegopyEvaluator:
    """An Evaluator on `workers` regopy processes (default: one for each core)."""

    name = "regopy"

    def __init__(self, *, workers: int | None = None, max_queries: int = MAX_QUERIES) -> None:
        self.version = importlib.metadata.version("regopy")
        self.restarts = 0
        self._size = workers or os.cpu_count() or 1
        self._max_queries = max_queries
        self._digest = ""
        self._bundle = b""
        self._idle: list[_Worker] = []  # empty while somebody waits
        self._waiters: deque[asyncio.Future[_Worker]] = deque()
        self._all: set[_Worker] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._late: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._pace_seconds = 0.0
        self._in_flight = 0
        self._quiet = asyncio.Event()
        self._closed = False

    async def load(self, policies: PolicySet, *, asked: Collection[str] | None = None) -> None:
        """Start every worker on what is asked of `policies`, and wait until each has answered a probe for this digest.

        What a query costs grows with all that was compiled with it, twofold from 7 policies to 93.

        Raises:
            EvaluationError: regopy does not compile the bundle, or does not start.
        """
        if self._keepers or self._closed:
            raise EvaluationError("regopy: a changed bundle is a new evaluator; this one was loaded already")
        self._digest = policies.digest
        part = policies if asked is None else policies.only(asked)
        if part is not policies:
            await self._check(_bundle(policies))
        self._bundle = _bundle(part)
        starts = [asyncio.create_task(self._start()) for _ in range(self._size)]
        done = await asyncio.gather(*starts, return_exceptions=True)
        for failure in done:
            if isinstance(failure, BaseException):
                await self.close()
                raise failure
        self._keepers = [asyncio.create_task(self._keep(worker)) for worker in done if isinstance(worker, _Worker)]
        self._keepers.append(asyncio.create_task(self._watch()))

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        """See `Evaluator.evaluate`. One worker answers all documents, one after the other.

        Raises:
            RuleError: regopy answered with an error, or cannot be given the document.
            EvaluationError: no worker became free in time or can be expected to, or the worker crashed, hung or
                answered rubbish.
        """
        asked = [_policies_asked(document) for document in documents]
        answers = []
        async with self._worker(deadline, len(documents)) as worker:
            for document in documents:
                before = time.monotonic()
                answers.append(await worker.ask(document, deadline))
                self._measure(time.monotonic() - before)
        return [_results(body, policies, self._digest) for body, policies in zip(answers, asked, strict=True)]

    async def close(self) -> None:
        """See `Evaluator.close`. Requests in flight end at the latest at their own deadlines."""
        self._closed = True
        while self._in_flight:
            self._quiet.clear()
            await self._quiet.wait()
        tasks = (*self._keepers, *self._late)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(worker.stop() for worker in list(self._all)))
        self._all.clear()

    @property
    def worker_pids(self) -> frozenset[int]:
        """The process ids of the workers that run now."""
        return frozenset(worker.pid for worker in self._all if worker.alive)

    @contextlib.asynccontextmanager
    async def _worker(self, deadline: float, documents: int) -> AsyncIterator[_Worker]:
        """A free worker for so many documents, handed back afterwards unless it died."""
        if self._closed or not self._keepers:
            raise EvaluationError("regopy: the engine is not running")
        self._in_flight += 1
        try:
            worker = await self._free_worker(deadline, documents)
            try:
                yield worker
            finally:
                self._hand_back(worker)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._quiet.set()

    async def _free_worker(self, deadline: float, documents: int) -> _Worker:
        """Raises: EvaluationError, at once where no worker can be expected to become free in time."""
        seconds = deadline - time.monotonic()
        expected = self._waiting * self._pace_seconds / self._size
        if expected >= seconds:
            raise EvaluationError(
                f"regopy is overloaded: {self._waiting} documents wait before this one, which takes about "
                f"{expected:.1f} s, and it has {max(0.0, seconds):.1f} s; retry"
            )
        self._waiting += documents
        try:
            async with asyncio.timeout(seconds * QUEUE_SHARE):
                while True:
                    worker = self._idle.pop() if self._idle else await self._next_worker()
                    if worker.alive:
                        return worker
        except TimeoutError:
            raise EvaluationError("regopy: no worker became free in time; retry") from None
        finally:
            self._waiting -= documents

    async def _next_worker(self) -> _Worker:
        """The next worker that becomes free. First come, first served: an `asyncio.Queue` gives what is put into it to
        whoever asks before the one that it woke runs, who then waits behind all others."""
        waiter: asyncio.Future[_Worker] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._offer(waiter.result())
            raise

    def _offer(self, worker: _Worker) -> None:
        """Give a free worker to the one who has waited longest."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(worker)
                return
        self._idle.append(worker)

    def _measure(self, seconds: float) -> None:
        """Take into account how long a document took."""
        pace = self._pace_seconds
        self._pace_seconds = min(seconds, pace + _PACE_WEIGHT * (seconds - pace)) if pace else seconds

    def _hand_back(self, worker: _Worker) -> None:
        if not worker.alive:
            return
        if worker.evaluates:
            late = asyncio.create_task(self._hand_back_late(worker))
            self._late.add(late)
            late.add_done_callback(self._late.discard)
        elif worker.queries < self._max_queries:
            self._offer(worker)
        else:
            worker.retire()

    async def _hand_back_late(self, worker: _Worker) -> None:
        await worker.finish()
        self._hand_back(worker)

    async def _watch(self) -> None:
        """Kill the workers that hang, for as long as this task runs."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for worker in tuple(self._all):
                worker.look()

    async def _keep(self, worker: _Worker) -> None:
        """Replace a worker whenever it ends, for as long as this task runs."""
        while True:
            await worker.ended()
            self._all.discard(worker)
            if not worker.retired:
                self.restarts += 1
            worker = await self._replacement()

    async def _replacement(self) -> _Worker:
        attempt = 0
        while True:
            await asyncio.sleep(BACK_OFF_SECONDS[min(attempt, len(BACK_OFF_SECONDS) - 1)])
            try:
                return await self._start()
            except EvaluationError:
                attempt += 1

    async def _check(self, bundle: bytes) -> None:
        """Have a worker compile a bundle that none will answer for. Raises: EvaluationError."""
        worker = await self._started_on(bundle)
        worker.kill()
        await worker.ended()
        self._all.discard(worker)

    async def _started_on(self, bundle: bytes) -> _Worker:
        """A worker that has answered the probe."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        worker = await _Worker.spawn()
        self._all.add(worker)
        try:
            await worker.ask(bundle, deadline)
            _results(await worker.ask(b'{"policies":[]}', deadline), (), self._digest)
        except BaseException:
            worker.kill()
            await worker.ended()
            self._all.discard(worker)
            raise
        return worker

    async def _start(self) -> _Worker:
        """A worker that has answered the probe, and is free."""
        worker = await self._started_on(self._bundle)
        worker.queries = 0
        worker.serves = True
        self._offer(worker)
        return worker


class _Worker:
    """One process and the two pipes to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a worker is spoken to through pipes")
        self._process = process
        self._to, self._from = process.stdin, process.stdout
        self._usable = True
        self._killed_because = ""
        self._answer_bytes: int | None = None  # of the answer whose head has been read
        self._limit = 0.0
        self._last_look: _Look | None = None
        self._looks_alike = 0
        self.serves = False
        """Whether it has been given to requests: a worker that starts may wait for slow disks, and is not watched."""
        self.retired = False
        self.queries = 0
        self.evaluates = False
        """Whether it owes the answer to a document, be it one that nobody waits for any more."""

    @classmethod
    async def spawn(cls) -> _Worker:
        """Start a process, by path and isolated: what lies in the current folder or PYTHONPATH is not imported."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", str(WORKER), str(os.getpid())),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # regopy writes parts of documents there
            )
        except OSError as error:
            raise EvaluationError(f"regopy: a worker could not be started: {error.strerror}") from error
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._usable and self._process.returncode is None and not self._to.is_closing()

    async def ask(self, body: bytes, deadline: float) -> bytes:
        """The answer to one frame. Where it does not come in time, `finish` must be called before the next is asked.

        Raises:
            RuleError: the worker answered that the document cannot be evaluated; it goes on.
            EvaluationError: there is no whole answer; a worker that died or answered rubbish is never asked again.
        """
        if len(body) > MAX_FRAME_BYTES:
            raise EvaluationError(f"regopy: a document of {len(body)} bytes is too large")
        now = time.monotonic()
        self.queries += 1
        self.evaluates = True
        self._limit = max(deadline, now + DOCUMENT_SECONDS)
        try:
            async with asyncio.timeout(deadline - now):
                self._to.write(struct.pack(">I", len(body)) + body)
                answer = await self._read_answer()
        except TimeoutError:
            raise EvaluationError("regopy: a worker did not answer before the deadline") from None
        if answer[:1] != ANSWERED:
            raise RuleError(f"regopy: {answer[1:].decode(errors='replace')}")
        return answer[1:]

    async def finish(self) -> None:
        """Throw away the answer that comes too late; kill a worker that does not give it within the document's limit.

        The limit is the deadline of the request, but `DOCUMENT_SECONDS` at least.
        """
        try:
            async with asyncio.timeout(self._limit - time.monotonic()):
                await self._read_answer()
        except TimeoutError:
            self.kill("a worker took too long for a document, and was killed")
        except EvaluationError:
            pass  # it is dead, and will be replaced

    async def _read_answer(self) -> bytes:
        """The frame that is owed; where this is cancelled, the next call goes on with the same frame.

        Raises:
            EvaluationError: the worker died or answered rubbish, and is dead now.
        """
        try:
            if self._answer_bytes is None:
                (self._answer_bytes,) = struct.unpack(">I", await self._from.readexactly(4))
            if not 0 < self._answer_bytes <= MAX_FRAME_BYTES:
                raise EvaluationError("regopy: a worker's answer is malformed")
            answer = await self._from.readexactly(self._answer_bytes)
        except (OSError, EOFError, EvaluationError) as error:
            self.kill("a worker died while it evaluated")
            if isinstance(error, EvaluationError):
                raise
            raise EvaluationError(f"regopy: {self._killed_because}") from error
        self._answer_bytes = None
        self.evaluates = False
        return answer

    def look(self) -> None:
        """Kill the process if it has stood still with a document for `HANG_LOOKS` looks in a row."""
        look = _Look.at(self.pid, self.queries) if self.serves and self.evaluates and self.alive else None
        self._looks_alike = self._looks_alike + 1 if look is not None and look == self._last_look else 0
        self._last_look = look
        if self._looks_alike >= HANG_LOOKS:
            self.kill("a worker stood still while it evaluated, and was killed")

    def kill(self, reason: str = "") -> None:
        """End the process now. What it was asked stays unanswered, for `reason`; the first one given counts."""
        self._usable = False
        self._killed_because = self._killed_because or reason
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def retire(self) -> None:
        """Let the process end after a good life."""
        self._usable = False
        self.retired = True
        self._to.close()

    async def ended(self) -> None:
        await self._process.wait()
        self._usable = False
        self._to.close()

    async def stop(self) -> None:
        """Close stdin, on which the process ends; kill it if it does not, or still evaluates for nobody."""
        if self.evaluates:
            self.kill()
        self._usable = False
        self._to.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()


@dataclass(frozen=True, slots=True)
class _Look:
    """A process that is neither running nor waiting for the processor or the disk: equal looks mean that it stands
    still."""

    queries: int
    processor_ticks: int

    @classmethod
    def at(cls, pid: int, queries: int) -> _Look | None:
        """None where it is not seen to stand still (proc_pid_stat(5))."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:  # it has just ended, or this is no Linux
            return None
        state, user, system = fields[0], fields[11], fields[12]
        return None if state in (b"R", b"D") else cls(queries, int(user) + int(system))


def _policies_asked(document: bytes) -> Sequence[str]:
    try:
        asked = orjson.loads(document)["policies"]
    except (orjson.JSONDecodeError, TypeError, KeyError) as error:
        raise EvaluationError("the document is not JSON that names its policies") from error
    if not isinstance(asked, list) or not all(isinstance(policy, str) for policy in asked):
        raise EvaluationError("the document's policies are not a list of names")
    return asked


def _results(body: bytes, asked: Sequence[str], digest: str) -> Results:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise EvaluationError("regopy: a worker's answer is not JSON") from error
    results = parse_results(value, asked, digest)
    for result in results.by_policy.values():
        for findings in (result.violations, result.patches):
            if len(findings) > 1:
                findings.sort(key=_order)  # type: ignore[attr-defined]  # a list, as `parse_results` has checked
    return results


def _order(finding: dict[str, Any]) -> tuple[list[str], str]:
    """OPA's order of objects in a set, which regopy does not keep: by their keys, then by their values."""
    return sorted(finding), json.dumps([finding[key] for key in sorted(finding)], ensure_ascii=False)


# What a worker loads.


def _bundle(policies: PolicySet) -> bytes:
    modules = [(module.path, rewritten(module.text)) for module in policies.modules]
    modules.append(("pratique_regopy.rego", _SORTED))
    data = json.dumps(policies.data, ensure_ascii=False).replace('\\"', QUOTE)
    if "\\" in data:
        raise EvaluationError(
            "regopy cannot hold data with backslashes or control characters; write them into the policy"
        )
    queries = {name: _queries(metadata) for name, metadata in policies.policies.items()}
    return orjson.dumps({"digest": policies.digest, "modules": modules, "data": orjson.loads(data), "queries": queries})


def bundle_of(modules: Sequence[tuple[str, str]], queries: Mapping[str, Mapping[str, str]]) -> bytes:
    """The first frame for a worker that is to answer `queries` on other modules than ours, each document being the
    `input` beside its `policies`."""
    texts = [(path, rewritten(text)) for path, text in modules]
    texts.append(("pratique_regopy.rego", _SORTED))
    return orjson.dumps({"digest": "", "modules": texts, "data": {}, "queries": queries, "wrapped": True})


def _queries(metadata: PolicyMetadata) -> dict[str, str]:
    """regopy's entry point for each rule of a policy.

    One query for each rule is a quarter faster here than one for all through the entry module that OPA is asked.
    """
    rules = ["violations", "patches"] if metadata.has_patches else ["violations"]
    return {rule: f"policies/{metadata.name.replace('-', '_')}/{rule}" for rule in rules}


_PATTERN_ARGUMENT = {
    "find_all_string_submatch_n": 0,
    "find_n": 0,
    "is_valid": 0,
    "match": 0,
    "replace": 1,
    "split": 0,
}
"""Which argument of each `regex` built-in is the pattern: the one thing that regopy wants escaped."""
_NEEDS_ESCAPE = re.compile(r"[\\\x00-\x1f]")


_SORTED = f"""package pratique_regopy

sorted(xs) := [_text(key) | some key in sort([_key(x) | some x in xs])]

_key(x) := concat("", [replace(x, "{QUOTE}", "!\U0010ffff"), _end]) if is_string(x)

_key(x) := x if not is_string(x)

_text(key) := replace(trim_suffix(key, _end), "!\U0010ffff", "{QUOTE}") if is_string(key)

_text(key) := key if not is_string(key)

_end := base64.decode("AQ==")
"""
"""What stands for `sort`: regopy compares texts as it holds them, with a quotation mark behind each, so that `b` comes
after `b `, and with `QUOTE` in the place of those inside, which comes after every letter. Here each ends with U+0001,
and a quotation mark comes right behind every text that begins with `!`, as it should."""


def rewritten(text: str) -> str:
    """The module such that it means the same to regopy as to OPA: texts, and the order that `sort` gives them.

    regopy keeps literals in their escaped form, so one that needs an escape is written as a call that yields its
    characters; a pattern of a `regex` built-in, which regopy does unescape, stays escaped, or is escaped where it is
    not a literal. Line numbers are kept except behind a raw string of several lines.
    """
    tokens = list(tokenize(text))
    edits: list[tuple[int, int, str]] = []
    patterns = {}
    for index, token in enumerate(tokens):
        if token.text == "regex" and (extent := _pattern_extent(tokens, index)):
            first, last = extent
            if first == last and tokens[first].kind in ("string", "raw"):
                patterns[first] = True
            else:
                edits.append((tokens[first].start, tokens[first].start, "replace("))
                edits.append((tokens[last].end, tokens[last].end, r', substring("\\", 0, 1), "\\")'))
        if token.text == "sort" and _is_call(tokens, index):
            edits.append((token.start, token.end, "data.pratique_regopy.sorted"))
        if token.kind in ("string", "raw"):
            literal = _pattern(token.value) if index in patterns else _literal(token.value)
            if literal != token.text:
                edits.append((token.start, token.end, literal))
    parts, position = [], 0
    for start, end, replacement in sorted(edits):
        parts += [text[position:start], replacement]
        position = end
    return "".join(parts) + text[position:]


def _is_call(tokens: Sequence[Token], index: int) -> bool:
    """Whether the name at `index` is that of a built-in that is called there, and not the part of a reference."""
    return tokens[index + 1 : index + 2] != [] and tokens[index + 1].text == "(" and tokens[index - 1].text != "."


def _pattern(value: str) -> str:
    return json.dumps(value.replace('"', QUOTE), ensure_ascii=False)


def _literal(value: str) -> str:
    value = value.replace('"', QUOTE)
    if _NEEDS_ESCAPE.search(value):
        return f'base64.decode("{base64.b64encode(value.encode()).decode()}")'
    return f'"{value}"'


def _pattern_extent(tokens: Sequence[Token], index: int) -> tuple[int, int] | None:
    """The first and last token of the pattern in the call of a `regex` built-in that begins at `index`."""
    dot, name, opening = (tokens[index + 1 : index + 4] + [None] * 3)[:3]  # type: ignore[operator]  # padding
    if not (dot and name and opening and dot.text == "." and opening.text == "(" and name.text in _PATTERN_ARGUMENT):
        return None
    wanted, argument, depth, first = _PATTERN_ARGUMENT[name.text], 0, 0, index + 4
    for position in range(index + 4, len(tokens)):
        word = tokens[position].text if tokens[position].kind == "operator" else ""
        if depth == 0 and word in (",", ")"):
            if argument == wanted:
                return (first, position - 1) if position > first else None
            if word == ")":
                return None
            argument, first = argument + 1, position + 1
        depth += (word in ("(", "[", "{")) - (word in (")", "]", "}"))
    return None
