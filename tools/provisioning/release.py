"""The official release: downloaded, checked against the pinned checksum, unpacked."""

from __future__ import annotations

import hashlib
import shutil
import stat
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import Future
from http.client import HTTPException
from ipaddress import ip_address
from threading import Thread
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

from provisioning.cache import Cache
from provisioning.errors import ProvisionError, RefusedError, UnavailableError, reason_of
from provisioning.program import require_version
from provisioning.progress import Progress
from provisioning.table import Asset, Tool

MAX_DOWNLOAD_BYTES = 1 << 30  # a wrong or hostile host must not fill the disk; the largest asset is about 400 MB
CHUNK_BYTES = 1 << 18

T = TypeVar("T")


def install_release(
    tool: Tool, cache: Cache, progress: Progress, *, mirror: str | None, timeout_seconds: float
) -> None:
    """Installs the program out of the official release once its checksum is verified.

    Raises:
        UnavailableError: no checksum is pinned for this platform, or the release cannot be had now.
        RefusedError: what came is not what was pinned.
    """
    asset = tool.assets.get(cache.platform)
    if asset is None:
        raise UnavailableError(f"no release checksum is pinned for {cache.platform}")
    url = _release_url(tool, asset, mirror)
    # The file has no name: whatever ends this process, no part of a download stays behind.
    with tempfile.TemporaryFile(dir=cache.folder) as file:
        checksum = _download(url, file, asset.algorithm, progress, timeout_seconds=timeout_seconds)
        if checksum != asset.checksum:
            raise RefusedError(
                f"the {asset.algorithm} checksum of {url} is {checksum} and not the pinned {asset.checksum}, so it was "
                "not installed; find out whether the file or the table was tampered with before you trust either"
            )
        with cache.work_folder(tool) as work:
            made = work / tool.name
            with made.open("wb") as program:
                if asset.member is None:
                    shutil.copyfileobj(file, program, CHUNK_BYTES)
                else:
                    _take_member(file, asset.name, asset.member, program)
            require_version(tool, made, origin=url)
            cache.install(tool, made, source="release")


def _release_url(tool: Tool, asset: Asset, mirror: str | None) -> str:
    """A mirror keeps the official host and path below its own address: MIRROR/github.com/..., MIRROR/dl.k8s.io/..."""
    official = tool.url.format(version=tool.version, asset=asset.name)
    url = official if mirror is None else f"{mirror.rstrip('/')}/{official.removeprefix('https://')}"
    _require_safe(url)
    return url


def _require_safe(url: str) -> None:
    """HTTPS, or HTTP to this machine itself; no credentials.

    Raises:
        RefusedError: the address is something else.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise RefusedError(f"{url} is not a valid address ({error}); correct it in the table or the mirror") from error
    if "@" in parts.netloc:
        raise RefusedError(f"an address for {parts.hostname} has credentials in it; use one without")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise RefusedError(f"{url} is neither https nor on this machine; use an https address")


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _opener(url: str) -> urllib.request.OpenerDirector:
    class SafeRedirects(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
            _require_safe(newurl)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    direct = [urllib.request.ProxyHandler({})] if _is_loopback(urlsplit(url).hostname) else []
    return urllib.request.build_opener(SafeRedirects, *direct)


def _download(url: str, file: IO[bytes], algorithm: str, progress: Progress, *, timeout_seconds: float) -> str:
    """Fills `file`, rewinds it and returns the checksum in hexadecimal.

    Raises:
        UnavailableError: not found, not reachable, silent for `timeout_seconds`, or cut off.
    """
    digest = hashlib.new(algorithm)
    received = 0
    opener = _opener(url)
    progress.say(f"downloading {url}")
    try:
        # One limit over name look-up, every address of the host, TLS and redirects; the socket's own limit is per step.
        answer = _within(timeout_seconds, lambda: opener.open(url, timeout=timeout_seconds))
        with answer:
            announced = answer.headers.get("Content-Length", "")
            total = int(announced) if announced.isascii() and announced.isdigit() else None
            of_total = "" if total is None else f" of {total / 1e6:.1f}"
            while chunk := answer.read(CHUNK_BYTES):
                received += len(chunk)
                if received > MAX_DOWNLOAD_BYTES:
                    raise RefusedError(f"{url} is larger than {MAX_DOWNLOAD_BYTES} bytes; check it in the table")
                digest.update(chunk)
                file.write(chunk)
                progress.tick(f"{received / 1e6:.1f}{of_total} MB downloaded")
    except urllib.error.HTTPError as error:
        error.close()
        raise UnavailableError(f"its release answers {error.code} {error.reason} at {url}") from error
    except TimeoutError as error:
        raise UnavailableError(f"its release at {url} was silent for {timeout_seconds:g} s") from error
    except urllib.error.URLError as error:
        raise UnavailableError(f"its release at {url} is not reachable ({reason_of(error)})") from error
    except (OSError, HTTPException) as error:
        raise UnavailableError(f"its release at {url} broke off ({reason_of(error)})") from error
    except ValueError as error:
        raise RefusedError(f"{url} is not a valid address ({error}); correct it in the table or the mirror") from error
    if total is not None and received != total:
        raise UnavailableError(f"its release at {url} broke off after {received} of {total} bytes")
    file.seek(0)
    return digest.hexdigest()


def _within(seconds: float, work: Callable[[], T]) -> T:
    """The result of `work`, or TimeoutError; work that hangs (a name look-up can) goes on in a daemon thread."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except (OSError, HTTPException, ValueError, ProvisionError) as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result(timeout=seconds)


def _take_member(archive: IO[bytes], name: str, member: str, target: IO[bytes]) -> None:
    """Copies one regular file out of a .tar.gz or .zip; no path of the archive is ever used on disk.

    Raises:
        RefusedError: it is not there, not a regular file, or the archive is broken.
    """
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(archive) as zipped:
                info = zipped.getinfo(member)
                kind = stat.S_IFMT(info.external_attr >> 16)
                if kind not in (0, stat.S_IFREG):
                    raise KeyError(member)
                with zipped.open(info) as source:
                    _copy(source, target, name)
        else:
            with tarfile.open(fileobj=archive, mode="r:*") as tarred:
                entry = next((one for one in tarred if one.name == member), None)
                if entry is None or not entry.isreg():
                    raise KeyError(member)
                taken = tarred.extractfile(entry)
                if taken is None:
                    raise KeyError(member)
                with taken:
                    _copy(taken, target, name)
    except KeyError as error:
        raise RefusedError(f"{name} has no regular file {member}; correct `member` in the table") from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error) as error:
        raise RefusedError(f"{name} cannot be unpacked ({reason_of(error)}); check the asset in the table") from error


def _copy(source: IO[bytes], target: IO[bytes], name: str) -> None:
    written = 0
    while chunk := source.read(CHUNK_BYTES):
        written += len(chunk)
        if written > MAX_DOWNLOAD_BYTES:
            raise RefusedError(f"{name} unpacks to more than {MAX_DOWNLOAD_BYTES} bytes; check the asset in the table")
        target.write(chunk)
