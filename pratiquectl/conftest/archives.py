"""Archives of policies: what is in them, written into a new folder, as conftest's go-getter 1.8 unpacks it.

Only files come of it: a link becomes an empty file (in a ZIP, one that holds where it leads), as with conftest.
"""

from __future__ import annotations

import bz2
import gzip
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pratiquectl.conftest.errors import ConftestError

MAX_BYTES = 256 * 1024 * 1024
"""What an archive may come to. Protects the disk and the memory from a small one that stands for very much."""

MAX_FILES = 100_000
"""How many files may be in an archive. Protects the disk, and the memory that their names take."""

_CHUNK = 1024 * 1024

_TAR = {"tar": "", "tar.gz": "gz", "tgz": "gz", "tar.bz2": "bz2", "tbz2": "bz2"}
_SINGLE = ("gz", "bz2", "xz", "zst")
_NOT_HERE = ("tar.xz", "txz", "tar.zst", "tzst")
KINDS = frozenset({*_TAR, *_SINGLE, *_NOT_HERE, "zip"})
"""What conftest unpacks, by the end of the name."""


def kind_of(path: str) -> str:
    """The kind of archive that is at `path`, by its name; nothing if it is none."""
    return max((kind for kind in KINDS if path.endswith(f".{kind}")), key=len, default="")


def unpack(archive: Path, kind: str, folder: Path) -> None:
    """Write what is in `archive` into `folder`.

    Raises:
        ConftestError: it is none, of another kind, leads out of the folder, is empty, or comes to too much.
    """
    if kind in _SINGLE:
        raise ConftestError(f"client get: a file that is compressed ({kind}) is no folder of policies")
    if kind in _NOT_HERE:
        raise ConftestError(f"client get: archives of the kind {kind} are not read here; use tar.gz or zip")
    entries = _zip_entries if kind == "zip" else _tar_entries
    try:
        with archive.open("rb") as stream:
            count, left = 0, MAX_BYTES
            for name, content in entries(stream, kind):
                count += 1
                left -= _write(folder, name, content, left)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise ConftestError(f"client get: this is no archive of the kind {kind}: {error}") from error
    except (NotImplementedError, RuntimeError) as error:
        raise ConftestError(f"client get: the archive cannot be read: {error}") from error
    if not count:
        raise ConftestError("client get: empty archive")


def _too_many() -> ConftestError:
    return ConftestError(f"client get: the archive holds more than {MAX_FILES} files")


def _write(folder: Path, name: str, content: IO[bytes], limit: int) -> int:
    """Write one file; how many bytes it has."""
    if ".." in re.split(r"[/\\]", name):
        raise ConftestError(f"client get: entry contains '..': {name}")
    data = content.read(limit + 1)
    if len(data) > limit:
        raise ConftestError(f"client get: the archive comes to more than {MAX_BYTES} bytes")
    path = folder / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return len(data)


def _tar_entries(stream: IO[bytes], kind: str) -> Iterator[tuple[str, IO[bytes]]]:
    # Unpacked first, and only so far: a header of tar can be as long as the whole.
    try:
        data = _unpacked(stream, _TAR[kind]).read(MAX_BYTES + 1)
    except OSError as error:  # what both raise for bytes that are not theirs
        raise ConftestError(f"client get: this is no archive of the kind {kind}: {error}") from error
    if len(data) > MAX_BYTES:
        raise ConftestError(f"client get: the archive comes to more than {MAX_BYTES} bytes")
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for number, member in enumerate(archive, start=1):
            if number > MAX_FILES:
                raise _too_many()
            if not member.isdir():
                yield member.name, (archive.extractfile(member) if member.isreg() else None) or io.BytesIO()


def _unpacked(stream: IO[bytes], compression: str) -> IO[bytes] | gzip.GzipFile | bz2.BZ2File:
    if compression == "gz":
        return gzip.GzipFile(fileobj=stream)
    return bz2.BZ2File(stream) if compression == "bz2" else stream


def _zip_entries(stream: IO[bytes], kind: str) -> Iterator[tuple[str, IO[bytes]]]:
    del kind
    # Before all of them are read: each entry of the list at the end begins so (APPNOTE.TXT 4.3.12).
    count = 0
    while chunk := stream.read(_CHUNK):
        count += chunk.count(b"PK\x01\x02")
        if count > MAX_FILES:
            raise _too_many()
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                with archive.open(member) as content:
                    yield member.filename, content
