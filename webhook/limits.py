"""What one webhook takes on at most, and how much of the API server's patience it keeps for itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

DEFAULT_TIMEOUT_SECONDS = 10.0
"""`timeoutSeconds` of a webhook that does not say (k8s.io/api/admissionregistration/v1)."""

MAX_TIMEOUT_SECONDS = 30.0
"""The longest `timeoutSeconds` there is: protects against a caller who asks us to keep a review for hours."""

ANSWER_MARGIN_SECONDS = 0.25
"""Kept back from the API server's timeout for the way back: after that time it refuses without our reasons."""

RECORD_MARGIN_SECONDS = 0.25
"""Kept back from what remains for the commit of the record: a decision that is not recorded does not count."""

MAX_UID_LENGTH = 128
"""The API server's are 36 characters; protects our answers and logs from what others send."""

MAX_DISCARDED_BYTES = 32 * 2**20
"""How much of a body that is not taken is still read, so that its sender sees our answer and not a reset connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one webhook takes on at most."""

    max_body_bytes: int = 8 * 2**20
    """One review. An UPDATE carries two objects of up to 3 MiB each."""

    max_bodies_bytes: int = 32 * 2**20
    """All reviews in flight together, as bytes on the wire: protects memory. As Python objects a real review takes 6
    times that, the worst that can be written in JSON 35 times."""

    max_in_flight: int = 256
    """Reviews that are being judged: protects those who wait from waiting in vain behind too many others."""

    read_seconds: float = 5.0
    """A review must have arrived whole after this time: protects against clients that send a byte now and then."""


_DURATION = re.compile(rb"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\xc2\xb5s|\xce\xbcs|ms|s|m|h)")
_PART = re.compile(rb"([\d.]+)(\D+)")
_UNIT_SECONDS = {
    b"ns": 1e-9,
    b"us": 1e-6,
    b"\xc2\xb5s": 1e-6,
    b"\xce\xbcs": 1e-6,
    b"ms": 1e-3,
    b"s": 1.0,
    b"m": 60.0,
    b"h": 3600.0,
}
_MAX_DURATION_LENGTH = 32


@lru_cache(maxsize=64)
def timeout_seconds(query: bytes) -> float | None:
    """The `timeout` in a query string, at most `MAX_TIMEOUT_SECONDS`; the default if there is none, None if it is bad.

    The API server appends `?timeout=5s`, a duration as Go writes it (`time.ParseDuration`).
    """
    for field in query.split(b"&"):
        name, _, value = field.partition(b"=")
        if name == b"timeout":
            value = value.replace(b"%C2%B5", b"\xc2\xb5").replace(b"%CE%BC", b"\xce\xbc")
            parts = _PART.findall(value)
            if (
                len(value) > _MAX_DURATION_LENGTH
                or not parts
                or b"".join(_DURATION.findall(value)) != value
                or (seconds := sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)) <= 0
            ):
                return None
            return min(seconds, MAX_TIMEOUT_SECONDS)
    return DEFAULT_TIMEOUT_SECONDS
