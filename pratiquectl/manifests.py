"""Manifests on disk: files, folders and stdin become Kubernetes objects, with the place of each."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from pratique.canonical import parse_json
from pratique.errors import InputError, Problem
from pratique.pointer import pointer
from pratique.positions import NOWHERE, Place, Position, Text
from pratique.shape import json_type
from pratique.yamlfile import Document, load_documents
from reports.check import PassedOver

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILE_BYTES = 64 * 2**20
"""Protects the process from a file that was named by mistake."""

STDIN = "-"

_NOT_FOR_THE_API = ("kustomize.config.k8s.io", "helm.sh")
"""Groups whose documents are read by tools, not by an API server."""

_OF_EVERY_OBJECT = frozenset({"metadata", "spec"})
"""What tells an object that lacks a line from a document that never was one (the `Chart.yaml` of Helm)."""


_CHART = "Chart.yaml"
"""What makes a folder a Helm chart (helm.sh/helm/v3/pkg/chartutil, `ChartfileName`)."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object; `line` is where its document begins. In that document, which is at `place`, it is at `pointer`.

    What is not to be `judged` is there for what it says of others.
    """

    file: str
    line: int
    object: dict[str, Any]
    place: Place | None = None
    pointer: str = ""
    judged: bool = True

    def positions(self, paths: Iterable[str]) -> Mapping[str, Position]:
        """Where the parts of the object at `paths` are in the file; line 0 where that is not known."""
        if self.place is None:
            return dict.fromkeys(paths, NOWHERE)
        wanted = {path: f"{self.pointer}{path}" for path in paths}
        found = self.place.positions(wanted.values())
        return {path: found[whole] for path, whole in wanted.items()}


Found = Manifest | PassedOver | Problem


def unread(found: Iterable[Found]) -> str:
    """The first that could not be read, so that nobody knows what it says of others; empty where there is none."""
    for each in found:
        if isinstance(each, Problem) or (isinstance(each, PassedOver) and each.unread):
            return str(each) if isinstance(each, Problem) else f"{each.file}: {each.reason}"
    return ""


def read_manifests(paths: Sequence[str], *, stdin: BinaryIO | None = None) -> Iterator[Found]:
    """Every document of all files, in order of path; folders are searched for YAML and JSON files, not hidden ones.

    What cannot be read is a Problem and does not keep the others from being read.
    """
    for path in paths:
        if path == STDIN:
            stream = stdin if stdin is not None else sys.stdin.buffer
            yield from _documents(_limited(stream, "stdin"), "stdin")
            continue
        for file in _files([path]):
            yield from _read(file) if isinstance(file, Path) else [file]


def manifest_files(paths: Sequence[str]) -> Iterator[Path | Problem]:
    """The files that `paths` name; for a folder, all manifests below it. Whether they can be read shows later."""
    for file in _files(paths):
        if not isinstance(file, PassedOver):
            yield file


def documents_of(content: bytes, file: str, *, located: bool = True) -> Iterator[Found]:
    """Every document of `content`, which is named `file`; without `located`, lines in it mean nothing to a reader."""
    yield from _documents(content, file, located=located)


def _files(paths: Sequence[str]) -> Iterator[Path | PassedOver | Problem]:
    for path in paths:
        if Path(path).is_dir():
            files = list(_files_below(Path(path)))
            if not any(isinstance(file, Path) for file in files):
                files.append(Problem(path, "", f"there is no manifest in this folder (no {', '.join(SUFFIXES)})"))
            yield from files
        else:
            yield Path(path)


def _files_below(root: Path) -> Iterator[Path | PassedOver | Problem]:
    unreadable: list[Problem] = []

    def keep(error: OSError) -> None:
        unreadable.append(Problem(str(error.filename), "", f"this cannot be read: {error.strerror}"))

    for folder, folders, names in os.walk(root, onerror=keep):
        yield from unreadable
        unreadable.clear()
        seen = sorted(name for name in folders if not name.startswith("."))
        folders[:] = [name for name in seen if not Path(folder, name).is_symlink()]
        for name in sorted({*seen} - {*folders}):
            yield PassedOver(str(Path(folder, name)), 0, "a folder that is a symbolic link is not followed; name it")
        for name in sorted(names):
            if not name.startswith(".") and name.endswith(SUFFIXES):
                yield from [_regular(Path(folder, name))]
    yield from unreadable


def _regular(file: Path) -> Path | Problem:
    """`file`, unless it is something that one may wait for without end (a pipe, a device)."""
    try:
        mode = file.stat().st_mode
    except OSError:
        return file  # reading it says what is wrong
    return file if stat.S_ISREG(mode) else Problem(str(file), "", "this is no file, but a pipe or a device")


def _read(file: Path) -> Iterable[Found]:
    try:
        with file.open("rb") as stream:
            content = _limited(stream, str(file))
    except OSError as error:
        return [Problem(str(file), "", f"this cannot be read: {error.strerror}")]
    if isinstance(content, bytes) and b"{{" in content and (chart := _chart_of_template(file)) is not None:
        return [PassedOver(str(file), 0, f"this is a template of a Helm chart; judge that with --helm {chart}")]
    found = _documents(content, str(file))
    if not (file.parent / _CHART).is_file():
        return found
    reason = f"this belongs to a Helm chart; judge that with --helm {file.parent}"
    return (replace(each, reason=reason) if isinstance(each, PassedOver) else each for each in found)


def _chart_of_template(file: Path) -> Path | None:
    """The folder of the Helm chart that `file` is a template of."""
    for folder in file.parents:
        if folder.name == "templates" and (folder.parent / _CHART).is_file():
            return folder.parent
    return None


def _limited(stream: BinaryIO, name: str) -> bytes | Problem:
    content = stream.read(MAX_FILE_BYTES + 1)
    return (
        content if len(content) <= MAX_FILE_BYTES else Problem(name, "", f"more than {MAX_FILE_BYTES} bytes; split it")
    )


def _documents(content: bytes | Problem, file: str, *, located: bool = True) -> Iterator[Found]:
    if isinstance(content, Problem):
        yield content
        return
    empty = True
    for found in _parsed(content, file):
        empty = False
        if isinstance(found, Problem):
            yield found
        else:
            document, place = found
            where = _Where(file, document.line, place) if located else _Where(file, 0, None)
            yield from _objects(where, document.value)
    if empty:
        yield PassedOver(file, 0, "there is no document in it")


@dataclass(frozen=True, slots=True)
class _Where:
    """Where a value is: in a document, at a pointer in it."""

    file: str
    line: int
    place: Place | None
    pointer: str = ""

    @property
    def name(self) -> str:
        return f"line {self.line}" if self.line else ""

    def item(self, index: int) -> _Where:
        """Where an item of the List that is here is."""
        inner = f"{self.pointer}{pointer('items', index)}"
        line = self.place.positions([inner])[inner].line if self.place is not None else self.line
        return _Where(self.file, line, self.place, inner)


def _parsed(content: bytes, file: str) -> Iterator[tuple[Document, Place] | Problem]:
    if file.endswith(".json") or content.lstrip()[:1] in (b"{", b"["):
        try:
            value = parse_json(content)
        except InputError as error:
            if file.endswith(".json"):
                yield Problem(file, "", str(error))
                return
        else:
            text = Text(content.decode())
            yield Document(file, 0, 1, value), Place(text, 0, len(text.text), is_json=True)
            return
    try:
        text = Text(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        yield from (each for each in load_documents(content, file) if isinstance(each, Problem))
        return
    for document in load_documents(text.text, file):
        if isinstance(document, Problem):
            yield document
        else:
            yield document, Place(text, document.start, document.end)


def _objects(where: _Where, value: Any) -> Iterator[Found]:
    """The object that `value` is, or those in it if it is a List."""
    if not isinstance(value, dict):
        yield PassedOver(where.file, where.line, f"this is {json_type(value)}, not a Kubernetes object")
        return
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if (api_version or kind) and not (api_version and kind) and not _OF_EVERY_OBJECT.isdisjoint(value):
        missing = "kind" if api_version else "apiVersion"
        yield Problem(where.file, where.name, f"the object has no {missing}; add it")
    elif not api_version or not kind:
        yield PassedOver(where.file, where.line, "this is no Kubernetes object: it has no apiVersion and kind")
    elif isinstance(api_version, str) and api_version.partition("/")[0] in _NOT_FOR_THE_API:
        yield PassedOver(where.file, where.line, f"a {kind} is read by a tool, not by the API server")
    elif isinstance(kind, str) and (kind == "List" or (kind.endswith("List") and "items" in value)):
        yield from _items(where, str(api_version), kind, value.get("items"))
    else:
        yield Manifest(where.file, where.line, value, where.place, where.pointer)


def _items(where: _Where, api_version: str, kind: str, items: object) -> Iterator[Found]:
    """The objects of a List. What is in one is meant for the API server: nothing of it is passed over."""
    if not isinstance(items, list):
        message = f"the items of this {kind} are {json_type(items)}, not a list; correct the manifest"
        yield Problem(where.file, where.name, message)
        return
    if not items:
        yield PassedOver(where.file, where.line, f"this {kind} is empty")
    for index, item in enumerate(items):
        here = where.item(index)
        if not isinstance(item, dict):
            message = f"an item of this {kind} is {json_type(item)}, not a Kubernetes object; correct the manifest"
            yield Problem(where.file, here.name, message)
            continue
        if kind != "List":  # items of a typed list do not repeat what they are
            item = {"apiVersion": api_version, "kind": kind.removesuffix("List"), **item}
        if not item.get("apiVersion") or not item.get("kind"):
            message = f"an item of this {kind} lacks its apiVersion or kind; correct the manifest"
            yield Problem(where.file, here.name, message)
            continue
        yield from _objects(here, item)
