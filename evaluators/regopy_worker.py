"""One regopy process: reads a bundle, then answers documents, over frames on stdin and stdout. Started by
`evaluators.regopy`.

regopy can kill its process, hang and leak; here it can harm nobody. Nothing of Pratique is imported, so that the
process stays small, and regopy is imported by `main` only, so that the parent may import this module for its
constants.

A frame is a length (4 bytes, big-endian) and that many bytes. The first frame is a JSON object {digest, modules, data,
queries}; each later one a document. If the first has `wrapped`, rules see only the `input` of each document.
Each is answered by one frame: a status byte (`ANSWERED` or `FAILED`) and the answer (JSON, or a sentence).

How strings travel. regopy keeps string *literals* of modules in their escaped form and never unescapes them, so that
`count("\\n")` is 2; strings of an `Input` are kept as they are, and built-ins are right about those. Therefore input
goes in raw, and `evaluators.regopy` rewrites literals that need an escape before it sends the modules. A string that
begins and ends with a quotation mark loses both, so every quotation mark travels as `QUOTE`, and is put back in the
answer.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import struct
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import orjson

ANSWERED, FAILED = b"+", b"-"
QUOTE = "\ue022"
"""Stands for a quotation mark inside regopy: a private-use character, refused in documents."""
MAX_FRAME_BYTES = 64 * 1024 * 1024
"""Protects both sides from a length that is not one."""
MAX_DEPTH = 250
"""Nesting of a document: protects this process's stack, and regopy's, which recurses too."""

_PR_SET_PDEATHSIG = 1  # prctl(2)
_QUOTE_BYTES = QUOTE.encode()
_EMPTY = b'{"expressions":[[]]}'
_CONTROL = re.compile(rb"[\x00-\x1f\\]")


class Unanswerable(Exception):
    """The document or the answer is beyond what regopy can be trusted with."""


def main(parent: int) -> None:
    """Serve the process `parent` until it closes stdin or dies."""
    _die_with(parent)
    sys.setrecursionlimit(MAX_DEPTH + 50)
    source = sys.stdin.buffer
    with os.fdopen(os.dup(1), "wb") as sink:
        os.dup2(2, 1)  # regopy prints parse errors of json.unmarshal and the like to stdout
        try:
            answer = _load(orjson.loads(_read_frame(source) or b""))
        except Exception as error:  # whatever regopy or ctypes throws is the load's answer  # noqa: BLE001
            _write_frame(sink, FAILED, str(error).encode())
            return
        _write_frame(sink, ANSWERED, b"")
        while (document := _read_frame(source)) is not None:
            try:
                status, body = ANSWERED, answer(orjson.loads(document))
            except Exception as error:  # as above: a document must not end the process  # noqa: BLE001
                status, body = FAILED, (str(error) or type(error).__name__)[:1000].encode(errors="replace")
            _write_frame(sink, status, body)


def _die_with(parent: int) -> None:
    """End with the parent, also when it is killed while this process is busy and does not read stdin."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to act on


def _read_frame(source: BinaryIO) -> bytes | None:
    head = source.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack(">I", head)
    body = source.read(length) if length <= MAX_FRAME_BYTES else b""
    return body if len(body) == length else None


def _write_frame(sink: BinaryIO, status: bytes, body: bytes) -> None:
    sink.write(struct.pack(">I", len(body) + 1) + status + body)
    sink.flush()


def _load(bundle: dict[str, Any]) -> Callable[[dict[str, Any]], bytes]:
    """Compile the bundle, and return what answers a document.

    Raises:
        Unanswerable: regopy does not compile it.
    """
    import regopy  # type: ignore[import-untyped]  # it has no stubs; what it returns is checked here
    from regopy import rego_shared

    interpreter = regopy.Interpreter()
    interpreter.log_level = regopy.LogLevel.NONE
    interpreter.strict_built_in_errors = True
    if bundle["data"]:
        interpreter.add_data_json(orjson.dumps(bundle["data"]).decode())
    for path, text in bundle["modules"]:
        interpreter.add_module(path, text)
    queries: dict[str, dict[str, str]] = bundle["queries"]
    compiled = interpreter.build(None, [path for rules in queries.values() for path in rules.values()])
    if not compiled.ok():
        raise Unanswerable("regopy does not compile the bundle")
    library = rego_shared.rego

    def query(path: str) -> Any:
        output = library.regoBundleQueryEntrypoint(interpreter._impl, compiled._impl, path.encode())
        if not output:
            raise Unanswerable(f"regopy failed: {rego_shared.rego_get_error(interpreter._impl)}")
        try:
            if not library.regoOutputOk(output):  # first, always: the text of a failed output can kill the process
                raise Unanswerable("regopy answered with an error")
            return _answer(library, output)
        finally:
            library.regoFreeOutput(output)

    def answer(content: dict[str, Any]) -> bytes:
        value = _input_value(library, content["input"] if bundle.get("wrapped") else content)
        try:
            rego_shared.rego_set_input(interpreter._impl, value)
        finally:
            library.regoFreeInput(value)
        results: dict[str, dict[str, Any]] = {}
        for policy in content["policies"]:
            if policy not in queries:
                raise Unanswerable(f"policy {policy}: is not in the bundle")
            try:
                found: dict[str, Any] = {}
                results[policy] = found
                for rule, path in queries[policy].items():
                    # As in the entry module for OPA: where nothing is wrong, there is nothing to put right.
                    found[rule] = [] if rule == "patches" and not found["violations"] else query(path)
            except Unanswerable as error:
                raise Unanswerable(f"policy {policy}: {error}") from error
        return orjson.dumps({"bundle": bundle["digest"], "results": results})

    return answer


