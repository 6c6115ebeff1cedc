"""The embedded engine: regopy (rego-cpp) in a pool of worker processes. Needs no binary.

A worker that crashes, hangs or answers rubbish costs the request in flight an EvaluationError and is replaced at once.
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
from collections.abc import AsyncIterator, Sequence
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
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        self._all: set[_Worker] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._in_flight = 0
        self._quiet = asyncio.Event()
        self._closed = False

    async def load(self, policies: PolicySet) -> None:
        """Start every worker on `policies`, and wait until each has answered a probe for this digest.

        Raises:
            EvaluationError: regopy does not compile the bundle, or does not start.
        """
        if self._keepers or self._closed:
            raise EvaluationError("regopy: a changed bundle is a new evaluator; this one was loaded already")
        self._digest = policies.digest
        self._bundle = _bundle(policies)
        starts = [asyncio.create_task(self._start()) for _ in range(self._size)]
        done = await asyncio.gather(*starts, return_exceptions=True)
        for failure in done:
            if isinstance(failure, BaseException):
                await self.close()
                raise failure
        self._keepers = [asyncio.create_task(self._keep(worker)) for worker in done if isinstance(worker, _Worker)]

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        """See `Evaluator.evaluate`. One worker answers all documents, one after the other.

        Raises:
            RuleError: regopy answered with an error, or cannot be given the document.
            EvaluationError: no worker became free in time, or the worker crashed, hung or answered rubbish.
        """
        asked = [_policies_asked(document) for document in documents]
        answers = []
        async with self._worker(deadline) as worker:
            for document in documents:
                answers.append(await worker.ask(document, deadline))
        return [_results(body, policies, self._digest) for body, policies in zip(answers, asked, strict=True)]

    async def close(self) -> None:
        """See `Evaluator.close`. Requests in flight end at the latest at their own deadlines."""
        self._closed = True
        while self._in_flight:
            self._quiet.clear()
            await self._quiet.wait()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(worker.stop() for worker in list(self._all)))
        self._all.clear()

    @property
    def worker_pids(self) -> frozenset[int]:
        """The process ids of the workers that run now."""
        return frozenset(worker.pid for worker in self._all if worker.alive)

    @contextlib.asynccontextmanager
    async def _worker(self, deadline: float) -> AsyncIterator[_Worker]:
        """A free worker, handed back afterwards unless it died or was stopped in mid-answer."""
        if self._closed or not self._keepers:
            raise EvaluationError("regopy: the engine is not running")
        self._in_flight += 1
        try:
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    worker = await self._idle.get()
                    while not worker.alive:
                        worker = await self._idle.get()
            except TimeoutError:
                raise EvaluationError("regopy: no worker became free before the deadline") from None
            try:
                yield worker
            finally:
                if worker.alive:
                    if worker.queries < self._max_queries:
                        self._idle.put_nowait(worker)
                    else:
                        worker.retire()
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._quiet.set()

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

    async def _start(self) -> _Worker:
        """A worker that has answered the probe, and is free."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        worker = await _Worker.spawn()
        self._all.add(worker)
        try:
            await worker.ask(self._bundle, deadline)
            _results(await worker.ask(b'{"policies":[]}', deadline), (), self._digest)
        except BaseException:
            worker.kill()
            await worker.ended()
            self._all.discard(worker)
            raise
        worker.queries = 0
        self._idle.put_nowait(worker)
        return worker


class _Worker:
    """One process and the two pipes to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a worker is spoken to through pipes")
        self._process = process
        self._to, self._from = process.stdin, process.stdout
        self._usable = True
        self.retired = False
        self.queries = 0

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
        return self._usable and self._process.returncode is None

    async def ask(self, body: bytes, deadline: float) -> bytes:
        """The answer to one frame; a worker that does not give a whole one in time is killed, and never asked again.

        Raises:
            RuleError: the worker answered that the document cannot be evaluated; it goes on.
            EvaluationError: there is no whole answer.
        """
        if len(body) > MAX_FRAME_BYTES:
            raise EvaluationError(f"regopy: a document of {len(body)} bytes is too large")
        self.queries += 1
        whole = False
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                self._to.write(struct.pack(">I", len(body)) + body)
                await self._to.drain()
                (length,) = struct.unpack(">I", await self._from.readexactly(4))
                if not 0 < length <= MAX_FRAME_BYTES:
                    raise EvaluationError("regopy: a worker's answer is malformed")
                answer = await self._from.readexactly(length)
            whole = True
        except TimeoutError:
            raise EvaluationError("regopy: a worker did not answer before the deadline, and was killed") from None
        except (OSError, asyncio.IncompleteReadError) as error:
            raise EvaluationError("regopy: a worker died while it evaluated") from error
        finally:
            if not whole:
                self.kill()
        if answer[:1] != ANSWERED:
            raise RuleError(f"regopy: {answer[1:].decode(errors='replace')}")
        return answer[1:]

    def kill(self) -> None:
        """End the process now. What it was asked stays unanswered."""
        self._usable = False
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
        """Close stdin, on which the process ends; kill it if it does not."""
        self._usable = False
        self._to.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()


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
    modules = [(module.path, raw_strings(module.text)) for module in policies.modules]
    data = json.dumps(policies.data, ensure_ascii=False).replace('\\"', QUOTE)
    if "\\" in data:
        raise EvaluationError(
            "regopy cannot hold data with backslashes or control characters; write them into the policy"
        )
    queries = {name: _queries(metadata) for name, metadata in policies.policies.items()}
    bundle = {"digest": policies.digest, "modules": modules, "data": orjson.loads(data), "queries": queries}
    return orjson.dumps(bundle)


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


def raw_strings(text: str) -> str:
    """The module with every string literal such that regopy holds the characters it stands for.

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
        if token.kind in ("string", "raw"):
            literal = _pattern(token.value) if index in patterns else _literal(token.value)
            if literal != token.text:
                edits.append((token.start, token.end, literal))
    parts, position = [], 0
    for start, end, replacement in sorted(edits):
        parts += [text[position:start], replacement]
        position = end
    return "".join(parts) + text[position:]


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
