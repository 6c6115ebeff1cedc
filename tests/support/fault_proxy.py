"""A network that breaks: an HTTP proxy on loopback before a real registry, whose faults are switched while it runs.

A fault is a function of one `Exchange`, which has the request and can get the registry's true answer; those below are
the ones that networks and registries really have. Without one, answers pass as they are.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PIECE = b"\0" * 65536
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """One request, as a fault sees it."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: bytes, upstream: str, stopped: threading.Event) -> None:
        self._handler = handler
        self.body = body
        self._upstream = upstream
        self.method, self.path = handler.command, handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.stopped = stopped
        """Set when the proxy ends: whoever waits or sends for ever must heed it."""

    def true_answer(self) -> Reply:
        """What the registry answers."""
        headers = {name: value for name, value in self.headers.items() if name not in _HOP_BY_HOP}
        connection = http.client.HTTPConnection(self._upstream, timeout=30)
        try:
            connection.request(self.method, self.path, self.body or None, headers)
            answer = connection.getresponse()
            body = answer.read()
            return Reply(answer.status, dict(answer.getheaders()), body)
        finally:
            connection.close()

    def send(self, reply: Reply) -> None:
        """A whole answer."""
        self.start(reply.status, {**reply.headers, "Content-Length": self._length(reply)})
        if self.method != "HEAD":
            self.write(reply.body)

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        """The status line and these headers, as they are."""
        self._handler.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP - {"content-length"} or name.lower() == "transfer-encoding":
                self._handler.send_header(name, value)
        self._handler.end_headers()

    def write(self, content: bytes) -> None:
        self._handler.wfile.write(content)

    def hang_up(self) -> None:
        """Ends the connection in order."""
        self._handler.close_connection = True

    def reset(self) -> None:
        """Ends the connection with RST."""
        self._handler.close_connection = True
        self._handler.wfile.flush()
        connection = self._handler.connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    @staticmethod
    def _length(reply: Reply) -> str:
        declared = {name.lower(): value for name, value in reply.headers.items()}.get("content-length", "")
        return str(len(reply.body)) if reply.body or not declared else declared


Fault = Callable[[Exchange], None]


def latency(milliseconds: int) -> Fault:
    def fault(exchange: Exchange) -> None:
        exchange.stopped.wait(milliseconds / 1000)
        exchange.send(exchange.true_answer())

    return fault


def status(code: int, **headers: str) -> Fault:
    """Every request is answered so: a storm of 429, a gateway without a backend. `Retry_After` is `Retry-After`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.send(Reply(code, named, b"" if code == 304 else b"{}"))


def answer(body: bytes, code: int = 200, **headers: str) -> Fault:
    """Every request is answered with this."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.send(Reply(code, named, body))


def reset_at_once(exchange: Exchange) -> None:
    exchange.reset()


def reset_in_the_body(exchange: Exchange) -> None:
    _half(exchange)
    exchange.reset()


def truncated(exchange: Exchange) -> None:
    """Half of what Content-Length says, then the end."""
    _half(exchange)
    exchange.hang_up()


def lying(exchange: Exchange) -> None:
    """One byte of each success is another; its digest in the header stays."""
    reply = exchange.true_answer()
    body = bytes([reply.body[0] ^ 1]) + reply.body[1:] if reply.status == 200 and reply.body else reply.body
    exchange.send(Reply(reply.status, reply.headers, body))


def endless(exchange: Exchange) -> None:
    """A body without an end, in chunks."""
    reply = exchange.true_answer()
    headers = {name: value for name, value in reply.headers.items() if name.lower() != "content-length"}
    exchange.start(200, {**headers, "Transfer-Encoding": "chunked"})
    while not exchange.stopped.is_set():
        exchange.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))


def drip(exchange: Exchange) -> None:
    """A byte now and then."""
    reply = exchange.true_answer()
    exchange.start(reply.status, {**reply.headers, "Content-Length": str(len(reply.body) or 1)})
    for byte in reply.body:
        if exchange.stopped.wait(0.05):
            return
        exchange.write(bytes([byte]))


def silent(exchange: Exchange) -> None:
    """Takes the request and says nothing."""
    exchange.stopped.wait()
    exchange.hang_up()


def _half(exchange: Exchange) -> None:
    reply = exchange.true_answer()
    exchange.start(reply.status, {**reply.headers, "Content-Length": str(len(reply.body) + 10)})
    exchange.write(reply.body[: len(reply.body) // 2])


@dataclass
class FaultProxy:
    """A running proxy at `host`. `fault` holds for the paths in which `only` (a regular expression) is found."""

    host: str
    requests: list[str] = field(default_factory=list)
    fault: Fault | None = None
    only: str = ""

    def asked(self, pattern: str) -> list[str]:
        """The requests so far (`GET /v2/...`) in which the regular expression is found."""
        return [each for each in self.requests if re.search(pattern, each)]


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy for the registry at `upstream` (`host:port`, plain HTTP), until the block ends."""
    stopped = threading.Event()
    proxy: list[FaultProxy] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            proxy[0].requests.append(f"{self.command} {self.path}")
            exchange = Exchange(self, body, upstream, stopped)
            fault = proxy[0].fault if re.search(proxy[0].only, self.path) else None
            if fault is not None:
                fault(exchange)
            else:
                exchange.send(exchange.true_answer())

        do_GET = do_HEAD = do_POST = do_PUT = _handle  # noqa: N815 - the names that http.server looks for

        def handle(self) -> None:
            with suppress(ConnectionError, ValueError):  # the client has had enough, or a fault closed the connection
                super().handle()

        def finish(self) -> None:
            with suppress(ConnectionError, ValueError, OSError):
                super().finish()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    proxy.append(FaultProxy(f"127.0.0.1:{server.server_port}"))
    try:
        yield proxy[0]
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
