"""JSON with comments: `//`, `#` and `/* */`."""

from __future__ import annotations

from typing import Any

from pratiquectl.conftest.parsers import json
from pratiquectl.conftest.parsers.source import Source

_ESCAPE, _QUOTE, _HASH, _ASTERISK, _SLASH, _NEWLINE = b'\\"#*/\n'
_BLANK = b" \t"


def documents(source: Source) -> list[Any]:
    """The one document of the text without its comments."""
    return [json.loads(_without_comments(source.content))]


def _without_comments(content: bytes) -> bytes:
    """`content` as JSON.

    A quote or a backslash counts inside a comment too, and a line's end ends no text: a comment with an odd number of
    quotes turns what follows inside out. conftest does the same, so a policy sees the same document.
    """
    kept = bytearray()
    quoted = escaped = commented = to_line_end = may_start = may_end = False
    for byte in content:
        if byte == _ESCAPE or escaped:
            if not commented:
                kept.append(byte)
            escaped = not escaped
            continue
        if byte == _QUOTE:
            quoted = not quoted
        if byte in _BLANK and not quoted:
            continue
        if byte == _NEWLINE:
            if to_line_end:
                commented = may_start = False
        elif commented:
            if byte == _ASTERISK and not to_line_end:
                may_end = True
            elif may_end and byte == _SLASH and not to_line_end:
                commented = may_start = False
            else:
                may_end = False
        elif quoted:
            kept.append(byte)
        elif (may_start and byte in (_ASTERISK, _SLASH)) or byte == _HASH:
            commented, to_line_end = True, byte != _ASTERISK
        elif byte == _SLASH:
            may_start = True
        else:
            kept.append(byte)
    return bytes(kept)
