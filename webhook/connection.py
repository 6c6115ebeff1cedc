"""uvicorn's side of one connection, which also knows since when its client has been waiting."""

from __future__ import annotations

import time
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PROMPT_SECONDS = 0.25
"""A first request that comes this soon after the TLS handshake is what the connection was opened for."""

_ASKED_AT = "pratique.asked_at"


class ReviewConnection(HttpToolsProtocol):
    """A connection from the API server.

    Its clock for a review runs from before it dials. When hundreds of reviews come at once, so do as many TLS
    handshakes, which then take seconds (1 to 4 s of 5 were measured): a deadline counted from the request would lie
    behind the time when the API server stops listening.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._accepted_at: float | None = time.monotonic()
        self._open_since = 0.0

    def connection_made(self, transport: Any) -> None:
        """The handshake is done."""
        super().connection_made(transport)
        self._open_since = time.monotonic()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        accepted_at, self._accepted_at = self._accepted_at, None
        if accepted_at is not None and time.monotonic() - self._open_since <= PROMPT_SECONDS:
            scope: Any = self.scope
            scope[_ASKED_AT] = accepted_at


def asked_at(scope: Scope) -> float:
    """Since when (a `time.monotonic()` instant) the client has been waiting for the answer to this request, as far as
    is known."""
    at: float | None = scope.get(_ASKED_AT)
    return time.monotonic() if at is None else at
