"""regopy's worker processes: right answers, and an error, never an answer, for everything that regopy gets wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from evaluators.regopy import (
    BACK_OFF_SECONDS,
    HANG_LOOKS,
    QUEUE_SHARE,
    WATCH_SECONDS,
    RegopyEvaluator,
    rewritten,
)
from evaluators.regopy_worker import QUOTE
from pratique.configuration import load_configuration
from pratique.errors import EvaluationError, RuleError
from pratique.evaluator import PolicyResult
from pratique.policy import PolicySet
from tests.evaluators.bundle import policy_set, soon
from tests.support.bundles import ROOT, bundle
from tests.support.processes import HANG_SECONDS, wait_until

pytestmark = pytest.mark.slow

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Both event loops: uvicorn uses uvloop where it can."""
    return uvloop.run if request.param == "uvloop" else asyncio.run


def violation(value: str, *conditions: str) -> str:
    """A policy whose one message is the value of a Rego expression."""
    body = "".join(f"\t{line}\n" for line in (*conditions, f"message := {value}"))
    return f'violations contains {{"message": message, "path": "/spec"}} if {{\n{body}}}\n'


def document(subject: Any = None, *policies: str, **parameters: Any) -> bytes:
    asked = policies or ("test/sample",)
    return json.dumps({"policies": asked, "subject": subject, "parameters": parameters}, ensure_ascii=False).encode()


@asynccontextmanager
async def started(
    policies: PolicySet, *, workers: int = 1, asked: frozenset[str] | None = None, **options: Any
) -> AsyncIterator[RegopyEvaluator]:
    evaluator = RegopyEvaluator(workers=workers, **options)
    await evaluator.load(policies, asked=asked)
    pids = evaluator.worker_pids
    assert len(pids) == workers
    try:
        yield evaluator
    finally:
        pids |= evaluator.worker_pids
        await evaluator.close()
        assert not [pid for pid in pids if _runs(pid)]


