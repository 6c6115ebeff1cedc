"""Noticing that files changed, by looking: it works on every file system and through every kind of replacement."""

from __future__ import annotations

import os
from pathlib import Path

MAX_WATCHED_FILES = 20_000
"""Protects the process from a path given by mistake (`/`): what is beyond is not looked at."""

Signature = tuple[tuple[str, int, int, int, int], ...]
"""Name, inode, size, and times of content and of status in nanoseconds, for each file and folder."""


def signature(*paths: Path) -> Signature:
    """What tells one state of the files at and below `paths` from another.

    Links are followed, so that this also changes where Kubernetes replaces the link `..data` of a mounted ConfigMap
    or Secret. Hidden names are passed over: loaders do not read them. What cannot be looked at counts as not being
    there.
    """
    found: list[tuple[str, int, int, int, int]] = []
    for path in paths:
        _look(str(path), found, depth=0)
    return tuple(sorted(found))


def _look(path: str, found: list[tuple[str, int, int, int, int]], *, depth: int) -> None:
    try:
        status = os.stat(path)  # noqa: PTH116 - this runs every second; a Path for each file costs three times as much
    except OSError:
        return
    found.append((path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    if depth < _MAX_DEPTH and len(found) < MAX_WATCHED_FILES:
        try:
            names = os.listdir(path)  # noqa: PTH208 - as above
        except OSError:  # a file, or a folder that cannot be read
            return
        for name in names:
            if not name.startswith("."):
                _look(f"{path}/{name}", found, depth=depth + 1)


_MAX_DEPTH = 20
"""Protects from links that lead in a circle."""


def contents(path: Path) -> Path:
    """Where the files of a mounted ConfigMap or Secret really are, all of one version; `path` itself for anything
    else."""
    data = path / "..data"
    return data.resolve() if data.is_symlink() else path
