"""The policies and data of a run: which files they are, and how the engine is given them.

Modules keep the names that the user gave them, since those stand in messages; nothing is copied or rewritten. Data is
linked into one folder, so that OPA's own loader merges it: sub-folders are path segments, file names are not.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.inputs import clean, is_utf8

_DATA_EXTENSIONS = (".yaml", ".yml", ".json")
_PREFIX = re.compile(r"(?P<prefix>[^/:]+):(?P<path>.+)")

MAX_DEPTH = 64
"""Folders in folders that are looked into: a loop of links ends there."""


@dataclass(frozen=True, slots=True)
class Module:
    """One file of Rego."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of data and the path in `data` at which its content stands."""

    path: str
    segments: tuple[str, ...]


def read_modules(paths: Sequence[str]) -> list[Module]:
    """The modules at the paths, each once, in order of their paths.

    Raises:
        ConftestError: a path is not there, a file cannot be read, or there is no module at all.
    """
    found: dict[str, Module] = {}
    for root in paths:
        for path, _ in _files(root, (".rego",), stage="loading policies: load"):
            name = clean(path)
            if name not in found:
                found[name] = Module(name, _read(path))
    if not found:
        raise ConftestError(f"load: loading policies: no policies found in [{' '.join(paths)}]")
    return [found[name] for name in sorted(found, key=os.fsencode)]


def find_data(paths: Sequence[str]) -> list[DataFile]:
    """The data files at the paths.

    Raises:
        ConftestError: a path is not there.
    """
    files = []
    for given in paths:
        prefixed = None if os.path.exists(given) else _PREFIX.fullmatch(given)
        prefix = tuple(prefixed["prefix"].split(".")) if prefixed else ()
        root = prefixed["path"] if prefixed else given
        files += [
            DataFile(path, (*prefix, *segments))
            for path, segments in _files(root, _DATA_EXTENSIONS, stage="load documents")
        ]
    return files


def link_data(files: Iterable[DataFile], folder: Path) -> None:
    """Fills `folder` so that loading it gives the data of `files`."""
    for number, file in enumerate(files):
        place = folder.joinpath(*file.segments)
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}{os.path.splitext(file.path)[1]}").symlink_to(os.path.abspath(file.path))


def _files(root: str, extensions: tuple[str, ...], *, stage: str) -> list[tuple[str, tuple[str, ...]]]:
    """The files at or below `root`, each with the folders between; one that is named itself needs an extension too."""
    found: list[tuple[str, tuple[str, ...]]] = []
    try:
        _collect(root, (), extensions, found)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        where = f"stat {error.filename}: {reason}" if error.filename else reason
        raise ConftestError(f"load: {stage}: 1 error occurred during loading: {where}") from error
    return found


def _collect(
    path: str, segments: tuple[str, ...], extensions: tuple[str, ...], found: list[tuple[str, tuple[str, ...]]]
) -> None:
    if stat.S_ISDIR(os.stat(path).st_mode):
        if len(segments) >= MAX_DEPTH:
            raise ConftestError(f"load: {path}: folders are nested {MAX_DEPTH} deep; is there a loop of links?")
        for name in sorted(os.listdir(path), key=os.fsencode):
            child = clean(f"{path}/{name}")
            below = (*segments, name) if os.path.isdir(child) else segments
            _collect(child, below, extensions, found)
    elif os.path.basename(path).endswith(extensions):
        found.append((path, segments))


def _read(path: str) -> str:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"1 error occurred during loading: open {path}: {reason}"
        raise ConftestError(f"load: loading policies: load: {message}") from error
    if not is_utf8(content):
        raise ConftestError(f"load: loading policies: load: 1 error occurred: {path}: it is not UTF-8 text")
    return content.decode()
