"""The load generator: built from tools/loadgen with Go, run as a child, its result read into a dataclass."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.cluster import REPOSITORY, TOOLS, ToolMissingError

_MODULE = REPOSITORY / "tools" / "loadgen"
_BUILD_SECONDS = 300
_SLACK_SECONDS = 60.0
"""How much longer than its own times a run may take, before it counts as hanging."""


class LoadError(RuntimeError):
    """The load generator could not do its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one run of the load generator came to; latencies in milliseconds."""

    requests: int
    errors: int
    wrong_verdicts: int
    seconds: float
    requests_per_second: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    own_cpu_seconds: float
    examples: tuple[str, ...]


def build(*, into: Path = TOOLS) -> Path:
    """The path of the load generator, built anew if its source has changed (Go itself knows).

    Raises:
        ToolMissingError: there is no Go, or it does not build.
    """
    go = shutil.which("go")
    if go is None:
        raise ToolMissingError("the load generator is built with Go: install Go 1.24 or newer")
    into.mkdir(parents=True, exist_ok=True)
    made = into / "loadgen"
    done = subprocess.run(
        [go, "build", "-trimpath", "-buildvcs=false", "-o", made, "."],
        cwd=_MODULE,
        capture_output=True,
        text=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise ToolMissingError(f"the load generator does not build: {done.stderr.strip()}")
    return made


def run(
    binary: Path,
    *,
    url: str,
    bodies: Path,
    clients: int,
    warmup_seconds: float,
    seconds: float,
    prefix: str = "",
    suffix: str = "",
    authority: Path | None = None,
    measuring: Callable[[], object] = lambda: None,
) -> Load:
    """One run; `measuring` is called when the warm-up is over.

    Raises:
        LoadError: it could not reach the server, or said nothing.
    """
    command: list[str | Path] = [binary, "-url", url, "-bodies", bodies, "-clients", str(clients)]
    command += ["-warmup", f"{warmup_seconds}s", "-duration", f"{seconds}s", "-prefix", prefix, "-suffix", suffix]
    if authority is not None:
        command += ["-ca", authority]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is not None and "measuring" in process.stdout.readline():
                measuring()
            output, errors = process.communicate(timeout=warmup_seconds + seconds + _SLACK_SECONDS)
        except BaseException:  # Ctrl-C too
            process.kill()
            raise
    if process.returncode != 0:
        raise LoadError(errors.strip())
    return read(json.loads(output))


def read(result: dict[str, Any]) -> Load:
    """The load generator's own JSON as a Load. What went wrong while it warmed up counts as well."""
    latency = result["latency_ms"]
    return Load(
        requests=result["requests"],
        errors=result["errors"] + result["warmup_errors"],
        wrong_verdicts=result["wrong_verdicts"] + result["warmup_wrong_verdicts"],
        seconds=result["seconds"],
        requests_per_second=result["requests_per_second"],
        p50_ms=latency["p50"],
        p90_ms=latency["p90"],
        p99_ms=latency["p99"],
        max_ms=latency["max"],
        own_cpu_seconds=result["own_cpu_seconds"],
        examples=tuple(result["examples"]),
    )
