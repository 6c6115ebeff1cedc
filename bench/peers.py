"""Who is measured: how each peer is started, when it is ready and how it is asked."""

from __future__ import annotations

import os
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.bindings import CONFIGURATIONS, Bindings
from tests.support.cluster import HOST, REPOSITORY, free_port, tool
from tests.support.pki import Authority, KeyPair
from tests.support.processes import Process, wait_until

_READY_SECONDS = 60.0
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Place:
    """Where one start of a peer happens: an empty folder, a port, and a certificate if all speak TLS."""

    folder: Path
    port: int
    tls: KeyPair | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One competitor. `judges` is False for the one that allows everything; the load generator puts `prefix` and
    `suffix` around each review. One with `bindings` is Pratique once more, and tells what these cost: it is asked by
    one client at a time, with reviews that are allowed."""

    name: str
    title: str
    command: Callable[[Place], Sequence[str | Path]]
    path: str
    ready: str
    judges: bool = True
    prefix: str = ""
    suffix: str = ""
    bindings: Bindings | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that is ready."""

    peer: Peer
    url: str
    pid: int


def _pratique(engine: str, bindings: Bindings | None = None) -> Callable[[Place], Sequence[str | Path]]:
    def command(place: Place) -> Sequence[str | Path]:
        policies = REPOSITORY / "policies"
        config = _HERE / "config" if bindings is None else bindings.write(place.folder, policies)
        return (
            *(sys.executable, "-m", "pratiquectl", "serve", "--engine", engine),
            *("--config", config, "--policies", policies),
            *("--state", place.folder / "state", "--listen", f"{HOST}:{place.port}"),
            *(("--unsafe-plain-http",) if place.tls is None else _tls(place.tls, "--tls-cert", "--tls-key")),
        )

    return command


def _noop(place: Place) -> Sequence[str | Path]:
    return (
        *(sys.executable, "-m", "uvicorn", "bench.noop:app", "--host", HOST, "--port", str(place.port)),
        *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "--lifespan", "off"),
        *(() if place.tls is None else _tls(place.tls, "--ssl-certfile", "--ssl-keyfile")),
    )


def _raw_opa(place: Place) -> Sequence[str | Path]:
    return (
        *(tool("opa"), "run", "--server", "--addr", f"{HOST}:{place.port}", "--log-level", "error"),
        *(() if place.tls is None else _tls(place.tls, "--tls-cert-file", "--tls-private-key-file")),
        *("--skip-version-check", _HERE / "opa_raw" / "admission.rego"),
    )


def _tls(pair: KeyPair, certificate: str, key: str) -> Sequence[str | Path]:
    return certificate, pair.certificate, key, pair.key


RAW_OPA = "raw-opa"
WITH_OPA = "pratique-opa"
WITH_REGOPY = "pratique-regopy"
NOOP = "noop"

PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name=RAW_OPA,
            title="raw OPA",
            command=_raw_opa,
            path="/v1/data/admission/main",
            ready="/health",
            prefix='{"input":',
            suffix="}",
        ),
        Peer(name=WITH_OPA, title="Pratique, OPA", command=_pratique("opa"), path="/validate", ready="/readyz"),
        Peer(
            name=WITH_REGOPY, title="Pratique, regopy", command=_pratique("regopy"), path="/validate", ready="/readyz"
        ),
        Peer(name=NOOP, title="FastAPI no-op", command=_noop, path="/validate", ready="/healthz", judges=False),
        *(
            Peer(
                name=each.name,
                title=each.title,
                command=_pratique("opa", each),
                path="/validate",
                ready="/readyz",
                judges=False,
                bindings=each,
            )
            for each in CONFIGURATIONS.values()
        ),
    )
}
"""In the order in which each round runs them."""


@contextmanager
def running(peer: Peer, folder: Path, *, authority: Authority | None) -> Iterator[Running]:
    """Start `peer` in `folder`; in the block it is ready, behind it it is gone.

    Raises:
        ToolMissingError: a binary has not been provisioned.
        TimeoutError: it did not become ready; the message cites its log.
    """
    folder.mkdir(parents=True)
    (folder / "state").mkdir()
    tls = None if authority is None else authority.server(f"{folder.name}-{peer.name}", hosts=(HOST,))
    place = Place(folder, free_port(), tls)
    scheme = "http" if authority is None else "https"
    url = f"{scheme}://{HOST}:{place.port}"
    context = None if authority is None else ssl.create_default_context(cafile=str(authority.certificate))
    process = Process(
        list(peer.command(place)),
        log=folder / "log",
        env={
            **{name: value for name, value in os.environ.items() if name.upper() != "KUBECONFIG"},
            "TMPDIR": str(folder),
        },
        cwd=REPOSITORY,
    )
    try:
        wait_until(
            lambda: _answers(url + peer.ready, context),
            timeout_seconds=_READY_SECONDS,
            what=f"{peer.title} becomes ready",
            process=process,
            every=0.1,
        )
        yield Running(peer, url + peer.path, process.pid)
    finally:
        process.stop()


def _answers(url: str, context: ssl.SSLContext | None) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310 - our own loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
