"""The webhook served by a real uvicorn on loopback, in a thread, with an engine of the test's choice."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

from pratique.decision import Decision
from pratique.engine import Engine
from pratique.errors import EvidenceUnavailable
from pratique.evaluator import Evaluator
from pratique.facts import FactSource
from pratique.live import Live
from pratique.policy import PolicySet
from pratique.subject import Subject
from tests.support.policies import binding, configuration, policy, policy_set
from tests.support.processes import HANG_SECONDS, wait_until
from webhook.app import Parents as ParentSource
from webhook.app import Recorder, Webhook, create_app
from webhook.cluster_context import KnownObjects
from webhook.connection import ReviewConnection
from webhook.limits import Limits
from webhook.metrics import Metrics
from webhook.own_kinds import OwnKinds

ROOT = Path(__file__).resolve().parents[2]
REVIEWS = ROOT / "tests" / "fixtures" / "reviews"
HOST = "127.0.0.1"
PATH = "/validate?timeout=30s"
"""As long as an API server waits at most: what is meant to be judged is not to fail because a machine is slow."""
BREAK_GLASS = "breaker@example.com"
"""The only break-glass user of a served webhook."""


def captured(name: str) -> bytes:
    """The exact body of a review that a real API server sent."""
    return (REVIEWS / f"{name}.json").read_bytes()


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, and what its JSON says."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def response(self) -> dict[str, Any]:
        """`response` of the AdmissionReview, after a check that it is one."""
        document = self.json
        assert (self.status, document["apiVersion"], document["kind"]) == (
            200,
            "admission.k8s.io/v1",
            "AdmissionReview",
        )
        found: dict[str, Any] = document["response"]
        return found

    @property
    def message(self) -> str:
        """Why it was refused, whichever way it says so."""
        document = self.json
        text: str = document["response"]["status"]["message"] if "response" in document else document["message"]
        return text


class Rows:
    """A Recorder that keeps decisions in memory; `failure` makes it refuse."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.failure: Exception | None = None

    async def record(self, decision: Decision) -> None:
        if self.failure is not None:
            raise self.failure
        self.decisions.append(decision)


class Told:
    """What the webhook tells of objects to who keeps evidence."""

    def __init__(self) -> None:
        self.foreseen: list[Subject] = []
        self.doubted: list[Subject] = []

    def foresee(self, subject: Subject) -> None:
        self.foreseen.append(subject)

    def doubt(self, subject: Subject) -> None:
        self.doubted.append(subject)


class Parents:
    """Knows the objects that are scaled by name."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str, str, str], Mapping[str, Any]] = {}
        self.failure = ""

    async def parent_of_scale(
        self, group: str, resource: str, namespace: str, name: str, *, deadline: float
    ) -> Mapping[str, Any]:
        try:
            return self.known[group, resource, namespace, name]
        except KeyError:
            raise EvidenceUnavailable(f"the API server knows no {resource} {namespace}/{name}") from None

    async def target_of_autoscaler(
        self, group: str, kind: str, namespace: str, name: str, *, deadline: float
    ) -> Mapping[str, Any] | None:
        if self.failure:
            raise EvidenceUnavailable(self.failure)
        return self.known.get((group, f"{kind.lower()}s", namespace, name))


async def _not_started(policies: PolicySet, asked: frozenset[str]) -> Evaluator:
    raise AssertionError("these tests load nothing")


def live_with(engine: Engine | None) -> Live:
    """A Live that has `engine` in force and follows no files."""
    live = Live(policies=ROOT, config=ROOT, start_evaluator=_not_started)
    live.engine = engine
    return live


def engine_of(
    evaluator: Evaluator, *, has_patches: bool = False, facts: Mapping[str, FactSource] | None = None, **spec: Any
) -> Engine:
    """An engine with one binding of one policy, `gpu/limit`, which needs `facts`."""
    needs = [f"facts.{name}" for name in facts or ()]
    policies = policy_set(policy("gpu/limit", id="GPU-001", has_patches=has_patches, needs=needs))
    return Engine(
        policies=policies,
        configuration=configuration(policies, binding("gpu-limit", "gpu/limit", **spec)),
        evaluator=evaluator,
        facts=facts or {},
    )


class Served:
    """The webhook, served within a `with` block."""

    def __init__(
        self,
        start: Callable[[], Awaitable[Live]],
        *,
        limits: Limits | None = None,
        recorder: Recorder | None = None,
        parents: ParentSource | None = None,
        own: OwnKinds | None = None,
        known: KnownObjects | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.rows = Rows()
        self.parents = Parents()
        self._parents = parents or self.parents
        self._own = own
        self._known = known
        self.evidence = Told()
        self.port = 0
        self._start = start
        self._limits = limits or Limits()
        self._recorder = recorder or self.rows
        self._tls = tls
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="webhook-under-test", daemon=True)

    @classmethod
    def with_engine(cls, engine: Engine | None, **options: Any) -> Served:
        async def start() -> Live:
            return live_with(engine)

        return cls(start, **options)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(HANG_SECONDS), "the webhook did not start in time"
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Shut down gracefully and wait for the end."""
        self.server.should_exit = True
        self._thread.join(HANG_SECONDS)
        assert not self._thread.is_alive(), "the webhook did not end in time"

    def post(self, body: bytes, *, path: str = PATH, content_type: str | None = "application/json") -> Reply:
        """POST `body` on a connection of its own."""
        return self.request("POST", path, body=body, headers={"Content-Type": content_type} if content_type else {})

    def judge(self, document: Any, *, path: str = PATH) -> dict[str, Any]:
        """The `response` to an AdmissionReview."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.post(body, path=path).response

    def get(self, path: str) -> Reply:
        return self.request("GET", path)

    def request(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=HANG_SECONDS)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """A connection, to send what no HTTP library sends."""
        return socket.create_connection((HOST, self.port), timeout=HANG_SECONDS)

    def metric(self, name: str, **labels: str) -> float:
        """The value of one sample now; 0 where it is not there."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def wait_until(self, condition: Callable[[], object]) -> None:
        wait_until(lambda: bool(condition()), what="what the test waits for has happened", every=0.005)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread of the test
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self.live = await self._start()
        self.metrics = Metrics()
        self.app: Webhook = create_app(
            live=self.live,
            recorder=self._recorder,
            parents=self._parents,
            limits=self._limits,
            metrics=self.metrics,
            own=self._own,
            break_glass_users=frozenset({BREAK_GLASS}),
            known=self._known,
            evidence=self.evidence,
        )
        config = uvicorn.Config(
            self.app,
            log_config=None,
            access_log=False,
            http=ReviewConnection,
            ws="none",
            lifespan="off",
            proxy_headers=False,
            ssl_context_factory=None if self._tls is None else self._context,
        )
        self.server = uvicorn.Server(config)
        with socket.socket() as listening:
            listening.bind((HOST, 0))
            listening.listen(256)
            self.port = listening.getsockname()[1]
            self._ready.set()
            await self.server.serve(sockets=[listening])
        await self.live.close()

    def _context(self, _config: uvicorn.Config, _default: Any) -> ssl.SSLContext:
        assert self._tls is not None
        return self._tls


def read_answer(connection: socket.socket) -> Reply:
    """The one answer that comes on a raw connection."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
