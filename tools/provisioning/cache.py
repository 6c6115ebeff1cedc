"""The folder with the tools, their stamps and their locks."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from provisioning.progress import Progress
from provisioning.table import Tool


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """What lies beside a binary and says what it is, so that it need not be run to know; written after the binary."""

    version: str
    platform: str
    ldflags: str
    source: str
    size: int
    modified_ns: int


class Cache:
    """The folder with the tools, their stamps and their locks."""

    def __init__(self, folder: Path, at_platform: str) -> None:
        self.folder = folder
        self.platform = at_platform

    def path(self, tool: Tool) -> Path:
        return self.folder / tool.name

    def holds(self, tool: Tool) -> bool:
        """Whether the binary is there at the pinned version, unchanged since it was stamped; a few system calls."""
        try:
            found = json.loads(self._stamp_path(tool).read_text(encoding="utf-8"))
            return bool(found == asdict(self._stamp(tool, source=found["source"])))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def install(self, tool: Tool, made: Path, *, source: str) -> None:
        """Moves the finished `made` to its name and stamps it; `made` is on the same file system."""
        if not made.is_symlink():
            made.chmod(0o755)
            with made.open("rb") as file:
                os.fsync(file.fileno())
        made.replace(self.path(tool))
        stamp = made.with_suffix(".stamp")
        with stamp.open("w", encoding="utf-8") as text:
            json.dump(asdict(self._stamp(tool, source=source)), text)
            text.flush()
            os.fsync(text.fileno())
        stamp.replace(self._stamp_path(tool))
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def locked(self, tool: Tool, progress: Progress) -> Iterator[None]:
        """Holds the tool's lock, which ends with the process, however that ends; sweeps what a killed run left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f".{tool.name}.lock").open("a", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.say("another run is already at work on it; waiting")
                fcntl.flock(lock, fcntl.LOCK_EX)
            for left in self.folder.glob(f".{tool.name}.work-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    @contextmanager
    def work_folder(self, tool: Tool) -> Iterator[Path]:
        """An empty folder on the cache's file system, gone afterwards; only under the lock."""
        folder = Path(tempfile.mkdtemp(prefix=f".{tool.name}.work-", dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _stamp_path(self, tool: Tool) -> Path:
        return self.folder / f".{tool.name}.stamp"

    def _stamp(self, tool: Tool, *, source: str) -> Stamp:
        found = self.path(tool).stat()
        return Stamp(
            version=tool.version,
            platform=self.platform,
            ldflags=tool.build.ldflags,
            source=source,
            size=found.st_size,
            modified_ns=found.st_mtime_ns,
        )
