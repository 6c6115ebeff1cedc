"""Words of strangers, where they stand in facts, messages and logs: short, on one line, nothing a terminal obeys."""

from __future__ import annotations

MAX_TEXT = 200
"""Characters of a text in a fact: protects the documents of policies from names and versions of megabytes."""


def clipped(text: str, *, limit: int = MAX_TEXT) -> str:
    """`text` with at most `limit` characters, and spaces for those that cannot be printed."""
    if len(text) > limit:
        text = f"{text[: limit - 3]}..."
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)
