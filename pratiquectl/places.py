"""Where things are that come with Pratique; apart from `options`, because it imports nothing slow."""

from __future__ import annotations

from pathlib import Path


def tools_cache() -> Path:
    """Where `make setup` puts the tools: `.cache/tools` of the checkout that this runs from."""
    return Path(__file__).resolve().parent.parent / ".cache" / "tools"
