"""JSON in and out: strict parsing at the edge, and one canonical form that digests and cache keys are taken over.

The canonical form sorts keys by code point, has no white space, writes numbers as `orjson` does and is UTF-8.
"""

from __future__ import annotations

import hashlib
import math
from decimal import Decimal
from typing import Any

import jiter
import orjson

from pratique.errors import InputError


def parse_json(body: bytes) -> Any:
    """The value of one JSON text (RFC 8259), parsed strictly.

    A number with a fraction becomes a `float` where that is written just so, else a `Decimal`: `0.10` stays what was
    written. Duplicate keys, NaN, lone surrogates, invalid UTF-8, anything behind the value and nesting that is deeper
    than any object of Kubernetes (from 200 levels on, at the latest from 255) are refused.

    Raises:
        InputError: the bytes are not such a text; the message says where.
    """
    # What orjson writes again as it was has no key twice, and no number that became another: nothing was lost in it.
    # That is so for every review of an API server, and takes half the time of the parser that looks for these things.
    try:
        value = orjson.loads(body)
        text, again = body.rstrip(b"\n"), orjson.dumps(value)
        if again == text or _as_go_writes(again, text) == text:
            return value
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass  # the strict parser says what is wrong and where, and takes what orjson cannot write
    try:
        return jiter.from_json(body, catch_duplicate_keys=True, allow_inf_nan=False, float_mode="decimal")
    except ValueError as error:
        raise InputError(f"the JSON cannot be read: {error}") from error


_ESCAPED_BY_GO = (
    (b"&", b"\\u0026"),
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)
"""What Go's encoding/json escapes beyond need (`HTMLEscape`); all of it stands in strings only."""


def has_more_values(content: bytes, limit: int) -> bool:
    """Whether there may be more than `limit` values in JSON: a comma or a bracket stands before each but the first.

    Asked before parsing, since values can take a hundred times the room of their text.
    """
    return sum(map(content.count, (b",", b"[", b"{"))) > limit


def _as_go_writes(text: bytes, like: bytes) -> bytes:
    """The JSON `text` with those of Go's escapes that are in `like`. It stays the same value."""
    for character, escape in _ESCAPED_BY_GO:
        if escape in like:
            text = text.replace(character, escape)
    return text


def canonical_json(value: Any) -> bytes:
    """`value` in canonical form.

    Raises:
        InputError: it holds a number beyond 64 bits or a string that is not Unicode text.
    """
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise _refusal(error) from error


def compact_json(value: Any) -> bytes:
    """`value` as JSON in the order that it has: for the wire, where no digest is taken.

    Raises:
        InputError: as for `canonical_json`.
    """
    try:
        return orjson.dumps(value, default=_plain)
    except orjson.JSONEncodeError as error:
        raise _refusal(error) from error


def sha256(data: bytes) -> str:
    """`sha256:<hex>` of `data`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _refusal(error: orjson.JSONEncodeError) -> InputError:
    cause = error.__cause__ if isinstance(error.__cause__, InputError) else error
    return InputError(f"the object holds a value that JSON cannot carry safely: {cause}")


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        number = float(value)
        if math.isfinite(number):
            return number
        raise InputError(f"the number {str(value)[:40]} is out of range")
    raise InputError(f"a {type(value).__name__} is not a JSON value")
