"""The HTTP side of the Kubernetes door.

`/validate` and `/mutate` are taken before FastAPI's routing, which costs twice what uvicorn itself does; the other
paths are ordinary routes. Each review goes through these steps, numbered again below:

1. read the body, within the limits on size, time and memory;
2. parse it, and refuse what is not a review;
3. put together what it asks about, which for a Scale is looked up, and for an autoscaler what it scales as well;
4. decide, by a deadline that leaves time for what follows;
5. record the decision: what is not recorded does not count;
6. answer.

Whatever goes wrong on the way refuses: nothing is ever allowed for want of an answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from fastapi import Response as HttpResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from pratique.canonical import compact_json
from pratique.decision import Decision, Door, Outcome, doubted
from pratique.engine import Engine, Request
from pratique.errors import EvidenceUnavailable, InputError, PratiqueError
from pratique.kinds import Autoscaler, ContentCache
from pratique.ledger import Ledger
from pratique.live import Live
from pratique.shape import Object
from pratique.subject import Resource, Subject
from reports.text import visible
from webhook.body import BodyBudget, BodyReader, Disconnected, Refused
from webhook.break_glass import with_bypasses
from webhook.cluster_context import KnownObjects
from webhook.connection import asked_at
from webhook.limits import (
    ANSWER_MARGIN_SECONDS,
    DEFAULT_TIMEOUT_SECONDS,
    RECORD_MARGIN_SECONDS,
    Limits,
    timeout_seconds,
)
from webhook.metrics import CONTENT_TYPE, Metrics
from webhook.own_kinds import OwnKinds, with_evaluations
from webhook.review import (
    REASONS,
    BadReview,
    Review,
    answer,
    consent,
    grown_subject,
    grown_unknown,
    growth_of,
    growth_request,
    mutation_answer,
    read_review,
    refusal,
    request_of,
    scaled_subject,
    scaled_unknown,
    stamped,
    status_document,
    subject_under_review,
    uid_of,
)

log = logging.getLogger(__name__)

_JSON_HEADER = (b"content-type", b"application/json")
_HANG_UP_HEADER = (b"connection", b"close")


class Recorder(Protocol):
    """Where decisions go before they are answered: the direction that lets tests do without a disk."""

    async def record(self, decision: Decision) -> None:
        """Return when the decision is kept. Raises: EvaluationError when it cannot be."""


class Parents(Protocol):
    """Where the object that a Scale or an autoscaler scales comes from: the API server, or nowhere when none is
    configured."""

    async def parent_of_scale(
        self, group: str, resource: str, namespace: str, name: str, *, deadline: float
    ) -> Mapping[str, Any]:
        """The object, as JSON has it. Raises: EvidenceUnavailable."""

    async def target_of_autoscaler(
        self, group: str, kind: str, namespace: str, name: str, *, deadline: float
    ) -> Mapping[str, Any] | None:
        """The object, as JSON has it; None where there is none. Raises: EvidenceUnavailable."""


class Evidence(Protocol):
    """What is kept of images, told of what becomes of objects; returns at once. Implemented by
    `attestations.in_force.EvidenceInForce`."""

    def foresee(self, subject: Subject) -> None:
        """`subject` was let in, and its pods are still to come."""

    def doubt(self, subject: Subject) -> None:
        """`subject` was refused for what is known of its images."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """A status and a JSON document; `hang_up` closes the connection after it."""

    status: int
    body: bytes
    hang_up: bool = False


class ReviewEndpoint:
    """Answers AdmissionReviews, as an ASGI application for one path. `judge` makes the answer to a review."""

    def __init__(self, judge: Callable[[Review, float], Awaitable[bytes]], intake: Intake) -> None:
        self._judge = judge
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Never raises for what is in it."""
        started = time.perf_counter()
        metrics = self._intake.metrics
        reader = BodyReader(self._intake.limits, self._intake.budget)
        metrics.in_flight.inc()
        try:
            reply = await self._reply(scope, receive, reader)
        except Disconnected:
            metrics.rejected("disconnect")
            return
        finally:
            reader.release()
            metrics.in_flight.dec()
        headers = [_JSON_HEADER, (b"content-length", b"%d" % len(reply.body))]
        if reply.hang_up:
            headers.append(_HANG_UP_HEADER)
        if reply.status == 405:
            headers.append((b"allow", b"POST"))
        # 6. answer
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})
        metrics.review_seconds.observe(time.perf_counter() - started)

    async def _reply(self, scope: Scope, receive: Receive, reader: BodyReader) -> _Answer:
        intake = self._intake
        asked = asked_at(scope)
        if scope["method"] != "POST":
            return self._refused(Refused(405, "method", "reviews are sent with POST"))
        body: bytes | None = None
        try:
            async with asyncio.timeout(intake.limits.read_seconds) as timer:
                # 1. read
                body = await reader.read(scope, receive)
                until = asked + intake.timeout_seconds(scope["query_string"]) - ANSWER_MARGIN_SECONDS
                now = time.monotonic()
                timer.reschedule(asyncio.get_running_loop().time() + until - now)
                return await self._judged(body, until - RECORD_MARGIN_SECONDS)
        except TimeoutError:
            if body is None:
                seconds = intake.limits.read_seconds
                return self._refused(
                    Refused(408, "read-timeout", f"the review was not there after {seconds:g} s; retry", hang_up=True)
                )
            intake.metrics.rejected("deadline")
            message = "the review could not be judged and recorded within the time that the API server gives; retry"
            return _no_decision(body, message)
        except Refused as error:
            return self._refused(error)
        except Disconnected:
            raise
        except Exception:  # the door of last resort: a bug of ours must refuse, with nothing of it in the answer
            log.exception("a review could not be judged because of a bug")
            intake.metrics.rejected("bug")
            return _no_decision(body or b"", "the review could not be judged because of a bug in Pratique; see its log")

    async def _judged(self, body: bytes, deadline: float) -> _Answer:
        intake = self._intake
        if intake.judging >= intake.limits.max_in_flight:
            intake.metrics.rejected("in-flight")
            message = f"{intake.judging} reviews are being judged already, more at a time are not taken; retry"
            return _no_decision(body, message)
        intake.judging += 1
        try:
            # 2. parse
            # What was parsed is handed over, not kept here as well: see `Judge.validate`.
            return _Answer(200, await self._judge(read_review(body), deadline))
        except BadReview as error:
            return self._bad(error, error.uid)
        except InputError as error:
            return self._bad(error, uid_of(body))
        finally:
            intake.judging -= 1

    def _bad(self, error: InputError, uid: str) -> _Answer:
        self._intake.metrics.rejected("bad-review")
        message = visible(str(error))
        log.warning("a review was refused because it cannot be judged: %s (uid %r)", message, uid)
        if uid:
            return _Answer(200, refusal(uid, code=400, message=message))
        return _Answer(400, status_document(400, message))

    def _refused(self, error: Refused) -> _Answer:
        self._intake.metrics.rejected(error.reason)
        log.warning("a request was refused with HTTP status %d: %s", error.status, error.message)
        return _Answer(error.status, status_document(error.status, error.message), error.hang_up)


