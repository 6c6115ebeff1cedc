"""What the numbers were measured on; nothing that names the machine or its folders."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.support.cluster import tool

_FSYNCS = 50


def describe(folder: Path) -> dict[str, Any]:
    """CPU, cores, memory, versions, and how long the disk of `folder` takes to make 4 KiB durable."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": platform.system(),
        "python": platform.python_version(),
        "opa": _reported([tool("opa"), "version"], r"^Version: (\S+)$"),
        "regopy": version("regopy"),
        "fsync_ms": round(_fsync_ms(folder), 2),
        "load_before": round(os.getloadavg()[0], 2),
    }


def is_busy(about: Mapping[str, Any]) -> bool:
    """Whether others used over a quarter of the cores in the minute before: then peers are not treated alike."""
    return bool(about.get("load_before", 0.0) > about["cores"] / 4)


def slug(machine: dict[str, Any]) -> str:
    """A name for files, from the kind of machine."""
    return re.sub(r"[^a-z0-9]+", "-", f"{machine['cpu']}-{machine['cores']}-cores".lower()).strip("-")


def _cpu() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _reported(command: list[str | Path], pattern: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    found = re.search(pattern, done.stdout, re.MULTILINE)
    return found[1] if found else "unknown"


def _fsync_ms(folder: Path) -> float:
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_FSYNCS):
            file.write(b"\0" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)
