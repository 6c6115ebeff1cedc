"""A network that breaks: each fault is a typed failure, nothing wrong is accepted, memory is bounded, and when the
fault ends all is well at once."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from collections.abc import Iterator
from functools import partial

import pytest

from attestations.breaker import FAILURES_TO_OPEN, FIRST_OPEN_SECONDS
from attestations.discovery import discover
from attestations.evidence import Found
from attestations.failures import (
    DigestMismatch,
    Malformed,
    RateLimited,
    RegistryFailure,
    ServerFailed,
    TimedOut,
    TooLarge,
    Unreachable,
)
from attestations.manifest import OCI_MANIFEST
from attestations.registry import MAX_MANIFEST_BYTES, RegistryClient
from attestations.registry_settings import CONNECTIONS_PER_HOST
from pratique.image import parse_image
from tests.support import fault_proxy as faults
from tests.support.clocks import Clock
from tests.support.fault_proxy import Exchange, Fault, FaultProxy, fault_proxy
from tests.support.oci_registry import Pushed, Running, serve
from tests.support.processes import wait_until
from tests.support.registry_clients import plain, run, soon

pytestmark = pytest.mark.slow

NAME = "team/app"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
HTML = faults.answer(b"<html>Please log in</html>", Content_Type="text/html")
EMPTY_MANIFEST = faults.answer(b"{}", Content_Type=OCI_MANIFEST, Docker_Content_Digest="sha256:" + "0" * 64)

QUICK: list[tuple[Fault, type[RegistryFailure]]] = [
    (faults.status(429), RateLimited),
    (faults.status(429, Retry_After="20"), RateLimited),
    (faults.status(500), ServerFailed),
    (faults.status(503, Retry_After="20"), ServerFailed),
    (faults.status(204), ServerFailed),
    (faults.status(418), ServerFailed),
    (faults.reset_at_once, Unreachable),
    (faults.reset_in_the_body, Unreachable),
    (faults.truncated, Unreachable),
    (faults.lying, DigestMismatch),
    (faults.endless, TooLarge),
    (HTML, DigestMismatch),
    (EMPTY_MANIFEST, DigestMismatch),
]
SLOW: list[Fault] = [faults.drip, faults.silent]


@pytest.fixture
def running() -> Iterator[Running]:
    with serve() as running:
        yield running


@pytest.fixture
def image(running: Running) -> Pushed:
    """An image with a bundle that refers to it, and a signature under its tag."""
    repository = running.repository(NAME)
    image = repository.image("v1")
    repository.artifact([(BUNDLE, b'{"a": "bundle"}', {})], subject=image)
    layers = [("application/vnd.dev.cosign.simplesigning.v1+json", b'{"a": "signature"}', {"a": "b"})]
    repository.artifact(layers, tag=image.digest.replace(":", "-") + ".sig")
    return image


@pytest.fixture
def proxy(running: Running, image: Pushed) -> Iterator[FaultProxy]:
    with fault_proxy(running.host) as proxy:
        yield proxy


async def look(client: RegistryClient, proxy: FaultProxy, image: Pushed, *, deadline: float) -> Found:
    return await discover(client, parse_image(f"{proxy.host}/{NAME}@{image.digest}", ""), deadline=deadline)


@pytest.mark.parametrize("number", range(len(QUICK)))
def test_fault_is_a_failure_and_its_end_is_noticed_at_once(proxy: FaultProxy, image: Pushed, number: int) -> None:
    fault, failure = QUICK[number]
    clock = Clock()

    async def act(client: RegistryClient) -> None:
        truth = await look(client, proxy, image, deadline=clock.seconds + 60)
        assert len(truth.pieces) == 2
        # The manifest alone: which of several failures is the first would depend on the threads of the proxy.
        proxy.only, proxy.fault = f"/manifests/{image.digest}$", fault
        with pytest.raises(failure) as raised:
            await look(client, proxy, image, deadline=clock.seconds + 60)
        assert "127.0.0.1" in str(raised.value)
        assert NAME in str(raised.value)
        proxy.fault = None
        clock.pass_by(20)  # which is what Retry-After says; a host that does not say so is asked again at once
        assert await look(client, proxy, image, deadline=clock.seconds + 60) == truth

    run(act, plain(proxy.host), clock=clock.monotonic)


@pytest.mark.parametrize("fault", SLOW)
def test_slow_is_late_and_its_end_is_noticed_at_once(proxy: FaultProxy, image: Pushed, fault: Fault) -> None:
    async def act(client: RegistryClient) -> None:
        proxy.fault = fault
        with pytest.raises(TimedOut, match=r"127\.0\.0\.1 did not give the .* within \d+\.\d s: retry"):
            await look(client, proxy, image, deadline=soon(0.5))
        proxy.fault = None
        assert len((await look(client, proxy, image, deadline=soon())).pieces) == 2

    run(act, plain(proxy.host))


@pytest.mark.parametrize("fault", [fault for fault, _ in QUICK if fault not in (faults.endless, EMPTY_MANIFEST)])
def test_a_broken_registry_never_looks_like_one_without_evidence(
    proxy: FaultProxy, image: Pushed, fault: Fault
) -> None:
    """Each part alone broken, all others well."""

    async def act(client: RegistryClient) -> Found:
        return await look(client, proxy, image, deadline=soon())

    proxy.fault = fault
    for part in ("/referrers/", r"\.sig$", "/blobs/"):
        proxy.only = part
        with pytest.raises(RegistryFailure):
            run(act, plain(proxy.host))


@pytest.mark.parametrize("milliseconds", [20, 80, 200])
def test_latency_changes_nothing(proxy: FaultProxy, image: Pushed, milliseconds: int) -> None:
    async def act(client: RegistryClient) -> Found:
        return await look(client, proxy, image, deadline=soon())

    truth = run(act, plain(proxy.host))
    proxy.fault = faults.latency(milliseconds)
    assert run(act, plain(proxy.host)) == truth


def test_whatever_breaks_nothing_wrong_is_accepted(proxy: FaultProxy, image: Pushed) -> None:
    """Each request meets a fault by chance: what comes is the truth or a failure, never less than the truth."""
    outcomes: set[str] = set()
    ways = [fault for fault, _ in QUICK if fault is not faults.endless]

    async def act(client: RegistryClient) -> Found:
        return await look(client, proxy, image, deadline=soon())

    truth = run(act, plain(proxy.host))
    for seed in range(60):
        chance = random.Random(seed)

        def maybe(exchange: Exchange, chance: random.Random = chance) -> None:
            if chance.random() < 0.15:
                chance.choice(ways)(exchange)
            else:
                exchange.send(exchange.true_answer())

        proxy.fault = maybe
        try:
            assert run(act, plain(proxy.host)) == truth
            outcomes.add("truth")
        except RegistryFailure as failure:
            outcomes.add(type(failure).__name__)
    assert {"truth", "DigestMismatch", "Unreachable"} <= outcomes


def test_storm_of_429_is_not_answered_with_a_storm(proxy: FaultProxy, image: Pushed) -> None:
    clock = Clock()

    async def act(client: RegistryClient) -> None:
        proxy.fault = faults.status(429, Retry_After="9")
        for _ in range(50):
            with pytest.raises(RateLimited):
                await look(client, proxy, image, deadline=clock.seconds + 60)
        assert len(proxy.requests) <= 5  # those of the first image
        proxy.fault = None
        clock.pass_by(9)
        assert len((await look(client, proxy, image, deadline=clock.seconds + 60)).pieces) == 2

    run(act, plain(proxy.host), clock=clock.monotonic)


def test_registry_that_is_down_is_not_asked_by_each_image(proxy: FaultProxy, image: Pushed) -> None:
    clock = Clock()

    async def act(client: RegistryClient) -> None:
        proxy.fault = faults.reset_at_once
        for _ in range(50):
            with pytest.raises(Unreachable):
                await look(client, proxy, image, deadline=clock.seconds + 60)
            clock.pass_by(0.001)
        assert len(proxy.requests) <= FAILURES_TO_OPEN * 5 * 2
        proxy.fault = None
        clock.pass_by(FIRST_OPEN_SECONDS)
        assert len((await look(client, proxy, image, deadline=clock.seconds + 60)).pieces) == 2

    run(act, plain(proxy.host), clock=clock.monotonic)


def test_who_gives_up_leaves_nothing_behind(proxy: FaultProxy, image: Pushed) -> None:
    """Connections and places in the queue of those that were cancelled are free again."""

    async def act(client: RegistryClient) -> Found:
        proxy.fault = faults.silent
        waiting = [asyncio.create_task(look(client, proxy, image, deadline=soon())) for _ in range(10)]
        all_ask = partial(wait_until, lambda: len(proxy.requests) >= CONNECTIONS_PER_HOST)
        await asyncio.to_thread(all_ask, what="as many requests as there may be are under way")
        for task in waiting:
            task.cancel()
        assert all(isinstance(each, asyncio.CancelledError) for each in await _outcomes(waiting))
        proxy.fault = None
        return await look(client, proxy, image, deadline=soon())

    assert len(run(act, plain(proxy.host)).pieces) == 2


async def _outcomes(tasks: list[asyncio.Task[Found]]) -> list[Found | BaseException]:
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("max_bytes", [1000, 2**20])
def test_memory_of_a_blob_without_an_end(proxy: FaultProxy, image: Pushed, max_bytes: int) -> None:
    async def act(client: RegistryClient) -> None:
        proxy.fault = faults.endless
        with pytest.raises(TooLarge, match=f"has more than {max_bytes} bytes"):
            await client.blob(proxy.host, NAME, image.digest, max_bytes=max_bytes, deadline=soon())

    assert peak(lambda: run(act, plain(proxy.host))) < 3 * max_bytes + 2 * 2**20


def test_memory_of_manifests_without_an_end(proxy: FaultProxy, image: Pushed) -> None:
    async def act(client: RegistryClient) -> None:
        proxy.fault = faults.endless
        with pytest.raises(RegistryFailure):
            await look(client, proxy, image, deadline=soon())

    # Five requests side by side, each of which may hold as much as a manifest may have, twice when it is handed over.
    assert peak(lambda: run(act, plain(proxy.host))) < 5 * 2 * MAX_MANIFEST_BYTES + 4 * 2**20


def test_memory_after_many_images(running: Running, image: Pushed) -> None:
    """A client keeps connections, tokens and breakers, and nothing of what it read."""
    reference = parse_image(f"{running.host}/{NAME}@{image.digest}", "")

    async def act(client: RegistryClient) -> None:
        async def look_often() -> int:
            for _ in range(8):
                await discover(client, reference, deadline=soon())
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            first = await look_often()
            assert await look_often() - first < 100_000
        finally:
            tracemalloc.stop()

    run(act, plain(running.host))


def peak(act: object) -> int:
    """The most bytes that Python held meanwhile."""
    assert callable(act)
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_garbage_without_a_digest_is_malformed(proxy: FaultProxy) -> None:
    proxy.fault = HTML
    with pytest.raises(Malformed):
        run(lambda client: client.manifest(proxy.host, NAME, "v1", deadline=soon()), plain(proxy.host))
