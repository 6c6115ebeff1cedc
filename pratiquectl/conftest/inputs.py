"""From the arguments of a run to the documents that are judged: which files, and what is in them."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.gojson import dumps, go_float

STDIN = "-"

_YAML_EXTENSIONS = (".yaml", ".yml")
_TOML_EXTENSIONS = (".toml",)

_RISKY_YAML = re.compile(
    # Numbers that conftest would write in another way, or that YAML 1.2 reads in another way
    rb"(?<![\w.\-])(?:[-+]?(?:[0-9][0-9_]{6,}(?![A-Za-z0-9_])|0[xXoObB]|0[0-9_]+(?![A-Za-z0-9_])|[0-9]+_"
    rb"|[0-9]*\.[0-9]*(?:[0-9]{7}|0000)|\.[0-9iInN]|[0-9]+\.(?![0-9])|[0-9]*\.?[0-9]*[eE][-+]?[0-9]+(?!\w))|\+[0-9])"
    # Words that are true or false in YAML 1.1 only
    rb"|(?:^|[\s\[{,:?-])(?:[yYnN]|[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF)[ \t]*(?:[,:\]}#\r]|$)"
    # Keys that are nothing
    rb"|(?:^|[\s{,?])(?:~|[nN]ull|NULL)[ \t]*:(?:\s|$)"
    # Documents in documents, merged mappings, tags, tabs, and what is not plain text
    rb"|^(?:---|\.\.\.|%)|<<|(?:^|[\s\[{,:-])!|\t|\r(?!\n)|[^\n\r\x20-\x7e\x80-\xff]"
    rb"|\xc2[\x80-\x9f]|\xef\xbb\xbf|\xe2\x80[\xa8\xa9]",
    re.MULTILINE,
)
"""YAML that is not left to OPA's parser: conftest's reads YAML 1.1, OPA's 1.2, and then numbers go through float64."""
_YAML_START = re.compile(rb"(?:---\r?\n)?(?:[ ]*(?:#[^\n]*)?\r?\n)*[A-Za-z\"']")
"""A document that begins with a word: most likely a mapping, never a list, whose elements are judged one by one."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document for the engine: JSON, or YAML that OPA's own parser reads as conftest's does."""

    body: bytes
    yaml: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """One file: its documents, each judged by itself."""

    path: str
    documents: tuple[Document, ...]


def find_files(arguments: Iterable[str], ignore: str) -> list[str]:
    """The files that the arguments name, folders searched.

    Raises:
        ConftestError: one is not there or cannot be looked into, or there are none.
    """
    pattern = _compile(ignore)
    files: list[str] = []
    for argument in arguments:
        if argument == "":
            continue
        if argument == STDIN:
            files.append(STDIN)
            continue
        try:
            is_folder = stat.S_ISDIR(os.stat(argument).st_mode)
        except OSError as error:
            reason = _reason(error)
            raise ConftestError(f"parse files: get file info: stat {argument}: {reason}") from error
        if is_folder:
            try:
                _walk(argument, pattern, set(), files)
            except OSError as error:
                doing = "lstat" if error.errno in (errno.ENOENT, errno.ELOOP) else "walk path: open"
                raise ConftestError(
                    f"parse files: get files from directory: {doing} {error.filename}: {_reason(error)}"
                ) from error
        elif pattern is None or not pattern.search(argument):
            files.append(argument)
    if not files:
        raise ConftestError("parse files: no files found")
    return files


def _compile(ignore: str) -> re.Pattern[str] | None:
    if not ignore:
        return None
    try:
        return re.compile(ignore)
    except re.error as error:
        raise ConftestError(f"parse files: given regexp couldn't be parsed :{error}: {ignore}") from error


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _walk(path: str, ignore: re.Pattern[str] | None, visited: set[str], files: list[str]) -> None:
    """Adds the files below `path` that have a parser, in lexical order. A link to a folder is followed, each folder
    once, so a loop of links ends."""
    from pratiquectl.conftest.parsers import supported_extension

    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode):
        if path in visited:
            return
        visited.add(path)
        for name in sorted(os.listdir(path), key=os.fsencode):
            _walk(clean(f"{path}/{name}"), ignore, visited, files)
    elif ignore is not None and ignore.search(path):
        return
    elif not stat.S_ISLNK(mode):
        if supported_extension(path):
            files.append(path)
    else:
        real = resolve(path)
        if os.path.isdir(real):
            _walk(real, ignore, visited, files)
        elif supported_extension(real):
            files.append(real)


def clean(path: str) -> str:
    """The path without `.`, `..` and doubled slashes, as Go's filepath.Clean has it."""
    cleaned = os.path.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def resolve(path: str) -> str:
    """The path with its links followed; one that is relative stays so, as long as the links are.

    Raises:
        OSError: a link leads nowhere or round in a circle.
    """
    os.stat(path)
    absolute = path.startswith("/")
    parts, done = [part for part in path.split("/") if part], ""
    while parts:
        part = parts.pop(0)
        if part == ".":
            continue
        step = f"{done}/{part}" if done and done != "/" else ("/" + part if absolute else part)
        if part != ".." and os.path.islink(step):
            target = os.readlink(step)
            if target.startswith("/"):
                absolute, done = True, ""
            parts = [each for each in target.split("/") if each] + parts
        else:
            done = clean(step)
            if done == ".":
                done = ""
    return done or ("/" if absolute else ".")


