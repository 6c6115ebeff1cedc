"""Manifests on disk: files, folders and stdin become Kubernetes objects, with the place of each."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pratique.canonical import parse_json
from pratique.errors import InputError, Problem
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


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object; `line` is where its document begins."""

    file: str
    line: int
    object: dict[str, Any]


Found = Manifest | PassedOver | Problem


def read_manifests(paths: Sequence[str], *, stdin: BinaryIO | None = None) -> Iterator[Found]:
    """Every document of all files, in order of path; folders are searched for YAML and JSON files, not hidden ones.

    What cannot be read is a Problem and does not keep the others from being read.
    """
    for path in paths:
        if path == STDIN:
            stream = stdin if stdin is not None else sys.stdin.buffer
            yield from _documents(_limited(stream, "stdin"), "stdin")
            continue
        for file in manifest_files([path]):
            yield from [file] if isinstance(file, Problem) else _read(file)


def manifest_files(paths: Sequence[str]) -> Iterator[Path | Problem]:
    """The files that `paths` name; for a folder, all manifests below it. Whether they can be read shows later."""
    for path in paths:
        if Path(path).is_dir():
            files = list(_files_below(Path(path)))
            if not files:
                yield Problem(path, "", f"there is no manifest in this folder (no {', '.join(SUFFIXES)})")
            yield from files
        else:
            yield Path(path)


def _files_below(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.endswith(SUFFIXES):
                yield Path(folder, name)


def _read(file: Path) -> Iterable[Found]:
    try:
        with file.open("rb") as stream:
            return _documents(_limited(stream, str(file)), str(file))
    except OSError as error:
        return [Problem(str(file), "", f"this cannot be read: {error.strerror}")]


def _limited(stream: BinaryIO, name: str) -> bytes | Problem:
    content = stream.read(MAX_FILE_BYTES + 1)
    return (
        content if len(content) <= MAX_FILE_BYTES else Problem(name, "", f"more than {MAX_FILE_BYTES} bytes; split it")
    )


def _documents(content: bytes | Problem, file: str) -> Iterator[Found]:
    if isinstance(content, Problem):
        yield content
        return
    empty = True
    for document in _parsed(content, file):
        empty = False
        if isinstance(document, Problem):
            yield document
        else:
            yield from _objects(document, document.value)
    if empty:
        yield PassedOver(file, 0, "there is no document in it")


def _parsed(content: bytes, file: str) -> Iterable[Document | Problem]:
    if file.endswith(".json") or content.lstrip()[:1] in (b"{", b"["):
        try:
            return [Document(file, 0, 1, parse_json(content))]
        except InputError as error:
            if file.endswith(".json"):
                return [Problem(file, "", str(error))]
    return load_documents(content, file)


def _objects(document: Document, value: Any) -> Iterator[Found]:
    """The object that `value` is, or those in it if it is a List."""
    if not isinstance(value, dict):
        yield PassedOver(document.file, document.line, f"this is {json_type(value)}, not a Kubernetes object")
        return
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if (api_version or kind) and not (api_version and kind) and not _OF_EVERY_OBJECT.isdisjoint(value):
        missing = "kind" if api_version else "apiVersion"
        yield Problem(document.file, f"line {document.line}", f"the object has no {missing}; add it")
    elif not api_version or not kind:
        yield PassedOver(document.file, document.line, "this is no Kubernetes object: it has no apiVersion and kind")
    elif isinstance(api_version, str) and api_version.partition("/")[0] in _NOT_FOR_THE_API:
        yield PassedOver(document.file, document.line, f"a {kind} is read by a tool, not by the API server")
    elif isinstance(kind, str) and (kind == "List" or (kind.endswith("List") and "items" in value)):
        yield from _items(document, str(api_version), kind, value.get("items"))
    else:
        yield Manifest(document.file, document.line, value)


def _items(document: Document, api_version: str, kind: str, items: object) -> Iterator[Found]:
    """The objects of a List. What is in one is meant for the API server: nothing of it is passed over."""
    place = f"line {document.line}"
    if not isinstance(items, list):
        message = f"the items of this {kind} are {json_type(items)}, not a list; correct the manifest"
        yield Problem(document.file, place, message)
        return
    if not items:
        yield PassedOver(document.file, document.line, f"this {kind} is empty")
    for item in items:
        if not isinstance(item, dict):
            message = f"an item of this {kind} is {json_type(item)}, not a Kubernetes object; correct the manifest"
            yield Problem(document.file, place, message)
            continue
        if kind != "List":  # items of a typed list do not repeat what they are
            item = {"apiVersion": api_version, "kind": kind.removesuffix("List"), **item}
        if not item.get("apiVersion") or not item.get("kind"):
            message = f"an item of this {kind} lacks its apiVersion or kind; correct the manifest"
            yield Problem(document.file, place, message)
            continue
        yield from _objects(document, item)
