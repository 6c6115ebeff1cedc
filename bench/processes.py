"""What a peer costs: CPU time and memory of a process and all that it started, from /proc (Linux)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_SECONDS = 0.25


def family(pid: int) -> list[int]:
    """`pid` and its living descendants."""
    children: dict[int, list[int]] = {}
    for process, fields in _all_stats():
        children.setdefault(int(fields[1]), []).append(process)
    found = [pid]
    for member in found:
        found.extend(children.get(member, ()))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the family of `pid`, with those that ended and were waited for."""
    members = set(family(pid))
    ticks = 0
    for process, fields in _all_stats():
        if process in members:
            ticks += sum(int(fields[index]) for index in (11, 12, 13, 14))  # utime, stime, cutime, cstime: proc(5)
    return ticks / _TICKS


def thread_seconds(pid: int) -> dict[int, float]:
    """User and system time of each living thread of `pid` by its id; that of the main thread is `pid`."""
    found = {}
    for folder in Path(f"/proc/{pid}/task").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[int(folder.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def memory_bytes(pid: int) -> int:
    """Proportional set size of the family of `pid`: what they share is counted once."""
    total = 0
    for member in family(pid):
        try:
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we were looking
    return total


class MemoryPeak:
    """Samples the memory of a family in its `with` block; `bytes` is the most that was seen."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            self.bytes = max(self.bytes, memory_bytes(self._pid))


def _all_stats() -> Iterator[tuple[int, list[str]]]:
    """Process id and the fields of its stat file from `state` on (index 0), of every process."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