def read_configurations(
    files: Sequence[str], *, parser: str, stdin_name: str = "", proto_file_dirs: Sequence[str] = ()
) -> list[Configuration]:
    """The documents of each file, the files in order of their names and each once.

    Raises:
        ConftestError: one cannot be read or parsed.
    """
    found = {}
    for path in files:
        content = read_file(path)
        name = stdin_name if path == STDIN and stdin_name else path
        found[name] = Configuration(name, _documents(path, content, parser, proto_file_dirs))
    return [found[name] for name in sorted(found, key=os.fsencode)]


def read_file(path: str) -> bytes:
    """The bytes of a file or of the standard input.

    Raises:
        ConftestError: they cannot be read.
    """
    if path == STDIN:
        return sys.stdin.buffer.read()
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        where = os.path.abspath(path)
        message = f"get configuration content: open file: open {where}: {_reason(error)}"
        raise ConftestError(f"parse configurations: {message}, path: {path}") from error


def _documents(path: str, content: bytes, parser: str, proto_file_dirs: Sequence[str]) -> tuple[Document, ...]:
    if parser == "yaml" or (not parser and (path == STDIN or path.lower().endswith(_YAML_EXTENSIONS))):
        parts = split_yaml(content)
        if all(map(_is_plain, parts)):
            return tuple(Document(part, yaml=True) for part in parts)
    return encode_all(parse(path, content, parser, proto_file_dirs), path=path, parser=parser)


def _is_plain(part: bytes) -> bool:
    start = _YAML_START.match(part)
    return start is not None and not _RISKY_YAML.search(part, start.end() - 1) and is_utf8(part)


def encode_all(value: Any, *, path: str, parser: str) -> tuple[Document, ...]:
    """The documents of a file that are judged one by one: the elements of a list, or the value itself."""
    return tuple(encode(each, path=path, parser=parser) for each in judged_values(value))


def without_yaml(configuration: Configuration) -> Configuration:
    """The file with its documents as JSON.

    Raises:
        ConftestError: one is not YAML.
    """
    if not any(document.yaml for document in configuration.documents):
        return configuration
    path = configuration.path
    values = [parse(path, each.body, "yaml") for each in configuration.documents]
    return Configuration(path, encode_all(values[0] if len(values) == 1 else values, path=path, parser="yaml"))


def split_yaml(content: bytes) -> list[bytes]:
    """The documents of a file of YAML: what stands between lines that are `---`."""
    line_break = b"\r\n" if b"\r\n" in content else b"\n"
    separator = line_break + b"---" + line_break
    parts = content.split(separator)
    if content.startswith(b"%") and len(parts) > 1:  # a directive belongs to the document behind the first separator
        return [parts[0] + separator + parts[1], *parts[2:]]
    return parts


def is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def parse(path: str, content: bytes, parser: str, proto_file_dirs: Sequence[str] = ()) -> Any:
    """What the parser makes of a file: one value, or for several documents the list of them.

    Raises:
        ConftestError: there is no such parser, or the file is not what it reads.
    """
    from pratiquectl.conftest import parsers

    try:
        name = parser or ("yaml" if path == STDIN else parsers.parser_for(path))
        if name not in parsers.PARSERS:
            raise parsers.ParseError(f"unknown parser: {name}")
    except parsers.ParseError as error:
        raise ConftestError(f"parse configurations: new parser: {error}, path: {path}") from error
    try:
        documents = parsers.parse(content, parser=name, path=path, proto_file_dirs=proto_file_dirs)
    except parsers.ParseError as error:
        raise ConftestError(f"parse configurations: parser unmarshal: {error}, path: {path}") from error
    return parsers.configuration(documents)


def judged_values(value: Any) -> list[Any]:
    """The values that are judged one by one: those of a list, or the value itself."""
    return value if isinstance(value, list) else [value]


def encode(value: Any, *, path: str, parser: str) -> Document:
    """The JSON that gives the engine the numbers that conftest would."""
    integers = parser == "toml" or (not parser and path.lower().endswith(_TOML_EXTENSIONS))
    return Document(dumps(value, number=_toml_number if integers else _number).encode("utf-8", "surrogatepass"))


def _number(number: float) -> str:
    return go_float(float(number))


def _toml_number(number: float) -> str:
    return str(number) if isinstance(number, int) else go_float(number)


def combine(values: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    """The one document of `--combine`: path and contents of each, in order of their paths."""
    return [
        {"path": path, "contents": each}
        for path, value in sorted(values, key=lambda pair: os.fsencode(pair[0]))
        for each in judged_values(value)
    ]