def _input_value(library: Any, content: Any) -> Any:
    """The document as a regopy input, to be freed by the caller."""
    push = library.regoNewInput()
    string, integer, real = library.regoInputString, library.regoInputInt, library.regoInputFloat
    boolean, null, item = library.regoInputBoolean, library.regoInputNull, library.regoInputObjectItem
    mapping, sequence = library.regoInputObject, library.regoInputArray
    failed = 0

    def add_text(text: str) -> int:
        if QUOTE in text:
            raise Unanswerable("the document holds the character U+E022, which regopy cannot be given")
        if '"' in text:
            text = text.replace('"', QUOTE)
        if "\0" in text:
            raise Unanswerable("the document holds the character U+0000, which regopy cannot be given")
        return string(push, text.encode())  # type: ignore[no-any-return]  # ctypes

    def add(value: Any) -> None:
        nonlocal failed
        kind = type(value)
        if kind is str:
            failed |= add_text(value)
        elif kind is dict:
            for key, part in value.items():
                failed |= add_text(key)
                add(part)
                failed |= item(push)
            failed |= mapping(push, len(value))
        elif kind is list:
            for part in value:
                add(part)
            failed |= sequence(push, len(value))
        elif kind is bool:
            failed |= boolean(push, value)
        elif kind is int:
            if not -(2**63) <= value < 2**63:
                raise Unanswerable("the document holds a number beyond 64 bits, which regopy cannot be given")
            failed |= integer(push, value)
        elif kind is float:
            failed |= real(push, value)
        else:
            failed |= null(push)

    try:
        add(content)
        if failed:
            raise Unanswerable("regopy did not take the document")
    except BaseException:
        library.regoFreeInput(push)
        raise
    return push


def _answer(library: Any, output: Any) -> Any:
    """The value of the query's one expression.

    Raises:
        Unanswerable: it is undefined, or holds an error or anything else than JSON.
    """
    size = library.regoOutputJSONSize(output)
    buffer = ctypes.create_string_buffer(size)
    if library.regoOutputJSON(output, buffer, size):
        raise Unanswerable("regopy's answer could not be read")
    text = buffer.value
    if text == _EMPTY:
        return []
    if _CONTROL.search(text):
        return _expression(library, library.regoOutputNode(output))
    # No escapes: what regopy wrote is JSON once the quotation marks are put back
    prefix, suffix = b'{"expressions":[', b"]}"
    if not text.startswith(prefix) or not text.endswith(suffix):
        raise Unanswerable("regopy's answer is undefined or an error")
    return orjson.loads(text[len(prefix) : -len(suffix)].replace(_QUOTE_BYTES, b'\\"'))


def _expression(library: Any, results: Any) -> Any:
    """results(result(terms(value), bindings)) -> value."""
    from regopy import NodeKind

    node = results
    for kind in (NodeKind.Results, NodeKind.Result, NodeKind.Terms):
        if library.regoNodeType(node) != kind or not library.regoNodeSize(node):
            raise Unanswerable("regopy's answer is undefined or an error")
        node = library.regoNodeGet(node, 0)
    return _node_value(library, node)


def _node_value(library: Any, node: Any) -> Any:
    from regopy import NodeKind

    kind, size = library.regoNodeType(node), library.regoNodeSize(node)
    if kind in (NodeKind.Term, NodeKind.Scalar) and size == 1:
        return _node_value(library, library.regoNodeGet(node, 0))
    children = (library.regoNodeGet(node, index) for index in range(size))
    if kind == NodeKind.Object:
        return dict(_node_value(library, child) for child in children)
    if kind == NodeKind.ObjectItem and size == 2:
        key, value = children
        name = _node_value(library, key)
        if not isinstance(name, str):
            raise Unanswerable("an object in regopy's answer has a key that is not a text")
        return name, _node_value(library, value)
    if kind in (NodeKind.Array, NodeKind.Set):
        return [_node_value(library, child) for child in children]
    if kind == NodeKind.String:
        return _text_of(_node_text(library, node))
    if kind in (NodeKind.Int, NodeKind.Float):
        return orjson.loads(_node_text(library, node))
    if kind in (NodeKind.True_, NodeKind.False_):
        return kind == NodeKind.True_
    if kind == NodeKind.Null:
        return None
    raise Unanswerable("regopy's answer holds an error in place of a value")


def _node_text(library: Any, node: Any) -> bytes:
    size = library.regoNodeValueSize(node)
    buffer = ctypes.create_string_buffer(size)
    if library.regoNodeValue(node, buffer, size):
        raise Unanswerable("regopy's answer could not be read")
    return buffer.value


def _text_of(raw: bytes) -> str:
    """The text of a string node.

    Some built-ins leave quotation marks around it. A collection formatted by `%v` is escaped once, which its `\\"`
    shows; no other quotation mark can be in it.
    """
    if len(raw) > 1 and raw[:1] == raw[-1:] == b'"':
        raw = raw[1:-1]
    if b'\\"' in raw:
        try:
            raw = orjson.loads(b'"' + raw + b'"').encode()
        except orjson.JSONDecodeError as error:
            raise Unanswerable("regopy formatted a collection into text that cannot be read back") from error
    return raw.decode().replace(QUOTE, '"')


if __name__ == "__main__":
    main(int(sys.argv[1]))
