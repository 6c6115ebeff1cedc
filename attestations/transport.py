"""HTTP as far as registries need it: with a deadline, a size limit, redirects, and failures that are types.

What an answer says of itself is not believed: its length is counted, an encoding that we did not ask for is refused and
never unpacked, and cookies do not exist.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from attestations.breaker import Breaker
from attestations.clipped import clipped
from attestations.failures import Malformed, RateLimited, ServerFailed, TimedOut, TlsFailed, TooLarge, Unreachable
from attestations.registry_settings import RegistrySettings

MAX_REDIRECTS = 5
"""Protects us from going in circles; registries redirect once, to where their blobs are."""
MAX_ERROR_BYTES = 8 * 2**10
"""How much of an answer that is no success is read, so that its connection can be used again."""
MAX_SAID_BYTES = 300
"""How much of it is told."""
MAX_HOSTS = 256
"""Protects our sockets and memory from images and redirects that name ever new hosts: those that were not asked for the
longest time are forgotten."""
KEEP_ALIVE_SECONDS = 30.0
MAX_RETRY_AFTER_SECONDS = 3600.0
"""Longer than this is not told to anybody: who says so means "go away", or has a wrong clock."""
ATTEMPTS = 2
"""A connection that was kept alive may have been closed by the other side just when we use it again."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LAST_PORT = 65535
_LONGEST_HOST = 255
"""Protects messages: RFC 1035, 2.3.4 has no longer names, and a redirect may have."""
_USER_AGENT = "pratique"
_SECONDS = re.compile(r"\d{1,9}")

Connect = Callable[[ssl.SSLContext | None, RegistrySettings], httpx.AsyncBaseTransport]


