"""The OPA child: what it answers, what it refuses, and that it comes back from everything that can happen to it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from evaluators.opa import OpaEvaluator, _pause
from evaluators.opa_child import PING_SECONDS, WATCH_SECONDS, Child
from evaluators.opa_client import Pool, evaluate
from pratique.errors import ConfigError, EvaluationError, PolicyError, Problem
from pratique.evaluator import PolicyResult
from pratique.policy import Module, PolicySet
from tests.evaluators.bundle import DIGEST, OPA, ROOT, document, echo, policy_set, said, soon
from tests.support.processes import HANG_SECONDS, wait_until

pytestmark = pytest.mark.slow

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Both event loops: uvicorn uses uvloop where it can."""
    return uvloop.run if request.param == "uvloop" else asyncio.run


async def ask(evaluator: OpaEvaluator, *messages: str) -> list[str]:
    """What the echo answers."""
    [answer] = said(await evaluator.evaluate([echo(*messages)], deadline=soon()))
    return answer["test/echo"]


@asynccontextmanager
async def started(
    policies: PolicySet | None = None, *, asked: Collection[str] | None = None, **options: Any
) -> AsyncIterator[OpaEvaluator]:
    evaluator = OpaEvaluator(OPA, **options)
    await evaluator.load(policies or policy_set(), asked=asked)
    try:
        yield evaluator
    finally:
        await evaluator.close()


def child_of(evaluator: OpaEvaluator) -> Child:
    child = evaluator._started
    assert child is not None
    return child


def process_id(evaluator: OpaEvaluator) -> int:
    return child_of(evaluator)._process.pid


def directory_of(evaluator: OpaEvaluator) -> Path:
    return child_of(evaluator)._directory.path


def is_running(pid: int) -> bool:
    """Whether there is such a process, be it a zombie."""
    return Path(f"/proc/{pid}").exists()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def until_it_answers(evaluator: OpaEvaluator) -> None:
    """Wait until an evaluation succeeds."""
    while (refused := await refusal(evaluator)) is not None:
        assert "before the deadline" not in refused
        await asyncio.sleep(0.01)


