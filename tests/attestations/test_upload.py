"""Uploads: to real registries, with each kind of login, and where a registry sends them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from attestations.credentials import CredentialSource
from attestations.failures import Malformed, NotFound, ServerFailed, Unauthorised
from attestations.manifest import DOCKER_INDEX, OCI_INDEX, OCI_MANIFEST, Manifest, digest_of
from attestations.registry import Referrers, fallback_tag
from attestations.registry_settings import RegistrySettings
from attestations.transport import MAX_SAID_BYTES
from attestations.upload import UploadClient
from tests.support import fault_proxy as faults
from tests.support.fault_proxy import Exchange, FaultProxy, Reply, fault_proxy
from tests.support.oci_registry import PASSWORD, USER, Running, serve
from tests.support.registry_clients import login, plain, soon

NAME = "team/policies"
CONTENT = b"package main\n"
DIGEST = digest_of(CONTENT)

T = TypeVar("T")


def run(
    act: Callable[[UploadClient], Awaitable[T]], settings: RegistrySettings, credentials: CredentialSource | None = None
) -> T:
    async def main() -> T:
        client = UploadClient(settings, credentials)
        try:
            return await act(client)
        finally:
            await client.aclose()

    return asyncio.run(main())


def push(host: str, *others: str, credentials: CredentialSource | None = None) -> str:
    """The digest of `CONTENT`, uploaded; `others` are further hosts without TLS."""
    return run(lambda client: client.push_blob(host, NAME, CONTENT, deadline=soon()), plain(host, *others), credentials)


@pytest.fixture
def running() -> Iterator[Running]:
    with serve() as running:
        yield running


@pytest.fixture
def proxy(running: Running) -> Iterator[FaultProxy]:
    with fault_proxy(running.host) as proxy:
        yield proxy


@pytest.mark.parametrize("token_seconds", [0, 300])
def test_what_was_uploaded_is_read_back(token_seconds: int) -> None:
    """With a login and with a token: one to push with, although the first question is whether the blob is there."""
    config = {"mediaType": "application/x", "digest": DIGEST, "size": len(CONTENT)}
    manifest = json.dumps({"schemaVersion": 2, "config": config, "layers": [config]}).encode()

    async def act(client: UploadClient) -> None:
        assert await client.push_blob(locked.host, NAME, CONTENT, deadline=soon()) == DIGEST
        for reference in (digest_of(manifest), "v1"):
            await client.push_manifest(locked.host, NAME, manifest, reference, media_type=OCI_MANIFEST, deadline=soon())
        found = await client.manifest(locked.host, NAME, "v1", deadline=soon())
        assert (found.content, found.digest) == (manifest, digest_of(manifest))
        assert await client.blob(locked.host, NAME, DIGEST, max_bytes=len(CONTENT), deadline=soon()) == CONTENT

    with serve(login=(USER, PASSWORD), token_seconds=token_seconds) as locked:
        run(act, plain(locked.host), login(locked.host, USER, PASSWORD))


def test_what_is_there_is_not_uploaded(running: Running, proxy: FaultProxy) -> None:
    running.repository(NAME).blob(CONTENT)
    assert push(proxy.host) == DIGEST
    assert proxy.requests == [f"HEAD /v2/{NAME}/blobs/{DIGEST}"]


def test_an_upload_goes_on_where_the_registry_says_without_a_login_elsewhere(running: Running) -> None:
    """Its query stays as it is: it may be signed."""
    seen: list[tuple[str, str, bytes, bool]] = []

    def at_the_store(exchange: Exchange) -> None:
        seen.append((exchange.method, exchange.path, exchange.body, "authorization" in exchange.headers))
        exchange.send(Reply(201, {}, b""))

    with serve(login=(USER, PASSWORD)) as locked, fault_proxy(locked.host) as front, fault_proxy(running.host) as store:

        def leads_away(exchange: Exchange) -> None:
            reply = exchange.true_answer()
            location = f"http://{store.host}/bucket?signature=a%2Fb%20c"
            exchange.send(Reply(202, {"Location": location}, b"") if reply.status == 202 else reply)

        front.fault, store.fault = leads_away, at_the_store
        push(front.host, store.host, credentials=login(front.host, USER, PASSWORD))
    assert seen == [("PUT", f"/bucket?signature=a%2Fb%20c&digest=sha256%3A{DIGEST[7:]}", CONTENT, False)]


@pytest.mark.parametrize("location", ["http://elsewhere.example/up", "ftp://{host}/up", "http://["])
def test_an_upload_goes_nowhere_else(proxy: FaultProxy, location: str) -> None:
    proxy.only = "/uploads/"
    proxy.fault = faults.answer(b"", 202, Location=location.format(host=proxy.host))
    with pytest.raises(Malformed, match=r"127\.0\.0\.1 leads to (another host|no address), asked for the upload of"):
        push(proxy.host)


BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def attached(host: str, digest: str, content: bytes) -> str:
    async def act(client: UploadClient) -> str:
        return await client.attach(
            *(host, NAME, digest, content), media_type=BUNDLE, annotations={"made": "by us"}, deadline=soon()
        )

    return run(act, plain(host))


def referring(host: str, digest: str) -> Referrers:
    return run(lambda client: client.referrers(host, NAME, digest, deadline=soon()), plain(host))


@pytest.mark.parametrize("referrers", [True, False])
def test_what_hangs_on_an_image_is_found_again(referrers: bool) -> None:
    with serve(referrers=referrers) as running:
        repository = running.repository(NAME)
        image, other = repository.image("1"), repository.image("2", content=b"another")
        theirs = repository.artifact([("application/spdx+json", b"{}", {})], subject=image, artifact_type="theirs")
        if not referrers:
            repository.fallback(image, [theirs])
        made = [attached(running.host, image.digest, content) for content in (b"first", b"second", b"first")]
        assert (made[0] == made[2], len(set(made))) == (True, 2)
        found = referring(running.host, image.digest)
        assert {each.digest for each in found.manifests} == {theirs.digest, *made}
        assert (len(found.manifests), referring(running.host, other.digest).manifests) == (3, ())

        async def read(client: UploadClient) -> Manifest:
            return await client.manifest(running.host, NAME, made[0], deadline=soon())

        manifest = run(read, plain(running.host))
        assert (manifest.kind, manifest.subject and manifest.subject.digest) == (BUNDLE, image.digest)
        assert [(each.media_type, each.size) for each in manifest.layers] == [(BUNDLE, len(b"first"))]


def test_nothing_hangs_on_what_is_not_there(running: Running) -> None:
    with pytest.raises(NotFound, match=DIGEST):
        attached(running.host, DIGEST, CONTENT)


def test_where_the_registry_lists_what_refers_no_list_is_written(running: Running, proxy: FaultProxy) -> None:
    image = running.repository(NAME).image("1")

    def lists(exchange: Exchange) -> None:
        reply = exchange.true_answer()
        if exchange.method == "PUT":
            reply = Reply(reply.status, {**reply.headers, "OCI-Subject": image.digest}, reply.body)
        exchange.send(reply)

    proxy.fault = lists
    made = attached(proxy.host, image.digest, CONTENT)
    assert proxy.requests[-1] == f"PUT /v2/{NAME}/manifests/{made}"


Losing = Callable[[str, int], tuple[FaultProxy, list[str]]]


@pytest.fixture
def losing(running: Running) -> Iterator[Losing]:
    """A proxy that loses so many lists written under the tag, and those that it lost."""
    with fault_proxy(running.host) as proxy:

        def make(tag: str, most: int) -> tuple[FaultProxy, list[str]]:
            lost: list[str] = []

            def loses(exchange: Exchange) -> None:
                if exchange.method == "PUT" and exchange.path.endswith(tag) and len(lost) < most:
                    lost.append(exchange.path)
                    exchange.send(Reply(201, {}, b""))
                else:
                    exchange.send(exchange.true_answer())

            proxy.fault = loses
            return proxy, lost

        yield make


def test_a_list_that_others_overwrite_is_written_again(running: Running, losing: Losing) -> None:
    image = running.repository(NAME).image("1")
    proxy, lost = losing(fallback_tag(image.digest), 2)
    made = attached(proxy.host, image.digest, CONTENT)
    assert [each.digest for each in referring(proxy.host, image.digest).manifests] == [made]
    assert len(lost) == 2


def test_a_list_that_others_overwrite_is_not_written_for_ever(running: Running, losing: Losing) -> None:
    image = running.repository(NAME).image("1")
    tag = fallback_tag(image.digest)
    proxy, lost = losing(tag, 100)
    with pytest.raises(ServerFailed, match=f"the tag {tag} of .* does not keep what was written to it, 3 times"):
        attached(proxy.host, image.digest, CONTENT)
    assert len(lost) == 3


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_INDEX])
def test_a_list_without_entries_gets_one_and_stays_of_its_type(media_type: str) -> None:
    with serve(referrers=False) as running:
        repository = running.repository(NAME)
        image = repository.image("1")
        empty = {"schemaVersion": 2, "mediaType": media_type, "manifests": None}
        repository.manifest(empty, tag=fallback_tag(image.digest), media_type=media_type)
        made = attached(running.host, image.digest, CONTENT)
        assert [each.digest for each in referring(running.host, image.digest).manifests] == [made]


def test_a_fallback_tag_that_is_no_list_is_left_alone() -> None:
    with serve(referrers=False) as running:
        repository = running.repository(NAME)
        image = repository.image("1")
        stray = repository.image(fallback_tag(image.digest), content=b"stray")
        with pytest.raises(Malformed, match=f"the tag {fallback_tag(image.digest)} of .* is no index: remove it"):
            attached(running.host, image.digest, CONTENT)

        async def read(client: UploadClient) -> Manifest:
            return await client.manifest(running.host, NAME, fallback_tag(image.digest), deadline=soon())

        assert run(read, plain(running.host)).digest == stray.digest


def test_redirects_of_an_upload_are_not_followed(running: Running, proxy: FaultProxy) -> None:
    proxy.only, proxy.fault = (
        "/uploads/",
        faults.status(307, Location=f"http://{running.host}/v2/{NAME}/blobs/uploads/"),
    )
    with pytest.raises(ServerFailed, match=r"127\.0\.0\.1 answers 307, asked for the upload of the blob"):
        push(proxy.host, running.host)


def test_refusal_has_the_words_of_the_registry(proxy: FaultProxy) -> None:
    proxy.only, proxy.fault = "/uploads/", faults.answer(b'{"errors": [{"code": "NAME_UNKNOWN"}]}', 404)
    with pytest.raises(ServerFailed, match=r'answers 404, asked for the upload .*: \{"errors": .*NAME_UNKNOWN'):
        push(proxy.host)
    proxy.fault = faults.answer(b"\x1b[2Jquota\n" + b"!" * 1000, 403)
    with pytest.raises(Unauthorised, match="it asks for no login that we can give") as raised:
        push(proxy.host)
    assert (raised.value.status, raised.value.said) == (403, "[2Jquota " + "!" * (MAX_SAID_BYTES - 10))
    proxy.only, proxy.fault = "/manifests/", faults.answer(b"no such layer", 400)
    with pytest.raises(
        ServerFailed, match=f"answers 400, asked for the upload of the manifest v1 to .*{NAME}: no such"
    ):
        run(
            lambda client: client.push_manifest(
                proxy.host, NAME, b"{}", "v1", media_type=OCI_MANIFEST, deadline=soon()
            ),
            plain(proxy.host),
        )