def connect(context: ssl.SSLContext | None, settings: RegistrySettings) -> httpx.AsyncBaseTransport:
    """Connections to one host: with TLS where there is a context, and nothing of it taken from the environment."""
    limits = httpx.Limits(max_connections=settings.connections_per_host, keepalive_expiry=KEEP_ALIVE_SECONDS)
    no_trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for plain HTTP: it has no certificates that it would trust
    return httpx.AsyncHTTPTransport(verify=context or no_trust, trust_env=False, limits=limits)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of any status but 429 and 5xx, which are failures. The body of one that is no success may be cut off.

    `origin` says that it comes from the host that was asked, whatever redirects there were on the way.
    """

    status: int
    headers: httpx.Headers
    body: bytes = field(repr=False)
    url: httpx.URL
    origin: bool

    @property
    def said(self) -> str:
        """How the body begins, for messages: on one line, and nothing that a terminal obeys."""
        return clipped(self.body[:MAX_SAID_BYTES].decode(errors="replace"), limit=MAX_SAID_BYTES).strip()


@dataclass(slots=True)
class _Host:
    transport: httpx.AsyncBaseTransport
    breaker: Breaker
    slots: asyncio.Semaphore
    requests: int = 0
    """How many are under way, or wait to be."""


class Transport:
    """Sends requests to whatever hosts there are; each has its own connections and breaker. `clock` is monotonic, `now`
    aware. Belongs to one event loop. Close it."""

    def __init__(
        self,
        settings: RegistrySettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        connect: Connect = connect,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._now = now
        self._connect = connect
        self._trusts = {each: each.trust() for each in settings.hosts if each.ca_file is not None}
        self._system: ssl.SSLContext | None = None
        self._hosts: dict[tuple[str, str], _Host] = {}

    async def aclose(self) -> None:
        """Closes all connections."""
        hosts, self._hosts = self._hosts, {}
        for host in hosts.values():
            await host.transport.aclose()

    def scheme(self, host: str) -> str:
        return "http" if self._settings.of(host).plain_http else "https"

    def may_lead_to(self, source: httpx.URL, target: httpx.URL) -> bool:
        """Whether the answer of `source` may send us to `target`: HTTPS anywhere, HTTP only from HTTP and to a host
        that the settings name; never with a login in the address."""
        if not is_address(target):
            return False
        if target.scheme == "https":
            return True
        return target.scheme == source.scheme == "http" and self._settings.of(authority_of(target)).plain_http

    async def ask(
        self,
        url: httpx.URL,
        *,
        asked: str,
        deadline: float,
        max_bytes: int,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        authorization: str = "",
        content: bytes = b"",
        redirects: int = MAX_REDIRECTS,
    ) -> Answer:
        """The answer to one request; `asked` names in messages what was asked for.

        `authorization` goes to the host of `url` only, and no further once another one has been asked.

        Raises:
            RateLimited, ServerFailed, TimedOut, Unreachable, TlsFailed: the host does not answer, or says that it
            cannot.
            TooLarge: a success has more than `max_bytes`.
            Malformed: a redirect leads nowhere or where it must not, or the body is encoded.
        """
        started, current, secret = self._clock(), url, authorization
        for _ in range(redirects + 1):
            sent = {**(headers or {}), **({"Authorization": secret} if secret else {})}
            request = _Request(method, current, sent, content, max_bytes, asked, started, deadline)
            answer = await self._exchange(request, origin=same_origin(current, url))
            if answer.status not in _REDIRECTS or not redirects:
                return answer
            current = self._target(answer, asked)
            if not same_origin(current, url):
                secret = ""
        raise Malformed(f"{name_of(url)} redirects more than {redirects} times for {asked}")

    def _target(self, answer: Answer, asked: str) -> httpx.URL:
        location = answer.headers.get("Location", "")
        try:
            target = answer.url.join(location)
        except (httpx.InvalidURL, ValueError) as error:
            raise Malformed(f"{name_of(answer.url)} redirects to no address for {asked}") from error
        if not location or not self.may_lead_to(answer.url, target):
            raise Malformed(
                f"{name_of(answer.url)} redirects to {origin_of(target)} for {asked}, which is not "
                "allowed: only HTTPS is, or plain HTTP from and to hosts for which the settings say so"
            )
        return target

    async def _exchange(self, request: _Request, *, origin: bool) -> Answer:
        """One request and its answer, by the deadline, as the breaker of the host allows."""
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(self._host(request.url))
            async with self._by_deadline(request):
                await stack.enter_async_context(host.slots)
                await stack.enter_async_context(host.breaker.request())
            async with self._by_deadline(request):
                return await self._attempts(host, request, origin=origin)
        raise AssertionError("nothing in this block is suppressed")

    def _by_deadline(self, request: _Request) -> AbstractAsyncContextManager[None]:
        return self.by_deadline(request.deadline, host=name_of(request.url), asked=request.asked, since=request.started)

    @asynccontextmanager
    async def by_deadline(self, deadline: float, *, host: str, asked: str, since: float) -> AsyncIterator[None]:
        """Raises: TimedOut: the block takes longer; the message counts from `since`."""
        try:
            if (left := deadline - self._clock()) <= 0:
                raise TimeoutError
            async with asyncio.timeout(left):
                yield
        except TimeoutError as error:
            seconds = self._clock() - since
            raise TimedOut(f"{host} did not give {asked} within {seconds:.1f} s: retry") from error

    async def _attempts(self, host: _Host, request: _Request, *, origin: bool) -> Answer:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._attempt(host, request, origin=origin)
            except _Stale as stale:
                if attempt == ATTEMPTS:
                    raise stale.failure from stale
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, host: _Host, request: _Request, *, origin: bool) -> Answer:
        async with self._response(host, request) as response:
            self._refuse(host, response, request)
            is_success = 200 <= response.status_code < 300
            limit = request.max_bytes if is_success else MAX_ERROR_BYTES
            body = b"" if request.method == "HEAD" else await self._body(response, request, limit, strict=is_success)
            return Answer(response.status_code, response.headers, body, request.url, origin)

    @asynccontextmanager
    async def _response(self, host: _Host, request: _Request) -> AsyncIterator[httpx.Response]:
        headers = {"Accept-Encoding": "identity", "User-Agent": _USER_AGENT, **request.headers}
        timeout = httpx.Timeout(None, connect=self._settings.connect_seconds).as_dict()
        try:
            sent = httpx.Request(
                request.method,
                request.url,
                headers=headers,
                content=request.content or None,
                extensions={"timeout": timeout},
            )
            response = await host.transport.handle_async_request(sent)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
            raise _Stale(self._broken(request, error)) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise self._broken(request, error) from error
        try:
            yield response
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            raise self._broken(request, error) from error
        finally:
            await response.aclose()

    async def _body(self, response: httpx.Response, request: _Request, limit: int, *, strict: bool) -> bytes:
        """The body as it was sent. One that is too large is refused if `strict`, else cut off."""
        declared = response.headers.get("Content-Length", "")
        if strict and declared.isascii() and declared.isdecimal() and int(declared[:19]) > limit:
            raise self._too_large(request)
        if strict and response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise Malformed(f"{name_of(request.url)} encoded {request.asked}, for which it was not asked")
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > limit:
                if strict:
                    raise self._too_large(request)
                break
        return bytes(memoryview(content)[:limit])

    def _refuse(self, host: _Host, response: httpx.Response, request: _Request) -> None:
        """Raises what 429 and 5xx mean."""
        status, name = response.status_code, name_of(request.url)
        if status != 429 and status < 500:
            return
        after = self._retry_after(response.headers.get("Retry-After", ""))
        if status == 429:
            advice = f"retry in {after:.0f} s" if after else "retry later"
            raise RateLimited(
                f"{name} takes no more requests from us (429), asked for {request.asked}: {advice}", after
            )
        if after:
            host.breaker.wait(after)
        raise ServerFailed(f"{name} answers {status}, asked for {request.asked}: retry, or ask who runs it")

    def _retry_after(self, value: str) -> float:
        """Seconds from either form of Retry-After (RFC 9110, 10.2.3); 0 where it has neither."""
        text = value.strip()
        if _SECONDS.fullmatch(text):
            return min(float(text), MAX_RETRY_AFTER_SECONDS)
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return 0.0
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - self._now()).total_seconds()
        return min(max(0.0, seconds), MAX_RETRY_AFTER_SECONDS)

    @asynccontextmanager
    async def _host(self, url: httpx.URL) -> AsyncIterator[_Host]:
        """The host of an address, kept while the block lasts.

        Raises:
            TooLarge: as many hosts as there may be are being asked just now.
        """
        key = (url.scheme, authority_of(url))
        host = self._hosts.pop(key, None) or self._opened(url)
        self._hosts[key] = host  # at the end: the order is that of use
        host.requests += 1
        try:
            if len(self._hosts) > MAX_HOSTS:
                await self._forget_one(name_of(url))
            yield host
        finally:
            host.requests -= 1

    async def _forget_one(self, wanted: str) -> None:
        idle = next((key for key, host in self._hosts.items() if not host.requests), None)
        if idle is None:
            raise TooLarge(f"more than {MAX_HOSTS} hosts would be asked at the same time, with {wanted}: retry")
        await self._hosts.pop(idle).transport.aclose()

    def _opened(self, url: httpx.URL) -> _Host:
        authority = authority_of(url)
        context = self._trust(authority) if url.scheme == "https" else None
        breaker = Breaker(authority[:_LONGEST_HOST], clock=self._clock)
        slots = asyncio.Semaphore(self._settings.connections_per_host)
        return _Host(self._connect(context, self._settings), breaker, slots)

    def _trust(self, host: str) -> ssl.SSLContext:
        if (own := self._trusts.get(self._settings.of(host))) is not None:
            return own
        if self._system is None:
            self._system = ssl.create_default_context()
        return self._system

    def _too_large(self, request: _Request) -> TooLarge:
        return TooLarge(f"{request.asked} from {name_of(request.url)} has more than {request.max_bytes} bytes")

    def _broken(self, request: _Request, error: Exception) -> Unreachable | TlsFailed | TimedOut:
        """The failure that an exception of the network means."""
        name, seconds = name_of(request.url), self._clock() - request.started
        if isinstance(error, httpx.TimeoutException):
            return TimedOut(f"{name} took no connection within {seconds:.1f} s, asked for {request.asked}: retry")
        tls = next((each for each in _causes(error) if isinstance(each, ssl.SSLError)), None)
        if isinstance(tls, ssl.SSLCertVerificationError):
            return TlsFailed(
                f"the certificate of {name} is not trusted ({tls.verify_message}): give its authority in the settings"
            )
        if tls is not None:
            return TlsFailed(f"there is no TLS with {name} ({tls.reason or tls})")
        said = next(filter(None, map(_system_said, _causes(error))), "") or str(error) or type(error).__name__
        what = "there is no connection with" if isinstance(error, httpx.ConnectError) else "the connection broke with"
        return Unreachable(f"{what} {name} after {seconds:.1f} s, asked for {request.asked} ({said}): retry")


@dataclass(frozen=True, slots=True)
class _Request:
    """What `Transport.ask` was asked for, at one of its redirects."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    max_bytes: int
    asked: str
    started: float
    deadline: float


