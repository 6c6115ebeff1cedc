"""Logins: which is sent where, how often, and what becomes of token servers that misbehave."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from attestations import tokens
from attestations.credentials import Anonymous, Candidates, Credential, CredentialSource, Keyring
from attestations.failures import (
    Malformed,
    RateLimited,
    RegistryFailure,
    ServerFailed,
    TooLarge,
    Unauthorised,
    Unreachable,
)
from attestations.registry import RegistryClient
from attestations.registry_settings import HostSettings, RegistrySettings
from attestations.tokens import REFUSED_SECONDS
from tests.support import fault_proxy as faults
from tests.support.clocks import Clock
from tests.support.fault_proxy import Exchange, FaultProxy, Reply, fault_proxy
from tests.support.oci_registry import PASSWORD, USER, serve
from tests.support.pki import Authority
from tests.support.registry_clients import login, plain, run, soon

pytestmark = pytest.mark.slow

REPOSITORY = "team/app"
LOGIN = (USER, PASSWORD)


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@dataclass
class Gate:
    """A registry that wants tokens, in front of a real one: its own token server at `/token`, and what was asked of it.

    `users` are the `Authorization` values that get a token; None, that nobody needs to log in for one.
    """

    users: list[str | None] = field(default_factory=lambda: [basic(*LOGIN)])
    seconds: int = 300
    realm: str = ""
    challenge: str = ""
    refuses: Callable[[str], int] = lambda path: 401
    token_answer: Reply | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, exchange: Exchange) -> None:
        if exchange.path.startswith("/token"):
            self._issue(exchange)
            return
        token = exchange.headers.get("authorization", "").removeprefix("Bearer ")
        repository = exchange.path.removeprefix("/v2/").partition("/manifests/")[0]
        if self.tokens.get(token) == f"repository:{repository}:pull":
            exchange.send(exchange.true_answer())
            return
        realm = self.realm or f"http://{exchange.headers['host']}/token"
        scope = f"repository:{repository}:pull"
        challenge = self.challenge or f'Bearer realm="{realm}",service="it",scope="{scope}"'
        exchange.send(Reply(self.refuses(exchange.path), {"WWW-Authenticate": challenge}, b"{}"))

    def _issue(self, exchange: Exchange) -> None:
        with self.lock:
            self.asked.append(exchange.headers.get("authorization", ""))
            if self.token_answer is not None:
                exchange.send(self.token_answer)
                return
            form = parse_qs(exchange.body.decode())
            given = exchange.headers.get("authorization") or form.get("refresh_token", [None])[0]
            if given not in self.users:
                exchange.send(Reply(401, {}, b"{}"))
                return
            scope = (form or parse_qs(urlsplit(exchange.path).query))["scope"][0]
            token = f"token-{len(self.asked)}"
            self.tokens[token] = scope
            answer = json.dumps({"token": token, "expires_in": self.seconds}).encode()
            exchange.send(Reply(200, {"Content-Type": "application/json"}, answer))


@pytest.fixture
def gated() -> Iterator[tuple[FaultProxy, Gate]]:
    with serve() as running, fault_proxy(running.host) as proxy:
        for name in (REPOSITORY, "team/other"):
            running.repository(name).image("v1")
        proxy.fault = gate = Gate()
        yield proxy, gate


def read(
    host: str,
    credentials: CredentialSource,
    *,
    settings: RegistrySettings | None = None,
) -> str:
    """The digest of the image, read with the logins."""
    found = run(
        lambda client: client.manifest(host, REPOSITORY, "v1", deadline=soon()), settings or plain(host), credentials
    )
    return found.digest


# Real registries.


def test_basic_login() -> None:
    with serve(login=LOGIN) as locked:
        image = locked.repository(REPOSITORY).image("v1")
        assert read(locked.host, login(locked.host, *LOGIN)) == image.digest


def test_basic_logins_are_tried_in_turn_and_the_good_one_is_remembered() -> None:
    with serve(login=LOGIN) as locked, fault_proxy(locked.host) as proxy:
        locked.repository(REPOSITORY).image("v1")
        sent = []

        def look(exchange: Exchange) -> None:
            sent.append(exchange.headers.get("authorization", ""))
            exchange.send(exchange.true_answer())

        async def act(client: RegistryClient) -> None:
            for _ in range(2):
                await client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon())

        proxy.fault = look
        logins = Keyring([(f"{proxy.host}/team", Credential("old", "old")), (proxy.host, Credential(*LOGIN))])
        run(act, plain(proxy.host), logins)
        assert sent == ["", basic("old", "old"), basic(*LOGIN), basic(*LOGIN)]


def test_token_over_tls_with_a_private_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.server("registry", hosts=["127.0.0.1"])
    with serve(login=LOGIN, token_seconds=300, tls=pair, authority=authority.certificate) as locked:
        image = locked.repository(REPOSITORY).image("v1")
        settings = RegistrySettings((HostSettings(locked.host, ca_file=authority.certificate),))
        assert read(locked.host, login(locked.host, *LOGIN), settings=settings) == image.digest
        refresh = Keyring([(locked.host, Credential("", PASSWORD, is_identity_token=True))])
        assert read(locked.host, refresh, settings=settings) == image.digest


@pytest.mark.parametrize("options", [{}, {"token_seconds": 300}])
def test_wrong_login(options: dict[str, int]) -> None:
    with serve(login=LOGIN, **options) as locked, pytest.raises(Unauthorised) as raised:  # type: ignore[arg-type]  # mypy joins the options
        read(locked.host, login(locked.host, USER, "wrong-secret", origin="the pull secret team-a/regcred"))
    assert str(raised.value) == (
        f"127.0.0.1 does not let us read the manifest {locked.host}/team/app:v1 "
        "(tried: the pull secret team-a/regcred): give a pull secret that does"
    )


# How often.


def test_one_token_serves_a_repository(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, gate = gated

    async def act(client: RegistryClient) -> None:
        for _ in range(5):
            await client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon())

    run(act, plain(proxy.host), login(proxy.host, *LOGIN))
    assert gate.asked == [basic(*LOGIN)]
    assert len(proxy.asked("manifests")) == 6  # the first was without a token


def test_requests_side_by_side_share_one_token(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, gate = gated

    async def act(client: RegistryClient) -> None:
        requests = (client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon()) for _ in range(8))
        await asyncio.gather(*requests)

    run(act, plain(proxy.host), login(proxy.host, *LOGIN))
    assert len(gate.asked) == 1


def test_what_is_remembered_is_limited(gated: tuple[FaultProxy, Gate], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_REMEMBERED", 1)
    proxy, gate = gated

    async def act(client: RegistryClient) -> None:
        for name in (REPOSITORY, "team/other", REPOSITORY, REPOSITORY):
            await client.manifest(proxy.host, name, "v1", deadline=soon())

    run(act, plain(proxy.host), login(proxy.host, *LOGIN))
    assert len(gate.asked) == 3


def test_each_repository_has_its_own_token(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, gate = gated

    async def act(client: RegistryClient) -> None:
        for name in (REPOSITORY, "team/other"):
            await client.manifest(proxy.host, name, "v1", deadline=soon())

    run(act, plain(proxy.host), login(proxy.host, *LOGIN))
    assert sorted(gate.tokens.values()) == ["repository:team/app:pull", "repository:team/other:pull"]


def test_token_is_renewed_shortly_before_its_end_and_after_it_was_taken_away(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, gate = gated
    clock = Clock()

    async def act(client: RegistryClient) -> None:
        async def ask() -> None:
            await client.manifest(proxy.host, REPOSITORY, "v1", deadline=clock.seconds + 60)

        await ask()
        clock.pass_by(289)
        await ask()
        assert len(gate.asked) == 1
        clock.pass_by(1)
        await ask()
        assert len(gate.asked) == 2
        gate.tokens.clear()
        await ask()
        assert len(gate.asked) == 3

    run(act, plain(proxy.host), login(proxy.host, *LOGIN), clock=clock.monotonic)


def test_refused_login_is_left_alone_for_a_while(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, gate = gated
    clock = Clock()

    async def act(client: RegistryClient) -> None:
        async def ask() -> None:
            with pytest.raises(Unauthorised):
                await client.manifest(proxy.host, REPOSITORY, "v1", deadline=clock.seconds + 60)

        for _ in range(5):
            await ask()
        assert gate.asked == [basic(USER, "wrong"), ""]  # and the try without a login
        clock.pass_by(REFUSED_SECONDS)
        await ask()
        assert len(gate.asked) == 4

    run(act, plain(proxy.host), login(proxy.host, USER, "wrong"), clock=clock.monotonic)


def test_logins_are_looked_up_once_for_a_burst(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, _ = gated
    asked = []

    class Counted(Anonymous):
        async def candidates(self, registry: str, repository: str, *, seconds: float) -> Candidates:
            asked.append((registry, repository))
            return Candidates((Credential(*LOGIN),))

    async def act(client: RegistryClient) -> None:
        requests = (client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon()) for _ in range(8))
        await asyncio.gather(*requests)

    run(act, plain(proxy.host), Counted())
    assert asked == [(proxy.host, REPOSITORY)]


def test_helper_that_had_too_little_time_is_asked_again(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, _ = gated
    given: list[float] = []

    class Slow(Anonymous):
        async def candidates(self, registry: str, repository: str, *, seconds: float) -> Candidates:
            given.append(seconds)
            return Candidates((Credential(*LOGIN),)) if seconds > 10 else Candidates(problems=("it took too long",))

    async def act(client: RegistryClient) -> None:
        with pytest.raises(Unauthorised, match="it took too long"):
            await client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon(9))
        await client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon())

    run(act, plain(proxy.host), Slow())
    assert len(given) == 2


# Which login.


def test_logins_are_tried_in_turn(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, gate = gated
    credentials = Keyring([(f"{proxy.host}/team", Credential("old", "old")), (proxy.host, Credential(*LOGIN))])
    read(proxy.host, credentials)
    assert gate.asked == [basic("old", "old"), basic(*LOGIN)]


def test_login_whose_token_does_not_do_is_followed_by_the_next(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, gate = gated
    gate.users = [basic("weak", "weak"), basic(*LOGIN)]
    gate.refuses = lambda path: 403

    def weak(exchange: Exchange) -> None:
        gate(exchange)
        gate.tokens.pop("token-1", None)  # given, and worth nothing

    proxy.fault = weak
    read(proxy.host, Keyring([(f"{proxy.host}/team", Credential("weak", "weak")), (proxy.host, Credential(*LOGIN))]))
    assert gate.asked == [basic("weak", "weak"), basic(*LOGIN)]


def test_what_is_public_needs_a_token_and_no_login(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, gate = gated
    gate.users = [None]
    read(proxy.host, Anonymous())
    assert gate.asked == [""]


def test_stale_login_does_not_hide_what_is_public(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, gate = gated
    gate.users = [None]
    read(proxy.host, login(proxy.host, "stale", "stale"))
    assert gate.asked == [basic("stale", "stale"), ""]


def test_identity_token_is_posted(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, gate = gated
    gate.users = ["refresh&me"]
    read(proxy.host, Keyring([(proxy.host, Credential("<token>", "refresh&me", is_identity_token=True))]))
    assert proxy.asked("/token") == ["POST /token"]


def test_challenges_that_we_cannot_answer_are_passed_over(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, gate = gated
    gate.challenge = f'Negotiate abc==, Bearer realm="http://{proxy.host}/token"'
    read(proxy.host, login(proxy.host, *LOGIN))
    assert list(gate.tokens.values()) == ["repository:team/app:pull"]


@pytest.mark.parametrize("challenge", ["Negotiate", "Digest realm=x", ","])
def test_challenges_that_nobody_can_answer(gated: tuple[FaultProxy, Gate], challenge: str) -> None:
    proxy, gate = gated
    gate.challenge = challenge
    with pytest.raises(Unauthorised):
        read(proxy.host, login(proxy.host, *LOGIN))


def test_problems_of_the_sources_are_told(gated: tuple[FaultProxy, Gate]) -> None:
    class Broken(Anonymous):
        async def candidates(self, registry: str, repository: str, *, seconds: float) -> Candidates:
            return Candidates(problems=("the store is locked",))

    with pytest.raises(Unauthorised, match=r"\(we have no login for it; the store is locked\)"):
        read(gated[0].host, Broken())


# Token servers that misbehave.


@pytest.mark.parametrize(
    "realm",
    [
        "ftp://127.0.0.1/token",
        "http://elsewhere.example/token",
        "http://user:password@{host}/token",
        "http://{host}:99999/token",
        "http://[",
        "/token",
        "",
    ],
)
def test_logins_go_only_where_they_may(gated: tuple[FaultProxy, Gate], realm: str) -> None:
    proxy, gate = gated
    gate.challenge = f'Bearer realm="{realm.format(host=proxy.host)}"'
    with pytest.raises(Malformed, match=r"127\.0\.0\.1 wants a token from .*, which is not allowed: only HTTPS is"):
        read(proxy.host, login(proxy.host, *LOGIN))
    assert gate.asked == []


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (Reply(200, {}, b"<html>"), Malformed),
        (Reply(200, {}, b"[]"), Malformed),
        (Reply(200, {}, b"[" * 10_000), Malformed),
        (Reply(200, {}, b"{}"), Malformed),
        (Reply(200, {}, b'{"token": 1}'), Malformed),
        (Reply(200, {}, b'{"token": "a\\r\\nX-Evil: 1"}'), Malformed),
        (Reply(200, {}, b'{"token": "\xc3\xa9"}'), Malformed),
        (Reply(200, {}, b'{"token": "' + b"a" * 100_000 + b'"}'), TooLarge),
        (Reply(302, {"Location": "http://elsewhere.example/"}, b""), ServerFailed),
        (Reply(500, {}, b""), ServerFailed),
        (Reply(429, {"Retry-After": "3"}, b""), RateLimited),
        (Reply(404, {}, b""), Unauthorised),
    ],
)
def test_answers_that_are_no_token(
    gated: tuple[FaultProxy, Gate], reply: Reply, failure: type[RegistryFailure]
) -> None:
    proxy, gate = gated
    gate.token_answer = reply
    with pytest.raises(failure, match=r"asked for a token for|from 127|does not let us read"):
        read(proxy.host, login(proxy.host, *LOGIN))


@pytest.mark.parametrize("life", ['"soon"', "true", "-5", "1e300", "null"])
def test_lives_that_make_no_sense_are_still_tokens(gated: tuple[FaultProxy, Gate], life: str) -> None:
    proxy, gate = gated
    gate.tokens["fixed"] = "repository:team/app:pull"
    gate.token_answer = Reply(200, {}, b'{"access_token": "fixed", "expires_in": %b}' % life.encode())
    read(proxy.host, login(proxy.host, *LOGIN))


def test_token_server_that_is_down(gated: tuple[FaultProxy, Gate]) -> None:
    proxy, gate = gated
    gate.challenge = 'Bearer realm="http://127.0.0.1:1/token"'
    with pytest.raises(Unreachable, match=r"there is no connection with 127.0.0.1 .*, asked for a token for"):
        read(proxy.host, login(proxy.host, *LOGIN), settings=plain(proxy.host, "127.0.0.1:1"))


@pytest.mark.parametrize("fault", [faults.status(401), faults.status(403), faults.status(500), faults.reset_at_once])
def test_no_secret_is_in_a_failure(fault: faults.Fault) -> None:
    secret = "hunter2-very-secret"
    with serve() as running, fault_proxy(running.host) as proxy:
        proxy.fault = fault
        with pytest.raises(RegistryFailure) as raised:
            read(proxy.host, login(proxy.host, USER, secret))
    seen: BaseException | None = raised.value
    while seen is not None:
        assert secret not in f"{seen} {seen!r}"
        seen = seen.__cause__ or seen.__context__
