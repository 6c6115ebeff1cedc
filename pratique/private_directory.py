"""A directory that only this user can enter, for sockets, keys and files of one process, gone when no longer needed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from pratique.errors import ConfigError, Problem

MAX_SOCKET_PATH_BYTES = 107
"""`sun_path` of unix(7) holds 108 bytes with the closing zero."""
ABANDONED_SECONDS = 60.0
"""A younger directory may be about to be locked."""
_PREFIX = "pratique-private-"
"""Nobody else makes directories of this name: those that are not in use are removed."""


class PrivateDirectory:
    """A new directory with mode 0700 in `parent` (the system's for temporary files if that is None).

    It is locked as long as it is in use, so that the next one to be made in the same place can tell which were left
    behind by a process that was killed, whatever its process namespace, and removes those.

    Raises:
        ConfigError: it cannot be made, or its path leaves no room for the name of a socket.
    """

    def __init__(self, parent: Path | None, *, socket: str = "") -> None:
        where = parent
        try:
            where = where or Path(tempfile.gettempdir())
            _remove_abandoned(where)
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=where)).absolute()
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            message = f"a private directory is needed here and cannot be made: {error.strerror or error}"
            raise ConfigError(Problem(str(where or "TMPDIR"), "", message)) from error
        self.socket = str(self.path / socket)
        if socket and len(os.fsencode(self.socket)) > MAX_SOCKET_PATH_BYTES:
            self.remove()
            message = f"{self.socket} would be too long for a unix socket, which may have {MAX_SOCKET_PATH_BYTES} bytes"
            raise ConfigError(Problem(str(where), "", message))

    def write(self, files: Mapping[str, str]) -> None:
        """Write each text under its relative path. Raises: OSError."""
        for path, text in files.items():
            file = self.path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="")

    def remove(self) -> None:
        """Remove the directory with all that is in it. Idempotent."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _remove_abandoned(where: Path) -> None:
    for path in where.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # of another user, in use, or gone meanwhile: none of our business
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                status = os.fstat(lock)
                if status.st_uid == os.getuid() and time.time() - status.st_mtime > ABANDONED_SECONDS:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