def _runs(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def messages(
    evaluator: RegopyEvaluator, subject: Any = None, *, seconds: float = HANG_SECONDS, **parameters: Any
) -> list[str]:
    [results] = await evaluator.evaluate([document(subject, **parameters)], deadline=soon(seconds))
    return [finding["message"] for finding in results.by_policy["test/sample"].violations]


def said(policies: PolicySet, subject: Any = None, **parameters: Any) -> list[str]:
    """The messages of the one policy, from a fresh engine."""

    async def act() -> list[str]:
        async with started(policies) as evaluator:
            return await messages(evaluator, subject, **parameters)

    return asyncio.run(act())


# Answers.


def test_whole_findings_in_opas_order(tmp_path: Path, run: Run) -> None:
    body = """violations contains {"message": message, "path": path} if {
	some index, name in input.subject.names
	message := sprintf("%s is above %d", [name, input.parameters.limit])
	path := sprintf("/names/%d", [index])
}

patches contains {"op": "replace", "path": "/limit", "value": {"max": [1, 2.5, null, true]}}
"""
    policies = bundle(tmp_path, body)

    async def act() -> None:
        async with started(policies) as evaluator:
            asked = [document({"names": ["b", "a"]}, limit=3), document({}, limit=3)]
            loud, quiet = await evaluator.evaluate(asked, deadline=soon())
            assert evaluator.name == "regopy"
            assert evaluator.version == "1.5.2"
        assert loud.bundle_digest == quiet.bundle_digest == policies.digest
        assert loud.by_policy == {
            "test/sample": PolicyResult(
                violations=[
                    {"message": "a is above 3", "path": "/names/1"},
                    {"message": "b is above 3", "path": "/names/0"},
                ],
                patches=[{"op": "replace", "path": "/limit", "value": {"max": [1, 2.5, None, True]}}],
            )
        }
        assert quiet.by_policy == {"test/sample": PolicyResult(violations=(), patches=())}  # nothing is to be put right

    run(act())


TEXTS = [
    "plain", 'a "quoted" word', '"quoted"', '"', "back\\slash", "\\.", "\\n", "C:\\", "a\nb\tc",
    "\x01\x7f", "é € 😀", "\u2028",
    '{"a": ["b\\n"]}', "%d %s", "`", "{{x}}", "", " ",
]  # fmt: skip


def test_every_text_comes_back_as_it_went_in(tmp_path: Path) -> None:
    body = violation("sprintf(`%s`, [text])", "some text in input.subject", "count(text) == input.parameters.length")

    async def act() -> None:
        async with started(bundle(tmp_path, body)) as evaluator:
            for text in filter(None, TEXTS):
                assert await messages(evaluator, [text], length=len(text)) == [text]
                assert await messages(evaluator, [text], length=len(text) + 1) == []

    asyncio.run(act())


def test_a_text_in_a_policy_is_the_same_text(tmp_path: Path) -> None:
    tests = [f"\tinput.subject.texts[{index}] == {json.dumps(text)}" for index, text in enumerate(TEXTS)]
    tests += [f"\tinput.subject.texts[{index}] == `{text}`" for index, text in enumerate(TEXTS) if "`" not in text]
    body = 'violations contains {"message": "all are equal", "path": ""} if {\n' + "\n".join(tests) + "\n}\n"
    assert said(bundle(tmp_path, body), {"texts": TEXTS}) == ["all are equal"]


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("^a\\.b$", "a.b", True),
        ("^a\\.b$", "axb", False),
        ("^\\d+$", "42", True),
        ('^"\\s"$', '"\n"', True),
        ("\\\\", "\\", True),
    ],
)
def test_a_pattern_means_the_same_in_the_policy_and_in_a_parameter(
    tmp_path: Path, pattern: str, text: str, expected: bool
) -> None:
    body = (
        violation('"literal"', f"regex.match(`{pattern}`, input.subject.text)")
        + violation('"escaped"', f"regex.match({json.dumps(pattern)}, input.subject.text)")
        + violation('"parameter"', "regex.match(input.parameters.pattern, input.subject.text)")
        + violation('"variable"', f"pattern := `{pattern}`", "regex.match(pattern, input.subject.text)")
    )
    found = said(bundle(tmp_path, body), {"text": text}, pattern=pattern)
    assert found == (["escaped", "literal", "parameter", "variable"] if expected else [])


def test_string_literals_are_rewritten_on_their_own_line() -> None:
    assert rewritten('x := "a\\nb"\ny := "\\u00e9"\nz := `q"`\n') == (
        f'x := base64.decode("YQpi")\ny := "é"\nz := "q{QUOTE}"\n'
    )
    assert rewritten('p := regex.match(`^\\."`, x)') == f'p := regex.match("^\\\\.{QUOTE}", x)'
    assert rewritten("p := regex.replace(x, f(y, z), `b`)") == (
        r'p := regex.replace(x, replace(f(y, z), substring("\\", 0, 1), "\\"), "b")'
    )


_ORDERED = ["", "b", "b ", "b x", "b!", "b!!", 'b!"', 'b"', 'b" y', 'b"!', 'b""', 'b"x', "b#", "b(", "b\\t", "b~", "bé"]


def test_texts_are_sorted_as_opa_sorts_them(tmp_path: Path) -> None:
    """By their bytes: a quotation mark comes between `!` and `#`, which no single character in its place would."""
    assert sorted(_ORDERED, key=str.encode) == _ORDERED
    given = list(reversed(_ORDERED))

    async def run() -> None:
        values = ("sort(input.subject)", "sort({x | some x in input.subject})", f"sort({json.dumps(given)})")
        for index, value in enumerate(values):
            policies = bundle(tmp_path / str(index), violation(f'concat("|", {value})'))
            async with started(policies) as evaluator:
                (answer,) = await evaluator.evaluate([document(given)], deadline=soon())
                (found,) = answer.by_policy["test/sample"].violations
                assert found["message"] == "|".join(_ORDERED)

    asyncio.run(run())


