"""HTTP: where redirects may lead and what goes along, TLS, encodings, waiting when told to."""

from __future__ import annotations

import asyncio
import gzip
import random
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from attestations.breaker import FAILURES_TO_OPEN
from attestations.failures import (
    Malformed,
    NotFound,
    RateLimited,
    RegistryFailure,
    ServerFailed,
    TimedOut,
    TlsFailed,
    TooLarge,
    Unreachable,
)
from attestations.registry import RegistryClient
from attestations.registry_settings import HostSettings, RegistrySettings
from attestations.transport import MAX_ERROR_BYTES, MAX_HOSTS, MAX_REDIRECTS, Answer, Transport
from tests.support import fault_proxy as faults
from tests.support.clocks import Clock
from tests.support.fault_proxy import Exchange, FaultProxy, Reply, fault_proxy
from tests.support.oci_registry import PASSWORD, USER, Running, serve
from tests.support.pki import Authority
from tests.support.registry_clients import login, plain, run, soon

pytestmark = pytest.mark.slow

REPOSITORY = "team/app"


@pytest.fixture
def running() -> Iterator[Running]:
    with serve() as running:
        running.repository(REPOSITORY).image("v1")
        yield running


@pytest.fixture
def proxy(running: Running) -> Iterator[FaultProxy]:
    with fault_proxy(running.host) as proxy:
        yield proxy


def read(host: str, settings: RegistrySettings) -> bytes:
    return run(lambda client: client.manifest(host, REPOSITORY, "v1", deadline=soon()), settings).content


def redirect(target: str, status: int = 307) -> faults.Fault:
    def fault(exchange: Exchange) -> None:
        location = target.format(host=exchange.headers["host"], path=exchange.path)
        exchange.send(Reply(status, {"Location": location} if location else {}, b""))

    return fault


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_and_the_digest_is_checked(running: Running, proxy: FaultProxy, status: int) -> None:
    digest = running.repository(REPOSITORY).blob(b"content")
    proxy.fault = redirect(f"http://{running.host}{{path}}", status)

    async def act(client: RegistryClient) -> bytes:
        return await client.blob(proxy.host, REPOSITORY, digest, max_bytes=7, deadline=soon())

    assert run(act, plain(proxy.host, running.host)) == b"content"


def test_logins_stay_with_the_host_that_asked_for_them() -> None:
    with ExitStack() as stack:
        locked = stack.enter_context(serve(login=(USER, PASSWORD)))
        store = stack.enter_context(serve())
        front = stack.enter_context(fault_proxy(locked.host))
        behind = stack.enter_context(fault_proxy(store.host))
        locked.repository(REPOSITORY).image("v1")
        image = store.repository(REPOSITORY).image("v1")
        seen: list[tuple[str, bool]] = []

        def at_the_front(exchange: Exchange) -> None:
            seen.append(("front", "authorization" in exchange.headers))
            reply = exchange.true_answer()
            away = {"Location": f"http://{behind.host}{exchange.path}?elsewhere"}
            exchange.send(reply if reply.status == 401 else Reply(307, away, b""))

        def behind_it(exchange: Exchange) -> None:
            seen.append(("behind", "authorization" in exchange.headers))
            exchange.send(exchange.true_answer())

        front.fault, behind.fault = at_the_front, behind_it
        found = run(
            lambda client: client.manifest(front.host, REPOSITORY, "v1", deadline=soon()),
            plain(front.host, behind.host),
            login(front.host, USER, PASSWORD),
        )
        assert found.digest == image.digest
        assert seen == [("front", False), ("front", True), ("behind", False)]


def test_a_host_that_was_redirected_to_gets_no_login_for_asking(running: Running, proxy: FaultProxy) -> None:
    with serve(login=(USER, PASSWORD)) as locked:
        proxy.fault = redirect(f"http://{locked.host}{{path}}")
        with pytest.raises(RegistryFailure, match="does not let us read"):
            run(
                lambda client: client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon()),
                plain(proxy.host, locked.host),
                login(proxy.host, USER, PASSWORD),
            )


