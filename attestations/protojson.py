"""Reading Sigstore's messages as protobuf's JSON mapping writes them (protobuf.dev, ProtoJSON): each accessor gives a
value of the type that the schema says, or refuses in one sentence that names the field.

64-bit numbers are text there, bytes are base64, and a field that has its default is left out.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from attestations.evidence import Reason
from attestations.refusal import Refusal, malformed, quoted
from pratique.canonical import has_more_values, parse_json
from pratique.errors import InputError

MAX_LIST = 1024
"""Protects from lists that keep us busy: no message of Sigstore has one that is nearly as long."""

MAX_VALUES = 1_000_000
"""Protects the memory. The largest SBOMs have half as many."""

_LARGEST_NUMBER = 2**63 - 1


def read_json(content: bytes, what: str, limit: int) -> Any:
    """The JSON that `content` is; `what` names it in a refusal. Raises: Refusal."""
    if len(content) > limit:
        raise Refusal(Reason.TOO_LARGE, f"{what} has {len(content)} bytes; at most {limit} are read")
    if has_more_values(content, MAX_VALUES):
        raise Refusal(Reason.TOO_LARGE, f"{what} has more than {MAX_VALUES} values, and is not read")
    try:
        return parse_json(content)
    except InputError as error:
        raise malformed(f"{what} cannot be read: {quoted(error)}") from error


def read_object(content: bytes, what: str, limit: int) -> Mapping[str, Any]:
    """The JSON object that `content` is. Raises: Refusal."""
    value = read_json(content, what, limit)
    if not isinstance(value, Mapping):
        raise malformed(f"{what} is not a JSON object")
    return value


def child(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object in the field `name`, which has to be there."""
    value = optional_child(parent, name)
    if value is None:
        raise malformed(f"the field {name} is missing")
    return value


def optional_child(parent: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The object in the field `name`; None where there is none."""
    value = parent.get(name)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise malformed(f"the field {name} is not an object")
    return value


def children(parent: Mapping[str, Any], name: str, *, limit: int = MAX_LIST) -> Sequence[Mapping[str, Any]]:
    """The objects in the list `name`, of which there are at most `limit`; none where the list is missing."""
    value = parent.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise malformed(f"the field {name} is not a list of objects")
    if len(value) > limit:
        raise Refusal(Reason.TOO_LARGE, f"the list {name} has {len(value)} entries; at most {limit} are read")
    return value


def text(parent: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """The text in the field `name`; `default` where it is missing, if there is one."""
    value = parent.get(name, default)
    if not isinstance(value, str):
        raise malformed(f"the field {name} is {'missing' if value is None else 'not text'}")
    return value


def number(parent: Mapping[str, Any], name: str) -> int:
    """The natural number below 2^63 in the field `name`, 0 where it is missing."""
    value = parent.get(name, 0)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(_LARGEST_NUMBER)):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST_NUMBER:
        raise malformed(f"the field {name} is not a natural number below 2^63")
    return value


def octets(parent: Mapping[str, Any], name: str) -> bytes:
    """The bytes in the field `name`, which has to be there and is not empty."""
    return base64_octets(text(parent, name), name)


def base64_octets(value: str, name: str) -> bytes:
    """What `value` encodes in base64 (RFC 4648 4), at least one byte."""
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise malformed(f"the field {name} is not base64") from error
    if not decoded:
        raise malformed(f"the field {name} is empty")
    return decoded


def hexadecimal(value: str, name: str) -> bytes:
    """What `value` encodes in hexadecimal, at least one byte."""
    try:
        decoded = bytes.fromhex(value)
    except ValueError as error:
        raise malformed(f"the field {name} is not hexadecimal") from error
    if not decoded or len(decoded) * 2 != len(value):
        raise malformed(f"the field {name} is not hexadecimal")
    return decoded
