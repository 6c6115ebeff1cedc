"""What an address of policies stands for, as conftest's go-getter 1.8 takes it."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from pratiquectl.conftest.errors import ConftestError

_REGISTRIES = re.compile(
    r"azurecr\.io|gcr\.io|registry\.gitlab\.com|pkg\.dev|[0-9]{12}\.dkr\.ecr\.[a-z0-9-]*\.amazonaws\.com|^quay\.io"
    r"|(?:::1|127\.0\.0\.1|(?i:localhost)):\d{1,5}"
)
"""Addresses that are taken for a registry without saying `oci://`."""

_FORCED = re.compile(r"([A-Za-z0-9]+)::(.+)", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_SSH = re.compile(r"git@([^:]+):/?(.+)")
_HOSTS = {"bitbucket.org/": "Bitbucket", "googleapis.com/": "Google Cloud Storage", ".amazonaws.com/": "S3"}
"""Which of conftest's sources an address without a scheme means, that is not fetched from here."""

_LOGIN = re.compile(r"://[^/?#]*@")
_HERE = ("file", "git", "http", "https", "oci")
_NOT_HERE = ("gcs", "hg", "s3")
_OPTIONS = frozenset({"archive", "checksum", "filename", "ref", "depth", "sshkey"})
"""Parameters of a URL that are for who fetches it, and are not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where policies are, and how they are fetched: by `file`, `git`, `http`, `https` or `oci`."""

    how: str
    url: str
    """With its scheme, but for `oci`; without `subfolder` and `options`."""
    name: str
    """The last part of what was written: what conftest looks for in the folder before it fetches anything."""
    subfolder: str = ""
    options: Mapping[str, str]

    @property
    def path(self) -> str:
        """The path of the URL."""
        return unquote(urlsplit(self.url).path)


def shown(address: str) -> str:
    """An address as messages name it: without a login, and without parameters, among which there may be keys."""
    return _LOGIN.sub("://", address).partition("?")[0]


def address_of(text: str, folder: str) -> Address:
    """What `text` stands for. A path that is not absolute begins at `folder`, and that at the root: so conftest has it.

    Raises:
        ConftestError: it stands for nothing, or for what is not fetched from here.
    """
    # conftest replaces it wherever it stands, so that `localhost:5000/p` has no scheme.
    forced, rest = _forced(text.replace("localhost", "127.0.0.1"))
    url, subfolder = _with_subfolder(rest)
    if not _SCHEME.match(url):
        by_form, url = _forced(_by_form(url, folder))
        forced = forced or by_form
        url, found = _with_subfolder(url)
        subfolder = posixpath.join(found, subfolder) if found and subfolder else found or subfolder
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConftestError(f"detecting url: {shown(text)}: {error}") from error
    how = forced or parts.scheme
    if how in _NOT_HERE:
        raise ConftestError(
            f"client get: {shown(text)}: nothing is fetched by {how} here; use git, https, a path or oci"
        )
    if how not in _HERE:
        hint = f"; write oci://{shown(text)} if this is an OCI registry" if "/" in text else ""
        raise ConftestError(f"client get: download not supported for scheme '{how}'{hint}")
    name = posixpath.basename((url + (f"//{subfolder}" if subfolder else "")).rstrip("/"))
    if how == "oci":
        # As it is written: Docker keeps the logins of `localhost` under that name.
        written = _with_subfolder(_forced(text)[1])[0].removeprefix("oci://")
        return Address(how=how, url=written, name=name, subfolder=_clean(subfolder), options={})
    query = parse_qsl(parts.query, keep_blank_values=True)
    options = {key: value for key, value in reversed(query) if key in _OPTIONS}
    sent = urlencode(sorted((key, value) for key, value in query if key not in _OPTIONS))
    return Address(
        how=how,
        url=urlunsplit(parts._replace(query=sent, fragment="")),
        name=name,
        subfolder=_clean(subfolder),
        options=options,
    )


def _forced(text: str) -> tuple[str, str]:
    """How an address is to be fetched, if it says so (`git::`), and the rest."""
    match = _FORCED.fullmatch(text)
    return (match[1], match[2]) if match else ("", text)


def _with_subfolder(text: str) -> tuple[str, str]:
    """An address, and the folder in it that is written behind `//`."""
    before, question, query = text.partition("?")
    scheme, mark, _ = before.partition("://")
    start = len(scheme) + len(mark) if mark else 0
    at = before.find("//", start)
    if at == -1:
        return text, ""
    return before[:at] + question + query, before[at + 2 :]


def _clean(subfolder: str) -> str:
    if not subfolder:
        return ""
    if ".." in re.split(r"[/\\]", posixpath.normpath(subfolder)):
        raise ConftestError(f"client get: the folder {subfolder!r} leads out of what is fetched")
    return posixpath.normpath(subfolder).lstrip("/")


def _by_form(text: str, folder: str) -> str:
    """The URL of what is written without a scheme."""
    if _REGISTRIES.search(text) and "/" in text:
        return f"oci://{text}"
    if text.startswith("github.com/"):
        before, question, query = text.partition("?")
        parts = before.split("/")
        if len(parts) < 3:
            raise ConftestError("detecting url: detect: GitHub URLs should be github.com/username/repo")
        repository = "/".join(parts[:3]).removesuffix(".git")
        below = f"//{'/'.join(parts[3:])}" if parts[3:] else ""
        return f"git::https://{repository}.git{below}{question}{query}"
    if match := _SSH.fullmatch(text):
        return f"git::ssh://git@{match[1]}/{match[2]}"
    for host, name in _HOSTS.items():
        if host in text:
            message = f"{shown(text)}: nothing is fetched from {name} here; use git, https or oci"
            raise ConftestError(f"detecting url: {message}")
    if not text:
        raise ConftestError("detecting url: detect: invalid source string: ")
    if not text.startswith("/"):
        start = os.path.realpath(folder) if os.path.islink(folder) else folder
        text = posixpath.normpath(posixpath.join(start, text))
    return f"file:///{text.lstrip('/')}"
