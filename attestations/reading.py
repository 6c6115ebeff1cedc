"""Reading documents that others wrote: limits, one strict parser, checks against our own schemas, and times.

What comes out of `checked` has the types that its schema says, so that the readers behind it trust them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jiter
import jsonschema_rs

from attestations.clipped import MAX_TEXT, clipped
from attestations.protojson import MAX_VALUES
from pratique.canonical import has_more_values
from pratique.errors import InputError
from pratique.pointer import pointer

MAX_DOCUMENT_BYTES = 32 * 2**20
"""Protects memory, with MAX_VALUES: an SBOM of 5,000 components has from 2 to 8 MB."""

_MAX_PROBLEM = 160
"""Characters of what a schema says is wrong: it quotes the value."""


def parsed(content: bytes) -> Any:
    """The value of a JSON document: strict, as `pratique.canonical.parse_json`, with numbers as floats.

    Duplicate keys, NaN, invalid UTF-8, lone surrogates and nesting deeper than 200 are refused: two readers could
    disagree about such a document.

    Raises:
        InputError: it is none, or too large.
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise InputError(f"the document has {len(content)} bytes; at most {MAX_DOCUMENT_BYTES} are read")
    if has_more_values(content, MAX_VALUES):
        raise InputError(f"the document has more than {MAX_VALUES} values, and is not read")
    try:
        return jiter.from_json(content, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="keys")
    except ValueError as error:
        raise InputError(f"the document is not JSON that can be read: {error}") from error


def schema(document: Mapping[str, Any]) -> jsonschema_rs.Validator:
    """The validator of one of our own schemas. Nothing is fetched: they refer to themselves only."""
    return jsonschema_rs.Draft202012Validator(dict(document))


def checked(validator: jsonschema_rs.Validator, value: Any, what: str) -> Any:
    """`value`, which is as the schema says.

    Raises:
        InputError: it is not, and where.
    """
    try:
        if validator.is_valid(value):
            return value
        problem = next(iter(validator.iter_errors(value)))
    except (ValueError, TypeError) as error:
        raise InputError(f"the {what} cannot be read: {clipped(str(error))}") from error
    message = problem.message if len(problem.message) <= _MAX_PROBLEM else f"{problem.message[:_MAX_PROBLEM]}..."
    raise InputError(f"the {what} is malformed at {pointer(*problem.instance_path) or '/'}: {message}")


def utc(text: Any) -> str:
    """The time `text` (RFC 3339) as facts have it, `2026-11-20T08:00:00Z`; empty where it is none.

    A time without a zone is taken for UTC. What no calendar has, before the year 1 or after 9999 in UTC, is no time.
    """
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        return ""
    try:
        time = datetime.fromisoformat(text)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return f"{time.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
