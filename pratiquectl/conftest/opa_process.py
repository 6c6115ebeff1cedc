"""One OPA process for a whole run: started on a socket in a private directory, asked over a few connections, ended.

Plain sockets and no event loop: most runs are over in a tenth of a second, of which importing asyncio would be half.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.gojson import decode

START_SECONDS = 60.0
"""For OPA to load and compile; it takes a twentieth of a second, on a machine that is not busy."""
WINDOW_BYTES = 64 * 1024
"""Of requests sent ahead of their answers on one connection; less than a socket buffers, so nobody waits for both."""
WINDOW_REQUESTS = 16
CONNECTIONS = 2
"""Requests in the making at a time: one for each of two cores is what was measured to be fastest."""
MAX_HEAD_BYTES = 64 * 1024
MAX_PARENT_BYTES = 80
"""Of the folder that the private one is made in: the address of a socket holds 108 bytes at most."""
KEPT_ERRORS_BYTES = 64 * 1024
"""What is kept of what OPA writes, for a message."""

_PDEATHSIG = 1
"""prctl's PR_SET_PDEATHSIG: OPA ends when we do, however that happens."""


class OpaTimeout(ConftestError):
    """A policy did not come to an end."""


class Answer:
    """The status and the JSON of a response."""

    __slots__ = ("body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body

    def json(self) -> Any:
        return decode(self.body)


class Request:
    """One request: path with query, content type and body."""

    __slots__ = ("body", "content_type", "method", "target")

    def __init__(self, method: str, target: str, body: bytes = b"", content_type: str = "application/json") -> None:
        self.method = method
        self.target = target
        self.body = body
        self.content_type = content_type

    def encode(self) -> bytes:
        head = (
            f"{self.method} {self.target} HTTP/1.1\r\nHost: opa\r\nContent-Type: {self.content_type}\r\n"
            f"Content-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


@contextlib.contextmanager
def private_directory() -> Iterator[Path]:
    """A folder of our own for the length of the block."""
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) > MAX_PARENT_BYTES:
        parent = "/tmp"  # noqa: S108 - mkdtemp makes a name that nobody can guess or take
    path = Path(tempfile.mkdtemp(prefix="pratique-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for OPA: without the variables that it would take for flags."""
    return {name: value for name, value in environ.items() if not name.startswith("OPA_")}


def die_with_parent() -> Callable[[], None] | None:
    """For `preexec_fn`: the child is killed when its parent ends, on Linux."""
    if not Path("/proc/self").exists():
        return None
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def set_signal() -> None:
        prctl(_PDEATHSIG, signal.SIGKILL)

    return set_signal


class OpaProcess:
    """`opa run --server` on `arguments`: `launch`, then `connect`, and `end` in any case."""

    def __init__(self, binary: Path, arguments: Sequence[str], *, directory: Path, logs: bool, timeout: float) -> None:
        self._binary = binary
        self._arguments = arguments
        self._socket_path = str(directory / "s")
        self.logs = logs
        self._timeout = timeout
        self._lines: deque[bytes] = deque()
        self._news = threading.Condition()
        self._ended = False
        self._connections: list[_Connection] = []

    def launch(self) -> None:
        """Starts the process; it loads while we do something else."""
        self._process = subprocess.Popen(
            [
                *(str(self._binary), "run", "--server", "--addr", f"unix://{self._socket_path}"),
                *("--unix-socket-perm", "600", "--skip-version-check", "--log-format", "json"),
                *("--log-level", "info" if self.logs else "error"),
                *self._arguments,
            ],
            env=child_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # where it says why it does not start; its log goes to the other
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us
            preexec_fn=die_with_parent(),
        )
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()

    def end(self) -> None:
        """Ends the process and waits for its end."""
        for connection in self._connections:
            connection.close()
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read_output(self) -> None:
        stream = self._process.stdout
        assert stream is not None, "it was started with a pipe"  # noqa: S101 - for the type checker
        kept = 0
        for line in stream:
            with self._news:
                self._lines.append(line)
                kept += len(line)
                while not self.logs and kept > KEPT_ERRORS_BYTES:
                    kept -= len(self._lines.popleft())
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def connect(self) -> None:
        """Waits until OPA listens.

        Raises:
            LoadFailed: it ended before, since it refused what it was given.
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self._process.poll() is not None:
                self._reader.join()
                raise LoadFailed(self.said())
            try:
                self._connections.append(_Connection(self._socket_path, self._timeout))
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ConftestError(f"load: OPA does not answer after {START_SECONDS:.0f} s") from error
                time.sleep(0.002)

    def said(self) -> str:
        """What it wrote."""
        with self._news:
            return b"".join(self._lines).decode(errors="replace")

    def ask(self, request: Request) -> Answer:
        """The answer to one request.

        Raises:
            OpaTimeout, ConftestError: there is none.
        """
        (answer,) = self._connections[0].ask([request])
        return answer

    def ask_all(self, requests: Sequence[Request]) -> list[Answer]:
        """The answers to all requests, in their order."""
        if len(requests) < 2 * CONNECTIONS:
            return self._connections[0].ask(requests)
        while len(self._connections) < CONNECTIONS:
            self._connections.append(_Connection(self._socket_path, self._timeout))
        answers: list[Sequence[Answer]] = [()] * CONNECTIONS
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                answers[number] = self._connections[number].ask(requests[number::CONNECTIONS])
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return [answers[number % CONNECTIONS][number // CONNECTIONS] for number in range(len(requests))]

    def prints(self) -> list[str]:
        """What `print` wrote in the requests answered so far and not yet asked for, each with its place."""
        found: list[str] = []
        deadline = time.monotonic() + self._timeout
        with self._news:
            while True:
                while self._lines:
                    entry = _log_entry(self._lines.popleft())
                    if entry.get("msg") == "Sent response." and "req_id" in entry:
                        return found
                    if "line" in entry and "req_id" in entry:
                        found.append(f"{entry['line']}: {entry['msg']}\n")
                if self._ended or not self._news.wait(max(0.0, deadline - time.monotonic())):
                    raise ConftestError("OPA ended, or does not say what was printed")


class LoadFailed(ConftestError):
    """OPA refused what it was given; the text is what it said."""


def _log_entry(line: bytes) -> dict[str, Any]:
    try:
        entry = decode(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


class _Connection:
    """HTTP/1.1 with requests sent ahead. Not for several threads at a time."""

    def __init__(self, path: str, timeout: float) -> None:
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._buffer = b""

    def close(self) -> None:
        self._socket.close()

    def ask(self, requests: Sequence[Request]) -> list[Answer]:
        answers: list[Answer] = []
        sent = outstanding_bytes = 0
        sizes: deque[int] = deque()
        try:
            while len(answers) < len(requests):
                batch = []
                while (
                    sent < len(requests)
                    and len(sizes) < WINDOW_REQUESTS
                    and (not sizes or outstanding_bytes + len(requests[sent].body) < WINDOW_BYTES)
                ):
                    data = requests[sent].encode()
                    batch.append(data)
                    sizes.append(len(data))
                    outstanding_bytes += len(data)
                    sent += 1
                if batch:
                    self._socket.sendall(b"".join(batch))
                answers.append(self._read())
                outstanding_bytes -= sizes.popleft()
        except TimeoutError as error:
            message = f"evaluating policy: no answer within {self._timeout:g} s: does a policy loop? (--timeout)"
            raise OpaTimeout(message) from error
        except OSError as error:
            raise ConftestError(f"evaluating policy: OPA went away: {error}") from error
        return answers

    def _read(self) -> Answer:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise OSError("the head of an answer does not end")
            self._receive()
        head, self._buffer = self._buffer[:end].lower(), self._buffer[end + 4 :]
        status = int(head[9:12])
        found = head.find(b"\r\ncontent-length:")
        if found >= 0:
            length = int(head[found + 17 :].split(b"\r\n", 1)[0])
            return Answer(status, self._take(length))
        if b"\r\ntransfer-encoding: chunked" not in head:
            return Answer(status, b"")
        parts = []
        while size := int(self._line(), 16):
            parts.append(self._take(size))
            self._line()
        self._line()
        return Answer(status, b"".join(parts))

    def _take(self, length: int) -> bytes:
        if len(self._buffer) < length:
            parts, missing = [self._buffer], length - len(self._buffer)
            while missing > 0:
                self._buffer = b""
                self._receive()
                parts.append(self._buffer)
                missing -= len(self._buffer)
            self._buffer = b"".join(parts)
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._receive()
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _receive(self) -> None:
        data = self._socket.recv(256 * 1024)
        if not data:
            raise OSError("it closed the connection")
        self._buffer += data