def _no_decision(body: bytes, message: str) -> _Answer:
    """A refusal of a review that is not judged.

    As an AdmissionReview it refuses whatever the webhook's `failurePolicy` is, which an HTTP status would not.
    """
    uid = uid_of(body)
    if uid:
        return _Answer(200, refusal(uid, code=500, message=message))
    return _Answer(500, status_document(500, message))


class Intake:
    """What all paths share: the limits and what is used of them, and the metrics."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self.limits = limits
        self.metrics = metrics
        self.budget = BodyBudget(limits.max_bodies_bytes)
        self.judging = 0
        metrics.body_bytes.set_function(lambda: self.budget.used)

    def timeout_seconds(self, query: bytes) -> float:
        """How long the API server waits for the answer."""
        seconds = timeout_seconds(query)
        if seconds is None:
            log.warning("the query %r has a bad timeout; taking the default", query[:100])
            return DEFAULT_TIMEOUT_SECONDS
        return seconds


class Webhook(FastAPI):
    """The application; see `create_app`."""

    def __init__(self, *, live: Live, endpoints: Mapping[str, ReviewEndpoint], metrics: Metrics) -> None:
        super().__init__(title="Pratique", openapi_url=None, docs_url=None, redoc_url=None)
        self.draining = False
        self.details: dict[str, Callable[[], object]] = {}
        """More that `/readyz?verbose` shows, by name: what surrounds the decisions and has problems of its own."""
        self._live = live
        self._endpoints = endpoints
        self._metrics = metrics
        self.add_api_route("/healthz", self._healthz, methods=["GET"])
        self.add_api_route("/readyz", self._readyz, methods=["GET"])
        self.add_api_route("/metrics", self._metrics_text, methods=["GET"])
        self.add_exception_handler(HTTPException, _http_error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of whatever kind (ASGI)."""
        if scope["type"] == "http":
            endpoint = self._endpoints.get(scope["path"])
            if endpoint is not None:
                await endpoint(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    def drain(self) -> None:
        """From now on say that we are not ready, so that no new reviews come; those that do are still judged."""
        self.draining = True

    @property
    def ready(self) -> bool:
        return self._live.engine is not None and not self.draining

    async def _healthz(self) -> HttpResponse:
        return HttpResponse("ok\n", media_type="text/plain")

    async def _readyz(self, request: HttpRequest) -> HttpResponse:
        status = 200 if self.ready else 503
        if "verbose" not in request.query_params:
            return HttpResponse("ok\n" if self.ready else "not ready\n", status, media_type="text/plain")
        return HttpResponse(compact_json(self._state()), status, media_type="application/json")

    def _state(self) -> dict[str, Any]:
        live, engine = self._live, self._live.engine
        state: dict[str, Any] = {
            "ready": self.ready,
            "draining": self.draining,
            "loaded_at": f"{live.loaded_at:%Y-%m-%dT%H:%M:%SZ}" if live.loaded_at else None,
            "problem": live.problem,
        }
        if engine is not None:
            state |= {
                "engine": engine.evaluator.name,
                "engine_version": engine.evaluator.version,
                "engine_restarts": engine.evaluator.restarts,
                "bundle_digest": engine.policies.digest,
                "configuration_digest": engine.configuration.digest,
                "policies": len(engine.policies.policies),
                "bindings": len(engine.configuration.bindings),
                "waivers": len(engine.configuration.waivers),
            }
        return state | {name: detail() for name, detail in self.details.items()}

    async def _metrics_text(self) -> HttpResponse:
        return HttpResponse(self._metrics.exposition(), media_type=CONTENT_TYPE)


def create_app(
    *,
    live: Live,
    recorder: Recorder,
    parents: Parents,
    limits: Limits,
    metrics: Metrics,
    own: OwnKinds | None = None,
    known: KnownObjects | None = None,
    break_glass_users: frozenset[str] = frozenset(),
    evidence: Evidence | None = None,
) -> Webhook:
    """The webhook as an ASGI application, to be served by uvicorn. `own` judges Pratique's own objects, `known` tells
    what other objects of the cluster say of one; the rules about its own webhook do not stop `break_glass_users`
    (`webhook.break_glass`). `evidence` is told of what was let in or refused."""
    metrics.watch(live, recorder if isinstance(recorder, Ledger) else None)
    intake = Intake(limits, metrics)
    judge = Judge(
        live=live,
        recorder=recorder,
        parents=parents,
        metrics=metrics,
        own=own or OwnKinds(),
        break_glass_users=break_glass_users,
        known=known or KnownObjects(),
        evidence=evidence,
    )
    endpoints = {
        "/validate": ReviewEndpoint(judge.validate, intake),
        "/mutate": ReviewEndpoint(judge.mutate, intake),
    }
    return Webhook(live=live, endpoints=endpoints, metrics=metrics)


def _makes_pods(subject: Resource, request: Request) -> bool:
    """Whether pods of the object may follow: it was made or changed as a whole, and is none itself."""
    return request.operation in ("CREATE", "UPDATE") and not request.subresource and subject.gvk.kind != "Pod"


class Judge:
    """Makes the answer to a review: decides and records."""

    def __init__(
        self,
        *,
        live: Live,
        recorder: Recorder,
        parents: Parents,
        metrics: Metrics,
        own: OwnKinds,
        known: KnownObjects,
        break_glass_users: frozenset[str],
        evidence: Evidence | None,
    ) -> None:
        self._own = own
        self._evidence = evidence
        self._known = known
        self._break_glass_users = break_glass_users
        self._live = live
        self._recorder = recorder
        self._parents = parents
        self._metrics = metrics
        self._contents = ContentCache()

    async def validate(self, review: Review, deadline: float) -> bytes:
        """The answer to `review`, decided by `deadline` (a `time.monotonic()` instant) and recorded.

        Raises:
            InputError: the object cannot be judged; nothing is recorded.
        """
        engine = self._live.engine
        if engine is None:
            self._metrics.rejected("not-ready")
            return refusal(review.uid, code=500, message="no policies are in force yet; retry in a moment")
        # 3. and 4. put together and decide. What was parsed is let go before each wait: the next review takes the same
        # memory then, while the processor still has it in its cache, which makes a third of the cost of parsing.
        uid = review.uid
        beside: Decision | None = None
        if review.scales:
            decision = await self._decide_on_scale(engine, review, deadline)
            del review
        elif (growth := growth_of(review)) is not None:
            decision, beside = await self._decide_on_growth(engine, review, growth, deadline)
        else:
            subject = subject_under_review(review, cache=self._contents, context=self._known.context)
            request, doubt = request_of(review), self._known.doubt(subject)
            own = self._own.evaluations(review, engine)
            del review
            decision = await engine.decide(subject, Door.ADMISSION, request=request, deadline=deadline)
            if self._evidence is not None:
                if decision.outcome is Outcome.ALLOWED and _makes_pods(subject, request):
                    self._evidence.foresee(subject)
                elif any(each.refuses and each.facts for each in decision.evaluations):
                    self._evidence.doubt(subject)
            del subject, request
            decision = with_evaluations(decision, own)
            if doubt:
                decision = doubted(decision, doubt)
            decision = with_bypasses(decision, self._break_glass_users)
        # 5. record
        for each in (decision, beside):
            if each is not None and (unrecorded := await self._record(each)):
                return refusal(uid, code=500, message=unrecorded)
        self._metrics.decided(decision)
        if beside is not None:
            self._metrics.decided(beside)
        return answer(uid, decision, beside=beside)

    async def _record(self, decision: Decision) -> str:
        """Record `decision`; why it does not count if that fails, else nothing."""
        waiting = time.perf_counter()
        try:
            await self._recorder.record(decision)
        except PratiqueError as error:
            self._metrics.rejected("not-recorded")
            log.error("decision %s on %s was not recorded, hence refused: %s", decision.id, decision.subject, error)
            return f"the decision could not be recorded, so it does not count: {error}"
        self._metrics.record_seconds.observe(time.perf_counter() - waiting)
        return ""

    async def mutate(self, review: Review, deadline: float) -> bytes:
        """The answer to `review` at the mutating door: what policies change of the object, all of it or nothing.

        What was changed is recorded, and what could not be said; where there was nothing to do, there is nothing to
        record: this is no verdict, and the API server asks `/validate` about every object that passes here. Only whole
        objects are changed: what comes by a subresource is not ours to rewrite.

        Raises:
            InputError: the object cannot be read; nothing is recorded.
        """
        engine = self._live.engine
        if engine is not None and (patches := self._own.patches(review, engine)):
            return stamped(review.uid, patches)
        if review.subresource or review.operation not in ("CREATE", "UPDATE"):
            return consent(review.uid)
        if engine is None:
            self._metrics.rejected("not-ready")
            return refusal(review.uid, code=500, message="no policies are in force yet; retry in a moment")
        # 3. and 4. put together and decide
        around = self._known.context
        subject = subject_under_review(review, cache=self._contents, context=around)
        mutation = await engine.mutate(
            subject, Door.ADMISSION, request=request_of(review), deadline=deadline, around=around
        )
        reply = mutation_answer(review.uid, mutation)
        # 5. record
        if mutation.worth_recording and (unrecorded := await self._record(mutation.decision)):
            return refusal(review.uid, code=500, message=unrecorded)
        self._metrics.mutated(mutation)
        return reply

    async def _decide_on_scale(self, engine: Engine, review: Review, deadline: float) -> Decision:
        """The decision on the object that is scaled, as it would be; `not_evaluated` where it cannot be looked up."""
        resource = review.resource
        try:
            parent: Object = await self._parents.parent_of_scale(
                resource.group, resource.resource, review.namespace, review.name, deadline=deadline
            )
            subject = scaled_subject(review, parent, cache=self._contents)
            request = request_of(review, parent=parent)
        except EvidenceUnavailable as error:
            return engine.not_evaluated(
                scaled_unknown(review, cache=self._contents),
                Door.ADMISSION,
                request=request_of(review),
                reason=f"what is scaled could not be looked up: {error}",
            )
        return await engine.decide(subject, Door.ADMISSION, request=request, deadline=deadline)

    async def _decide_on_growth(
        self, engine: Engine, review: Review, autoscaler: Autoscaler, deadline: float
    ) -> tuple[Decision, Decision | None]:
        """The decisions on an autoscaler and on what it lets grow, the one that decides first.

        What is not there yet is judged when it is made, with the autoscaler known.
        """
        subject, request = subject_under_review(review, cache=self._contents), request_of(review)
        decision = await engine.decide(subject, Door.ADMISSION, request=request, deadline=deadline)
        on_target: Decision | None = None
        try:
            target = await self._parents.target_of_autoscaler(*autoscaler.target, deadline=deadline)
            if target is not None:
                on_target = await self._decide_on_target(engine, review, autoscaler, target, deadline)
        except EvidenceUnavailable as error:
            on_target = engine.not_evaluated(
                grown_unknown(review, autoscaler, cache=self._contents),
                Door.ADMISSION,
                request=growth_request(review, target=None),
                reason=f"what this {review.kind.kind} scales could not be looked up: {error}",
            )
        decisions = [each for each in (decision, on_target) if each is not None]
        if not review.dry_run and all(each.outcome is Outcome.ALLOWED for each in decisions):
            source = (review.kind.group, review.kind.kind, f"{review.namespace}/{review.name}")
            self._known.admitted(source, autoscaler)
        first, *others = sorted(decisions, key=lambda each: _WORST_FIRST.index(each.outcome))
        return first, others[0] if others else None

    async def _decide_on_target(
        self, engine: Engine, review: Review, autoscaler: Autoscaler, target: Object, deadline: float
    ) -> Decision:
        """The decision on `target` as it can become."""
        context = self._known.context
        subject = grown_subject(review, autoscaler, target, cache=self._contents, context=context)
        request = growth_request(review, target=target)
        decision = await engine.decide(subject, Door.ADMISSION, request=request, deadline=deadline)
        note = f"{review.kind.kind} {review.namespace}/{review.name} lets it grow to {autoscaler.most} replicas"
        return replace(decision, notes=(note, *decision.notes))


_WORST_FIRST = (Outcome.DENIED, Outcome.UNDECIDED, Outcome.ALLOWED)


async def _http_error(request: HttpRequest, error: Exception) -> HttpResponse:
    """Unknown paths and methods, as a Status."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    messages = {404: f"there is nothing at {request.url.path[:100]}", 405: "this path does not take that method"}
    body = status_document(status if status in REASONS else 500, messages.get(status, "the request cannot be served"))
    return HttpResponse(body, status, media_type="application/json")