@pytest.mark.parametrize(
    "target",
    [
        "http://elsewhere.example/",  # no host for which the settings allow plain HTTP
        "http://user:password@{host}/v2/",
        "ftp://{host}/",
        "file:///etc/passwd",
        "http://{host}:99999/",
        "http://[",
        "",
    ],
)
def test_redirects_to_where_they_must_not_lead(proxy: FaultProxy, target: str) -> None:
    proxy.fault = redirect(target)
    with pytest.raises(Malformed, match=r"127\.0\.0\.1 redirects to "):
        read(proxy.host, plain(proxy.host))


@pytest.mark.parametrize("scheme", ["http", "https", "s" * 30_000])
def test_names_of_hosts_do_not_fill_messages(proxy: FaultProxy, scheme: str) -> None:
    proxy.fault = redirect(f"{scheme}://{'a' * 30_000}.invalid/")

    async def act(client: RegistryClient) -> None:
        for _ in range(FAILURES_TO_OPEN + 1):
            with pytest.raises(RegistryFailure) as raised:
                await client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon())
            assert len(str(raised.value)) < 1000

    run(act, plain(proxy.host))


def test_https_never_leads_to_http() -> None:
    transport = Transport(plain("plain.example"))
    secure, insecure = httpx.URL("https://a.example/"), httpx.URL("http://plain.example/")
    assert not transport.may_lead_to(secure, insecure)
    assert transport.may_lead_to(insecure, insecure)
    assert transport.may_lead_to(insecure, secure)


def test_redirects_in_circles_end(proxy: FaultProxy) -> None:
    proxy.fault = redirect("{path}")
    with pytest.raises(Malformed, match=f"127.0.0.1 redirects more than {MAX_REDIRECTS} times"):
        read(proxy.host, plain(proxy.host))
    assert len(proxy.requests) == MAX_REDIRECTS + 1


# TLS.


def test_authority_of_the_host_is_needed_and_does(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "own"), Authority(tmp_path / "other")
    pair = authority.server("registry", hosts=["127.0.0.1"])
    with serve(tls=pair, authority=authority.certificate) as running:
        image = running.repository(REPOSITORY).image("v1")
        assert read(running.host, RegistrySettings((HostSettings(running.host, ca_file=authority.certificate),))) == (
            image.content
        )
        for settings in (
            RegistrySettings(),
            RegistrySettings((HostSettings(running.host, ca_file=other.certificate),)),
            RegistrySettings((HostSettings("other.example", ca_file=authority.certificate),)),
        ):
            with pytest.raises(
                TlsFailed, match=r"the certificate of 127\.0\.0\.1 is not trusted \(.*\): give its authority"
            ):
                read(running.host, settings)


