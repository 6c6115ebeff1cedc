"""UUID version 7 (RFC 9562, section 5.7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pratique.uuid7 import uuid7


def test_fields_and_order() -> None:
    now = datetime(2026, 11, 21, 8, 0, 0, 123000, tzinfo=UTC)
    ids = [uuid7(now + timedelta(milliseconds=step)) for step in range(100)]
    assert {(identifier.version, identifier.variant) for identifier in ids} == {(7, "specified in RFC 4122")}
    assert ids == sorted(ids)
    assert ids[0].int >> 80 == int(now.timestamp() * 1000)
    assert len({uuid7(now) for _ in range(1000)}) == 1000
