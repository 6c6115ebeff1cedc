"""One OPA process of ours: how it is started, watched, listened to and ended without a trace."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from evaluators.opa_binary import read_version
from evaluators.opa_client import EMPTY_DOCUMENT, Pool, evaluate, http_request
from pratique.errors import EvaluationError
from pratique.private_directory import PrivateDirectory

log = logging.getLogger(__name__)

T = TypeVar("T")

START_SECONDS = 10.0
"""How long a child may take until it gives its first answer; 0.1 s is usual."""
WATCH_SECONDS = 0.25
"""How often it is checked that a child with requests under way still answers."""
PING_SECONDS = 0.75
"""How long a child that stopped answering may take for a health check before it counts as hanging."""
MAX_LOG_LINE_BYTES = 2048
"""Protects our log from a child that floods it."""
_LEVELS = {"error": logging.ERROR, "fatal": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}
SOCKET = "opa.sock"

_SHIM = """\
import ctypes, os, sys
parent, *command = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
if os.getppid() != int(parent):
    sys.exit("the parent is gone")
os.execve(command[0], command, {name: os.environ[name] for name in ("GOGC", "GOMAXPROCS", "GOMEMLIMIT")})
"""
"""What runs between fork and OPA, for 20 ms, leaving nothing behind: a Python of our own that becomes OPA.

PR_SET_PDEATHSIG makes the kernel kill OPA when we die, however we die. It survives `exec`, so it needs no guard process
that stays (10 MB), no `setpriv` (not in every image) and no `preexec_fn` (runs Python after a fork of a process with
threads: may deadlock). It fires when the *thread* that forked ends, which is the one that runs the event loop. A parent
that died before the call is noticed by its process id. The OOM score makes the kernel choose the engine, which is
replaced, and not us.
"""


class Child:
    """One `opa run --server`, its private directory that holds the bundle and the socket, and our connections to it."""

    def __init__(self, process: asyncio.subprocess.Process, directory: PrivateDirectory) -> None:
        self._process = process
        self._directory = directory
        self._exited = asyncio.create_task(process.wait())
        self._last_words: deque[str] = deque(maxlen=5)
        self._listening = asyncio.create_task(self._forward_log())
        self.pool = Pool(lambda factory: asyncio.get_running_loop().create_unix_connection(factory, directory.socket))

    @classmethod
    async def start(
        cls,
        binary: Path,
        files: Mapping[str, str],
        *,
        digest: str,
        environment: Mapping[str, str],
        directory: Path | None,
    ) -> Child:
        """A child that has answered for `digest`.

        Raises:
            ConfigError: there is no place for the socket.
            EvaluationError: it ended, did not answer in time, or answered for another bundle.
            OSError: it could not be started at all.
        """
        private = PrivateDirectory(directory, socket=SOCKET)
        try:
            private.write(files)
            process = await _run_to_end(
                asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid())),
                    *(str(binary), "run", "--server", "--bundle", "bundle", "--addr", f"unix://{SOCKET}"),
                    *("--unix-socket-perm", "600", "--skip-version-check"),
                    *("--log-level", "error", "--log-format", "json"),
                    cwd=private.path,  # a relative address keeps spaces and % in the path away from OPA's URL parser
                    env={**os.environ, **environment},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                    start_new_session=True,  # Ctrl-C is for us, who finish first what is in flight
                ),
                undo=_reap,
            )
        except BaseException:
            private.remove()
            raise
        child = cls(process, private)
        try:
            async with asyncio.timeout(START_SECONDS):
                await child._connected()
                deadline = time.monotonic() + START_SECONDS
                await evaluate(child.pool, [EMPTY_DOCUMENT], deadline=deadline, digest=digest)
        except BaseException as error:
            await child.end("OPA did not start")
            if isinstance(error, TimeoutError):
                raise EvaluationError(f"OPA gave no answer for {START_SECONDS:.0f} s after its start") from error
            raise
        return child

    async def lost(self) -> str:
        """Wait until the child has ended, or hangs; which of the two, as a sentence."""
        while True:
            answers = self.pool.answers
            await asyncio.wait([self._exited], timeout=WATCH_SECONDS)
            if self._exited.done():
                return self._how_it_ended()
            if self.pool.outstanding and self.pool.answers == answers:
                alive = await self._answers_ping()
                if not alive and not self._exited.done() and self.pool.answers == answers:
                    return f"OPA (process {self._process.pid}) hangs and is ended: no answer to a health check"

    async def end(self, reason: str) -> None:
        """Fail what is outstanding, at once; then kill the process, wait for its end and remove the directory."""
        self.pool.close(reason)
        _kill(self._process)
        await asyncio.wait([self._exited, self._listening])
        self._directory.remove()

    async def _connected(self) -> None:
        while True:
            try:
                await self.pool.open()
                return
            except OSError as error:
                if self._exited.done():
                    await asyncio.wait([self._listening])
                    said = "; ".join(self._last_words) or "it said nothing"
                    raise EvaluationError(f"{self._how_it_ended()}: {said}") from error
                await asyncio.sleep(0.01)

    async def _answers_ping(self) -> bool:
        """On a connection of its own: those of the pool may all be busy with slow policies."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._directory.socket)
                try:
                    writer.write(http_request("GET", "/health"))
                    return bool(await reader.read(1))
                finally:
                    writer.close()
        except OSError:  # TimeoutError is one
            return False

    def _how_it_ended(self) -> str:
        status = self._exited.result()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"OPA (process {self._process.pid}) {how}"

    async def _forward_log(self) -> None:
        stderr = cast(asyncio.StreamReader, self._process.stderr)  # it was started with a pipe
        rest = b""
        while chunk := await stderr.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._forward(line)
            rest = rest[:MAX_LOG_LINE_BYTES]
        if rest:
            self._forward(rest)

    def _forward(self, line: bytes) -> None:
        text = line[:MAX_LOG_LINE_BYTES].decode(errors="replace")
        level, message = logging.ERROR, text
        with contextlib.suppress(ValueError, TypeError, LookupError):  # not one of OPA's JSON lines: forwarded as it is
            entry = json.loads(text)
            level = _LEVELS[entry["level"]]
            message = " ".join(str(entry[key]) for key in ("msg", "err", "error") if key in entry) or text
        self._last_words.append(message)
        log.log(level, "OPA (process %d): %s", self._process.pid, message)


