"""What a peer costs is what all its processes cost."""

from __future__ import annotations

import subprocess
import sys

from bench.processes import MemoryPeak, cpu_seconds, family, memory_bytes
from tests.support.processes import wait_until

BUSY = "import time\nblock = bytearray(b'x') * 40_000_000\nwhile True: time.process_time()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {BUSY!r}])"


def test_children_count() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", PARENT]) as parent:
        try:
            with MemoryPeak(parent.pid) as peak:
                wait_until(
                    lambda: cpu_seconds(parent.pid) >= 0.3 and peak.bytes > 40_000_000, what="it has used something"
                )
            members = family(parent.pid)
            assert members[0] == parent.pid
            assert len(members) == 2
            assert cpu_seconds(parent.pid) >= 0.3
            assert 40_000_000 < memory_bytes(parent.pid) < 200_000_000
            assert peak.bytes > 40_000_000
        finally:
            for pid in reversed(family(parent.pid)):
                subprocess.run(["kill", "-9", str(pid)], check=False)


def test_nobody_costs_nothing() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as gone:
        gone.wait()
    assert (cpu_seconds(gone.pid), memory_bytes(gone.pid)) == (0.0, 0)
