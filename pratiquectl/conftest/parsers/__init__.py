"""Files as documents for policies: the same documents as conftest makes of them.

Each format has one module, which is imported when a file of that format is parsed. Where a format has no parser here,
`parse` says so; docs/conftest-parsers.md lists what each accepts.
"""

from __future__ import annotations

import importlib
import posixpath
from collections.abc import Sequence
from typing import Any, Protocol, cast

from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.limits import MAX_BYTES, MAX_DEPTH
from pratiquectl.conftest.parsers.source import Source

__all__ = ["PARSERS", "ParseError", "configuration", "parse", "parser_for", "supported_extension"]

PARSERS: tuple[str, ...] = (
    "codeowners",
    "cue",
    "cyclonedx",
    "dockerfile",
    "dotenv",
    "edn",
    "groovy",
    "hcl1",
    "hcl2",
    "hocon",
    "ignore",
    "ini",
    "json",
    "jsonc",
    "jsonnet",
    "nginx",
    "properties",
    "spdx",
    "textproto",
    "toml",
    "vcl",
    "xml",
    "yaml",
)
"""Every parser that conftest has, also those that fail here with a clear error."""

_UNAVAILABLE = {
    "cue": "CUE has to be evaluated, and no library for Python does; run `cue export` and test the JSON that it prints",
    "spdx": "conftest makes one Go structure of the tags and values; convert the file to JSON and name --parser json",
    "groovy": "conftest hands policies the syntax tree of one parser written in Go, which has no counterpart here",
}
"""Parsers that are not here, and why."""

_EXTENSIONS = {
    "yaml": "yaml",
    "yml": "yaml",
    "hcl": "hcl2",
    "tf": "hcl2",
    "tfvars": "hcl2",
    "gitignore": "ignore",
    "dockerignore": "ignore",
}
"""Extensions that count whatever stands before them: `.env.yaml` is YAML."""

_NAMES = {"nginx.conf": "nginx", "codeowners": "codeowners"}


class _Parser(Protocol):
    """The shape of a parser's module."""

    def documents(self, source: Source) -> list[Any]:
        """The documents of a file; raises ParseError, and RecursionError for what is nested too deep."""


def parser_for(path: str) -> str:
    """The name of the parser for the file at `path`, by its name alone; `-` is YAML.

    Raises:
        ParseError: there is none.
    """
    if path == "-":
        return "yaml"
    name = posixpath.basename(path).lower()
    _, dot, extension = name.rpartition(".")
    extension = extension if dot else ""
    if name == "dockerfile" or name.startswith("dockerfile.") or extension == "dockerfile":
        return "dockerfile"
    if found := _EXTENSIONS.get(extension):
        return found
    if name.startswith(".env.") or extension == "env":
        return "dotenv"
    if name == "jenkinsfile" or name.startswith("jenkinsfile."):
        return "groovy"
    if found := _NAMES.get(name):
        return found
    if extension == "textpb":
        return "textproto"
    if extension in PARSERS:
        return extension
    raise ParseError(f"no parser is known for {path!r}; name one with --parser")


def supported_extension(path: str) -> bool:
    """Whether there is a parser for the file at `path`, by its name alone."""
    try:
        parser_for(path)
    except ParseError:
        return False
    return True


def parse(content: bytes, *, parser: str, path: str, proto_file_dirs: Sequence[str] = ()) -> list[Any]:
    """The documents of a file, as `parser` reads it: one, but for YAML with lines of `---`.

    Numbers are `int` where they are whole, else `float`, but for TOML, which tells 1 from 1.0; the documents hold
    nothing that JSON does not have.

    Raises:
        ParseError: the file is not what the parser reads, is too large or nested too deep, or there is no such parser;
            the message names the parser and the file.
    """
    try:
        return _parse(Source(content, path, proto_file_dirs), parser)
    except ParseError as error:
        raise ParseError(f"{path}: {parser}: {error}") from error
    except RecursionError as error:
        raise ParseError(f"{path}: {parser}: nested too deep") from error


def configuration(documents: list[Any]) -> Any:
    """What conftest takes several documents of one file for: a list of them; of one, that document."""
    return documents[0] if len(documents) == 1 else documents


def _parse(source: Source, parser: str) -> list[Any]:
    if parser not in PARSERS:
        raise ParseError(f"this is no parser; there are {', '.join(PARSERS)}")
    if reason := _UNAVAILABLE.get(parser):
        raise ParseError(f"not supported: {reason}")
    if len(source.content) > MAX_BYTES:
        raise ParseError(f"the file is larger than {MAX_BYTES} bytes")
    module = cast(_Parser, importlib.import_module(f"{__name__}.{parser}"))
    documents = module.documents(source)
    _check_depth(documents)
    return documents


def _check_depth(documents: list[Any]) -> None:
    """Refuse documents that are nested deeper than what handles them can go."""
    level: list[Any] = documents
    for _ in range(MAX_DEPTH):
        level = [
            item
            for value in level
            if isinstance(value, list | dict)
            for item in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise ParseError(f"the document is nested more than {MAX_DEPTH} levels deep")
