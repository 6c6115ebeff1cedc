"""Answers to 401: basic logins, and bearer tokens as the CNCF Distribution project defines them (distribution, docs:
spec/auth/token.md and oauth.md)."""

from __future__ import annotations

import asyncio
import base64
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from weakref import WeakValueDictionary

import httpx
import orjson

from attestations.challenges import Challenge, parse_challenges
from attestations.credentials import HELPER_SECONDS, MAX_CANDIDATES, Candidates, Credential, CredentialSource
from attestations.failures import Malformed, ServerFailed, Unauthorised
from attestations.transport import Answer, Transport, name_of, origin_of

MAX_TOKEN_BYTES = 64 * 2**10
"""Of the answer with the token in it: no registry takes a larger header."""
DEFAULT_TOKEN_SECONDS = 60.0
"""How long a token lives that does not say so (token.md)."""
LONGEST_TOKEN_SECONDS = 3600.0
"""Later than this a new one is fetched, whatever the token says: rights may have been taken away."""
EARLY_SECONDS = 10.0
"""So long before its end (or a tenth of its life, if that is less) a token is not used any more."""
REFUSED_SECONDS = 5.0
"""How long a login that was refused is not tried again: it keeps a burst of images from locking an account."""
CANDIDATES_SECONDS = 5.0
"""How long the answer of a credential helper serves: it keeps a burst of images from starting as many programs."""
MAX_REMEMBERED = 4096
"""Protects memory: of repositories whose login is known, and of tokens."""

_TOKEN = re.compile(r"[\x21-\x7e]+")
_CLIENT = "pratique"


@dataclass(frozen=True, slots=True)
class Place:
    """A repository at the host that answers for it; `url` is the host's address, `registry` its name in references,
    `actions` what is to be done there (token.md, "scope")."""

    registry: str
    repository: str
    url: httpx.URL
    actions: str = "pull"


@dataclass(frozen=True, slots=True)
class _Way:
    """How we got into a repository the last time."""

    challenge: Challenge
    credential: Credential | None


@dataclass(frozen=True, slots=True)
class _Token:
    """A token, or (empty) that none was given, until a monotonic instant."""

    text: str = field(repr=False)
    until: float


