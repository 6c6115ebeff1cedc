"""Why a tool could not be provided, by who must act."""

from __future__ import annotations


class ProvisionError(Exception):
    """A tool could not be provided; the message is one sentence for a person and says what to do."""


class TableError(ProvisionError):
    """The versions table is wrong; its editor must act."""


class RefusedError(ProvisionError):
    """What came from the network must not be used: a checksum that differs, a redirect to plain HTTP."""


class UnavailableError(ProvisionError):
    """This way does not lead to the tool here; the next one is tried. The message is the end of a sentence."""


class Interrupted(BaseException):
    """SIGTERM or SIGHUP arrived; like KeyboardInterrupt it must pass every `except Exception`."""


def reason_of(error: Exception) -> str:
    """The shortest words that an exception of the standard library has for itself."""
    inner = getattr(error, "reason", error)
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