class _Stale(Exception):
    """The connection broke before anything was answered."""

    def __init__(self, failure: Unreachable | TlsFailed | TimedOut) -> None:
        super().__init__(str(failure))
        self.failure = failure


def is_address(url: httpx.URL) -> bool:
    """Whether something can be asked there: there is a host, a port that exists, and no login."""
    return bool(url.raw_host) and not url.userinfo and (url.port is None or 0 < url.port <= _LAST_PORT)


def name_of(url: httpx.URL) -> str:
    """The host of an address, as it is looked up: `URL.host` fails for some that are no IDNA name."""
    return url.raw_host[:_LONGEST_HOST].decode("ascii", "replace")


def origin_of(url: httpx.URL) -> str:
    """Scheme and host of an address, for messages."""
    return f"{url.scheme[:20]}://{name_of(url)}"


def authority_of(url: httpx.URL) -> str:
    """`name[:port]` of an address; without the port where it is that of the scheme."""
    return url.netloc.decode("ascii")


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether both are at the same host, by the same scheme and port."""
    return (one.scheme, one.netloc) == (other.scheme, other.netloc)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it; of several side by side, as with the addresses of a name, the first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.exceptions[0] if isinstance(seen, BaseExceptionGroup) else seen.__cause__ or seen.__context__


def _system_said(error: BaseException) -> str:
    """What the system says of an error; asyncio puts words of its own (`Connect call failed`) in their place."""
    if not isinstance(error, OSError) or error.errno is None:
        return ""
    return os.strerror(error.errno) if error.errno > 0 else error.strerror or ""  # negative: of getaddrinfo
