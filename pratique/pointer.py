"""JSON pointers (RFC 6901)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache


def escape(token: str) -> str:
    """One reference token, with `~` and `/` written as `~0` and `~1` (RFC 6901, section 4)."""
    return token.replace("~", "~0").replace("/", "~1")


def pointer(*tokens: str | int) -> str:
    """The pointer made of `tokens`, unescaped ones."""
    return "".join(f"/{escape(str(token))}" for token in tokens)


def tokens_of(path: str) -> Iterable[str]:
    """The unescaped tokens of `path`; the inverse of `pointer`."""
    return [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]]


@lru_cache(maxsize=4096)
def split(path: str) -> tuple[str, ...]:
    """The same as `tokens_of`, remembered: for the few pointers that are asked for again and again."""
    return tuple(tokens_of(path))