async def refusal(evaluator: OpaEvaluator) -> str | None:
    """Why an evaluation fails now; None if it succeeds."""
    try:
        assert await ask(evaluator, "x") == ["x"]
    except EvaluationError as error:
        return str(error)
    return None


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for is no event
            await asyncio.sleep(0.01)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A health check may take as long as it does on this machine: what answers in the end does not hang."""
    monkeypatch.setattr("evaluators.opa_child.PING_SECONDS", HANG_SECONDS)


# What it answers


def test_documents_are_answered_in_their_order(run: Run) -> None:
    async def act() -> None:
        async with started() as evaluator:
            asked = [echo(), echo("a", "b"), document("test/echo", "test/large", messages=[], count=1)]
            assert said(await evaluator.evaluate(asked, deadline=soon())) == [
                {"test/echo": []},
                {"test/echo": ["a", "b"]},
                {"test/echo": [], "test/large": ["1"]},
            ]
            assert (evaluator.name, evaluator.version, evaluator.restarts) == ("opa", "1.22.0", 0)

    run(act())


def test_the_key_policies_need_not_be_first() -> None:
    async def act() -> None:
        async with started() as evaluator:
            asked = b'{"subject":{"messages":["]"]},"policies":["test/echo"]}'
            assert said(await evaluator.evaluate([asked], deadline=soon())) == [{"test/echo": ["]"]}]

    asyncio.run(act())


def test_a_thousand_at_once(run: Run) -> None:
    async def act() -> None:
        async with started() as evaluator:
            answers = await asyncio.gather(*(ask(evaluator, f"message {number}") for number in range(1000)))
            assert answers == [[f"message {number}"] for number in range(1000)]

    run(act())


def test_data_of_the_bundle_is_loaded() -> None:
    body = 'violations contains {"message": data.limits.word, "path": ""} if input.subject'

    async def act() -> None:
        bundle = policy_set(test__echo=body)
        bundle = PolicySet(
            digest=DIGEST, modules=bundle.modules, policies=bundle.policies, data={"limits": {"word": "x"}}
        )
        async with started(bundle) as evaluator:
            assert await ask(
                evaluator,
            ) == ["x"]

    asyncio.run(act())


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        pytest.param(
            document("test/fragile", count='pass"word'),
            'test/fragile.rego:3: eval_builtin_error: to_number: strconv.ParseFloat: parsing "...": invalid syntax',
            id="a builtin fails",
        ),
        pytest.param(document("test/unknown"), "policy test/unknown: the engine gave no result", id="unknown policy"),
        pytest.param(b'{"policies":["test/echo"],', "status 400", id="not JSON"),
        pytest.param(b'{"subject":{}}', "the document is not JSON with a key `policies`", id="no policies"),
        pytest.param(b'{"policies":"test/echo"}', "`policies` is not a list of names", id="policies is no list"),
        pytest.param(document("test/large", count=200_000), "larger than 4194304 bytes", id="huge answer"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error(asked: bytes, reason: str) -> None:
    async def act() -> None:
        async with started() as evaluator:
            with pytest.raises(EvaluationError, match=_literally(reason)):
                await evaluator.evaluate([echo(), asked, echo()], deadline=soon())
            assert await ask(evaluator, "still well") == ["still well"]
            assert evaluator.restarts == 0

    asyncio.run(act())


def _literally(reason: str) -> str:
    return "".join(f"[{letter}]" if letter in "[].*+?(){}|$^" else letter for letter in reason)


# Deadlines


def test_a_deadline_in_the_past_asks_nobody() -> None:
    async def act() -> None:
        async with started() as evaluator:
            with pytest.raises(EvaluationError, match="before OPA was asked"):
                await evaluator.evaluate([echo()], deadline=time.monotonic() - 1)
            assert child_of(evaluator).pool.outstanding == 0

    asyncio.run(act())


def test_slow_policies_end_at_their_deadline_and_hold_up_nobody(run: Run, patient: None) -> None:
    async def act() -> None:
        async with started() as evaluator:
            endless = document("test/slow", rounds=10**7)
            slow = [asyncio.create_task(evaluator.evaluate([endless], deadline=soon())) for _ in range(4)]
            await asyncio.sleep(0.1)
            assert await ask(evaluator, "quick") == ["quick"]
            with pytest.raises(EvaluationError, match=r"^OPA gave no answer before the deadline$"):
                await evaluator.evaluate([endless], deadline=soon(0.3))
            assert not any(task.done() for task in slow)
            for task in slow:
                task.cancel()
            await until_idle(process_id(evaluator))  # OPA notices that nobody waits any more, and stops
            assert evaluator.restarts == 0

    run(act())


def test_a_caller_that_gives_up_frees_its_connection() -> None:
    async def act() -> None:
        async with started() as evaluator:
            slow = [
                asyncio.create_task(evaluator.evaluate([document("test/slow", rounds=10**7)], deadline=soon()))
                for _ in range(20)
            ]
            await asyncio.sleep(0.1)
            for task in slow:
                task.cancel()
            assert await ask(evaluator, "free") == ["free"]

    asyncio.run(act())


async def until_idle(pid: int) -> None:
    """Wait until a process uses no processor time for a while."""
    used = -1.0
    async with asyncio.timeout(HANG_SECONDS):
        while (now := cpu_seconds(pid)) != used:
            used = now
            await asyncio.sleep(0.3)


# What happens to the child


def test_it_is_back_within_two_seconds_unless_the_machine_is_slow() -> None:
    """What we wait of our own accord: until a hang is noticed, then before the new child."""
    assert WATCH_SECONDS + PING_SECONDS + _pause(1) <= 1.0


def test_killed_under_load_everything_ends_and_it_is_back(run: Run, patient: None) -> None:
    async def act() -> None:
        async with started() as evaluator:
            first = process_id(evaluator)
            outcomes = {"right": 0, "error": 0}
            stop = asyncio.Event()

            async def client(number: int) -> None:
                while not stop.is_set():
                    word = f"client {number}"
                    try:
                        answer = await ask(evaluator, word)
                    except EvaluationError:
                        outcomes["error"] += 1
                        await asyncio.sleep(0.001)
                    else:
                        assert answer == [word]
                        outcomes["right"] += 1

            clients = [asyncio.create_task(client(number)) for number in range(300)]
            await until(lambda: outcomes["right"] > 300)
            before = dict(outcomes)
            os.kill(first, signal.SIGKILL)
            await until_it_answers(evaluator)
            await until(lambda: outcomes["right"] > before["right"] + 300)
            stop.set()
            await asyncio.gather(*clients)
            assert outcomes["error"] > before["error"] == 0
            assert evaluator.restarts == 1
            assert not is_running(first)
            assert process_id(evaluator) != first

    run(act())


def test_killed_with_slow_requests_in_flight_they_fail_at_once(run: Run) -> None:
    async def act() -> None:
        async with started() as evaluator:
            asked = document("test/slow", rounds=10**7)
            slow = [asyncio.create_task(evaluator.evaluate([asked], deadline=soon())) for _ in range(200)]
            await asyncio.sleep(0.1)
            os.kill(process_id(evaluator), signal.SIGKILL)
            failures = await asyncio.gather(*slow, return_exceptions=True)
            assert {type(failure) for failure in failures} == {EvaluationError}
            assert [str(failure) for failure in failures if "before the deadline" in str(failure)] == []

    run(act())


def test_stopped_under_load_requests_end_at_their_deadline_and_it_is_replaced(run: Run) -> None:
    async def act() -> None:
        async with started() as evaluator:
            hanging = process_id(evaluator)
            os.kill(hanging, signal.SIGSTOP)
            large = echo("x" * 1_000_000)  # fills the sockets, too

            async def refused(seconds: float) -> str:
                with pytest.raises(EvaluationError) as raised:
                    await evaluator.evaluate([large, large], deadline=soon(seconds))
                return str(raised.value)

            asked = [asyncio.create_task(refused(seconds)) for seconds in (*[HANG_SECONDS] * 5, *[0.2] * 50)]
            reasons = await asyncio.gather(*asked)
            assert [reason for reason in reasons[:5] if "hangs and is ended" not in reason] == []
            await until_it_answers(evaluator)
            assert evaluator.restarts == 1
            assert not is_running(hanging)

    run(act())


def test_busy_is_not_hanging(patient: None) -> None:
    async def act() -> None:
        async with started() as evaluator:
            asked = document("test/slow", rounds=10**7)
            with pytest.raises(EvaluationError, match="before the deadline"):
                await evaluator.evaluate([asked] * 8, deadline=soon(1.6))
            assert evaluator.restarts == 0

    asyncio.run(act())


def test_while_it_cannot_be_started_requests_fail_at_once_with_the_reason(tmp_path: Path) -> None:
    binary = tmp_path / "opa"
    binary.symlink_to(OPA)

    async def act() -> None:
        evaluator = OpaEvaluator(binary)
        await evaluator.load(policy_set())
        try:
            binary.unlink()
            os.kill(process_id(evaluator), signal.SIGKILL)
            while (reason := await refusal(evaluator)) is None or "could not be started" not in reason:
                assert reason is None or "before the deadline" not in reason
                await asyncio.sleep(0.01)
            assert reason.startswith("OPA could not be started: ")
            assert "No such file" in reason
            binary.symlink_to(OPA)
            await until_it_answers(evaluator)
        finally:
            await evaluator.close()

    asyncio.run(act())


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_it_dies_with_its_parent(tmp_path: Path, end: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(f"""
            import asyncio, sys
            sys.path.insert(0, {str(ROOT)!r})
            from pathlib import Path
            from tests.evaluators.bundle import OPA, policy_set
            from tests.evaluators.test_opa import OpaEvaluator, process_id
            async def main():
                evaluator = OpaEvaluator(OPA, directory=Path({str(tmp_path)!r}), capabilities=None)
                await evaluator.load(policy_set())
                print(process_id(evaluator), flush=True)
                await asyncio.sleep(60)
            asyncio.run(main())
        """)
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.send_signal(end)
        parent.wait()
    wait_until(lambda: not is_running(pid), what="OPA ends with its parent")


def test_a_directory_left_behind_is_removed_by_the_next(tmp_path: Path) -> None:
    abandoned, fresh = tmp_path / "pratique-private-abandoned", tmp_path / "pratique-private-fresh"
    for directory in (abandoned, fresh):
        directory.mkdir()
    os.utime(abandoned, (1, 1))

    async def act() -> None:
        async with started(directory=tmp_path) as evaluator:
            os.utime(directory_of(evaluator), (1, 1))
            async with started(directory=tmp_path) as other:
                assert set(tmp_path.iterdir()) == {fresh, directory_of(evaluator), directory_of(other)}

    asyncio.run(act())


# Starting and closing


def test_close_leaves_nothing_and_is_idempotent(run: Run, tmp_path: Path) -> None:
    async def act() -> None:
        evaluator = OpaEvaluator(OPA, directory=tmp_path)
        await evaluator.load(policy_set())
        pid = process_id(evaluator)
        await asyncio.gather(evaluator.close(), evaluator.close())
        await evaluator.close()
        assert not is_running(pid)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(EvaluationError, match="closed"):
            await evaluator.evaluate([echo()], deadline=soon())
        with pytest.raises(EvaluationError, match="loaded once"):
            await evaluator.load(policy_set())

    run(act())


def test_close_finishes_what_is_in_flight(run: Run) -> None:
    async def act() -> None:
        async with started() as evaluator:
            asked = [asyncio.create_task(ask(evaluator, str(n))) for n in range(100)]
            await asyncio.sleep(0)
            await evaluator.close()
            assert [await task for task in asked] == [[str(n)] for n in range(100)]

    run(act())


def test_closed_before_it_was_loaded() -> None:
    async def act() -> None:
        evaluator = OpaEvaluator(OPA)
        with pytest.raises(EvaluationError, match="not started"):
            await evaluator.evaluate([echo()], deadline=soon())
        await evaluator.close()

    asyncio.run(act())


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.02, 0.04, 0.06, 0.08, 0.1])
def test_a_load_that_is_cancelled_leaves_nothing(run: Run, tmp_path: Path, seconds: float) -> None:
    async def act() -> None:
        evaluator = OpaEvaluator(OPA, directory=tmp_path)
        task = asyncio.create_task(evaluator.load(policy_set()))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])
        await evaluator.close()

    run(act())
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in _working_directories()


def test_closed_while_it_restarts(run: Run, tmp_path: Path) -> None:
    async def act() -> None:
        evaluator = OpaEvaluator(OPA, directory=tmp_path)
        await evaluator.load(policy_set())
        os.kill(process_id(evaluator), signal.SIGKILL)
        await asyncio.sleep(0.02)
        await evaluator.close()

    run(act())
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in _working_directories()


def _working_directories() -> str:
    """Of all processes, so that one that lost track of itself is found."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cwd"):
        try:
            found.append(str(process.readlink()))
        except OSError:
            continue
    return "\n".join(found)


