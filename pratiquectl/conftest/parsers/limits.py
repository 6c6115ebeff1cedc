"""How much a parser takes before it refuses."""

from __future__ import annotations

MAX_DEPTH = 400
"""Protects what goes through a document by recursion, ours and what it is handed to; far above any file of a person."""

MAX_BYTES = 256 * 1024 * 1024
"""Protects the memory of the machine: a document takes many times what its file does."""
