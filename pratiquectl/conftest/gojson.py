"""JSON and numbers as Go's standard library writes them: what conftest prints, and what its policies see.

Go decodes a number of a configuration file as float64 and OPA keeps the text that `strconv.FormatFloat(f, 'g', -1, 64)`
makes of it, so a policy sees 1000000 as 1e+06, and prints it so. `go_float` makes that text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any


class Number(str):
    """The text of a JSON number, kept as it was written."""

    __slots__ = ()


def decode(text: str | bytes) -> Any:
    """The JSON value, with each number as the `Number` that was written.

    Raises:
        ValueError: it is not JSON.
    """
    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_ESCAPED = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def quote(text: str) -> str:
    """A JSON string as encoding/json writes it, with `<`, `>` and `&` escaped."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if "\ud800" <= character <= "\udfff":
        return "\\ufffd"
    return _SHORT.get(character) or f"\\u{ord(character):04x}"


def dumps(value: Any, *, indent: str = "", number: Callable[[float], str] | None = None) -> str:
    """`value` as Go marshals it: compact, or with `indent` a line for each element; keys are sorted.

    `number` writes Python's numbers (default: as Go's JSON does); a `Number` stays as it is.
    """
    return _encode(value, "\n" if indent else "", indent, number or json_float)


def _encode(value: Any, newline: str, indent: str, number: Callable[[float], str]) -> str:
    if isinstance(value, Number):
        return value
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    inner = newline + indent if newline else ""
    if isinstance(value, dict):
        if not value:
            return "{}"
        colon = ": " if newline else ":"
        members = [f"{quote(key)}{colon}{_encode(value[key], inner, indent, number)}" for key in sorted_keys(value)]
        return "{" + inner + f",{inner}".join(members) + newline + "}"
    if not value:
        return "[]"
    return "[" + inner + f",{inner}".join(_encode(each, inner, indent, number) for each in value) + newline + "]"


class Fields(dict[str, Any]):
    """A Go struct: its members keep their order."""


def sorted_keys(value: dict[str, Any]) -> list[str]:
    """As Go sorts the keys of a map: by their bytes."""
    if isinstance(value, Fields):
        return list(value)
    return sorted(value, key=lambda key: key.encode("utf-8", "surrogatepass"))


def _digits(number: float) -> tuple[str, str, int]:
    """Sign, the shortest digits that read back as the same float64, and where the decimal point stands among them."""
    written = repr(float(number))
    sign = "-" if written.startswith("-") else ""
    mantissa, _, exponent = written.removeprefix("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = whole + fraction
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    stripped = stripped.rstrip("0")
    return (sign, stripped, point) if stripped else (sign, "0", 1)


def go_float(number: float) -> str:
    """`strconv.FormatFloat(number, 'g', -1, 64)`."""
    sign, digits, point = _digits(number)
    if -4 <= point - 1 < 6:
        return sign + _plain(digits, point)
    return sign + _scientific(digits, point, places=2)


def json_float(number: float) -> str:
    """A float64 as encoding/json writes it; a Python integer in full."""
    if isinstance(number, int):
        return str(number)
    sign, digits, point = _digits(number)
    if digits == "0" or -7 < point - 1 < 21:
        return sign + _plain(digits, point)
    return sign + _scientific(digits, point, places=1)


def _plain(digits: str, point: int) -> str:
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return f"{digits[:point]}.{digits[point:]}"


def _scientific(digits: str, point: int, *, places: int) -> str:
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    exponent = point - 1
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):0{places}d}"


def floats(value: Any) -> Any:
    """The value with Python's numbers, which are written as conftest has them when they are encoded."""
    if isinstance(value, Number):
        return float(value)
    if isinstance(value, dict):
        return {key: floats(each) for key, each in value.items()}
    return [floats(each) for each in value] if isinstance(value, list) else value