async def run_opa(binary: Path, *arguments: str, cwd: Path | None = None) -> tuple[int, bytes, bytes]:
    """Exit status, standard output and standard error of a short command. Raises: EvaluationError, OSError."""
    process = await _run_to_end(
        asyncio.create_subprocess_exec(
            *(str(binary), *arguments),
            cwd=cwd,
            env={},  # OPA takes flags from variables, which are not meant for us
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        ),
        undo=_reap,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError as error:
        raise EvaluationError(f"{binary} {arguments[0]} did not end within {START_SECONDS:.0f} s") from error
    finally:
        await _reap(process)
    return process.returncode or 0, output, errors


async def _run_to_end(work: Coroutine[Any, Any, T], *, undo: Callable[[T], Awaitable[object]]) -> T:
    """Await `work` to its end even if we are cancelled, and undo it then: a process half started would be an orphan."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await undo(await task)
        raise


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            process.kill()


async def _reap(process: asyncio.subprocess.Process) -> None:
    _kill(process)
    await process.communicate()  # until its pipes are closed, too


async def opa_version(binary: Path) -> str:
    """The version that `binary version` prints, such as `1.22.0`.

    Raises:
        EvaluationError: it does not run, or it is not OPA.
    """
    try:
        status, output, errors = await run_opa(binary, "version")
    except OSError as error:
        raise EvaluationError(f"{binary} cannot be run: {error}") from error
    return read_version(output, binary=binary, status=status, errors=errors)
