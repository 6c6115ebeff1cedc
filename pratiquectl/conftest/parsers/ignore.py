"""`.gitignore` and `.dockerignore`: each line says what kind it is of."""

from __future__ import annotations

from typing import Any

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.source import Source


def documents(source: Source) -> list[Any]:
    """One document, a list that holds the list of lines."""
    return [[[_entry(line) for line in source.content.split(b"\n")]]]


def _entry(line: bytes) -> dict[str, str]:
    original = go.text(line)
    stripped = line.rstrip(b" ")
    if stripped.endswith(b"\\"):
        stripped = line[: len(stripped) + 1]
    if not stripped:
        return {"Kind": "Empty", "Value": original, "Original": original}
    if line.startswith(b"#"):
        return {"Kind": "Comment", "Value": go.text(stripped[1:]).strip(go.SPACE), "Original": original}
    if line.startswith(b"!"):
        return {"Kind": "NegatedPath", "Value": _unescaped(stripped[1:]), "Original": original}
    return {"Kind": "Path", "Value": _unescaped(stripped), "Original": original}


def _unescaped(path: bytes) -> str:
    """`path` without backslashes that escape; as conftest has it, each byte becomes a character, beyond ASCII too."""
    # Latin-1 is that: byte n is character n.
    return path.decode("latin-1").replace("\\\\", "\0\0").replace("\\", "").replace("\0\0", "\\")
