"""conftest's own built-ins, which OPA lacks: `parse_config`, `parse_config_file`, `parse_combined_config_files`.

Each package that calls one gets a function of that name, in a generated module beside its own. The function asks us
over a socket in the run's private directory (OPA's http.send speaks to such sockets), and we parse; so arguments may be
whatever a policy computes. As with conftest, what cannot be parsed leaves the call undefined. ADR 17 has the reasons.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote as url_quote

from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.gojson import decode, dumps, quote
from pratiquectl.conftest.inputs import combine, encode, parse
from pratiquectl.conftest.policies import Module
from pratiquectl.conftest.rules import package_name

_NAMES = ("parse_config", "parse_config_file", "parse_combined_config_files")
_CALLS = re.compile(rf"\b({'|'.join(_NAMES)})\s*\(")
_ARGUMENTS = {"parse_config": ("a", "b"), "parse_config_file": ("a",), "parse_combined_config_files": ("a",)}

MAX_REQUEST_BYTES = 256 * 2**20
"""Of one call; OPA itself takes no more in a request."""


def shims(modules: Sequence[Module], directory: Path) -> list[tuple[str, str]]:
    """The module to generate for each package that calls one of the built-ins, and one that only declares them.

    Raises:
        ConftestError: a package reads files relative to its own, from two folders: the function could not tell which.
    """
    wanted: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for module in modules:
        if "parse_co" not in module.text:
            continue
        for name in _CALLS.findall(module.text):
            wanted[_package(module)][name].add(os.path.dirname(module.path))
    generated = []
    address = f"unix://localhost/call?socket={url_quote(str(directory / 'b'), safe='')}"
    for package, names in wanted.items():
        head = f"package {package}\nimport rego.v1\n"
        text = stub = head
        for name, folders in names.items():
            if name != "parse_config" and len(folders) > 1:
                raise ConftestError(
                    f"load: {name} is called in package {package} by files of {' and '.join(sorted(folders))}; "
                    "paths are relative to the calling file, so put those that call it into one folder"
                )
            text += _function(name, folders, address)
            stub += f"{name}({', '.join(_ARGUMENTS[name])}) := {{}} if {{ [{', '.join(_ARGUMENTS[name])}] }}\n"
        generated.append((text, stub))
    return generated


def _function(name: str, folders: set[str], address: str) -> str:
    arguments = ", ".join(_ARGUMENTS[name])
    folder = quote(next(iter(folders)) if name != "parse_config" else "")
    call = f'{{"name": "{name}", "folder": {folder}, "arguments": [{arguments}]}}'
    request = f'{{"method": "POST", "url": {quote(address)}, "body": {call}, "force_json_decode": true}}'
    return (
        f"{name}({arguments}) := answer.body if {{\n\tanswer := http.send({request})\n\tanswer.status_code == 200\n}}\n"
    )


def _package(module: Module) -> str:
    from pratique.rego import package_clause, tokenize

    clause = package_clause(list(tokenize(module.text)))
    if clause is None:
        raise ConftestError(f"load: loading policies: load: 1 error occurred: {module.path}: package expected")
    return package_name(clause.path)


class Callbacks:
    """Answers the calls of the generated functions, on threads; a context manager."""

    def __init__(self, directory: Path) -> None:
        self._path = str(directory / "b")

    def __enter__(self) -> Callbacks:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._path)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # it was closed: the run is over
            threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as stream:
        try:
            while stream.readline().strip():
                length = 0
                while (header := stream.readline()).strip():
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = min(int(value), MAX_REQUEST_BYTES)
                status, body = _answer(stream.read(length))
                reason = b"OK" if status == 200 else b"Unprocessable Content"
                head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                connection.sendall(head % (status, reason, len(body)) + body)
        except (OSError, ValueError):
            return  # OPA went away, or what speaks is not OPA


def _answer(body: bytes) -> tuple[int, bytes]:
    try:
        call = decode(body)
        value = _call(call["name"], call["folder"], call["arguments"])
    except (ConftestError, ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        return 422, dumps({"error": str(error)}).encode()
    return 200, value


def _call(name: str, folder: str, arguments: list[Any]) -> bytes:
    if name == "parse_config":
        parser, text = arguments
        return encode(parse("-", text.encode(), parser), path="-", parser=parser).body
    if name == "parse_config_file":
        path = os.path.normpath(os.path.join(folder, arguments[0]))
        return encode(parse(path, Path(path).read_bytes(), ""), path=path, parser="").body
    paths = [os.path.normpath(os.path.join(folder, each)) for each in arguments[0]]
    combined = combine((path, parse(path, Path(path).read_bytes(), "")) for path in dict.fromkeys(paths))
    return dumps(combined).encode("utf-8", "surrogatepass")
