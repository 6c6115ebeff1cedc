"""TOML 1.1."""

from __future__ import annotations

import datetime
import math
from typing import Any

import tomli

from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.source import Source


def documents(source: Source) -> list[Any]:
    """The one document; times are text (RFC 3339), whole numbers keep all of their 64 bits."""
    try:
        return [_plain(tomli.loads(source.content.decode("utf-8")))]
    except UnicodeDecodeError as error:
        raise ParseError("TOML is UTF-8 text, and this is not") from error
    except ValueError as error:  # also of a number with thousands of digits
        raise ParseError(str(error)) from error
    except RecursionError as error:
        raise ParseError("the TOML is nested too deep") from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ParseError(f"the number {str(value)[:40]} has more than 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ParseError(f"{value} is not a number that JSON has")
        return value  # 1e6 stays what it is: conftest shows it as 1e+06, and whole numbers in full
    return _time(value)


def _time(value: datetime.datetime | datetime.date | datetime.time) -> str:
    """As `time.Time` is written in JSON; what has no offset is taken to be local time here."""
    if isinstance(value, datetime.time):
        written, offset = f"0000-01-01T{value:%H:%M:%S}", None
        fraction = value.microsecond
    else:
        moment = value if isinstance(value, datetime.datetime) else datetime.datetime.combine(value, datetime.time())
        written, offset, fraction = f"{moment:%Y-%m-%dT%H:%M:%S}", moment.utcoffset(), moment.microsecond
    digits = f".{fraction:06d}".rstrip("0") if fraction else ""
    return f"{written}{digits}{_offset(offset)}"


def _offset(offset: datetime.timedelta | None) -> str:
    if offset is None:
        offset = datetime.datetime.now().astimezone().utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset else 0
    if not minutes:
        return "Z"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