def test_it_listens_on_a_private_unix_socket_only(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20#?"
    folder.mkdir()

    async def act() -> None:
        async with started(directory=folder) as evaluator:
            directory, pid = directory_of(evaluator), process_id(evaluator)
            assert directory.parent == folder
            assert (directory.stat().st_mode & 0o777, (directory / "opa.sock").stat().st_mode & 0o777) == (0o700, 0o600)
            assert await ask(evaluator, "x") == ["x"]
            inodes = {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()}
            tcp = [line.split()[9] for name in ("tcp", "tcp6") for line in _table(name)]
            assert not inodes & {f"socket:[{inode}]" for inode in tcp}

    asyncio.run(act())


def _table(name: str) -> list[str]:
    return Path(f"/proc/net/{name}").read_text().splitlines()[1:]


def test_the_child_sees_none_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPA_LOG_LEVEL", "debug")
    monkeypatch.setenv("SECRET", "x")

    async def act() -> None:
        async with started() as evaluator:
            environment = Path(f"/proc/{process_id(evaluator)}/environ").read_text().rstrip("\0").split("\0")
            assert {entry.partition("=")[0] for entry in environment} == {"GOGC", "GOMAXPROCS", "GOMEMLIMIT"}
            assert os.getsid(process_id(evaluator)) != os.getsid(0)  # nor our Ctrl-C

    asyncio.run(act())


def test_no_place_for_the_socket(tmp_path: Path) -> None:
    async def load(directory: Path) -> None:
        await OpaEvaluator(OPA, directory=directory).load(policy_set())

    missing = tmp_path / "missing"
    with pytest.raises(
        ConfigError, match=f"{missing}: a private directory is needed here and cannot be made: No such file"
    ):
        asyncio.run(load(missing))
    with pytest.raises(ConfigError, match="a private directory is needed here"):
        asyncio.run(load(Path("/proc")))
    long = tmp_path / ("x" * 90)
    long.mkdir()
    with pytest.raises(ConfigError, match="too long for a unix socket"):
        asyncio.run(load(long))
    assert list(long.iterdir()) == []


def test_patches_are_computed_only_where_something_was_found() -> None:
    body = """violations contains {"message": "m", "path": ""} if input.subject.wrong

patches contains {"op": "remove", "path": "/x"}
"""
    policies = policy_set(test__patching=body)
    metadata = {name: replace(each, has_patches=True) for name, each in policies.policies.items()}

    async def act() -> None:
        async with started(replace(policies, policies=metadata)) as evaluator:
            documents = [document("test/patching", wrong=wrong) for wrong in (True, False)]
            loud, quiet = await evaluator.evaluate(documents, deadline=soon())
        violations, patches = [{"message": "m", "path": ""}], [{"op": "remove", "path": "/x"}]
        assert loud.by_policy == {"test/patching": PolicyResult(violations, patches)}
        assert quiet.by_policy == {"test/patching": PolicyResult(())}

    asyncio.run(act())


def test_only_what_is_asked_is_loaded_and_the_whole_bundle_is_checked() -> None:
    async def act() -> None:
        async with started(asked={"test/echo"}) as evaluator:
            assert await ask(evaluator, "hello") == ["hello"]
            with pytest.raises(EvaluationError, match="policy test/large: the engine gave no result"):
                await evaluator.evaluate([document("test/large", count=1)], deadline=soon())
        with pytest.raises(PolicyError, match=r"test/broken\.rego: line "):
            async with started(
                policy_set(test__sound="violations := set()", test__broken="x := y"), asked={"test/sound"}
            ):
                pass

    asyncio.run(act())


def test_what_opa_refuses_is_listed_with_file_and_line(tmp_path: Path) -> None:
    current = json.loads(subprocess.run([OPA, "capabilities", "--current"], capture_output=True, check=True).stdout)
    current["builtins"] = [builtin for builtin in current["builtins"] if builtin["name"] != "http.send"]
    capabilities = tmp_path / "capabilities.json"
    capabilities.write_text(json.dumps(current))
    bundle = policy_set(
        test__net='violations contains "x" if {\n\thttp.send({"url": "x"})\n}',
        test__unused='violations contains "x" if {\n\ty := 1\n}',
    )

    async def act() -> None:
        await OpaEvaluator(OPA, directory=tmp_path, capabilities=capabilities).load(bundle)

    with pytest.raises(PolicyError) as refusal:
        asyncio.run(act())
    assert sorted(refusal.value.problems, key=str) == [
        Problem("test/net.rego", "line 3", "undefined function http.send"),
        Problem("test/unused.rego", "line 3", "assigned var y unused"),
    ]
    assert list(tmp_path.iterdir()) == [capabilities]


@pytest.mark.parametrize("path", ["/etc/x.rego", "../x.rego", "a/../../x.rego", "data.json", "pratique/entry.rego"])
def test_a_module_cannot_be_written_elsewhere(path: str) -> None:
    bundle = PolicySet(digest=DIGEST, modules=(Module(path=path, package="x", text="package x"),), policies={})
    with pytest.raises(PolicyError, match="not a path of a module inside a bundle"):
        asyncio.run(OpaEvaluator(OPA).load(bundle))


@pytest.mark.parametrize(
    ("binary", "reason"),
    [
        ("/nonexistent/opa", "/nonexistent/opa cannot be run"),
        ("/bin/false", "/bin/false is not an OPA that runs .status 1.: it says nothing"),
        (sys.executable, "is not an OPA that runs"),
    ],
)
def test_a_binary_that_is_not_opa(binary: str, reason: str, tmp_path: Path) -> None:
    async def act() -> None:
        await OpaEvaluator(Path(binary), directory=tmp_path).load(policy_set())

    with pytest.raises(EvaluationError, match=reason):
        asyncio.run(act())
    assert list(tmp_path.iterdir()) == []


def test_an_opa_that_ends_at_once_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    binary = tmp_path / "opa"
    binary.write_text(
        '#!/bin/sh\n[ "$1" = run ] || exec "$REAL" "$@"\n'.replace("$REAL", str(OPA))
        + """printf '{"level":"error","msg":"no luck","err":"today"}\\n' >&2\necho "and more" >&2\nexit 3\n"""
    )
    binary.chmod(0o700)

    async def act() -> None:
        await OpaEvaluator(binary, directory=tmp_path).load(policy_set())

    with pytest.raises(EvaluationError, match=r"OPA \(process \d+\) ended with status 3: no luck today; and more"):
        asyncio.run(act())
    assert list(tmp_path.iterdir()) == [binary]
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == ["no luck today", "and more"]


def test_a_flood_of_log_does_not_stop_it(tmp_path: Path) -> None:
    binary = tmp_path / "opa"
    flood = "yes 0123456789abcdef | tr -d '\\n' | head -c 3000000 >&2"
    binary.write_text(f'#!/bin/sh\n[ "$1" != run ] || ({flood})\nexec "{OPA}" "$@"\n'.replace("(yes", "(/usr/bin/yes"))
    binary.chmod(0o700)

    async def act() -> None:
        evaluator = OpaEvaluator(binary)
        await evaluator.load(policy_set())
        try:
            assert await ask(evaluator, "x") == ["x"]
        finally:
            await evaluator.close()

    asyncio.run(act())


def test_a_socket_whose_backlog_is_full_never_hangs_past_the_deadline(tmp_path: Path) -> None:
    """As a child would leave it that accepts nobody: each new connection waits in the kernel, or is refused by it."""

    async def act() -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
            listener.listen(0)
            loop = asyncio.get_running_loop()
            pool = Pool(lambda factory: loop.create_unix_connection(factory, str(tmp_path / "s")))
            await pool.open()  # the only one that the kernel takes
            async with asyncio.timeout(HANG_SECONDS):
                with pytest.raises(EvaluationError):
                    await evaluate(pool, [echo(), echo()], deadline=soon(0.3), digest=DIGEST)
                with pytest.raises(EvaluationError):
                    await evaluate(pool, [echo()], deadline=soon(0.3), digest=DIGEST)
            pool.close("the end")
            await asyncio.sleep(0)

    asyncio.run(act())
