"""Fetches files by HTTP, and repositories by the `git` that is on the PATH."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from pratiquectl.conftest.addresses import Address, shown
from pratiquectl.conftest.archives import MAX_BYTES
from pratiquectl.conftest.errors import ConftestError

SECONDS = 300.0
"""How long one source may take; `--update` stands before every run of a pipeline."""

_SILENT_SECONDS = 30.0
"""How long a server may say nothing."""

_CHUNK = 1024 * 1024
_MAX_SHOWN = 500
_HASHES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}
"""Kinds of checksums, and how many bytes they have."""


def fetch_file(address: Address, path: Path) -> None:
    """Write what is at the URL to `path`.

    Raises:
        ConftestError: it cannot be had, is larger than MAX_BYTES, or breaks off.
    """
    name = shown(address.url)
    if urlsplit(address.url).scheme not in ("http", "https"):
        raise ConftestError(f"client get: {name} is no URL of HTTP")
    if urlsplit(address.url).path.endswith("/"):
        raise ConftestError(f"client get: {name} is a folder, and HTTP serves files: name one, or an archive")
    until = time.monotonic() + SECONDS
    try:
        with _opener().open(_request(address.url), timeout=_SILENT_SECONDS) as response, path.open("wb") as file:
            if response.status != http.client.OK:
                raise ConftestError(f"client get: bad response code: {response.status}")
            size = 0
            while chunk := response.read1(_CHUNK):
                size += file.write(chunk)
                if size > MAX_BYTES:
                    raise ConftestError(f"client get: {name} has more than {MAX_BYTES} bytes")
                if time.monotonic() > until:
                    raise ConftestError(f"client get: {name} takes longer than {SECONDS:g} s")
            expected = response.headers.get("Content-Length")
            if expected is not None and expected.isdigit() and int(expected) != size:
                raise ConftestError(f"client get: {name} breaks off after {size} of {expected} bytes")
    except urllib.error.HTTPError as error:
        error.close()
        raise ConftestError(f"client get: bad response code: {error.code}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ConftestError(f"client get: {name} cannot be fetched: {error}") from error


def _request(url: str) -> urllib.request.Request:
    """What is sent for a URL. A login in it goes to that host, and nowhere that it redirects to."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host)))  # noqa: S310 - the opener knows HTTP only
    if at:
        user, _, secret = login.partition(":")
        encoded = base64.b64encode(f"{unquote(user)}:{unquote(secret)}".encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {encoded}")
    return request


def _opener() -> urllib.request.OpenerDirector:
    """What opens HTTP and nothing else, wherever it is redirected to."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def check(path: Path, checksum: str) -> None:
    """Compare the file with a checksum: `sha256:<hex>`, or the hex alone.

    Raises:
        ConftestError: it is another file, or that is no checksum.
    """
    kind, colon, digits = checksum.partition(":")
    if not colon:
        kind, digits = "", checksum
    if kind == "file":
        raise ConftestError("client get: invalid checksum: a file of checksums is not read here; name the checksum")
    try:
        expected = bytes.fromhex(digits)
    except ValueError as error:
        raise ConftestError(f"client get: invalid checksum: {error}") from error
    found = kind.lower() or next((name for name, size in _HASHES.items() if size == len(expected)), "")
    if found not in _HASHES:
        raise ConftestError(f"client get: invalid checksum: unsupported checksum type: {kind or checksum}")
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, found).digest()
    if actual != expected:
        raise ConftestError(f"client get: Checksums did not match: expected {expected.hex()}, got {actual.hex()}")


def clone(address: Address, folder: Path) -> None:
    """Check out a repository into the new `folder`, with its submodules.

    Raises:
        ConftestError: git is not there, or fails; what it says is told without the login in the address.
    """
    try:
        _clone(address, folder)
    except ConftestError as error:
        login, at, _ = urlsplit(address.url).netloc.rpartition("@")
        raise ConftestError(str(error).replace(login + at, "") if ":" in login else str(error)) from None


def _clone(address: Address, folder: Path) -> None:
    git = shutil.which("git")
    if git is None:
        raise ConftestError("client get: git must be available and on the PATH")
    if "sshkey" in address.options:
        raise ConftestError("client get: sshkey is not taken from an address: set GIT_SSH_COMMAND, or use an agent")
    ref = address.options.get("ref", "")
    depth = address.options.get("depth", "")
    shallow = ["--depth", depth] if depth.isdecimal() and int(depth) > 0 else []
    until = time.monotonic() + SECONDS
    branch = ["--branch", ref] if shallow and ref else []
    _run([git, "clone", *shallow, *branch, "--", address.url, str(folder)], folder.parent, until)
    if ref:
        _run([git, "checkout", _commit(git, folder, ref, until)], folder, until)
    _run([git, "submodule", "update", "--init", "--recursive", *shallow], folder, until)


def _commit(git: str, folder: Path, ref: str, until: float) -> str:
    """The commit that a branch, a tag or the beginning of a digest names."""
    for candidate in (ref, f"refs/remotes/origin/{ref}", f"refs/tags/{ref}"):
        try:
            command = [git, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}"]
            return _run(command, folder, until).strip()
        except ConftestError:
            continue
    raise ConftestError(f'client get: invalid ref: "{ref}"')


def _run(command: Sequence[str], folder: Path, until: float) -> str:
    """What the command prints. It asks nobody anything, and it and what it started end with the time.

    Raises:
        ConftestError: it fails.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise ConftestError(f"client get: git takes longer than {SECONDS:g} s") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode:
        said = err.decode(errors="replace").strip()[-_MAX_SHOWN:]
        raise ConftestError(f"client get: git exited with {process.returncode}: {said}")
    return out.decode(errors="replace")
