"""How a check says that evidence does not count: one exception that carries the reason."""

from __future__ import annotations

from attestations.clipped import clipped
from attestations.evidence import Reason
from pratique.errors import VerificationError


class Refusal(VerificationError):
    """Evidence does not count; `reason` says which of the ways it is, the message is one sentence."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def malformed(message: str) -> Refusal:
    """The evidence is not what its layout says."""
    return Refusal(Reason.MALFORMED, message)


def quoted(said: object) -> str:
    """What evidence, or a library that read it, says, as a part of our sentence: short, in one line, and printable."""
    return clipped(" ".join(str(said).split()))
