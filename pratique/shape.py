"""Reading untyped objects: the value, its default, or an InputError that names the place."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pratique.errors import InputError
from pratique.pointer import tokens_of

Object = Mapping[str, Any]


def mapping_at(value: object, path: str) -> Object:
    """`value` as a mapping; missing and null are empty.

    Raises:
        InputError: it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"{path} is {_describe(value)} where an object is expected; correct the manifest")
    return value


def list_at(value: object, path: str) -> list[Any]:
    """`value` as a list; missing and null are empty.

    Raises:
        InputError: it is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise InputError(f"{path} is {_describe(value)} where a list is expected; correct the manifest")
    return value


def lookup(obj: Object, path: str) -> Any:
    """The value at a JSON pointer through objects only; None where it is missing.

    Raises:
        InputError: something on the way is not an object.
    """
    value: Any = obj
    walked = ""
    for token in tokens_of(path):
        value = mapping_at(value, walked or "/").get(token)
        walked = f"{walked}/{token}"
    return value


def count_at(obj: Object, path: str, *, default: int) -> int:
    """The non-negative integer at a JSON pointer.

    Raises:
        InputError: it is something else.
    """
    value = lookup(obj, path)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError(f"{path} is {_describe(value)} where a count is expected; correct the manifest")
    return value


def json_type(value: object) -> str:
    """What `value` is, in the words of JSON: `a list`, `text`, `null` ..."""
    return _JSON_TYPES.get(type(value), f"a {type(value).__name__}")


_JSON_TYPES: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    Decimal: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def _describe(value: object) -> str:
    """What `value` is, with a number's value; text is not quoted, since it may be a secret in the wrong place."""
    return f"{json_type(value)} ({value})" if isinstance(value, int | float | Decimal) else json_type(value)
