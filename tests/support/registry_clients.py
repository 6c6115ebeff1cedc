"""Registry clients for tests: one event loop, one client, closed at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from attestations.credentials import Credential, CredentialSource, Keyring
from attestations.registry import RegistryClient
from attestations.registry_settings import HostSettings, RegistrySettings

T = TypeVar("T")

SECONDS = 60.0
"""How long a request may take that is meant to succeed: only a machine that is on its knees needs more than one."""


def soon(seconds: float = SECONDS) -> float:
    """A deadline."""
    return time.monotonic() + seconds


def plain(*hosts: str) -> RegistrySettings:
    """Settings for hosts without TLS."""
    return RegistrySettings(tuple(HostSettings(host, plain_http=True) for host in hosts))


def login(host: str, user: str, password: str, *, origin: str = "the test") -> Keyring:
    return Keyring([(host, Credential(user, password, origin=origin))])


def run(
    act: Callable[[RegistryClient], Awaitable[T]],
    settings: RegistrySettings,
    credentials: CredentialSource | None = None,
    **options: Any,
) -> T:
    """What `act` makes of a client; nothing is left open."""

    async def main() -> T:
        client = RegistryClient(settings, credentials, **options)
        try:
            return await act(client)
        finally:
            await client.aclose()

    return asyncio.run(main())
