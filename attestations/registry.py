"""A client of OCI registries that reads (OCI distribution-spec 1.1): tags, manifests, blobs and referrers.

What comes by its digest has that digest; what does not come says why, with a type of `attestations.failures`. All
deadlines are `time.monotonic()` instants.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote

import httpx

from attestations.credentials import Anonymous, CredentialSource
from attestations.failures import (
    DigestMismatch,
    Malformed,
    NotFound,
    RegistryFailure,
    ServerFailed,
    TooLarge,
    Unreachable,
)
from attestations.hosts import endpoint_of
from attestations.manifest import (
    ACCEPT,
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_INDEX,
    Descriptor,
    Manifest,
    NotAManifest,
    digest_of,
    essence,
    is_digest,
    parse_manifest,
)
from attestations.registry_settings import RegistrySettings
from attestations.together import together
from attestations.tokens import Authenticator, Place
from attestations.transport import MAX_REDIRECTS, Answer, Connect, Transport, connect, is_address, name_of, same_origin
from pratique.errors import PratiqueError

MAX_MANIFEST_BYTES = 4 * 2**20
"""Protects memory; the size up to which the specification asks registries to take manifests ("Pushing Manifests")."""
MAX_REFERRERS = 1000
"""Protects us from a subject with endless referrers: each is a manifest to fetch."""
MAX_REFERRER_PAGES = 32
"""Protects us from pages that go in circles."""

LOOP_BYTES = 2**20
"""Protects the event loop: the digest of what is larger is computed in another thread."""
MAX_LINK_LENGTH = 4096
"""Protects the regular expression that reads a `Link`: longer ones are no honest address."""

_NO_REFERRERS_API = frozenset({400, 404, 405, 406})
"""How registries without the referrers API answer; a 404 is what the specification has for them."""
_NEXT = re.compile(r"<([^<>]*)>\s*;[^,<>]*\brel\s*=\s*\"?next(?![\w-])", re.IGNORECASE)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Referrers:
    """What refers to a manifest; `unread` has, by the digest of what is under the fallback tag, why it is no list."""

    manifests: tuple[Descriptor, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


class RegistryClient:
    """Reads from all registries, as the settings say they are reached, with the logins of `credentials`.

    Its mirrors are asked before a registry, each with its share of the time that is left; what a mirror does not have,
    or cannot give, the next one is asked for. Keeps connections, tokens and breakers, and nothing of what it read.
    Belongs to one event loop. Close it.

    Each method raises, beside what it says itself:
        Unauthorised, RateLimited, ServerFailed, TimedOut, Unreachable, TlsFailed: the registry does not answer.
        TooLarge: the answer is beyond a limit. Malformed: it is not what the specification has there.
    """

    def __init__(
        self,
        settings: RegistrySettings | None = None,
        credentials: CredentialSource | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        connect: Connect = connect,
    ) -> None:
        """Raises: ConfigError: a host's certificates cannot be read."""
        self._settings = settings or RegistrySettings()
        self._clock = clock
        self._transport = Transport(self._settings, clock=clock, now=now, connect=connect)
        self._authenticator = Authenticator(self._transport, credentials or Anonymous(), clock=clock)

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._transport.aclose()

    async def resolve(self, registry: str, repository: str, reference: str, *, deadline: float) -> Descriptor:
        """What a tag or a digest stands for now. Asks with HEAD, which registries do not count as a pull.

        Raises:
            NotFound: there is no such manifest.
            DigestMismatch: the registry gives another digest than it was asked for.
        """
        return await self._first(
            registry, repository, lambda place, until: self._resolve(place, reference, until), deadline
        )

    async def manifest(self, registry: str, repository: str, reference: str, *, deadline: float) -> Manifest:
        """The manifest or index that a tag or a digest stands for.

        Raises:
            NotFound: there is none.
            DigestMismatch: what came does not have the digest that was asked for, or that the registry says it has.
            NotAManifest: what has that digest cannot be read.
        """
        return await self._first(
            registry, repository, lambda place, until: self._manifest(place, reference, until), deadline
        )

    async def blob(self, registry: str, repository: str, digest: str, *, max_bytes: int, deadline: float) -> bytes:
        """The blob with this digest, of at most `max_bytes`.

        Raises:
            NotFound: there is none. DigestMismatch: what came has another digest.
        """
        _expect_computable(digest)
        return await self._first(
            registry, repository, lambda place, until: self._blob(place, digest, max_bytes, until), deadline
        )

    async def referrers(self, registry: str, repository: str, digest: str, *, deadline: float) -> Referrers:
        """What refers to a manifest: the answers of the referrers API *and* of the fallback tag, each descriptor once.

        Registries answer the API with an empty list or 404 while a client of yesterday wrote the tag, so one of them
        alone is never believed. Nothing in a descriptor but its digest is to be believed either. A mirror that knows of
        none is no answer: the next one is asked.
        """
        _expect_computable(digest)

        try:
            return await self._first(
                registry, repository, lambda place, until: self._referrers(place, digest, until), deadline
            )
        except NotFound:
            return Referrers()

    async def _resolve(self, place: Place, reference: str, deadline: float) -> Descriptor:
        asked = _manifest_name(place, reference)
        answer = await self._ask(
            place,
            f"manifests/{path_of(reference)}",
            asked=asked,
            deadline=deadline,
            max_bytes=MAX_MANIFEST_BYTES,
            headers={"Accept": ACCEPT},
            method="HEAD",
        )
        _expect_success(answer, asked)
        headers = answer.headers
        digest, media_type = headers.get("Docker-Content-Digest", ""), essence(headers.get("Content-Type", ""))
        length = headers.get("Content-Length", "")
        if not is_digest(digest) or media_type not in INDEX_TYPES | MANIFEST_TYPES or not length.isdecimal():
            manifest = await self._manifest(place, reference, deadline)
            return Descriptor(manifest.media_type, manifest.digest, len(manifest.content))
        if is_digest(reference) and digest != reference:
            raise DigestMismatch(f"{name_of(answer.url)} gives {digest}, asked for {asked}")
        return Descriptor(media_type, digest, int(length[:19]))

    async def _manifest(self, place: Place, reference: str, deadline: float) -> Manifest:
        asked = _manifest_name(place, reference)
        if ":" in reference:
            _expect_computable(reference)
        answer = await self._ask(
            place,
            f"manifests/{path_of(reference)}",
            asked=asked,
            deadline=deadline,
            max_bytes=MAX_MANIFEST_BYTES,
            headers={"Accept": ACCEPT},
        )
        _expect_success(answer, asked)
        said = answer.headers.get("Docker-Content-Digest", "")
        expected = reference if ":" in reference else said if is_digest(said) else ""
        if expected:
            _expect_digest(answer, expected, asked)
        digest = expected or digest_of(answer.body)
        try:
            return parse_manifest(answer.body, answer.headers.get("Content-Type", ""), digest=digest)
        except Malformed as error:
            if expected:
                raise NotAManifest(f"{asked}: {error}", digest) from error
            raise Malformed(f"{name_of(answer.url)} gives no manifest, asked for {asked}: {error}") from error

    async def _blob(self, place: Place, digest: str, max_bytes: int, deadline: float) -> bytes:
        asked = f"the blob {digest} of {place.registry}/{place.repository}"
        answer = await self._ask(
            place,
            f"blobs/{path_of(digest)}",
            asked=asked,
            deadline=deadline,
            max_bytes=max_bytes,
            headers={"Accept": "*/*"},
        )
        _expect_success(answer, asked)
        if len(answer.body) > LOOP_BYTES:
            await asyncio.to_thread(_expect_digest, answer, digest, asked)
        else:
            _expect_digest(answer, digest, asked)
        return answer.body

    async def _referrers(self, place: Place, digest: str, deadline: float) -> Referrers:
        """Raises: NotFound: there are none."""
        api, tag = await together(
            (self._referrers_api(place, digest, deadline), self._referrers_tag(place, digest, deadline))
        )
        found = {each.digest: each for each in (*tag.manifests, *api.manifests)}
        if not found and not tag.unread:
            raise NotFound(f"nothing refers to {digest} in {place.registry}/{place.repository}")
        _limit_referrers(len(found), digest)
        return Referrers(tuple(found.values()), tag.unread)

    async def _referrers_api(self, place: Place, digest: str, deadline: float) -> Referrers:
        """All pages of the referrers API ("Listing Referrers"); nothing where the registry has none."""
        asked = f"the referrers of {digest} in {place.registry}/{place.repository}"
        path = f"referrers/{path_of(digest)}"
        found: list[Descriptor] = []
        for number in range(MAX_REFERRER_PAGES):
            answer = await self._ask(
                place, path, asked=asked, deadline=deadline, max_bytes=MAX_MANIFEST_BYTES, headers={"Accept": OCI_INDEX}
            )
            if answer.status in _NO_REFERRERS_API and number == 0:
                return Referrers()
            page = _page(answer, asked)
            found += page.manifests
            _limit_referrers(len(found), digest)
            path = _next_page(answer, asked)
            if not path:
                return Referrers(tuple(found))
        raise TooLarge(f"{asked} are on more than {MAX_REFERRER_PAGES} pages")

    async def _referrers_tag(self, place: Place, digest: str, deadline: float) -> Referrers:
        """What a client wrote under the fallback tag ("Unavailable Referrers API"); nothing where there is none."""
        try:
            index = await self._manifest(place, fallback_tag(digest), deadline)
        except NotFound:
            return Referrers()
        except NotAManifest as error:  # somebody pushed it so: it must not hide what the API has
            return Referrers(unread={error.digest: str(error)})
        if not index.is_index:
            reason = f"the tag {fallback_tag(digest)} of {place.registry}/{place.repository} is not an index"
            return Referrers(unread={index.digest: reason})
        return Referrers(index.manifests)

    async def _first(
        self, registry: str, repository: str, ask: Callable[[Place, float], Awaitable[T]], deadline: float
    ) -> T:
        """The answer of the first mirror that has one, or of the registry, which has the last word."""
        places = self._places(registry, repository)
        failures: list[PratiqueError] = []
        for left, place in zip(range(len(places), 0, -1), places, strict=True):
            now = self._clock()
            try:
                return await ask(place, now + (deadline - now) / left if deadline > now else deadline)
            except (NotFound, RegistryFailure) as failure:
                failures.append(failure)
        if self._settings.of(registry).only_mirrors:
            # "Not found" is an answer only if all of them give it.
            raise next((each for each in failures if not isinstance(each, NotFound)), failures[-1])
        raise failures[-1]

    def _places(self, registry: str, repository: str) -> tuple[Place, ...]:
        settings = self._settings.of(registry)
        places = []
        for mirror in settings.mirrors:
            host, _, prefix = mirror.partition("/")
            places.append(self._place(host, f"{prefix}/{repository}" if prefix else repository))
        if not settings.only_mirrors:
            places.append(self._place(registry, repository))
        return tuple(places)

    def _place(self, registry: str, repository: str, actions: str = "pull") -> Place:
        scheme = self._transport.scheme(registry)
        try:
            url = httpx.URL(f"{scheme}://{endpoint_of(registry)}")
        except (httpx.InvalidURL, ValueError):
            url = httpx.URL("")
        if not is_address(url):
            raise Unreachable(f"the registry {registry[:300]!r} is not an address: correct the reference")
        return Place(registry, repository, url, actions)

    async def _ask(
        self,
        place: Place,
        path: str,
        *,
        asked: str,
        deadline: float,
        max_bytes: int,
        headers: Mapping[str, str],
        method: str = "GET",
        content: bytes = b"",
    ) -> Answer:
        """The answer of the repository, once it has let us in; `path` is below it, or an address that it leads to.

        Raises:
            Unauthorised: it does not, with none of our logins.
        """
        try:
            url = place.url.join(f"/v2/{path_of(place.repository)}/").join(path)
        except (httpx.InvalidURL, ValueError) as error:
            raise Malformed(f"{name_of(place.url)} leads to no address, asked for {asked}") from error
        if not same_origin(url, place.url):
            raise Malformed(f"{name_of(place.url)} leads to another host, asked for {asked}")

        async def send(authorization: str) -> Answer:
            return await self._transport.ask(
                url,
                asked=asked,
                deadline=deadline,
                max_bytes=max_bytes,
                method=method,
                headers=headers,
                authorization=authorization,
                content=content,
                redirects=MAX_REDIRECTS if method in ("GET", "HEAD") else 0,
            )

        return await self._authenticator.let_in(place, send, asked=asked, deadline=deadline)


