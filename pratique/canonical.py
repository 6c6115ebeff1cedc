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

    Numbers with a fraction become `Decimal`, so that `0.1` stays what was written. Duplicate keys, NaN, lone
    surrogates, invalid UTF-8, anything behind the value and nesting beyond 200 levels are refused.

    Raises:
        InputError: the bytes are not such a text; the message says where.
    """
    try:
        return jiter.from_json(body, catch_duplicate_keys=True, allow_inf_nan=False, float_mode="decimal")
    except ValueError as error:
        raise InputError(f"the JSON cannot be read: {error}") from error


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
