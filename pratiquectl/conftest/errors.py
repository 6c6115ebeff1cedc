"""What goes wrong under conftest's rules: `Error: ...` on stderr and exit code 1."""

from __future__ import annotations

from pratique.errors import PratiqueError


class ConftestError(PratiqueError):
    """One sentence, as conftest words it where its users may look for the words."""


class UsageError(ConftestError):
    """A flag that does not exist, lacks its value, or has one that it cannot have."""
