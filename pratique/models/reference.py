"""Model references: a URI or a bare name becomes scheme, name, version, and whether it can only mean one thing.

Schemes are those that servers and operators read: KServe (python/storage/kserve_storage: hf, s3, gs, hdfs, webhdfs,
pvc, oci, https, azure blobs), KubeAI (hf, pvc, gs, oss, s3, ollama), MLflow (models:/, runs:/), fsspec.
"""

from __future__ import annotations

import re

from pratique.image import parse_image
from pratique.subject import ModelRef, ModelRole

MAX_URI_LENGTH = 4096
"""Longer ones are cut: no store takes them, and they would be copied into every message."""

_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):/(?P<second>/?)(?P<rest>.*)", re.DOTALL)
_ALIASES = {
    "huggingface": "hf",
    "hf-hub": "hf",
    "gcs": "gs",
    "abfs": "az",
    "abfss": "az",
    "wasb": "az",
    "wasbs": "az",
    "adl": "az",
    "azure": "az",
    "s3a": "s3",
    "s3n": "s3",
    "docker": "oci",
}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")
_HUB_URL = re.compile(
    r"(?:www\.)?(?:huggingface\.co|hf\.co)/(?:datasets/)?(?P<name>[^/]+/[^/]+)(?:/(?:resolve|blob|raw|tree)/(?P<revision>[^/?#]+))?"
)
_BLOB_URL = re.compile(r"[^/]+\.(?:blob|dfs)\.core\.windows\.net/")
_OBJECT_VERSION = re.compile(r"[?&](?:versionId|versionid|generation)=(?P<version>[^&#]+)|#(?P<generation>[0-9]{8,})$")


def parse_model(
    uri: str,
    path: str,
    *,
    revision: str = "",
    role: ModelRole = "model",
    framework: str = "",
    default: str = "hf",
) -> ModelRef:
    """The model that `uri` names at the JSON pointer `path`; `default` is the scheme of a bare name.

    `revision` is what is said apart from the URI. Never raises: whatever is not understood keeps its text and is not
    pinned.
    """
    uri = uri.strip()[:MAX_URI_LENGTH]
    scheme, name, version, pinned = _parts(uri, revision, default)
    return ModelRef(path, uri, scheme, name, version, pinned, role, framework)


def unresolved_model(path: str, reason: str, *, role: ModelRole = "model", framework: str = "") -> ModelRef:
    """A model that is known to be loaded, and not which."""
    return ModelRef(path, "", "", "", "", False, role, framework, reason)


def names_a_model(value: str) -> bool:
    """Whether `value` is surely a reference to a model where nobody says that it is one: a URI of a store, or an id of
    the form `owner/name`."""
    match = _URI.match(value)
    if match is not None:
        scheme = match["scheme"].lower()
        return _ALIASES.get(scheme, scheme) in _STORES
    return "/" in value and _HUB_ID.fullmatch(value) is not None


_STORES = frozenset({"hf", "s3", "gs", "az", "oss", "pvc", "oci", "hdfs", "webhdfs", "models", "runs", "ngc", "ollama"})


def _parts(uri: str, revision: str, default: str) -> tuple[str, str, str, bool]:
    match = _URI.match(uri)
    if match is None:
        if uri.startswith(("/", "./", "../", "~")) or (default == "hf" and _HUB_ID.fullmatch(_head(uri)) is None):
            return "file", uri, revision, False
        scheme, rest = default, uri
    else:
        scheme = match["scheme"].lower()
        scheme, rest = _ALIASES.get(scheme, scheme), match["rest"]
    if scheme == "hf":
        return _hub(rest, revision)
    if scheme == "oci":
        image = parse_image(rest, "")
        if image.error:
            return "oci", rest, revision, False
        return "oci", f"{image.registry}/{image.repository}", image.digest or image.tag, bool(image.digest)
    if scheme == "models":
        return _registered(rest)
    if scheme in ("http", "https"):
        return _web(scheme, rest, revision)
    if scheme == "file":
        return "file", rest if match is None else f"/{rest.lstrip('/')}", revision, False
    if scheme in ("ollama", "ngc", "nim"):
        name, at, version = rest.rpartition("@") if "@" in rest else rest.rpartition(":")
        if not at or "/" in version:
            name, version = rest, ""
        return scheme, name, version or revision, version.startswith("sha256:")
    return scheme, *_stored(rest, revision)


def _head(uri: str) -> str:
    return uri.partition("@")[0].partition(":")[0]


def _hub(rest: str, revision: str) -> tuple[str, str, str, bool]:
    """`owner/name`, with `@revision` or (KServe) `:revision` behind it."""
    name, at, version = rest.partition("@")
    if not at:
        name, _, version = rest.partition(":")
    parts = name.strip("/").split("/")
    version = revision or version
    return "hf", "/".join(parts[:2]), version, _COMMIT.fullmatch(version) is not None


def _registered(rest: str) -> tuple[str, str, str, bool]:
    """MLflow: `models:/name/3`, `models:/name@alias`, `models:/name/Stage`, `models:/m-<id>`. A number, and the id of
    a logged model, stay what they are."""
    name, at, version = rest.strip("/").rpartition("@")
    if at:
        return "models", name, version, False
    name, slash, version = rest.strip("/").rpartition("/")
    if not slash:
        return "models", version, "", version.startswith("m-")
    return "models", name, version, version.isdecimal()


def _web(scheme: str, rest: str, revision: str) -> tuple[str, str, str, bool]:
    if match := _HUB_URL.match(rest):
        version = match["revision"] or revision
        return "hf", match["name"], version, _COMMIT.fullmatch(version) is not None
    if _BLOB_URL.match(rest):
        return "az", *_stored(rest, revision)
    return scheme, *_stored(rest, revision)


def _stored(rest: str, revision: str) -> tuple[str, str, bool]:
    """Name, version, pinned in an object store: pinned if the URI holds the version of the object."""
    match = _OBJECT_VERSION.search(rest)
    if match is None:
        return rest, revision, False
    return re.split(r"[?#]", rest, maxsplit=1)[0], match["version"] or match["generation"], True
