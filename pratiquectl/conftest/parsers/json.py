"""JSON, as `encoding/json` reads it: what is there twice counts the last time, numbers are 64-bit floats."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.source import Source

_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile("[\ud800-\udfff]")


def documents(source: Source) -> list[Any]:
    """The one document of a JSON text."""
    return [loads(source.content.removeprefix(_BOM))]


def loads(content: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ParseError: it is not one.
    """
    text = go.text(content)
    try:
        value = _DECODER.decode(text)
    except RecursionError as error:
        raise ParseError("the JSON is nested too deep") from error
    except ValueError as error:
        raise ParseError(f"the JSON cannot be read: {error}") from error
    return _without_surrogates(value) if _may_hold_surrogates(text) else value


def _float(digits: str) -> int | float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits[:40]} is out of range")
    return go.number(value)


def _int(digits: str) -> int | float:
    # Up to 15 digits every whole number has a float of its own.
    return int(digits) if len(digits) <= 15 and digits != "-0" else _float(digits)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not a number of JSON")


_DECODER = json.JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=_refuse)


def _may_hold_surrogates(text: str) -> bool:
    return "\\ud" in text or "\\uD" in text


def _without_surrogates(value: Any) -> Any:
    """`value` with U+FFFD for each half of a pair whose other half is missing."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