def fallback_tag(digest: str) -> str:
    """The tag under which clients keep the referrers of a manifest (distribution-spec, "Referrers Tag Schema")."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm[:32]}-{digits[:64]}"


def _manifest_name(place: Place, reference: str) -> str:
    return f"the manifest {place.registry}/{place.repository}{'@' if ':' in reference else ':'}{reference}"


def path_of(text: str) -> str:
    """A repository, tag or digest as it stands in an address.

    Raises:
        Malformed: it would leave its place there.
    """
    if not all(part.strip(".") for part in text.split("/")):
        raise Malformed(f"{text[:300]!r} is no name of a repository, a tag or a digest")
    return quote(text, safe="/:")


def _page(answer: Answer, asked: str) -> Manifest:
    """One page of a list of referrers; it comes by no digest.

    Raises:
        ServerFailed, Malformed: it is none. One that is missing is a failure: the list would look shorter than it is.
    """
    if answer.status != 200:
        raise ServerFailed(f"{name_of(answer.url)} answers {answer.status}, asked for {asked}")
    try:
        page = parse_manifest(answer.body, answer.headers.get("Content-Type", ""), digest=digest_of(answer.body))
    except Malformed as error:
        raise Malformed(f"{name_of(answer.url)} gives no list, asked for {asked}: {error}") from error
    if not page.is_index:
        raise Malformed(f"{name_of(answer.url)} gives a manifest, asked for {asked}")
    return page


def _next_page(answer: Answer, asked: str) -> str:
    """Where the `Link` (RFC 8288) says that the list goes on, seen from where it stands; empty where it ends."""
    link = answer.headers.get("Link", "")
    if len(link) > MAX_LINK_LENGTH:
        raise TooLarge(f"{name_of(answer.url)} gives a Link of more than {MAX_LINK_LENGTH} characters for {asked}")
    following = _NEXT.search(link)
    try:
        return str(answer.url.join(following[1])) if following else ""
    except (httpx.InvalidURL, ValueError) as error:
        raise Malformed(f"{name_of(answer.url)} leads to no address, asked for {asked}") from error


def _limit_referrers(count: int, digest: str) -> None:
    if count > MAX_REFERRERS:
        raise TooLarge(f"more than {MAX_REFERRERS} manifests refer to {digest}: remove what is out of date")


def _expect_success(answer: Answer, asked: str) -> None:
    if answer.status == 404:
        raise NotFound(f"{name_of(answer.url)} does not have {asked}")
    if answer.status != 200:
        raise ServerFailed(f"{name_of(answer.url)} answers {answer.status}, asked for {asked}")


def _expect_computable(digest: str) -> None:
    if not is_digest(digest):
        raise Malformed(f"{digest[:150]!r} is not a digest that can be computed: use sha256, sha384 or sha512")


def _expect_digest(answer: Answer, digest: str, asked: str) -> None:
    actual = digest_of(answer.body, like=digest)
    if actual != digest:
        raise DigestMismatch(
            f"{name_of(answer.url)} gives something with the digest {actual}, asked for {asked} ({digest}): "
            "it was changed on the way or at rest; do not use it"
        )
