"""Why a registry gave no answer: types, because they decide what is kept, and for how long (design, section 8).

`NotFound` is an answer ("we looked, and it is not there"). All others mean that we could not look: they are told, never
kept, and the facts that hang on them are `Unavailable`.
"""

from __future__ import annotations

from pratique.errors import EvidenceUnavailable, PratiqueError


class NotFound(PratiqueError):
    """The registry answered that it has no such manifest or blob."""


class RegistryFailure(EvidenceUnavailable):
    """Base of all the ways in which a registry can fail to answer."""


class Unauthorised(RegistryFailure):
    """No credentials that we have are good for it: `status` is 401 or 403, `said` how what came with it begins, and
    `problems` are sentences about credentials that could not be had."""

    def __init__(self, message: str, *, status: int = 401, said: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.said = said
        self.problems = problems


class NotAsked(RegistryFailure):
    """The evidence configuration does not allow to ask this registry."""


class RateLimited(RegistryFailure):
    """429. `retry_after` is in seconds, 0 where the registry does not say."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServerFailed(RegistryFailure):
    """5xx, or a status that the specification does not have there."""


class TimedOut(RegistryFailure):
    """No answer, or not all of it, by the deadline."""


class Unreachable(RegistryFailure):
    """No connection, or one that broke: DNS, refused, reset; or the breaker of the host is open."""


class TlsFailed(RegistryFailure):
    """The certificate of the registry is not trusted, or there is no TLS."""


class DigestMismatch(RegistryFailure):
    """What was sent does not have the digest that it was asked for by: kept by nobody, trusted by nobody."""


class Malformed(RegistryFailure):
    """What was sent is not what its media type says."""


class TooLarge(RegistryFailure):
    """What was sent, or said to be sent, is beyond a limit of ours, which the message names."""
