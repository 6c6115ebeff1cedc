"""The last resort: `go build` of the pinned module."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from provisioning.cache import Cache
from provisioning.errors import UnavailableError
from provisioning.program import require_version
from provisioning.progress import TERMINAL_REFRESH_SECONDS, Progress
from provisioning.table import Tool


def install_build(tool: Tool, cache: Cache, progress: Progress, *, modules: Path) -> None:
    """Installs the program that the machine's Go builds from the pinned module below `modules`.

    Go itself checks every module against the go.sum beside the table. A build that outlives a killed run (kill -9)
    ends by itself and finds its work folder gone.

    Raises:
        UnavailableError: there is no Go, or the build failed; its whole output is kept in the cache.
    """
    folder = modules / tool.build.module
    if not (folder / "go.mod").is_file():
        raise UnavailableError(f"there is no {folder / 'go.mod'} to build it from")
    go = shutil.which("go")
    if go is None:
        raise UnavailableError("there is no `go` on the PATH to build it")
    progress.say(f"building {tool.build.package} {tool.version} with {go} (minutes the first time)")
    kept_log = cache.folder / f"{tool.name}.build.log"
    with cache.work_folder(tool) as work:
        made, log = work / tool.name, work / "build.log"
        command = [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-v"]
        command += ["-ldflags", f"-s -w {tool.build.ldflags}".strip(), "-o", str(made), tool.build.package]
        environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOTMPDIR": str(work)}
        code = _run(command, folder, environment, log, progress)
        if code != 0:
            log.replace(kept_log)
            said = kept_log.read_text(encoding="utf-8", errors="replace").split("\n")
            last = next((line.strip() for line in reversed(said) if line.strip()), f"exit code {code}")
            raise UnavailableError(f"`go build` failed with {last!r} (all of it: {kept_log})")
        require_version(tool, made, origin=f"go build in {folder}")
        cache.install(tool, made, source="build")
        kept_log.unlink(missing_ok=True)


def _run(command: list[str], folder: Path, environment: dict[str, str], log: Path, progress: Progress) -> int:
    """The exit code; whatever ends the wait, the command and all that it started end with it."""
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches this process only, which then ends Go and all its compilers.
        going = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while True:
                try:
                    return going.wait(timeout=TERMINAL_REFRESH_SECONDS)
                except subprocess.TimeoutExpired:
                    steps = log.read_bytes().count(b"\n")
                    progress.tick(f"building, {steps} modules and packages so far")
        finally:
            if going.poll() is None:
                os.killpg(going.pid, signal.SIGKILL)
                going.wait()


def wanted_go(tool: Tool, modules: Path) -> str:
    """The oldest Go that builds it, for a message."""
    try:
        found = re.search(r"^go (\S+)$", (modules / tool.build.module / "go.mod").read_text("utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        found = None
    return found[1] if found else "1.26"