class Authenticator:
    """Knows how to get in where we were before, and finds out where we were not. `clock` is monotonic."""

    def __init__(self, transport: Transport, credentials: CredentialSource, *, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._credentials = credentials
        self._clock = clock
        self._ways: OrderedDict[Place, _Way] = OrderedDict()
        self._tokens: OrderedDict[tuple[str, str, str, Credential | None], _Token] = OrderedDict()
        self._logins: OrderedDict[Place, tuple[Candidates, float]] = OrderedDict()
        self._locks: WeakValueDictionary[object, asyncio.Lock] = WeakValueDictionary()

    async def let_in(
        self, place: Place, send: Callable[[str], Awaitable[Answer]], *, asked: str, deadline: float
    ) -> Answer:
        """What `send` gets with an `Authorization` that the repository takes: the last one, or each of our logins.

        Raises:
            Unauthorised: it takes none of them. RegistryFailure: who gives out tokens does not answer.
        """
        first = await self._current(place, deadline=deadline)
        answer = await send(first)
        if answer.status not in (401, 403):
            return answer
        challenge = self._challenge(place, answer) if answer.origin else None
        if challenge is None:
            raise _unauthorised(place, asked, answer, "it asks for no login that we can give")
        self._refused(place, first)
        tried = {first}
        candidates = await self._candidates(place, deadline=deadline)
        # What is public needs a token, too: last, the try to get one without a login.
        logins = (*candidates.credentials, None) if challenge.scheme == "bearer" else candidates.credentials
        for credential in logins:
            authorization = await self._authorization(place, challenge, credential, deadline=deadline)
            if not authorization or authorization in tried:
                continue
            tried.add(authorization)
            answer = await send(authorization)
            if answer.status not in (401, 403):
                self._accepted(place, challenge, credential)
                return answer
            self._refused(place, authorization)
        origins = ", ".join(dict.fromkeys(each.origin for each in candidates.credentials if each.origin))
        why = f"tried: {origins}" if origins else "we have no login for it"
        raise _unauthorised(place, asked, answer, why, candidates.problems)

    async def _current(self, place: Place, *, deadline: float) -> str:
        """The `Authorization` with which the repository let us in the last time; empty for none."""
        way = self._ways.get(place)
        return await self._authorization(place, way.challenge, way.credential, deadline=deadline) if way else ""

    def _challenge(self, place: Place, answer: Answer) -> Challenge | None:
        """The login that the answer (401 or 403) asks for, or that the repository asked for before.

        The first that we can: others, such as Negotiate, are passed over.
        """
        found = parse_challenges(answer.headers.get_list("WWW-Authenticate"))
        usable = next((each for each in found if each.scheme in ("basic", "bearer")), None)
        known = self._ways.get(place)
        return usable or (known.challenge if known else None)

    async def _candidates(self, place: Place, *, deadline: float) -> Candidates:
        """The logins to try, in turn."""
        asked = f"a login for {place.registry}"
        async with self._locked(place, place, asked, deadline):
            kept, until = self._logins.get(place, (Candidates(), 0.0))
            if until <= self._clock():
                seconds = max(0.0, deadline - self._clock())
                kept = await self._credentials.candidates(place.registry, place.repository, seconds=seconds)
                # A helper that had less time than it may take has not failed for those who have more.
                if not kept.problems or seconds >= HELPER_SECONDS:
                    _remember(self._logins, place, (kept, self._clock() + CANDIDATES_SECONDS))
        return Candidates(kept.credentials[:MAX_CANDIDATES], kept.problems)

    async def _authorization(
        self, place: Place, challenge: Challenge, credential: Credential | None, *, deadline: float
    ) -> str:
        """The value of `Authorization` that answers the challenge; empty if there is none to be had with the login.

        Raises:
            RegistryFailure: who gives out tokens does not answer, or answers nonsense.
        """
        if challenge.scheme == "basic":
            return _basic(credential) if credential and not credential.is_identity_token else ""
        realm, service, scope = self._wanted(place, challenge)
        key = (str(realm), service, scope, credential)
        asked = f"a token for {place.registry}/{place.repository}"
        async with self._locked(key, place, asked, deadline):
            kept = self._tokens.get(key)
            if kept is None or kept.until <= self._clock():
                kept = await self._fetched(realm, service, scope, credential, place, deadline)
                _remember(self._tokens, key, kept)
        return f"Bearer {kept.text}" if kept.text else ""

    def _accepted(self, place: Place, challenge: Challenge, credential: Credential | None) -> None:
        """The repository let us in with this."""
        _remember(self._ways, place, _Way(challenge, credential))

    def _refused(self, place: Place, authorization: str) -> None:
        """The repository did not let us in with this: a token is not used again, and what is known of the way is
        forgotten."""
        self._ways.pop(place, None)
        for key in [
            key for key, token in self._tokens.items() if token.text and authorization == f"Bearer {token.text}"
        ]:
            del self._tokens[key]

    def _wanted(self, place: Place, challenge: Challenge) -> tuple[httpx.URL, str, str]:
        parameters = challenge.parameters
        try:
            realm = httpx.URL(parameters.get("realm", ""))
        except (httpx.InvalidURL, ValueError):
            realm = httpx.URL("")
        if not self._transport.may_lead_to(place.url, realm):
            raise Malformed(
                f"{name_of(place.url)} wants a token from {origin_of(realm)}, which is not allowed: "
                "only HTTPS is, or plain HTTP from and to hosts for which the settings say so"
            )
        return (
            realm,
            parameters.get("service", ""),
            parameters.get("scope") or f"repository:{place.repository}:{place.actions}",
        )

    async def _fetched(
        self,
        realm: httpx.URL,
        service: str,
        scope: str,
        credential: Credential | None,
        place: Place,
        deadline: float,
    ) -> _Token:
        query = {"scope": scope, **({"service": service} if service else {})}
        asked = f"a token for {place.registry}/{place.repository}"
        started = self._clock()
        if credential and credential.is_identity_token:
            form = {**query, "grant_type": "refresh_token", "refresh_token": credential.secret, "client_id": _CLIENT}
            answer = await self._transport.ask(
                realm,
                method="POST",
                content=urlencode(form).encode(),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                asked=asked,
                deadline=deadline,
                max_bytes=MAX_TOKEN_BYTES,
                redirects=0,
            )
        else:
            answer = await self._transport.ask(
                realm.copy_merge_params(query),
                authorization=_basic(credential) if credential else "",
                asked=asked,
                deadline=deadline,
                max_bytes=MAX_TOKEN_BYTES,
                redirects=0,
            )
        if answer.status in (400, 401, 403, 404):
            return _Token("", started + REFUSED_SECONDS)
        if answer.status != 200:
            raise ServerFailed(f"{name_of(realm)} answers {answer.status}, asked for {asked}")
        return _token(answer, started, asked)

    @asynccontextmanager
    async def _locked(self, key: object, place: Place, asked: str, deadline: float) -> AsyncIterator[None]:
        """One block at a time for each key. If the one before failed, the next tries itself."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with AsyncExitStack() as stack:
            async with self._transport.by_deadline(deadline, host=name_of(place.url), asked=asked, since=self._clock()):
                await stack.enter_async_context(lock)
            yield


def _token(answer: Answer, started: float, asked: str) -> _Token:
    try:
        said: Any = orjson.loads(answer.body)
        text = said.get("token") or said["access_token"]
        seconds = said.get("expires_in", DEFAULT_TOKEN_SECONDS)
    except (ValueError, LookupError, AttributeError, TypeError):
        raise Malformed(f"{name_of(answer.url)} answers without a token, asked for {asked}") from None
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        raise Malformed(f"{name_of(answer.url)} gives a token that is none, asked for {asked}")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        seconds = DEFAULT_TOKEN_SECONDS
    life = min(max(float(seconds), 0.0), LONGEST_TOKEN_SECONDS)
    return _Token(text, started + life - min(EARLY_SECONDS, life / 10))


def _basic(credential: Credential) -> str:
    return f"Basic {base64.b64encode(f'{credential.user}:{credential.secret}'.encode()).decode()}"


def _remember(kept: OrderedDict[Any, Any], key: object, value: object) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > MAX_REMEMBERED:
        kept.popitem(last=False)


def _unauthorised(place: Place, asked: str, answer: Answer, why: str, problems: tuple[str, ...] = ()) -> Unauthorised:
    told = "; ".join((why, *problems))
    return Unauthorised(
        f"{name_of(place.url)} does not let us read {asked} ({told}): give a pull secret that does",
        status=answer.status,
        said=answer.said,
        problems=problems,
    )
