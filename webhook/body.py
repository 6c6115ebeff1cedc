"""Reading the body of a request: whole, within limits, and never more of it in memory than was granted."""

from __future__ import annotations

from typing import Any

from starlette.types import Receive, Scope

from webhook.limits import MAX_DISCARDED_BYTES, Limits

JSON = b"application/json"


class Refused(Exception):
    """A request that is answered with an HTTP status other than 200.

    `reason` is the word that it is counted under; `hang_up` is set where the rest of the request is not wanted.
    """

    def __init__(self, status: int, reason: str, message: str, *, hang_up: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.hang_up = hang_up


class Disconnected(Exception):
    """The client went away before its request was whole: there is nobody to answer, and nothing to judge."""


class BodyBudget:
    """Bytes that all bodies in flight may take together."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used = 0


class BodyReader:
    """Reads one body against a budget; `release` gives back what was taken, when the answer is made."""

    def __init__(self, limits: Limits, budget: BodyBudget) -> None:
        self._limits = limits
        self._budget = budget
        self._taken = 0

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body of a JSON request.

        Raises:
            Refused: 415 for another content type, 413 for too long a body, 429 where the budget is used up.
            Disconnected: the client went away.
        """
        content_type, length, expects = b"", None, False
        for name, value in scope["headers"]:
            if name == b"content-type":
                content_type = value
            elif name == b"content-length":
                length = int(value)  # the HTTP parser has seen to it that it is a number
            elif name == b"expect":
                expects = True
            elif name == b"content-encoding" and value.lower() != b"identity":
                raise Refused(415, "content-encoding", "a review must not be compressed; send it as it is")
        if content_type != JSON and content_type.partition(b";")[0].strip().lower() != JSON:
            raise Refused(415, "content-type", "a review is JSON; send it with Content-Type: application/json")
        if length is not None and length > self._limits.max_body_bytes:
            if not expects and length <= MAX_DISCARDED_BYTES:
                await _discard(receive, MAX_DISCARDED_BYTES)
            raise self._too_long()
        parts: list[bytes] = []
        more = True
        while more:
            message = await _part(receive)
            part, more = message["body"], message["more_body"]
            refusal = self._refusal_of(len(part))
            if refusal is not None:
                parts.clear()
                self.release()
                if more:
                    await _discard(receive, MAX_DISCARDED_BYTES)
                raise refusal
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def release(self) -> None:
        """Give back what was taken. Idempotent."""
        self._budget.used -= self._taken
        self._taken = 0

    def _refusal_of(self, size: int) -> Refused | None:
        """Take `size` bytes more, or say why not."""
        budget = self._budget
        if self._taken + size > self._limits.max_body_bytes:
            return self._too_long()
        if budget.used + size > budget.max_bytes:
            return Refused(
                429,
                "bytes",
                f"reviews of {budget.used} bytes are being judged already, more at a time are not taken; retry",
                hang_up=True,
            )
        budget.used += size
        self._taken += size
        return None

    def _too_long(self) -> Refused:
        limit = self._limits.max_body_bytes
        return Refused(413, "body-size", f"a review of more than {limit} bytes is not judged", hang_up=True)


async def _part(receive: Receive) -> Any:
    message = await receive()
    if message["type"] != "http.request":
        raise Disconnected
    return message


async def _discard(receive: Receive, max_bytes: int) -> None:
    """Read on without keeping anything, until the body ends or is longer than that too."""
    while max_bytes > 0:
        message = await _part(receive)
        if not message["more_body"]:
            return
        max_bytes -= len(message["body"])