def test_what_is_no_text_is_sorted_too(tmp_path: Path) -> None:
    async def run() -> None:
        async with started(bundle(tmp_path, violation("json.marshal(sort(input.subject))"))) as evaluator:
            (answer,) = await evaluator.evaluate([document([3, 1, 2, 1])], deadline=soon())
            (found,) = answer.by_policy["test/sample"].violations
            assert found["message"] == "[1,1,2,3]"

    asyncio.run(run())


def test_data_documents_are_read(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text('names: ["plain", "a \\"quote\\""]\n', encoding="utf-8")
    body = violation("sprintf(`%s`, [name])", "some name in data.names")
    assert said(bundle(tmp_path, body), {}) == ['a "quote"', "plain"]


# What regopy gets wrong is an error: at load ...


def load_error(policies: PolicySet) -> str:
    async def act() -> str:
        evaluator = RegopyEvaluator(workers=1)
        with pytest.raises(EvaluationError) as caught:
            await evaluator.load(policies)
        assert evaluator.worker_pids == frozenset()
        await evaluator.close()
        return str(caught.value)

    return asyncio.run(act())


@pytest.mark.parametrize(
    "condition",
    ["count(input.subject.xs[_]) > 1", "count([k | some k, v in input.subject]) > 0", "x :="],
)  # fmt: skip
def test_what_regopy_does_not_compile_is_a_load_error(tmp_path: Path, condition: str) -> None:
    assert load_error(bundle(tmp_path, violation('"m"', condition))).startswith("regopy: ")


def test_data_that_regopy_cannot_hold_is_a_load_error(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"pattern": "a\\\\.b"}', encoding="utf-8")
    assert load_error(bundle(tmp_path, violation('"m"'))) == (
        "regopy cannot hold data with backslashes or control characters; write them into the policy"
    )


# ... or when a document is judged: never an empty result.


@pytest.mark.parametrize(
    "value",
    [
        'sprintf("%d", [input.subject.text])',  # a built-in that fails
        'sprintf("%s and %s", ["one"])',  # ok() is False and the result empty
        'sprintf("%b", [5])',  # an error node in place of the message
        "regex.match(`(?i)a`, input.subject.text)",
        "to_number(input.subject.text)",
        "json.unmarshal(input.subject.text)",  # prints its error to stdout, which is the pipe
        "count(1)",
        "5",
        "{1, 2}",
        '""',
    ],
)
def test_a_failing_rule_is_an_error_and_the_worker_goes_on(tmp_path: Path, value: str) -> None:
    body = violation(value, 'input.subject.kind == "Bad"') + violation('"fine"', 'input.subject.kind == "Good"')

    async def act() -> None:
        async with started(bundle(tmp_path, body)) as evaluator:
            pids = evaluator.worker_pids
            for _ in range(2):
                with pytest.raises(EvaluationError):
                    await messages(evaluator, {"kind": "Bad", "text": "{x"})
                assert await messages(evaluator, {"kind": "Good"}) == ["fine"]
            assert evaluator.worker_pids == pids
            assert evaluator.restarts == 0

    asyncio.run(act())


def test_an_undefined_policy_is_an_error(tmp_path: Path) -> None:
    policies = bundle(tmp_path, 'violations := {"m"} if input.subject.kind == "Pod"\n')

    async def act() -> None:
        async with started(policies) as evaluator:
            for subject, asked in ((None, "test/sample"), ({"kind": "Pod"}, "test/sample"), (None, "test/unknown")):
                with pytest.raises(EvaluationError, match=f"policy {asked}: "):
                    await evaluator.evaluate([document(subject, asked)], deadline=soon())

    asyncio.run(act())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (b'{"policies": ["test/sample"], "subject": 9223372036854775808}', "a number beyond 64 bits"),
        (b'{"policies": ["test/sample"], "subject": "a\\u0000b"}', "the character U\\+0000"),
        ('{"policies": ["test/sample"], "subject": "\ue022"}'.encode(), "the character U\\+E022"),
        (b'{"policies": ["test/sample"], "subject": "\\ue022"}', "the character U\\+E022"),
        (b'{"policies": ["test/sample"], "subject": "\\ud800"}', "not JSON"),
        (b'{"policies": ["test/sample"], "subject": ' + b"[" * 400 + b"]" * 400 + b"}", "recursion"),
        (b'{"policies": ["test/sample"]', "not JSON"),
        (b'{"subject": 1}', "not JSON that names its policies"),
        (b'{"policies": "test/sample"}', "not a list of names"),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_document_that_regopy_cannot_be_given_is_an_error(tmp_path: Path, asked: bytes, expected: str) -> None:
    async def act() -> None:
        async with started(bundle(tmp_path, violation('"m"', "input.subject != 1"))) as evaluator:
            with pytest.raises(EvaluationError, match=expected):
                await evaluator.evaluate([asked], deadline=soon())
            assert await messages(evaluator, 2) == ["m"]
            assert evaluator.restarts == 0

    asyncio.run(act())


# Processes.


async def recovered(evaluator: RegopyEvaluator) -> None:
    """Wait until the engine answers."""
    deadline = soon()
    while True:
        try:
            assert await messages(evaluator, {}) == ["quick"]
            return
        except EvaluationError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


SLOW = violation(
    '"slow"',
    "input.subject.slow",
    "count({[i, j] | some i in numbers.range(1, 3000); some j in numbers.range(1, 3000)}) > 0",
)
SLOW_OR_QUICK = SLOW + violation('"quick"', "not input.subject.slow")
LONG = violation(
    "sprintf(`%d`, [input.subject.number])",
    "count({[i, j] | some i in numbers.range(1, input.subject.rounds); some j in numbers.range(1, 100)}) > 0",
)
"""Takes 5 ms for one round, 0.1 s for 4, 1.2 s for 14."""


def test_it_is_back_within_two_seconds_unless_the_machine_is_slow() -> None:
    """What we wait of our own accord: until a hang is noticed, then before the new worker."""
    assert (HANG_LOOKS + 1) * WATCH_SECONDS + BACK_OFF_SECONDS[0] <= 1.0


def test_an_endless_document_ends_at_the_deadline_and_service_comes_back(tmp_path: Path, run: Run) -> None:
    async def act() -> None:
        async with started(bundle(tmp_path, SLOW_OR_QUICK)) as evaluator:
            [busy] = evaluator.worker_pids
            with pytest.raises(EvaluationError, match="did not answer before the deadline"):
                await messages(evaluator, {"slow": True}, seconds=0.3)
            await recovered(evaluator)
            assert evaluator.restarts == 1
            assert not _runs(busy)

    run(act())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_crash_in_mid_request_is_an_error_and_service_comes_back(tmp_path: Path, number: int, run: Run) -> None:
    async def act() -> None:
        async with started(bundle(tmp_path, SLOW_OR_QUICK)) as evaluator:
            [pid] = evaluator.worker_pids
            asked = asyncio.create_task(messages(evaluator, {"slow": True}))
            await asyncio.sleep(0.2)
            os.kill(pid, number)
            with pytest.raises(EvaluationError, match="a worker died while it evaluated"):
                await asked
            assert await messages(evaluator, {}) == ["quick"]
            assert evaluator.restarts == 1

    run(act())


def test_workers_killed_while_idle_and_under_load_lose_no_verdict(tmp_path: Path, run: Run) -> None:
    """Each request is answered rightly or with an error, and what comes after the last kill is answered."""

    async def act() -> None:
        async with started(bundle(tmp_path, SLOW_OR_QUICK), workers=2) as evaluator:
            for pid in evaluator.worker_pids:
                os.kill(pid, signal.SIGKILL)
            await recovered(evaluator)

            long = HANG_SECONDS / QUEUE_SHARE
            requests = [asyncio.create_task(messages(evaluator, {}, seconds=long)) for _ in range(400)]
            kills = 0
            while kills < 4 and not all(request.done() for request in requests):
                await asyncio.sleep(0.05)
                for pid in list(evaluator.worker_pids)[:1]:  # there is none while all are being replaced
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
            answers = await asyncio.gather(*requests, return_exceptions=True)
            assert [
                answer for answer in answers if answer != ["quick"] and not isinstance(answer, EvaluationError)
            ] == []
            assert sum(answer == ["quick"] for answer in answers) >= 390
            await recovered(evaluator)

    run(act())


@pytest.mark.parametrize("when", ["idle", "evaluating"])
def test_a_stopped_worker_is_noticed_long_before_the_deadline(tmp_path: Path, run: Run, when: str) -> None:
    async def act() -> None:
        async with started(bundle(tmp_path, SLOW_OR_QUICK)) as evaluator:
            [pid] = evaluator.worker_pids
            if when == "idle":
                os.kill(pid, signal.SIGSTOP)
            asked = asyncio.create_task(messages(evaluator, {"slow": when == "evaluating"}))
            if when == "evaluating":
                await asyncio.sleep(0.1)
                os.kill(pid, signal.SIGSTOP)
            with pytest.raises(EvaluationError, match="a worker stood still while it evaluated, and was killed"):
                await asked
            assert await messages(evaluator, {}) == ["quick"]
            assert evaluator.restarts == 1
            assert not _runs(pid)

    run(act())


def test_a_worker_that_computes_for_long_has_not_hung(tmp_path: Path) -> None:
    async def act() -> None:
        async with started(bundle(tmp_path, LONG)) as evaluator:
            assert await messages(evaluator, {"number": 7, "rounds": 14}) == ["7"]
            assert evaluator.restarts == 0

    asyncio.run(act())


@pytest.mark.skipif(sys.platform != "linux", reason="SCHED_IDLE and affinity are Linux's")
def test_a_worker_that_gets_no_processor_time_has_not_hung(tmp_path: Path) -> None:
    """Overload must not cost workers: another process keeps the processor that this one is bound to."""

    async def act() -> None:
        async with started(bundle(tmp_path, LONG)) as evaluator:
            [pid] = evaluator.worker_pids
            processor = {min(os.sched_getaffinity(0))}
            endless = "print(flush=True)\nwhile True: pass"
            with subprocess.Popen([sys.executable, "-c", endless], stdout=subprocess.PIPE) as hog:  # noqa: ASYNC220 - for a moment
                os.sched_setaffinity(hog.pid, processor)
                assert hog.stdout is not None
                hog.stdout.readline()  # it has begun
                os.sched_setaffinity(pid, processor)
                os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
                try:
                    asked = asyncio.create_task(messages(evaluator, {"number": 7, "rounds": 4}))
                    await asyncio.sleep(2 * HANG_LOOKS * WATCH_SECONDS)
                    assert not asked.done()
                finally:
                    hog.kill()
            assert await asked == ["7"]
            assert evaluator.worker_pids == {pid}

    asyncio.run(act())


def test_an_answer_that_comes_too_late_is_thrown_away_and_the_worker_goes_on(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluators.regopy.DOCUMENT_SECONDS", HANG_SECONDS)

    async def act() -> None:
        async with started(bundle(tmp_path, LONG)) as evaluator:
            pids = evaluator.worker_pids
            with pytest.raises(EvaluationError, match="did not answer before the deadline"):
                await messages(evaluator, {"number": 1, "rounds": 5}, seconds=0.05)
            assert await messages(evaluator, {"number": 2, "rounds": 1}) == ["2"]
            assert evaluator.worker_pids == pids
            assert evaluator.restarts == 0

    run(act())


def test_a_worker_that_dies_over_a_document_that_nobody_waits_for_is_replaced(tmp_path: Path) -> None:
    async def act() -> None:
        async with started(bundle(tmp_path, SLOW_OR_QUICK)) as evaluator:
            [pid] = evaluator.worker_pids
            with pytest.raises(EvaluationError, match="did not answer before the deadline"):
                await messages(evaluator, {"slow": True}, seconds=0.1)
            os.kill(pid, signal.SIGKILL)
            await recovered(evaluator)
            assert evaluator.restarts == 1

    asyncio.run(act())


def test_a_request_waits_for_a_free_worker_for_part_of_its_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is for the evaluation, and for the way back of the refusals of all the others that waited."""
    assert QUEUE_SHARE < 0.5
    monkeypatch.setattr("evaluators.regopy.QUEUE_SHARE", 0.2 / HANG_SECONDS)

    async def act() -> None:
        async with started(bundle(tmp_path, SLOW_OR_QUICK)) as evaluator:
            first = asyncio.create_task(messages(evaluator, {"slow": True}, seconds=2 * HANG_SECONDS))
            await asyncio.sleep(0.05)
            before = time.monotonic()
            with pytest.raises(EvaluationError, match="no worker became free in time"):
                await messages(evaluator, {})
            assert 0.15 < time.monotonic() - before < HANG_SECONDS
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)

    asyncio.run(act())


def test_first_come_first_served(tmp_path: Path, run: Run) -> None:
    """Three who ask again as soon as they were answered take turns on one worker."""

    async def act() -> None:
        order: list[int] = []
        async with started(bundle(tmp_path, violation('"m"'))) as evaluator:

            async def client(name: int) -> None:
                for _ in range(5):
                    await messages(evaluator)
                    order.append(name)

            await asyncio.gather(*(client(name) for name in range(3)))
        assert order == [0, 1, 2] * 5

    run(act())


def test_one_who_gives_up_waiting_takes_no_worker_away(tmp_path: Path) -> None:
    async def act() -> None:
        async with started(bundle(tmp_path, violation('"m"'))) as evaluator:
            first = asyncio.create_task(messages(evaluator))
            given_up = [asyncio.create_task(messages(evaluator)) for _ in range(3)]
            await asyncio.sleep(0)
            for task in given_up:
                task.cancel()
            assert await first == ["m"]
            assert await messages(evaluator) == ["m"]
            second = asyncio.create_task(messages(evaluator))
            await asyncio.sleep(0)
            waiter = asyncio.create_task(messages(evaluator))
            await second
            waiter.cancel()  # it was given the worker and has not run since
            assert await messages(evaluator) == ["m"]

    asyncio.run(act())


def test_what_would_wait_for_too_long_is_refused_at_once_and_costs_no_worker(tmp_path: Path, run: Run) -> None:
    """100 documents on one worker, of which ten can be answered in time: the others learn at once that they are not."""

    async def ask(evaluator: RegopyEvaluator, number: int, *, rounds: int = 1) -> str:
        try:
            [answer] = await messages(evaluator, {"number": number, "rounds": rounds})
        except EvaluationError as error:
            answer = str(error)
        return answer

    async def act() -> None:
        async with started(bundle(tmp_path, LONG)) as evaluator:
            pids = evaluator.worker_pids
            assert await ask(evaluator, -1) == "-1"
            assert evaluator._pace_seconds > 0, "it has learned how long one takes"
            evaluator._pace_seconds = HANG_SECONDS / 9.5
            first = asyncio.create_task(ask(evaluator, 100, rounds=4))
            await asyncio.sleep(0)
            asked = [asyncio.create_task(ask(evaluator, number)) for number in range(100)]
            await asyncio.wait(asked[10:])
            assert not first.done()
            refused = [task.result() for task in asked[10:]]
            assert [reason for reason in refused if not re.fullmatch(OVERLOADED, reason)] == []
            assert [await task for task in (first, *asked[:10])] == ["100", *map(str, range(10))]
            assert await messages(evaluator, {"number": 7, "rounds": 1}) == ["7"]
            assert evaluator.worker_pids == pids
            assert evaluator.restarts == 0

    run(act())


OVERLOADED = (
    r"regopy is overloaded: \d+ documents wait before this one, which takes about \d+\.\d s, and it has \d+\.\d s; "
    r"retry"
)


def test_an_answer_is_never_given_to_another_request(tmp_path: Path) -> None:
    """Nor that to a request that was cancelled in mid-answer; it costs no worker either."""

    async def act() -> None:
        async with started(bundle(tmp_path, violation("sprintf(`%d`, [input.subject])")), workers=2) as evaluator:
            for round_ in range(30):
                cancelled = asyncio.create_task(messages(evaluator, -1))
                await asyncio.sleep(0.0005 * (round_ % 5))
                cancelled.cancel()
                await asyncio.gather(cancelled, return_exceptions=True)
                assert await messages(evaluator, round_) == [str(round_)]
            answers = await asyncio.gather(*(messages(evaluator, number) for number in range(100)))
            assert answers == [[str(number)] for number in range(100)]
            assert evaluator.restarts == 0

    asyncio.run(act())


def test_a_worker_is_replaced_after_a_good_life(tmp_path: Path) -> None:
    async def act() -> None:
        async with started(bundle(tmp_path, violation('"m"')), max_queries=3) as evaluator:
            seen: set[int] = set()
            for _ in range(9):
                assert await messages(evaluator) == ["m"]
                seen |= evaluator.worker_pids
            assert len(seen) == 3
            assert evaluator.restarts == 0

    asyncio.run(act())


def test_rubbish_on_the_pipe_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "rubbish.py"
    script.write_text("import sys\nwhile True: sys.stdout.write('HTTP/1.1 200 OK'); sys.stdout.flush()\n")
    monkeypatch.setattr("evaluators.regopy.WORKER", script)
    assert load_error(bundle(tmp_path, violation('"m"'))) == "regopy: a worker's answer is malformed"
    script.write_text("raise SystemExit(3)\n")
    assert load_error(bundle(tmp_path, violation('"m"'))) == "regopy: a worker died while it evaluated"


def test_it_is_loaded_once_and_closed_for_good(tmp_path: Path) -> None:
    policies = bundle(tmp_path, violation('"m"'))

    async def act() -> None:
        async with started(policies) as evaluator:
            with pytest.raises(EvaluationError, match="a changed bundle is a new evaluator"):
                await evaluator.load(policies)
            await evaluator.close()
            with pytest.raises(EvaluationError, match="not running"):
                await messages(evaluator)
            await evaluator.close()

    asyncio.run(act())


def test_only_what_is_asked_is_compiled_and_the_whole_bundle_is_checked() -> None:
    found = 'violations contains {"message": "a", "path": ""}'
    policies = policy_set(test__a=found, test__b="violations := set()")
    broken = policy_set(test__a=found, test__b="violations contains {} if {")

    async def act() -> None:
        async with started(policies, asked=frozenset({"test/a"})) as evaluator:
            assert evaluator.restarts == 0
            [results] = await evaluator.evaluate([document({}, "test/a")], deadline=soon())
            assert results.by_policy["test/a"].violations == [{"message": "a", "path": ""}]
            assert results.bundle_digest == policies.digest
            with pytest.raises(EvaluationError, match="policy test/b: is not in the bundle"):
                await evaluator.evaluate([document({}, "test/b")], deadline=soon())
        evaluator = RegopyEvaluator(workers=1)
        with pytest.raises(EvaluationError, match=r"test/b\.rego"):
            await evaluator.load(broken, asked={"test/a"})
        assert evaluator.worker_pids == frozenset()
        await evaluator.close()

    asyncio.run(act())


def test_close_finishes_what_is_in_flight(tmp_path: Path) -> None:
    async def act() -> None:
        async with started(bundle(tmp_path, violation('"m"'))) as evaluator:
            requests = [asyncio.create_task(messages(evaluator)) for _ in range(20)]
            await asyncio.sleep(0)
            await evaluator.close()
            assert await asyncio.gather(*requests) == [["m"]] * 20

    asyncio.run(act())


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG and /proc are Linux's")
def test_no_worker_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    bundle(tmp_path, SLOW_OR_QUICK)
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(f"""
            import asyncio, time
            from pathlib import Path
            from evaluators.regopy import RegopyEvaluator
            from pratique.policy import PolicySet

            async def main():
                evaluator = RegopyEvaluator(workers=2)
                await evaluator.load(PolicySet.load(Path({str(tmp_path)!r})))
                print(*evaluator.worker_pids, flush=True)
                slow = b'{{"policies": ["test/sample"], "subject": {{"slow": true}}}}'
                await evaluator.evaluate([slow], deadline=time.monotonic() + 60)

            asyncio.run(main())
        """)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    with parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(_runs(pid) for pid in pids)
        time.sleep(0.2)  # one is busy then, and does not read its stdin
        parent.kill()
    wait_until(lambda: not any(_runs(pid) for pid in pids), what="the workers end with their parent")


def test_a_worker_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("COVERAGE")]:  # measuring coverage takes memory too
        monkeypatch.delenv(name)

    async def act() -> None:
        policies = PolicySet.load(ROOT / "policies")
        bound = load_configuration(ROOT / "bench" / "config", policies).policies_bound
        async with started(policies, asked=bound) as evaluator:
            [pid] = evaluator.worker_pids
            status = Path(f"/proc/{pid}/status").read_text()
            kilobytes = int(status.partition("VmRSS:")[2].split()[0])
            assert kilobytes < 60_000  # for the seven policies of the benchmark; 110,000 for the library

    asyncio.run(act())


@pytest.mark.parametrize(
    "condition",
    [
        "_above == 0 with input.subject.xs as [1]",
        "not _above_is(1) with input.subject.xs as [1]",
        'not _named(input.subject.xs[0]) with input.subject as {"xs": [1]}',
    ],
)
def test_with_is_right_or_an_error(tmp_path: Path, condition: str) -> None:
    """The gate refuses `with`; should one slip through, neither a crash nor a wrong answer may pass for consent."""
    body = f"""_above := count([x | some x in input.subject.xs; x > 1])

_above_is(n) if n == _above

_named(x) if {{
	some y in [z | z := x]
	y > 1
}}

{violation('"m"', condition)}"""
    with contextlib.suppress(EvaluationError):
        assert said(bundle(tmp_path, body), {"xs": [2]}) == ["m"]


def test_modules_of_the_same_digest_answer_for_that_digest_only(tmp_path: Path) -> None:
    policies = bundle(tmp_path, violation('"m"'))
    other = PolicySet(digest="sha256:" + "0" * 64, modules=policies.modules, policies=policies.policies, data={})

    async def act() -> None:
        async with started(policies) as one, started(other) as two:
            [first] = await one.evaluate([document()], deadline=soon())
            [second] = await two.evaluate([document()], deadline=soon())
            assert (first.bundle_digest, second.bundle_digest) == (policies.digest, other.digest)

    asyncio.run(act())


def test_a_rule_error_is_told_from_a_dead_engine(tmp_path: Path) -> None:
    async def act() -> None:
        async with started(bundle(tmp_path, violation("to_number(input.subject)"))) as evaluator:
            with pytest.raises(RuleError, match="regopy answered with an error"):
                await messages(evaluator, "no number")

    asyncio.run(act())
