"""Names of registries: which host answers for one, and which patterns mean it.

Patterns are the kubelet's (`k8s.io/kubernetes/pkg/credentialprovider/keyring.go`, `URLsMatch`): one label for one
label, `*` within a label, the port as it is written.
"""

from __future__ import annotations

import fnmatch
import re

DOCKER_HUB = "docker.io"
"""How references name Docker Hub."""
DOCKER_HUB_ENDPOINT = "registry-1.docker.io"
"""The host that answers for it."""
DOCKER_HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", DOCKER_HUB_ENDPOINT})


def endpoint_of(registry: str) -> str:
    """The host (`name[:port]`) to connect to for a registry as references name it."""
    return DOCKER_HUB_ENDPOINT if registry in DOCKER_HUB_NAMES else registry


def is_pattern(text: str) -> bool:
    """Whether `text` can mean a host at all: `name[:port]`, without a scheme or a path, and with `*` for characters."""
    return re.fullmatch(r"[\w.*?\[\]:-]+", text, re.ASCII) is not None


def matches_host(pattern: str, host: str) -> bool:
    """Whether `host` (`name[:port]`) is one that the pattern means."""
    pattern_name, pattern_port = _split(pattern)
    name, port = _split(host)
    labels, wanted = name.split("."), pattern_name.split(".")
    return (
        pattern_port == port
        and len(labels) == len(wanted)
        and all(fnmatch.fnmatchcase(label, glob) for label, glob in zip(labels, wanted, strict=True))
    )


def _split(host: str) -> tuple[str, str]:
    """Name and port, empty where there is none; an IPv6 address without its brackets."""
    name, colon, port = host.rpartition(":")
    if not colon or "]" in port or (":" in name and not name.startswith("[")):
        name, port = host, ""
    return name.removeprefix("[").removesuffix("]").lower(), port
