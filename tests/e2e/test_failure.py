"""What happens when things break: nothing is admitted that was not judged, and no decision is lost."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from typing import Any

import pytest

from tests.e2e.conftest import Govern
from tests.support import workloads
from tests.support.cluster import Client, Cluster
from tests.support.load import Attempt, Stream, all_at_once
from tests.support.processes import is_running, wait_until
from tests.support.webhook import OWN_NAMESPACE, Webhook

_ENGINES = pytest.mark.parametrize("engine", ["opa", "regopy"])
_KILLS = 2


def test_while_the_webhook_is_down_nothing_is_admitted_but_its_own_pods(
    admin: Client, own_webhook: Webhook, namespace: str
) -> None:
    own_webhook.terminate()

    elsewhere = admin.create(workloads.pod("good", namespace=namespace))
    at_home = admin.create(workloads.pod("pratique", namespace=OWN_NAMESPACE), dry_run=True)

    assert (elsewhere.status, at_home.status) == (500, 201)
    assert "failed calling webhook" in elsewhere.message
    assert "connection refused" in elsewhere.message

    own_webhook.restart()
    assert admin.create(workloads.pod("good", namespace=namespace)).ok


def test_a_graceful_end_answers_what_was_accepted(admin: Client, own_webhook: Webhook, namespace: str) -> None:
    with Stream(admin.create, _good(namespace), parallel=16) as stream:
        stream.wait_for(lambda done: done.admitted, count=50, what="requests are answered")
        assert own_webhook.terminate() == 0
        stream.wait_for(lambda done: not done.admitted, count=10, what="the webhook is gone")

    # Who came too late found a closed door; who was judged got the answer.
    assert [done.response.message for done in stream.attempts if not done.admitted and not done.unreachable] == []
    assert _names(own_webhook, namespace, "allowed") == {done.name for done in stream.attempts if done.admitted}


@_ENGINES
def test_no_violating_pod_slips_in_while_the_webhook_starts(
    admin: Client, govern: Govern, namespace: str, engine: str
) -> None:
    """Peers listen before their policies are loaded, and let some in for 0.1 to 0.3 s."""
    with govern(engine=engine) as webhook, Stream(admin.create, _bad(namespace), parallel=8) as stream:
        for restart in range(10):
            if restart % 2:
                webhook.terminate()
            else:
                webhook.kill()
            stream.wait_for(lambda done: done.unreachable, count=8, what="the webhook is down")
            webhook.restart(wait=False)
            stream.wait_for(lambda done: done.answered, count=8, what="the webhook is back")

    assert [done.name for done in stream.attempts if done.admitted] == []
    answers = {re.sub(r"bad-\d+", "bad", done.reason.splitlines()[0]) for done in stream.attempts if done.answered}
    broken = f"Pod {namespace}/bad is refused: 1 rule is broken."
    assert broken in answers
    # An engine that gets no processor time for a second counts as hanging.
    assert [answer for answer in answers - {broken} if "could not be evaluated" not in answer] == []


@_ENGINES
def test_overload_admits_nothing_and_answers_everything_in_time(
    cluster: Cluster, govern: Govern, namespace: str, engine: str
) -> None:
    client = cluster.client(connections=400)
    make = _bad(namespace)
    with govern(engine=engine) as webhook:
        attempts = all_at_once(client.create, [make(number) for number in range(400)], parallel=400)

        rows = webhook.decisions(namespace)

    # More than `--max-reviews-in-flight` at a time are refused without being judged: no decision, hence no row.
    not_judged = [done for done in attempts if "more at a time are not taken" in done.reason]
    assert [done for done in attempts if done.admitted] == []
    assert [done.response.message for done in attempts if not done.answered] == []
    assert len(rows) == 400 - len(not_judged)
    assert {row.outcome for row in rows} <= {"denied", "undecided"}


@_ENGINES
def test_every_one_of_many_parallel_deployments_has_its_decision(
    admin: Client, govern: Govern, namespace: str, engine: str
) -> None:
    objects = [_deployment(namespace, number) for number in range(200)]
    with govern(engine=engine) as webhook:
        attempts = all_at_once(admin.create, objects, parallel=50)
        rows = webhook.decisions(namespace)

    told = {201: "allowed", 403: "denied", 500: "undecided"}
    assert len(rows) == 200
    assert {row.name: row.outcome for row in rows} == {
        obj["metadata"]["name"]: told[done.response.status] for obj, done in zip(objects, attempts, strict=True)
    }
    assert Counter(done.response.status for done in attempts) == {201: 150, 403: 50}


@_ENGINES
def test_kill_9_under_load_loses_no_row_of_what_was_admitted(
    admin: Client, govern: Govern, namespace: str, engine: str
) -> None:
    with govern(engine=engine) as webhook:
        with Stream(admin.create, lambda number: _deployment(namespace, number), parallel=50) as stream:
            for _ in range(_KILLS):
                stream.wait_for(lambda done: done.admitted, count=60, what="some are admitted")
                webhook.kill()
                webhook.restart()
        admitted = {done.name for done in stream.attempts if done.admitted}
        rows = webhook.decisions(namespace)

    assert len(admitted) >= 60 * _KILLS
    assert admitted - {row.name for row in rows if row.outcome == "allowed"} == set()


def test_kill_9_leaves_no_engine_behind(own_webhook: Webhook) -> None:
    children = own_webhook.children("")
    assert children

    own_webhook.kill()

    wait_until(lambda: not any(is_running(pid) for pid in children), what="the webhook's children end")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@_ENGINES
def test_an_engine_that_dies_or_hangs_lets_nothing_through_and_is_replaced(
    admin: Client, govern: Govern, namespace: str, engine: str, number: signal.Signals
) -> None:
    """Good and bad objects, all distinct: the decision cache must not answer for the engine."""
    with govern(engine=engine) as webhook:
        with Stream(admin.create, lambda count: _mixed(namespace, count), parallel=16) as stream:
            stream.wait_for(lambda done: done.answered, count=50, what="requests are answered")
            children = _engine_processes(webhook, engine)
            for child in children:
                os.kill(child, number)
            stream.wait_for(_decided, count=100, what="requests are decided again")
        rows = webhook.decisions(namespace)
        assert webhook.process.poll() is None, "the webhook itself was not to end"
        assert set(children).isdisjoint(_engine_processes(webhook, engine)), "what was hit was not replaced"

    outcomes = Counter(row.outcome for row in rows)
    assert [done.name for done in stream.attempts if done.admitted and "bad" in done.name] == []
    assert [done.response.message for done in stream.attempts if not done.answered] == []
    # Only a request finds out that an engine hangs; one that is killed between two requests costs none.
    assert outcomes["undecided"] > 0 or number == signal.SIGKILL


def _engine_processes(webhook: Webhook, engine: str) -> list[int]:
    return webhook.children("opa.sock" if engine == "opa" else "regopy")


def _decided(done: Attempt) -> bool:
    """Whether a policy was evaluated: admitted, or refused for what is wrong with the object."""
    return done.admitted or (done.answered and done.response.status == 403)


def _good(namespace: str) -> Any:
    return lambda number: workloads.pod(f"good-{number}", namespace=namespace, variant=number)


def _bad(namespace: str) -> Any:
    return lambda number: workloads.pod(
        f"bad-{number}", namespace=namespace, faults=(workloads.Fault.PRIVILEGED,), variant=number
    )


def _mixed(namespace: str, number: int) -> dict[str, Any]:
    made: dict[str, Any] = (_bad if number % 2 else _good)(namespace)(number)
    return made


def _deployment(namespace: str, number: int) -> dict[str, Any]:
    """Every fourth one is refused."""
    faults = (workloads.Fault.TAG,) if number % 4 == 3 else ()
    return workloads.deployment(f"server-{number}", namespace=namespace, faults=faults, variant=number)


def _names(webhook: Webhook, namespace: str, outcome: str) -> set[str]:
    return {row.name for row in webhook.decisions(namespace) if row.outcome == outcome}
