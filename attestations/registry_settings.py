"""How registries are reached: what an operator says of their hosts, and our limits."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from attestations.hosts import DOCKER_HUB_NAMES, matches_host
from pratique.errors import ConfigError, Problem
from pratique.image import parse_image

CONNECTIONS_PER_HOST = 8
"""Protects registries from us, and us from running out of sockets."""
CONNECT_SECONDS = 5.0
"""After which a host that does not take a connection is given up, even if the deadline is later."""


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What holds for the hosts that `pattern` means (`registry.internal:5000`, `*.example.com`).

    `ca_file` (PEM): its certificates are trusted *instead of* the system's. `plain_http`: there is no TLS. `mirrors`
    are hosts, each with a path to put before the repository if need be (`mirror.internal/hub`); they are asked first.
    With `only_mirrors`, the registry itself is not asked at all.
    """

    pattern: str
    ca_file: Path | None = None
    plain_http: bool = False
    mirrors: tuple[str, ...] = ()
    only_mirrors: bool = False

    def __post_init__(self) -> None:
        """Raises: ConfigError: the settings contradict themselves."""
        if self.only_mirrors and not self.mirrors:
            raise self._error("only_mirrors is set and there are no mirrors: name one")
        if self.plain_http and self.ca_file is not None:
            raise self._error("plain_http is set and certificates are given: remove one")
        for mirror in self.mirrors:
            if parse_image(f"{mirror}/name", "").error or not set(mirror.partition("/")[0]) & set(".:"):
                raise self._error(f"the mirror {mirror!r} is not host[:port][/path]")

    def trust(self) -> ssl.SSLContext:
        """What the certificates of these hosts are checked with.

        Raises:
            ConfigError: the certificates cannot be read.
        """
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ValueError) as error:
            raise self._error(f"its certificates cannot be read: {error}") from error

    def _error(self, message: str) -> ConfigError:
        return ConfigError(Problem("registries", self.pattern, message))


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """The first of `hosts` whose pattern means a host is its own; without one: HTTPS and the system's certificates."""

    hosts: tuple[HostSettings, ...] = ()
    connections_per_host: int = CONNECTIONS_PER_HOST
    connect_seconds: float = CONNECT_SECONDS

    def of(self, host: str) -> HostSettings:
        """The settings of a host (`name[:port]`); Docker Hub's are found under each of its names."""
        names = DOCKER_HUB_NAMES if host in DOCKER_HUB_NAMES else {host}
        found = (each for each in self.hosts if any(matches_host(each.pattern, name) for name in names))
        return next(found, HostSettings(host))
