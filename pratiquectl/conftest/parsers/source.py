"""What a parser is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one file, where they are from (`-` for standard input), and where definitions of messages are."""

    content: bytes
    path: str
    proto_file_dirs: Sequence[str] = ()