def test_certificate_must_be_for_the_host(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.server("registry", hosts=["other.example", "127.0.0.1"])
    with serve(tls=pair, authority=authority.certificate) as running:
        host = running.host.replace("127.0.0.1", "localhost")
        settings = RegistrySettings((HostSettings(host, ca_file=authority.certificate),))
        with pytest.raises(TlsFailed, match="the certificate of localhost is not trusted"):
            read(host, settings)


def test_host_that_says_nothing_in_the_handshake() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(TimedOut, match=r"127\.0\.0\.1 took no connection within \d+\.\d s, asked for the manifest"):
            read(host, RegistrySettings(connect_seconds=0.2))


def test_host_without_tls(running: Running) -> None:
    with pytest.raises(TlsFailed, match=r"there is no TLS with 127\.0\.0\.1"):
        read(running.host, RegistrySettings())


def test_host_with_tls_that_is_said_to_have_none(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.server("registry", hosts=["127.0.0.1"])
    refused = pytest.raises(ServerFailed, match=r"127\.0\.0\.1 answers 400")
    with serve(tls=pair, authority=authority.certificate) as running, refused:
        read(running.host, plain(running.host))


# What is sent.


def test_compressed_answers_are_refused_and_never_unpacked(proxy: FaultProxy) -> None:
    bomb = gzip.compress(b"\0" * 16 * 2**20)
    for encoding in ("gzip", "br", "zstd", "identity, gzip"):
        proxy.fault = faults.answer(bomb, Content_Encoding=encoding)
        tracemalloc.start()
        with pytest.raises(Malformed, match=r"127\.0\.0\.1 encoded the manifest"):
            read(proxy.host, plain(proxy.host))
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
        tracemalloc.stop()


def test_cookies_do_not_exist(running: Running, proxy: FaultProxy) -> None:
    cookies = []

    def sets_one(exchange: Exchange) -> None:
        cookies.append(exchange.headers.get("cookie"))
        reply = exchange.true_answer()
        exchange.send(Reply(reply.status, {**reply.headers, "Set-Cookie": "session=1"}, reply.body))

    async def act(client: RegistryClient) -> None:
        for _ in range(2):
            await client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon())

    proxy.fault = sets_one
    run(act, plain(proxy.host))
    assert cookies == [None, None]


def test_nothing_is_taken_from_the_environment(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    seen = []

    def look(exchange: Exchange) -> None:
        seen.append(exchange.headers.get("authorization"))
        exchange.send(exchange.true_answer())

    proxy.fault = look
    read(proxy.host, plain(proxy.host))
    assert seen == [None]


def test_errors_without_an_end_are_cut_off(proxy: FaultProxy) -> None:
    def endless_not_found(exchange: Exchange) -> None:
        exchange.start(404, {"Transfer-Encoding": "chunked"})
        while not exchange.stopped.is_set():
            exchange.write(b"%x\r\n%b\r\n" % (len(faults.PIECE), faults.PIECE))

    proxy.fault = endless_not_found
    with pytest.raises(NotFound):
        read(proxy.host, plain(proxy.host))


def test_connection_that_was_closed_meanwhile_is_opened_again(proxy: FaultProxy) -> None:
    asked = []

    def once(exchange: Exchange) -> None:
        asked.append(exchange.path)
        if len(asked) == 2:
            exchange.reset()
        else:
            exchange.send(exchange.true_answer())

    async def act(client: RegistryClient) -> None:
        for _ in range(2):
            await client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon())

    proxy.fault = once
    run(act, plain(proxy.host))
    assert len(asked) == 3


def test_body_of_an_error_is_not_kept_beyond_its_limit(proxy: FaultProxy) -> None:
    proxy.fault = faults.answer(b"x" * (2 * MAX_ERROR_BYTES), 404)

    async def ask() -> Answer:
        transport = Transport(plain(proxy.host))
        try:
            return await transport.ask(httpx.URL(f"http://{proxy.host}/"), asked="it", deadline=soon(), max_bytes=10**6)
        finally:
            await transport.aclose()

    assert len(run(lambda client: ask(), plain(proxy.host)).body) == MAX_ERROR_BYTES


class Network:
    """Transports that answer 404, or wait until they may; how many are open and how many wait."""

    def __init__(self) -> None:
        self.open = self.waiting = 0
        self.all_wait = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def connect(self, context: ssl.SSLContext | None, settings: RegistrySettings) -> httpx.AsyncBaseTransport:
        self.open += 1
        return _Answering(self)


class _Answering(httpx.AsyncBaseTransport):
    def __init__(self, network: Network) -> None:
        self._network = network

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._network.waiting += 1
        if self._network.waiting == MAX_HOSTS:
            self._network.all_wait.set()
        await self._network.may_answer.wait()
        self._network.waiting -= 1
        return httpx.Response(404, stream=httpx.ByteStream(b""))

    async def aclose(self) -> None:
        self._network.open -= 1


def test_hosts_are_forgotten_when_there_are_too_many() -> None:
    async def main() -> None:
        network = Network()
        transport = Transport(RegistrySettings(), connect=network.connect)

        async def ask(number: int) -> int:
            url = httpx.URL(f"http://h{number}.example/")
            return (await transport.ask(url, asked="it", deadline=soon(), max_bytes=1)).status

        for number in range(2 * MAX_HOSTS):
            assert await ask(number) == 404
        assert network.open == MAX_HOSTS
        await ask(2 * MAX_HOSTS - 1)  # still known
        assert network.open == MAX_HOSTS

        network.may_answer.clear()
        busy = [asyncio.create_task(ask(number)) for number in range(MAX_HOSTS)]
        await network.all_wait.wait()
        with pytest.raises(TooLarge, match=f"more than {MAX_HOSTS} hosts would be asked at the same time"):
            await ask(-1)
        network.may_answer.set()
        assert await asyncio.gather(*busy) == [404] * MAX_HOSTS
        assert await ask(-1) == 404
        await transport.aclose()
        assert network.open == 0

    asyncio.run(main())


# Servers that do not speak HTTP.


@contextmanager
def saying(content: bytes) -> Iterator[str]:
    """A server that answers each connection with the bytes, whatever it is asked, and ends it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_all() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.recv(65536)
                        connection.sendall(content)

        thread = threading.Thread(target=serve_all)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 1000,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 100 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 50_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX\0: a\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + b"a" * 1000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        b"HTTP/1.1 999 What\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 307 Away\r\nLocation: \xff\xfe://\x80\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 Away\r\nLocation: https://xn--\x80.example/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 Away\r\nLocation: https://xn--a.example:1/\r\nContent-Length: 0\r\n\r\n",
        b'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm="\xff"\r\nContent-Length: 0\r\n\r\n',
        b"HTTP/1.1 429 No\r\nRetry-After: \xff\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_garbage_is_a_failure(content: bytes) -> None:
    with saying(content) as host, pytest.raises(RegistryFailure):
        read(host, plain(host))


def test_random_garbage_is_a_failure_or_the_truth() -> None:
    """A good answer with a few of its bytes changed: what comes of it is read, or refused with a type of ours."""
    outcomes = set()
    for seed in range(150):
        chance = random.Random(seed)
        content = bytearray(GOOD)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        with saying(bytes(content)) as host:
            try:
                assert read(host, plain(host)) == b"{}"
                outcomes.add("read")
            except (RegistryFailure, NotFound) as failure:
                outcomes.add(type(failure).__name__)
    assert {"read", "Unreachable"} <= outcomes


# Waiting.


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 120 ", 120.0),
        ("Sun, 29 Nov 2026 12:00:30 GMT", 30.0),
        ("Sunday, 29-Nov-26 12:00:30 GMT", 30.0),
        ("Sun, 29 Nov 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 3600.0),
        ("999999999", 3600.0),
        ("soon", 0.0),
        ("-1", 0.0),
        ("9" * 5000, 0.0),
        ("", 0.0),
    ],
)
def test_retry_after_in_either_form(proxy: FaultProxy, value: str, seconds: float) -> None:
    clock = Clock()
    proxy.fault = faults.status(429, Retry_After=value)
    with pytest.raises(RateLimited) as raised:
        run(
            lambda client: client.manifest(proxy.host, REPOSITORY, "v1", deadline=clock.seconds + 60),
            plain(proxy.host),
            clock=clock.monotonic,
            now=clock.now,
        )
    assert raised.value.retry_after == seconds


def test_host_that_said_when_to_come_back_is_left_alone_until_then(running: Running, proxy: FaultProxy) -> None:
    clock = Clock()

    async def act(client: RegistryClient) -> None:
        async def ask() -> None:
            await client.manifest(proxy.host, REPOSITORY, "v1", deadline=clock.seconds + 60)

        for code, failure in ((429, RateLimited), (503, Unreachable)):
            proxy.fault = faults.status(code, Retry_After="5")
            with pytest.raises(RegistryFailure):
                await ask()
            proxy.fault = None
            asked = len(proxy.requests)
            with pytest.raises(failure, match=r"is asked again in 5\.0 s: retry then"):
                await ask()
            assert len(proxy.requests) == asked
            clock.pass_by(5)
            await ask()

    run(act, plain(proxy.host), clock=clock.monotonic)


def test_host_that_fails_is_left_alone_and_back_with_its_first_answer(proxy: FaultProxy) -> None:
    clock = Clock()

    async def act(client: RegistryClient) -> None:
        async def ask() -> None:
            await client.manifest(proxy.host, REPOSITORY, "v1", deadline=clock.seconds + 60)

        proxy.fault = faults.status(502)
        for _ in range(FAILURES_TO_OPEN):
            with pytest.raises(ServerFailed):
                await ask()
        with pytest.raises(Unreachable, match=r"has failed repeatedly, and is asked again in 1\.0 s"):
            await ask()
        assert len(proxy.requests) == FAILURES_TO_OPEN
        proxy.fault = None
        clock.pass_by(1)
        await ask()
        await ask()

    run(act, plain(proxy.host), clock=clock.monotonic)


def test_other_hosts_are_not_concerned(running: Running, proxy: FaultProxy) -> None:
    async def act(client: RegistryClient) -> None:
        proxy.fault = faults.status(502)
        for _ in range(FAILURES_TO_OPEN + 1):
            with pytest.raises(RegistryFailure):
                await client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon())
        await client.manifest(running.host, REPOSITORY, "v1", deadline=soon())

    run(act, plain(proxy.host, running.host))
