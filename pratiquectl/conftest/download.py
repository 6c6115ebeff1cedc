"""Fetches policies into a folder: from OCI registries."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.registry import TITLE, Registry, parse_reference

_REGISTRIES = re.compile(
    r"azurecr\.io|gcr\.io|registry\.gitlab\.com|pkg\.dev|[0-9]{12}\.dkr\.ecr\.[a-z0-9-]*\.amazonaws\.com|^quay\.io"
    r"|(?:::1|127\.0\.0\.1|(?i:localhost)):\d{1,5}"
)
"""Addresses that are taken for a registry without saying `oci://`."""


def download(addresses: Sequence[str], folder: str, *, tls: bool | None, overwrite: bool = False) -> None:
    """Writes the files of each artifact below `folder`.

    Raises:
        ConftestError: an address is no registry's, cannot be fetched, or a file is there with another content.
    """
    for address in addresses:
        try:
            _pull(registry_address(address), Path(folder), tls=tls, overwrite=overwrite, environ=os.environ)
        except OSError as error:
            raise ConftestError(f"client get: {error.filename}: {error.strerror}") from error


def registry_address(address: str) -> str:
    """The address without its scheme.

    Raises:
        ConftestError: it is of another kind.
    """
    if not address.startswith("oci://") and ("://" in address or ("::" in address and "::1" not in address)):
        raise ConftestError(f"detecting url: {address}: policies are fetched from OCI registries (oci://...) only")
    if address.startswith("oci://"):
        return address.removeprefix("oci://")
    if not _REGISTRIES.search(address):
        raise ConftestError(f"detecting url: {address}: write oci://{address} if this is an OCI registry")
    return address


def _pull(address: str, folder: Path, *, tls: bool | None, overwrite: bool, environ: Mapping[str, str]) -> None:
    registry = Registry(parse_reference(address), tls=tls, environ=environ)
    manifest = registry.manifest()
    files: list[tuple[Path, bytes]] = []
    for layer in manifest.get("layers") or ():
        title = _title(layer)
        if title is None:
            continue
        path = _inside(folder, title)
        content = registry.blob(str(layer.get("digest")))
        if path.exists() and not overwrite and (path.is_dir() or path.read_bytes() != content):
            raise ConftestError(f"policy file already exists at {path}, refusing to overwrite")
        files.append((path, content))
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(path)


def _title(layer: Any) -> str | None:
    if not isinstance(layer, dict):
        raise ConftestError("the manifest has a layer that is no descriptor")
    title = (layer.get("annotations") or {}).get(TITLE)
    return str(title) if title else None


def _inside(folder: Path, title: str) -> Path:
    """The path of a layer's file.

    Raises:
        ConftestError: its title leads out of the folder.
    """
    path = folder / title
    root = folder.resolve()
    if os.path.isabs(title) or not path.resolve().is_relative_to(root) or path.resolve() == root:
        raise ConftestError(f"the layer {title!r} would be written outside of {folder}")
    return path
