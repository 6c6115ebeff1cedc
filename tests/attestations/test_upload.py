"""Uploads: to real registries, with each kind of login, and where a registry sends them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from attestations.credentials import CredentialSource
from attestations.failures import Malformed, ServerFailed, Unauthorised
from attestations.manifest import OCI_MANIFEST, digest_of
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
