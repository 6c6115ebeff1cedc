"""The client against real registries: go-containerregistry's with and without referrers, Debian's if it is there."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from attestations.failures import (
    DigestMismatch,
    Malformed,
    NotFound,
    ServerFailed,
    TimedOut,
    TooLarge,
    Unauthorised,
    Unreachable,
)
from attestations.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest, NotAManifest
from attestations.registry import LOOP_BYTES, MAX_REFERRERS, Referrers, RegistryClient, fallback_tag
from attestations.registry_settings import HostSettings, RegistrySettings
from tests.support import fault_proxy as faults
from tests.support import oci_registry
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.oci_registry import Pushed, Running, serve, serve_debian
from tests.support.registry_clients import plain, run, soon

REPOSITORY = "team/app"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


@pytest.fixture(params=["referrers", "no referrers", pytest.param("debian", marks=pytest.mark.slow)])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """A registry of each kind; tests that do not care which take `running`."""
    if request.param == "debian" and not oci_registry.is_debian_installed():
        pytest.skip("docker-registry is not installed: apt-get install docker-registry")
    kinds: dict[str, AbstractContextManager[Running]] = {
        "referrers": serve(),
        "no referrers": serve(referrers=False),
        "debian": serve_debian(tmp_path / "registry"),
    }
    with kinds[request.param] as running:
        yield running


@pytest.fixture
def running() -> Iterator[Running]:
    with serve() as running:
        yield running


@pytest.fixture
def proxy(running: Running) -> Iterator[FaultProxy]:
    with fault_proxy(running.host) as proxy:
        yield proxy


def descriptor(pushed: Pushed) -> Descriptor:
    return Descriptor(pushed.media_type, pushed.digest, len(pushed.content))


def manifest(host: str, reference: str, settings: RegistrySettings | None = None) -> Manifest:
    return run(lambda client: client.manifest(host, REPOSITORY, reference, deadline=soon()), settings or plain(host))


def referrers(host: str, digest: str, settings: RegistrySettings | None = None) -> list[str]:
    found = run(lambda client: client.referrers(host, REPOSITORY, digest, deadline=soon()), settings or plain(host))
    return [each.digest for each in found.manifests]


# Tags, manifests, blobs.


def test_tag_and_digest_lead_to_the_manifest(registry: Running) -> None:
    image = registry.repository(REPOSITORY).image("v1")

    async def act(client: RegistryClient) -> None:
        for reference in ("v1", image.digest):
            where = registry.host, REPOSITORY, reference
            assert await client.resolve(*where, deadline=soon()) == descriptor(image)
            found = await client.manifest(*where, deadline=soon())
            assert (found.digest, found.content) == (image.digest, image.content)
        blob = found.layers[0]
        content = await client.blob(registry.host, REPOSITORY, blob.digest, max_bytes=blob.size, deadline=soon())
        assert content == b"an image"

    run(act, plain(registry.host))


def test_index(registry: Running) -> None:
    repository = registry.repository(REPOSITORY)
    image = repository.image()
    index = repository.index([image.descriptor(platform={"os": "linux", "architecture": "arm64"})], tag="multi")
    found = manifest(registry.host, "multi")
    assert (found.digest, found.is_index) == (index.digest, True)
    assert found.manifests == (Descriptor(OCI_MANIFEST, image.digest, len(image.content), platform="linux/arm64"),)


def test_what_is_not_there(registry: Running) -> None:
    registry.repository(REPOSITORY).image("v1")
    nowhere = "sha256:" + "0" * 64

    async def act(client: RegistryClient) -> None:
        where = registry.host, REPOSITORY
        with pytest.raises(NotFound, match=f"127.0.0.1 does not have the manifest {registry.host}/team/app:v2"):
            await client.resolve(*where, "v2", deadline=soon())
        with pytest.raises(NotFound, match=f"does not have the manifest {registry.host}/team/app@{nowhere}"):
            await client.manifest(*where, nowhere, deadline=soon())
        with pytest.raises(NotFound, match=f"does not have the blob {nowhere} of {registry.host}/team/app"):
            await client.blob(*where, nowhere, max_bytes=10, deadline=soon())
        with pytest.raises(NotFound):
            await client.manifest(registry.host, "team/other", "v1", deadline=soon())
        assert await client.referrers(*where, nowhere, deadline=soon()) == Referrers()

    run(act, plain(registry.host))


def test_resolve_asks_once_with_head(running: Running, proxy: FaultProxy) -> None:
    image = running.repository(REPOSITORY).image("v1")
    found = run(lambda client: client.resolve(proxy.host, REPOSITORY, "v1", deadline=soon()), plain(proxy.host))
    assert found == descriptor(image)
    assert proxy.requests == ["HEAD /v2/team/app/manifests/v1"]


def test_resolve_reads_the_manifest_where_the_head_has_no_digest(running: Running, proxy: FaultProxy) -> None:
    image = running.repository(REPOSITORY).image("v1")

    def no_digest(exchange: faults.Exchange) -> None:
        reply = exchange.true_answer()
        exchange.send(faults.Reply(reply.status, {"Content-Type": OCI_MANIFEST}, reply.body))

    proxy.fault = no_digest
    found = run(lambda client: client.resolve(proxy.host, REPOSITORY, "v1", deadline=soon()), plain(proxy.host))
    assert found == descriptor(image)
    assert proxy.requests == ["HEAD /v2/team/app/manifests/v1", "GET /v2/team/app/manifests/v1"]


def test_resolve_of_a_digest_gives_no_other(running: Running, proxy: FaultProxy) -> None:
    image = running.repository(REPOSITORY).image("v1")
    other = "sha256:" + "1" * 64
    proxy.fault = faults.answer(b"", Docker_Content_Digest=other, Content_Type=OCI_MANIFEST)
    with pytest.raises(DigestMismatch, match=f"127.0.0.1 gives {other}, asked for"):
        run(lambda client: client.resolve(proxy.host, REPOSITORY, image.digest, deadline=soon()), plain(proxy.host))


@pytest.mark.parametrize("reference", ["..", ".", "a/../../b", ""])
def test_a_reference_cannot_leave_its_place_in_the_address(proxy: FaultProxy, reference: str) -> None:
    with pytest.raises(Malformed, match="is no name of a repository, a tag or a digest"):
        manifest(proxy.host, reference)
    assert proxy.requests == []


def test_digests_that_nobody_can_compute_are_not_asked_for(proxy: FaultProxy) -> None:
    for act in (
        lambda client: client.manifest(proxy.host, REPOSITORY, "md5:" + "0" * 32, deadline=soon()),
        lambda client: client.blob(proxy.host, REPOSITORY, "sha256:short", max_bytes=1, deadline=soon()),
        lambda client: client.referrers(proxy.host, REPOSITORY, "sha256:" + "A" * 64, deadline=soon()),
    ):
        with pytest.raises(Malformed, match="is not a digest that can be computed: use sha256"):
            run(act, plain(proxy.host))
    assert proxy.requests == []


def test_blob_may_have_its_size_and_not_a_byte_more(running: Running) -> None:
    digest = running.repository(REPOSITORY).blob(b"12345")
    host = running.host
    assert (
        run(lambda client: client.blob(host, REPOSITORY, digest, max_bytes=5, deadline=soon()), plain(host)) == b"12345"
    )
    with pytest.raises(TooLarge, match="has more than 4 bytes"):
        run(lambda client: client.blob(host, REPOSITORY, digest, max_bytes=4, deadline=soon()), plain(host))


def test_large_blob_is_checked_as_a_small_one(running: Running, proxy: FaultProxy) -> None:
    content = b"x" * (LOOP_BYTES + 1)
    digest = running.repository(REPOSITORY).blob(content)

    async def act(client: RegistryClient) -> bytes:
        return await client.blob(proxy.host, REPOSITORY, digest, max_bytes=len(content), deadline=soon())

    assert run(act, plain(proxy.host)) == content
    proxy.fault = faults.lying
    with pytest.raises(DigestMismatch):
        run(act, plain(proxy.host))


def test_what_somebody_pushed_is_told_apart_from_what_a_gateway_says(running: Running, proxy: FaultProxy) -> None:
    pushed = running.repository(REPOSITORY).manifest(b'{"layers": 1}', tag="bad")
    with pytest.raises(NotAManifest, match="is not a list") as raised:
        manifest(running.host, "bad")
    assert raised.value.digest == pushed.digest
    proxy.fault = faults.answer(b"<html>Please log in", Content_Type="text/html")
    with pytest.raises(
        Malformed, match=r"127.0.0.1 gives no manifest, asked for .*: the manifest .* is not JSON"
    ) as other:
        manifest(proxy.host, "bad")
    assert not isinstance(other.value, NotAManifest)


# Referrers.


def test_api_and_fallback_tag_are_united(registry: Running) -> None:
    repository = registry.repository(REPOSITORY)
    image = repository.image()
    first = repository.artifact([(BUNDLE, b"first", {})], subject=image)
    second = repository.artifact([(BUNDLE, b"second", {})], subject=image)
    only_in_tag = repository.artifact([(BUNDLE, b"third", {})])
    repository.fallback(image, [first, only_in_tag])
    expected = {first.digest, only_in_tag.digest} | ({second.digest} if _has_api(registry) else set())
    found = referrers(registry.host, image.digest)
    assert set(found) == expected
    assert len(found) == len(expected)


def _has_api(registry: Running) -> bool:
    return registry.client.get(f"/v2/{REPOSITORY}/referrers/sha256:{'0' * 64}").status_code == 200


@pytest.mark.parametrize("status", [400, 404, 405, 406])
def test_registries_without_the_api_have_the_tag(running: Running, proxy: FaultProxy, status: int) -> None:
    repository = running.repository(REPOSITORY)
    image = repository.image()
    artifact = repository.artifact([(BUNDLE, b"by tag", {})])
    repository.fallback(image, [artifact])
    proxy.only, proxy.fault = "/referrers/", faults.status(status)
    assert referrers(proxy.host, image.digest) == [artifact.digest]


@pytest.mark.parametrize("only", ["/referrers/", "/manifests/sha256-"])
def test_one_of_the_two_alone_is_not_believed(running: Running, proxy: FaultProxy, only: str) -> None:
    image = running.repository(REPOSITORY).image()
    proxy.only, proxy.fault = only, faults.status(500)
    with pytest.raises(ServerFailed):
        referrers(proxy.host, image.digest)


def test_both_are_asked_at_the_same_time(running: Running, proxy: FaultProxy) -> None:
    image = running.repository(REPOSITORY).image()
    both = threading.Barrier(2)

    def meet(exchange: faults.Exchange) -> None:
        both.wait(timeout=60)
        exchange.send(exchange.true_answer())

    proxy.fault = meet
    assert referrers(proxy.host, image.digest) == []


def page(*digests: str) -> bytes:
    entries = [{"mediaType": OCI_MANIFEST, "digest": digest, "size": 1} for digest in digests]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


@pytest.mark.parametrize(
    "link",
    [
        '<{path}?n=1&last=x>; rel="next"',
        '<?last=x>; rel="next"',
        "</next>; rel=next",
        '</next>; rel = "next"',
        '<http://{host}/next>; rel="next"',
    ],
)
def test_pages_are_followed(running: Running, proxy: FaultProxy, link: str) -> None:
    def pages(exchange: faults.Exchange) -> None:
        is_first = "next" not in exchange.path and "last" not in exchange.path
        assert is_first or "/referrers/sha256:" in exchange.path or exchange.path == "/next"
        target = link.format(path=exchange.path, host=proxy.host)
        headers = {"Content-Type": OCI_INDEX} | ({"Link": target} if is_first else {})
        exchange.send(faults.Reply(200, headers, page(ONE if is_first else TWO)))

    proxy.only, proxy.fault = "/referrers/|/next", pages
    image = running.repository(REPOSITORY).image()
    assert referrers(proxy.host, image.digest) == [ONE, TWO]


@pytest.mark.parametrize("link", ["<https://elsewhere.example/next>", "<http://127.0.0.1:1/next>", "<http://a:b/>"])
def test_pages_stay_at_the_registry(running: Running, proxy: FaultProxy, link: str) -> None:
    proxy.only = "/referrers/"
    proxy.fault = faults.answer(page(ONE), Content_Type=OCI_INDEX, Link=f'{link}; rel="next"')
    with pytest.raises(Malformed, match=r"127\.0\.0\.1 leads to (another host|no address), asked for the referrers"):
        referrers(proxy.host, running.repository(REPOSITORY).image().digest)


@pytest.mark.parametrize("status", [404, 400, 500])
def test_page_that_is_missing_is_not_the_end(running: Running, proxy: FaultProxy, status: int) -> None:
    def pages(exchange: faults.Exchange) -> None:
        headers = {"Content-Type": OCI_INDEX, "Link": '</next>; rel="next"'}
        exchange.send(
            faults.Reply(status, {}, b"") if "next" in exchange.path else faults.Reply(200, headers, page(ONE))
        )

    proxy.only, proxy.fault = "/referrers/|/next", pages
    with pytest.raises(ServerFailed, match=str(status)):
        referrers(proxy.host, running.repository(REPOSITORY).image().digest)


@pytest.mark.parametrize(
    "link", ['</next>; rel="prev"', "</next>; rel=nextish", '</next>, </other>; rel="last"', "next"]
)
def test_links_that_lead_elsewhere_end_the_list(running: Running, proxy: FaultProxy, link: str) -> None:
    proxy.only, proxy.fault = "/referrers/", faults.answer(page(ONE), Content_Type=OCI_INDEX, Link=link)
    assert referrers(proxy.host, running.repository(REPOSITORY).image().digest) == [ONE]


def test_link_that_is_a_bomb(running: Running, proxy: FaultProxy) -> None:
    proxy.only, proxy.fault = "/referrers/", faults.answer(page(ONE), Content_Type=OCI_INDEX, Link="<>;" * 20_000)
    with pytest.raises(TooLarge, match="gives a Link of more than 4096 characters"):
        referrers(proxy.host, running.repository(REPOSITORY).image().digest)


def test_pages_that_go_in_circles_end(running: Running, proxy: FaultProxy) -> None:
    proxy.only = "/referrers/"
    proxy.fault = faults.answer(page(ONE), Content_Type=OCI_INDEX, Link='</v2/team/app/referrers/x>; rel="next"')
    with pytest.raises(TooLarge, match="on more than 32 pages"):
        referrers(proxy.host, running.repository(REPOSITORY).image().digest)


def test_ten_thousand_referrers_are_refused(running: Running, proxy: FaultProxy) -> None:
    proxy.only = "/referrers/"
    proxy.fault = faults.answer(page(*(f"sha256:{number:064x}" for number in range(10_000))), Content_Type=OCI_INDEX)
    image = running.repository(REPOSITORY).image()
    with pytest.raises(TooLarge, match="has 10000 entries, more than 2000"):
        referrers(proxy.host, image.digest)


def test_more_referrers_than_the_limit_are_refused(running: Running, proxy: FaultProxy) -> None:
    digests = [f"sha256:{number:064x}" for number in range(MAX_REFERRERS + 1)]
    image = running.repository(REPOSITORY).image()
    proxy.only = "/referrers/"
    proxy.fault = faults.answer(page(*digests[:-1]), Content_Type=OCI_INDEX)
    assert len(referrers(proxy.host, image.digest)) == MAX_REFERRERS
    proxy.fault = faults.answer(page(*digests), Content_Type=OCI_INDEX)
    with pytest.raises(TooLarge, match=f"more than {MAX_REFERRERS} manifests refer to {image.digest}: remove"):
        referrers(proxy.host, image.digest)


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"<html>", "text/html", "gives no list"),
        (b'{"manifests": [{}]}', OCI_INDEX, "gives no list"),
        (b"{}", OCI_MANIFEST, "gives a manifest"),
    ],
)
def test_lists_that_are_none(running: Running, proxy: FaultProxy, body: bytes, content_type: str, message: str) -> None:
    proxy.only, proxy.fault = "/referrers/", faults.answer(body, Content_Type=content_type)
    with pytest.raises(Malformed, match=message):
        referrers(proxy.host, running.repository(REPOSITORY).image().digest)


@pytest.mark.parametrize("content", [b'{"layers": []}', b"not JSON"])
def test_fallback_tag_that_is_no_list_hides_nothing(running: Running, content: bytes) -> None:
    repository = running.repository(REPOSITORY)
    image = repository.image()
    artifact = repository.artifact([(BUNDLE, b"by the API", {})], subject=image)
    bad = repository.manifest(content, tag=fallback_tag(image.digest))
    host = running.host
    found = run(lambda client: client.referrers(host, REPOSITORY, image.digest, deadline=soon()), plain(host))
    assert [each.digest for each in found.manifests] == [artifact.digest]
    assert list(found.unread) == [bad.digest]
    assert "is not an index" in found.unread[bad.digest] or "is not JSON" in found.unread[bad.digest]


def test_fallback_tag_of_a_long_digest_is_cut() -> None:
    assert fallback_tag("sha512:" + "a" * 128) == "sha512-" + "a" * 64


# Mirrors.


def mirrored(origin: str, *mirrors: str, only: bool = False) -> RegistrySettings:
    own = HostSettings(origin, plain_http=True, mirrors=mirrors, only_mirrors=only)
    return RegistrySettings((own, *_plain(*mirrors)))


def _plain(*mirrors: str) -> tuple[HostSettings, ...]:
    return tuple(HostSettings(mirror.partition("/")[0], plain_http=True) for mirror in mirrors)


def test_mirror_is_asked_first_and_the_origin_not_at_all(running: Running, proxy: FaultProxy) -> None:
    with serve() as other, fault_proxy(other.host) as mirror:
        image = other.repository(f"hub/{REPOSITORY}").image("v1")
        assert manifest(proxy.host, "v1", mirrored(proxy.host, f"{mirror.host}/hub")).digest == image.digest
        assert mirror.requests == ["GET /v2/hub/team/app/manifests/v1"]
    assert proxy.requests == []


@pytest.mark.parametrize("fault", [faults.status(404), faults.status(500), faults.status(429), faults.reset_at_once])
def test_what_a_mirror_does_not_give_the_origin_is_asked_for(running: Running, fault: faults.Fault) -> None:
    image = running.repository(REPOSITORY).image("v1")
    with fault_proxy(running.host) as mirror:
        mirror.fault = fault
        assert manifest(running.host, "v1", mirrored(running.host, mirror.host)).digest == image.digest


@pytest.mark.slow
def test_a_mirror_that_hangs_leaves_time_for_the_origin(running: Running) -> None:
    image = running.repository(REPOSITORY).image("v1")
    with fault_proxy(running.host) as mirror:
        mirror.fault = faults.silent
        found = run(
            lambda client: client.manifest(running.host, REPOSITORY, "v1", deadline=soon(4.0)),
            mirrored(running.host, mirror.host),
        )
    assert found.digest == image.digest


def test_a_mirror_that_knows_no_referrers_is_no_answer(running: Running) -> None:
    repository = running.repository(REPOSITORY)
    image = repository.image()
    artifact = repository.artifact([(BUNDLE, b"mirrored", {})], subject=image)
    with serve() as mirror:
        assert referrers(running.host, image.digest, mirrored(running.host, mirror.host)) == [artifact.digest]


def test_the_origin_has_the_last_word(running: Running) -> None:
    with fault_proxy(running.host) as mirror:
        mirror.fault = faults.status(500)
        with pytest.raises(NotFound):
            manifest(running.host, "nowhere", mirrored(running.host, mirror.host))


def test_without_the_origin_all_mirrors_must_know_that_it_is_not_there(running: Running) -> None:
    with fault_proxy(running.host) as broken:
        broken.fault = faults.status(500)
        settings = mirrored("registry.invalid", broken.host, running.host, only=True)
        with pytest.raises(ServerFailed):
            manifest("registry.invalid", "nowhere", settings)
        broken.fault = None
        with pytest.raises(NotFound):
            manifest("registry.invalid", "nowhere", settings)


# Hosts.


@pytest.mark.parametrize("host", ["127.0.0.1:99999999", "[:::]:5000", "a" * 64 + ".invalid", "registry.invalid"])
def test_hosts_that_are_none(host: str) -> None:
    with pytest.raises(Unreachable):
        manifest(host, "v1")


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:1"])
def test_host_that_refuses_the_connection(host: str) -> None:
    with pytest.raises(Unreachable, match=r"there is no connection with .* \(Connection refused\): retry"):
        manifest(host, "v1")


def test_deadline_that_is_over_asks_nobody(proxy: FaultProxy) -> None:
    with pytest.raises(TimedOut):
        run(lambda client: client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon(-1)), plain(proxy.host))
    assert proxy.requests == []


def test_connections_of_one_host_are_bounded(running: Running, proxy: FaultProxy) -> None:
    running.repository(REPOSITORY).image("v1")
    at_once, most = [0], [0]
    lock, three = threading.Lock(), threading.Event()

    def count(exchange: faults.Exchange) -> None:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            if at_once[0] == 3:
                three.set()
        assert three.wait(timeout=60)
        exchange.stopped.wait(0.02)  # in which a fourth would come
        with lock:
            at_once[0] -= 1
        exchange.send(exchange.true_answer())

    async def act(client: RegistryClient) -> None:
        requests = (client.manifest(proxy.host, REPOSITORY, "v1", deadline=soon()) for _ in range(40))
        await asyncio.gather(*requests)

    proxy.fault = count
    run(act, RegistrySettings((HostSettings(proxy.host, plain_http=True),), connections_per_host=3))
    assert most == [3]


def test_forbidden_without_a_login() -> None:
    with (
        serve(login=(oci_registry.USER, oci_registry.PASSWORD)) as locked,
        pytest.raises(Unauthorised, match=r"does not let us read .* \(we have no login for it\): give a pull secret"),
    ):
        manifest(locked.host, "v1")
