"""More than one webhook takes: each review is answered, none is admitted for want of room, and nothing hangs."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pratique.decision import Decision, Outcome
from pratique.evaluator import Results
from tests.support import workloads
from tests.support.builders import encoded, review
from tests.support.evaluators import GatedEvaluator
from tests.support.pki import Authority
from tests.support.processes import HANG_SECONDS
from tests.support.scripted import Rule, ScriptedEvaluator
from tests.webhook.serving import Reply, Served, engine_of, read_answer
from webhook.connection import ReviewConnection
from webhook.limits import ANSWER_MARGIN_SECONDS, RECORD_MARGIN_SECONDS, Limits

pytestmark = pytest.mark.slow

FAILS: Mapping[str, Rule] = {"gpu/limit": lambda document: [{"message": "too many GPUs", "path": "/spec"}]}
PASSES: Mapping[str, Rule] = {"gpu/limit": lambda document: []}
FULL = "reviews are being judged already, more at a time are not taken; retry"
MIB = 2**20


def pod_review(number: int = 0, *, padding: int = 0) -> bytes:
    body = encoded(review(workloads.pod(f"pod-{number}", namespace="team-a"), uid=f"uid-{number}"))
    return body + b" " * padding


def head(length: int, *, path: bytes = b"/validate?timeout=30s") -> bytes:
    return (
        b"POST " + path + b" HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % length
    )


def test_400_violating_reviews_at_once_are_all_refused() -> None:
    with (
        Served.with_engine(engine_of(ScriptedEvaluator(FAILS)), limits=Limits(max_in_flight=8)) as webhook,
        ThreadPoolExecutor(50) as pool,
    ):
        replies = list(pool.map(lambda number: webhook.post(pod_review(number)), range(400)))
        assert [reply.response["uid"] for reply in replies] == [f"uid-{number}" for number in range(400)]
        codes = {reply.response["status"]["code"] for reply in replies}
        assert codes <= {403, 500}
        assert 403 in codes
        assert not any(reply.response["allowed"] for reply in replies)
        assert len(webhook.rows.decisions) == sum(reply.response["status"]["code"] == 403 for reply in replies)


def test_a_review_too_many_is_refused_at_once_and_by_its_uid() -> None:
    evaluator = GatedEvaluator(PASSES)
    with (
        Served.with_engine(engine_of(evaluator), limits=Limits(max_in_flight=3)) as webhook,
        ThreadPoolExecutor(3) as pool,
    ):
        waiting = [pool.submit(webhook.post, pod_review(number)) for number in range(3)]
        webhook.wait_until(lambda: evaluator.asked == 3)
        response = webhook.judge(pod_review(9))
        assert (response["uid"], response["allowed"], response["status"]) == (
            "uid-9",
            False,
            {"code": 500, "reason": "InternalError", "message": f"3 {FULL}"},
        )
        assert webhook.metric("pratique_rejected_total", reason="in-flight") == 1
        evaluator.open.set()
        assert all(answer.result().response["allowed"] for answer in waiting)
        assert webhook.judge(pod_review(9))["allowed"]


class _Timed(ScriptedEvaluator):
    """Keeps since when those have waited who are judged, as their deadlines tell."""

    def __init__(self) -> None:
        super().__init__(PASSES)
        self.waiting_since: list[float] = []

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        self.waiting_since.append(deadline + ANSWER_MARGIN_SECONDS + RECORD_MARGIN_SECONDS - 30)
        return await super().evaluate(documents, deadline=deadline)


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param(True, id="a slow handshake is part of the API server's time"),
        pytest.param(False, id="time between handshake and request is not"),
    ],
)
def test_the_deadline_is_counted_from_when_the_api_server_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prompt: bool
) -> None:
    accepted = threading.Event()
    make = ReviewConnection.__init__

    def accept(*args: Any, **options: Any) -> None:
        make(*args, **options)
        accepted.set()

    monkeypatch.setattr(ReviewConnection, "__init__", accept)
    monkeypatch.setattr("webhook.connection.PROMPT_SECONDS", HANG_SECONDS if prompt else 0.0)
    evaluator = _Timed()
    authority = Authority(tmp_path)
    pair = authority.server("webhook", hosts=("localhost",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    client = ssl.create_default_context(cafile=str(authority.certificate))
    with Served.with_engine(engine_of(evaluator), tls=context) as webhook, webhook.connect() as plain:
        assert accepted.wait(HANG_SECONDS)
        before = time.monotonic()
        with client.wrap_socket(plain, server_hostname="localhost") as connection:
            between = time.monotonic()
            for number in range(2):
                body = pod_review(number)
                connection.sendall(head(len(body)) + body)
                assert read_answer(connection).response["allowed"]
    first, second = evaluator.waiting_since
    assert first < before if prompt else first > between
    assert second > between, "the second request of a connection has a clock of its own"


def test_bodies_together_take_no_more_memory_than_granted() -> None:
    evaluator = GatedEvaluator(PASSES)
    limits = Limits(max_body_bytes=MIB, max_bodies_bytes=2 * MIB)
    with Served.with_engine(engine_of(evaluator), limits=limits) as webhook, ThreadPoolExecutor(2) as pool:
        large = MIB - len(pod_review())
        waiting = [pool.submit(webhook.post, pod_review(number, padding=large - 100)) for number in range(2)]
        webhook.wait_until(lambda: evaluator.asked == 2)
        reply = webhook.post(pod_review(9, padding=MIB // 2))
        assert (reply.status, reply.json["reason"]) == (429, "TooManyRequests")
        assert reply.json["message"].endswith("more at a time are not taken; retry")
        assert webhook.metric("pratique_rejected_total", reason="bytes") == 1
        evaluator.open.set()
        assert all(answer.result().response["allowed"] for answer in waiting)
        webhook.wait_until(lambda: webhook.metric("pratique_reviews_bytes") == 0)
        assert webhook.post(pod_review(9)).response["allowed"]


def test_a_body_that_drips_in_is_given_up() -> None:
    limits = Limits(read_seconds=0.3)
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES)), limits=limits) as webhook:
        with webhook.connect() as connection:
            connection.sendall(head(1000))
            for _ in range(5):
                connection.sendall(b"{")
                time.sleep(0.02)
            reply = read_answer(connection)
        assert (reply.status, reply.json["reason"], reply.headers["connection"]) == (408, "Timeout", "close")
        assert webhook.metric("pratique_rejected_total", reason="read-timeout") == 1


def test_a_body_that_never_comes_is_given_up() -> None:
    limits = Limits(read_seconds=0.2)
    with (
        Served.with_engine(engine_of(ScriptedEvaluator(PASSES)), limits=limits) as webhook,
        webhook.connect() as connection,
    ):
        connection.sendall(head(1000))
        assert read_answer(connection).status == 408


def test_slow_bodies_keep_nobody_else_waiting() -> None:
    limits = Limits(max_in_flight=1)
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES)), limits=limits) as webhook:
        slow = [webhook.connect() for _ in range(5)]
        for connection in slow:
            connection.sendall(head(1000) + b"{")
        webhook.wait_until(lambda: webhook.metric("pratique_reviews_in_flight") == 5)
        assert webhook.judge(pod_review())["allowed"]
        for connection in slow:
            connection.close()
        webhook.wait_until(lambda: webhook.metric("pratique_rejected_total", reason="disconnect") == 5)
        webhook.wait_until(lambda: webhook.metric("pratique_reviews_in_flight") == 0)
        assert webhook.metric("pratique_reviews_bytes") == 0


def test_a_client_that_leaves_before_the_answer_loses_no_record() -> None:
    evaluator = GatedEvaluator(FAILS)
    with Served.with_engine(engine_of(evaluator)) as webhook:
        body = pod_review(7)
        connection = webhook.connect()
        connection.sendall(head(len(body)) + body)
        webhook.wait_until(lambda: evaluator.asked == 1)
        connection.close()
        evaluator.open.set()
        webhook.wait_until(lambda: webhook.rows.decisions)
        (decision,) = webhook.rows.decisions
        assert (decision.subject.name, decision.outcome) == ("pod-7", Outcome.DENIED)
        assert webhook.judge(pod_review())["status"]["code"] == 403


def test_a_client_that_leaves_in_the_middle_is_not_judged() -> None:
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES))) as webhook:
        body = pod_review()
        connection = webhook.connect()
        connection.sendall(head(len(body)) + body[:-1])
        webhook.wait_until(lambda: webhook.metric("pratique_reviews_in_flight") == 1)
        connection.close()
        webhook.wait_until(lambda: webhook.metric("pratique_rejected_total", reason="disconnect") == 1)
        assert webhook.rows.decisions == []


def test_the_time_that_the_body_took_counts() -> None:
    evaluator = _Timed()
    with Served.with_engine(engine_of(evaluator)) as webhook, webhook.connect() as connection:
        body = pod_review()
        connection.sendall(head(len(body)) + body[:100])
        webhook.wait_until(lambda: webhook.metric("pratique_reviews_bytes") > 0)
        begun = time.monotonic()
        connection.sendall(body[100:])
        assert read_answer(connection).response["allowed"]
    assert evaluator.waiting_since[0] < begun


class _StuckLedger:
    """Never commits."""

    async def record(self, decision: Decision) -> None:
        await asyncio.Event().wait()


def test_a_ledger_that_never_commits_is_refused_within_the_timeout() -> None:
    with Served.with_engine(engine_of(ScriptedEvaluator(PASSES)), recorder=_StuckLedger()) as webhook:
        response = webhook.judge(pod_review(), path="/validate?timeout=1s")
        assert (response["allowed"], response["status"]["code"]) == (False, 500)
        assert "could not be judged and recorded within the time" in response["status"]["message"]


def test_a_shutdown_finishes_what_was_accepted() -> None:
    evaluator = GatedEvaluator(FAILS)
    with (
        Served.with_engine(engine_of(evaluator)) as webhook,
        ThreadPoolExecutor(20) as pool,
    ):
        answers = [pool.submit(webhook.post, pod_review(number)) for number in range(20)]
        webhook.wait_until(lambda: evaluator.asked == 20)
        webhook.app.drain()
        webhook.server.should_exit = True
        time.sleep(0.2)
        evaluator.open.set()
        replies: list[Reply] = [answer.result() for answer in answers]
        assert [reply.response["status"]["code"] for reply in replies] == [403] * 20
        assert len(webhook.rows.decisions) == 20


@pytest.mark.parametrize("junk", ["{},", "[],"])
def test_a_review_that_is_large_in_memory_is_judged_and_let_go(junk: str) -> None:
    document = review(workloads.pod("large", namespace="team-a"))
    document["request"]["object"]["junk"] = json.loads("[" + (junk * (MIB // 2))[:-1] + "]")
    with Served.with_engine(engine_of(ScriptedEvaluator(FAILS))) as webhook:
        assert webhook.judge(encoded(document))["status"]["code"] == 403
        assert webhook.metric("pratique_reviews_bytes") == 0
