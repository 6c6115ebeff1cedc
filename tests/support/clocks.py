"""Clocks that stand still until they are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class Clock:
    """`monotonic()` and `now()` of one moment, which `pass_by` moves."""

    seconds: float = 1000.0
    start: datetime = datetime(2026, 11, 29, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds - 1000.0)

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
