"""Jsonnet, evaluated by the engine that conftest has, go-jsonnet; imports are looked for beside the file.

One process evaluates all files of a run (`jsonnet_worker` says why it is one); it is started for the first.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json as stdlib_json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any, cast

from pratiquectl.conftest.parsers import go, json
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.source import Source

TIMEOUT_SECONDS = 30.0
"""Protects a run from a program that never comes to an end."""


def documents(source: Source) -> list[Any]:
    """The one document that the program comes to."""
    if importlib.util.find_spec("_gojsonnet") is None:
        raise ParseError("this needs the package gojsonnet: install pratique[conftest]")
    folder = str(Path(source.path).parent.absolute())
    answer = _worker.ask({"program": go.text(source.content), "folder": str(Path.cwd()), "paths": [folder]})
    if "error" in answer:
        raise ParseError(answer["error"])
    return [json.loads(answer["result"].encode())]


class _Worker:
    """The process, started when it is first asked, and again after it ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to `request`.

        Raises:
            ParseError: the process ended, or took too long; the next question starts another.
        """
        body = stdlib_json.dumps(request).encode()
        with self._lock:
            process = self._process = self._process or self._start()
            try:
                stdin = cast(IO[bytes], process.stdin)
                stdin.write(struct.pack(">I", len(body)) + body)
                stdin.flush()
                deadline = time.monotonic() + TIMEOUT_SECONDS
                (length,) = struct.unpack(">I", self._read(process, 4, deadline))
                return cast(dict[str, Any], stdlib_json.loads(self._read(process, length, deadline)))
            except TimeoutError as error:
                self._stop()
                raise ParseError(f"the program takes longer than {TIMEOUT_SECONDS:g} seconds") from error
            except (OSError, EOFError) as error:
                self._stop()
                raise ParseError("the program is nested too deep, or takes too much memory") from error

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._stop()

    def _start(self) -> subprocess.Popen[bytes]:
        program = Path(__file__).with_name("jsonnet_worker.py")
        return subprocess.Popen(
            [sys.executable, "-I", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _read(self, process: subprocess.Popen[bytes], length: int, deadline: float) -> bytes:
        stdout = cast(IO[bytes], process.stdout)
        read = bytearray()
        while len(read) < length:
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            chunk = os.read(stdout.fileno(), length - len(read))
            if not chunk:
                raise EOFError
            read += chunk
        return bytes(read)

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # what could not be written any more
                cast(IO[bytes], pipe).close()
        process.wait()


_worker = _Worker()
atexit.register(_worker.close)
