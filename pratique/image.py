"""Image references as the container ecosystem parses them (github.com/distribution/reference, `reference.go` and
`normalize.go`)."""

from __future__ import annotations

import re
from functools import lru_cache

from pratique.shape import json_type
from pratique.subject import ImageRef

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"
MAX_NAME_LENGTH = 255
MAX_REFERENCE_LENGTH = 4096
"""Protects the regular expressions below; the longest legal reference is far shorter."""

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?")
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_DIGEST_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}
_HEX_ID = re.compile(r"[a-f0-9]{64}")


def parse_image(reference: object, path: str) -> ImageRef:
    """The parts of `reference`, found at the JSON pointer `path`. Never raises: what does not parse says why in
    `error`."""
    if not isinstance(reference, str):
        kind = "missing" if reference is None else f"{json_type(reference)}, not text"
        return ImageRef(path=path, reference="", error=f"the image is {kind}")
    if len(reference) > MAX_REFERENCE_LENGTH:
        return ImageRef(path=path, reference=reference[:MAX_REFERENCE_LENGTH], error="the image reference is too long")
    return ImageRef(path, reference, *_parts(reference))


@lru_cache(maxsize=4096)
def _parts(reference: str) -> tuple[str, str, str, str, str]:
    """Registry, repository, tag, digest and error of a reference; the same images come again and again."""
    if not reference:
        return "", "", "", "", "the image is empty"
    name, at, digest = reference.partition("@")
    head, slash, rest = name.partition("/")
    # A first component is a registry only if it cannot be a path component (normalize.go, splitDockerDomain).
    if slash and ("." in head or ":" in head or head == "localhost" or head.lower() != head):
        registry, remainder = head, rest
    else:
        registry, remainder = DEFAULT_REGISTRY, name
    repository, colon, tag = remainder.partition(":")
    if registry == "index.docker.io":
        registry = DEFAULT_REGISTRY
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = f"library/{repository}"
    error = _error(registry, repository, tag if colon else None, digest if at else None, name)
    if error:
        return "", "", "", "", error
    if not colon and not at:
        tag = DEFAULT_TAG
    return registry, repository, tag, digest, ""


def _error(registry: str, repository: str, tag: str | None, digest: str | None, name: str) -> str:
    if _HEX_ID.fullmatch(name):
        return "the image name is a bare 64-digit hexadecimal id, which names no repository"
    if not _HOST.fullmatch(registry):
        return f"the registry {registry!r} is not a host name"
    if not _REPOSITORY.fullmatch(repository):
        if repository.lower() != repository:
            return "the repository must be lower case"
        return f"the repository {repository!r} is not a valid name"
    if len(registry) + 1 + len(repository) > MAX_NAME_LENGTH:
        return f"the image name is longer than {MAX_NAME_LENGTH} characters"
    if tag is not None and not _TAG.fullmatch(tag):
        return f"the tag {tag!r} is not valid"
    if digest is not None:
        algorithm, _, digits = digest.partition(":")
        if not _DIGEST.fullmatch(digest) or len(digits) != _DIGEST_HEX_LENGTH.get(algorithm, len(digits)):
            return f"the digest {digest!r} is not valid"
    return ""
