"""What is raised when a file cannot be read by a parser."""

from __future__ import annotations

from pratique.errors import InputError


class ParseError(InputError):
    """The file is not what its parser reads; the message names the parser, and the line where there is one."""
