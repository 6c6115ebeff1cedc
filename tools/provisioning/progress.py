"""What happens, told on stderr."""

from __future__ import annotations

import time
from typing import TextIO

TERMINAL_REFRESH_SECONDS = 0.2
PIPE_REFRESH_SECONDS = 30.0  # without a terminal: one line this often shows that a long build lives


class Progress:
    """Tells on stderr what happens to one tool: one line rewritten in place on a terminal, plain lines in a pipe."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name = name
        self._stream = stream
        self._interactive = stream.isatty()
        self._refresh_seconds = TERMINAL_REFRESH_SECONDS if self._interactive else PIPE_REFRESH_SECONDS
        self._started = self._last = time.monotonic()
        self._drawn = False

    def say(self, text: str) -> None:
        """A line that stays."""
        self._write(f"{self._name}: {text}\n")

    def tick(self, text: str) -> None:
        """The state of something long, with the seconds it took so far; cheap to call often."""
        now = time.monotonic()
        if now - self._last < self._refresh_seconds:
            return
        self._last = now
        line = f"{self._name}: {text}, {now - self._started:.0f} s"
        self._write(line if self._interactive else f"{line}\n")
        self._drawn = self._interactive

    def _write(self, text: str) -> None:
        erase = "\r\x1b[K" if self._interactive and self._drawn else ""
        self._drawn = False
        self._stream.write(erase + text)
        self._stream.flush()
