"""What is in force follows the files: as one, never broken, never mixed, and never gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pratique import live as module
from pratique.cache import DecisionCache
from pratique.configuration import Configuration
from pratique.decision import Decision, Door, Outcome
from pratique.engine import Request
from pratique.errors import ConfigError, EvaluationError, LoadError, PolicyError, Problem
from pratique.evaluator import PolicyResult, Results
from pratique.kinds import subject_of
from pratique.live import Live
from pratique.policy import PolicySet
from pratique.yamlfile import Document
from tests.support import workloads
from tests.support.approvals import BOB, GRACE, approval, approvers, request
from tests.support.bundles import ALWAYS, rego, write_bundle
from tests.support.policies import binding
from tests.support.processes import HANG_SECONDS

pytestmark = pytest.mark.slow

_IDS = {"sample": "TEST-001", "signed": "TEST-002", "other": "TEST-003"}


class _Evaluator:
    """Finds one violation for each policy. `held` makes evaluations wait; `broken` makes them fail."""

    name = "fake"
    version = "1"
    restarts = 0

    def __init__(self) -> None:
        self.policies: PolicySet | None = None
        self.asked: Collection[str] | None = None
        self.evaluations = 0
        self.closed = False
        self.broken = False
        self.held: asyncio.Event | None = None

    async def load(self, policies: PolicySet, *, asked: Collection[str] | None = None) -> None:
        self.policies, self.asked = policies, asked

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        if self.closed:
            raise EvaluationError("closed")
        if self.broken:
            raise EvaluationError("broken")
        if self.held is not None:
            await self.held.wait()
        assert self.policies is not None
        self.evaluations += 1
        return [
            Results(
                self.policies.digest,
                {name: PolicyResult([{"message": "no", "path": ""}]) for name in json.loads(document)["policies"]},
            )
            for document in documents
        ]

    async def close(self) -> None:
        self.closed = True


class _Place:
    """A folder of policies and one of configuration, the evaluators that were started, and a Live on them."""

    def __init__(self, root: Path) -> None:
        self.policies = root / "policies"
        self.config = root / "config"
        self.state = root / "state"
        self.evaluators: list[_Evaluator] = []
        self.refuse_start = ""
        self.broken = False
        self.write_policy()
        self.bind(name="first")

    def write_policy(self, body: str = ALWAYS, *, name: str = "sample", needs: Sequence[str] = ()) -> None:
        text = rego(body, package=f"policies.test.{name}", id=_IDS[name], needs=needs)
        write_bundle(self.policies, {f"test/{name}/{name}.rego": text})

    def bind(self, *documents: Mapping[str, Any], name: str = "first", file: str = "bindings.yaml") -> None:
        self.config.mkdir(parents=True, exist_ok=True)
        found = documents or (binding(name, "test/sample"),)
        self.write(file, "\n---\n".join(json.dumps(document) for document in found))

    def write(self, file: str, text: str) -> None:
        temporary = self.config / ".new"
        temporary.write_text(text)
        temporary.replace(self.config / file)

    async def start_evaluator(self, policies: PolicySet, asked: frozenset[str]) -> _Evaluator:
        if self.refuse_start:
            raise EvaluationError(self.refuse_start)
        evaluator = _Evaluator()
        evaluator.broken = self.broken
        await evaluator.load(policies, asked=asked)
        self.evaluators.append(evaluator)
        return evaluator

    def live(self, **options: Any) -> Live:
        options = {"state": self.state, **options}
        return Live(policies=self.policies, config=self.config, start_evaluator=self.start_evaluator, **options)


@pytest.fixture
def place(tmp_path: Path) -> _Place:
    return _Place(tmp_path)


def _run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 120))  # for what hangs; the slowest takes 10 s with coverage


async def _decide(live: Live, *, seconds: float = HANG_SECONDS) -> Decision:
    engine = live.engine
    assert engine is not None
    subject = subject_of(workloads.pod("server", namespace="team"))
    deadline = time.monotonic() + seconds
    return await engine.decide(subject, Door.ADMISSION, request=Request(), deadline=deadline)


async def _until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for is no event
        await asyncio.sleep(0.005)


def _names(decision: Decision) -> list[str]:
    return [evaluation.binding for evaluation in decision.evaluations]


# Starting


def test_nothing_is_in_force_before_the_probe_was_answered(place: _Place) -> None:
    async def test() -> None:
        live = place.live()
        assert live.engine is None
        await live.start()
        assert place.evaluators[0].evaluations == 1
        assert _names(await _decide(live)) == ["first"]
        assert (live.problem, live.reloads, live.failed_reloads) == ("", 0, 0)
        assert live.loaded_at is not None
        await live.close()
        assert live.engine is None
        assert place.evaluators[0].closed

    _run(test())


def test_the_probe_asks_every_binding_wherever_it_matches(place: _Place) -> None:
    place.bind(
        binding("elsewhere", "test/sample", match={"namespaces": {"include": ["nowhere"]}, "kinds": ["Job"]}),
        binding("off", "test/sample", enforcement="off"),
    )

    async def test() -> None:
        live = place.live()
        await live.start()
        assert place.evaluators[0].evaluations == 1
        assert (await _decide(live)).no_match

    _run(test())


def test_a_policy_that_needs_facts_is_not_probed(place: _Place) -> None:
    place.write_policy(name="signed", needs=["facts.signatures"])
    place.bind(binding("first", "test/sample"), binding("second", "test/signed"))

    async def test() -> None:
        live = place.live()
        await live.start()
        assert live.engine is not None

    _run(test())


def test_a_policy_whose_facts_every_engine_has_is_probed(place: _Place) -> None:
    place.write_policy(name="sample", needs=["facts.expressions"])
    place.bind(binding("first", "test/sample"))
    place.broken = True

    async def test() -> None:
        with pytest.raises(EvaluationError) as raised:
            await place.live().start()
        assert str(raised.value) == "the probe decision failed at binding first (policy test/sample): broken"

    _run(test())


def test_an_engine_that_fails_the_probe_is_not_taken(place: _Place) -> None:
    place.broken = True

    async def test() -> None:
        live = place.live()
        with pytest.raises(EvaluationError) as raised:
            await live.start()
        assert str(raised.value) == "the probe decision failed at binding first (policy test/sample): broken"
        assert live.engine is None
        assert place.evaluators[0].closed

    _run(test())


def test_what_is_wrong_at_the_start_is_all_told(place: _Place) -> None:
    place.bind({**binding("a", "test/none")}, {**binding("b", "test/sample", unknown=1)})

    async def test() -> None:
        live = place.live()
        with pytest.raises(ConfigError) as raised:
            await live.start()
        assert [problem.where.split(",")[0] for problem in raised.value.problems] == ["line 1", "line 3"]
        assert live.engine is None
        assert place.evaluators == []

    _run(test())


def test_what_comes_into_force_is_recorded_before(place: _Place, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[tuple[str, str]] = []

    async def test() -> None:
        async def record(configuration: Configuration, policies: PolicySet) -> None:
            assert live.engine is None or live.engine.configuration.digest != configuration.digest
            seen.append((policies.digest, configuration.digest))
            if len(seen) == 2:
                raise EvaluationError("the disk is full")

        live = place.live(before_change=record)
        await live.start()
        place.bind(name="second")
        await live.poll()
        assert live.engine is not None
        assert seen[1] == (live.engine.policies.digest, live.engine.configuration.digest)

    _run(test())
    assert "what comes into force could not be recorded: the disk is full" in caplog.messages


# Following the files


def test_a_new_configuration_keeps_the_evaluator_and_the_cache(place: _Place) -> None:
    async def test() -> None:
        cache = DecisionCache(max_bytes=1_000_000)
        live = place.live(cache=cache)
        await live.start()
        first = await _decide(live)
        place.bind(name="second")
        await live.poll()
        second = await _decide(live)
        place.bind(name="first")
        await live.poll()
        third = await _decide(live)

        assert [_names(decision) for decision in (first, second, third)] == [["first"], ["second"], ["first"]]
        assert [decision.cached for decision in (first, second, third)] == [False, False, True]
        assert first.bundle_digest == second.bundle_digest
        assert first.configuration_digest == third.configuration_digest != second.configuration_digest
        assert len(place.evaluators) == 1
        assert (live.reloads, live.problem) == (2, "")

    _run(test())


def test_an_evaluator_is_started_on_what_is_bound_and_again_when_more_is(place: _Place) -> None:
    async def test() -> None:
        place.write_policy(name="other")
        live = place.live()
        await live.start()
        place.bind(binding("first", "test/sample"), binding("more", "test/other"))
        await live.poll()
        place.bind(binding("more", "test/other"))
        await live.poll()

        assert [evaluator.asked for evaluator in place.evaluators] == [{"test/sample"}, {"test/sample", "test/other"}]
        assert _names(await _decide(live)) == ["more"]
        assert live.engine is not None
        assert live.engine.evaluator is place.evaluators[1]
        assert set(live.engine.policies.policies) == {"test/sample", "test/other"}
        await _until(lambda: place.evaluators[0].closed)
        assert not place.evaluators[1].closed
        assert (live.reloads, live.problem) == (2, "")

    _run(test())


def test_a_new_bundle_is_a_new_evaluator_and_the_old_one_ends_after_its_last_decision(place: _Place) -> None:
    async def test() -> None:
        live = place.live()
        await live.start()
        old = place.evaluators[0]
        old.held = asyncio.Event()
        in_flight = [asyncio.create_task(_decide(live)) for _ in range(3)]
        await asyncio.sleep(0)
        place.write_policy(f"# changed\n{ALWAYS}")
        await live.poll()
        new = place.evaluators[1]
        assert (await _decide(live)).bundle_digest == new.policies.digest  # type: ignore[union-attr] # it was loaded
        await asyncio.sleep(0.05)
        assert not old.closed

        old.held.set()
        decisions = await asyncio.gather(*in_flight)
        in_flight.clear()
        await _until(lambda: old.closed)

        assert {decision.bundle_digest for decision in decisions} == {old.policies.digest}  # type: ignore[union-attr] # as above
        assert {decision.outcome for decision in decisions} == {Outcome.DENIED}
        assert not new.closed
        assert live.reloads == 1

    _run(test())


def test_an_old_evaluator_ends_even_if_something_holds_its_engine(
    place: _Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_DECISION_SECONDS", 0.05)

    async def test() -> None:
        live = place.live()
        await live.start()
        held = live.engine
        place.write_policy(f"# changed\n{ALWAYS}")
        await live.poll()
        await _until(lambda: place.evaluators[0].closed)
        assert held is not live.engine

    _run(test())


def test_closing_closes_also_what_was_replaced(place: _Place) -> None:
    async def test() -> None:
        live = place.live()
        await live.start()
        held = live.engine
        place.write_policy(f"# changed\n{ALWAYS}")
        await live.poll()
        assert not place.evaluators[0].closed
        await live.close()
        assert [evaluator.closed for evaluator in place.evaluators] == [True, True]
        assert held is not None

    _run(test())


def test_files_that_say_the_same_change_nothing(place: _Place) -> None:
    async def test() -> None:
        live = place.live()
        await live.start()
        engine = live.engine
        os.utime(place.config / "bindings.yaml", ns=(1, 1))
        place.write("bindings.yaml", (place.config / "bindings.yaml").read_text() + "\n# a comment\n")
        await live.poll()
        assert live.engine is engine
        assert live.reloads == 0

    _run(test())


def test_a_broken_change_keeps_the_good_one_in_force_until_it_is_mended(
    place: _Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    async def test() -> None:
        live = place.live()
        await live.start()
        engine = live.engine
        place.write("other.yaml", "kind: [")
        for _ in range(3):
            await live.poll()
        assert live.engine is engine
        assert live.problem.startswith("other.yaml: line 2: did not find")
        assert live.failed_reloads == 1
        assert _names(await _decide(live)) == ["first"]

        (place.config / "other.yaml").unlink()
        await live.poll()
        assert (live.problem, live.failed_reloads) == ("", 1)

        place.write_policy("violations contains {", name="sample")
        place.write_policy("no metadata", name="other")
        (place.policies / "test" / "other" / "other.rego").write_text("package policies.test.other\n")
        await live.poll()
        assert live.engine is engine
        assert "test/other/other.rego" in live.problem

    _run(test())
    assert sum(message.startswith("not in force: other.yaml") for message in caplog.messages) == 1
    assert caplog.messages.count("the files are in force again") == 1


def test_an_engine_that_does_not_start_is_tried_again(place: _Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)

    async def test() -> None:
        live = place.live()
        await live.start()
        place.refuse_start = "out of memory"
        place.write_policy(f"# changed\n{ALWAYS}")
        await live.poll()
        assert live.problem == "out of memory"
        await live.poll()
        assert live.failed_reloads == 2
        place.refuse_start = ""
        await live.poll()
        assert live.problem == ""
        assert live.engine is not None
        assert live.engine.evaluator is place.evaluators[1]

    _run(test())


def test_a_configmap_is_followed_through_its_symlinks(tmp_path: Path) -> None:
    """As the kubelet lays them out: visible names are links through `..data`, which is replaced in one step."""
    place = _Place(tmp_path / "unused")

    def version(folder: Path, name: str) -> None:
        (folder / "..tmp").symlink_to(name)
        (folder / "..tmp").replace(folder / "..data")

    mounts = tmp_path / "mounts"
    for number, marker in enumerate(("one", "two")):
        config = mounts / "config" / f"..2026_{number}"
        config.mkdir(parents=True)
        (config / "bindings.yaml").write_text(json.dumps(binding(marker, "test/sample")))
        bundle = mounts / "policies" / f"..2026_{number}"
        write_bundle(bundle, {"test/sample/sample.rego": rego(f"# {marker}\n{ALWAYS}")})
    version(mounts / "config", "..2026_0")
    version(mounts / "policies", "..2026_0")
    (mounts / "config" / "bindings.yaml").symlink_to("..data/bindings.yaml")
    (mounts / "policies" / "test").symlink_to("..data/test")
    place.policies, place.config = mounts / "policies", mounts / "config"

    async def test() -> None:
        live = place.live()
        await live.start()
        first = await _decide(live)
        version(mounts / "config", "..2026_1")
        await live.poll()
        second = await _decide(live)
        version(mounts / "policies", "..2026_1")
        await live.poll()
        third = await _decide(live)

        assert [_names(decision) for decision in (first, second, third)] == [["one"], ["two"], ["two"]]
        assert first.bundle_digest == second.bundle_digest != third.bundle_digest
        assert (live.problem, live.reloads) == ("", 2)

    _run(test())


def test_files_are_read_again_until_they_stay_the_same(place: _Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.01)
    read = Live._read
    reads = 0

    def read_while_written(live: Live) -> tuple[PolicySet, Configuration]:
        nonlocal reads
        reads += 1
        if reads < 4:
            place.bind(name=f"half-{reads}")
        return read(live)

    monkeypatch.setattr(Live, "_read", read_while_written)

    async def test() -> None:
        live = place.live()
        await live.start()
        assert reads == 4
        assert _names(await _decide(live)) == ["half-3"]

    _run(test())


def test_a_file_that_is_just_being_written_is_not_read(place: _Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty for a moment, it would be a configuration with fewer bindings."""
    place.bind(binding("other", "test/sample"), file="other.yaml")

    async def test() -> None:
        live = place.live()
        await live.start()
        path = place.config / "bindings.yaml"
        text = path.read_text()
        path.write_text("")

        async def pause(seconds: float) -> None:
            assert seconds == module.SETTLE_SECONDS
            path.write_text(text)

        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "sleep", pause)
            await live.poll()
        assert live.reloads == 0
        assert _names(await _decide(live)) == ["first", "other"]

    _run(test())


def test_files_that_never_stay_the_same_are_a_problem(place: _Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
    read = Live._read

    def read_while_written(live: Live) -> tuple[PolicySet, Configuration]:
        place.bind()
        return read(live)

    async def test() -> None:
        live = place.live()
        await live.start()
        monkeypatch.setattr(Live, "_read", read_while_written)
        place.bind(name="second")
        await live.poll()
        assert live.problem.endswith("the files never stop changing; replace them in one step")
        assert _names(await _decide(live)) == ["first"]

    _run(test())


def test_the_watch_follows_and_outlives_a_bug(
    place: _Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    live = place.live(poll_seconds=0.02)

    async def test() -> None:
        await live.start()
        watch = asyncio.create_task(live.watch())
        with monkeypatch.context() as patch:
            patch.setattr(Live, "_read", lambda _: 1 // 0)
            place.bind(name="second")
            bug = "this is a bug: ZeroDivisionError: integer division or modulo by zero"
            await _until(lambda: live.problem == bug)
        place.bind(name="third")
        await _until(lambda: live.problem == "")
        assert _names(await _decide(live)) == ["third"]
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch

    _run(test())


def test_two_digests_are_never_mixed(place: _Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions without pause, while another thread replaces bundle and configuration, as soon as they are in force."""
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number, known = number + 1, len(in_force)
            if number % 2:
                place.write_policy(f"# {number}\n{ALWAYS}")
            else:
                place.bind(name=f"binding-{number}")
            while len(in_force) == known and not stop.wait(0.01):
                pass

    in_force: dict[tuple[str, str], list[str]] = {}

    async def record(configuration: Configuration, policies: PolicySet) -> None:
        names = [binding.name for binding in configuration.bindings]
        in_force[policies.digest, configuration.digest] = names

    async def test() -> None:
        live = place.live(before_change=record, poll_seconds=0.01, cache=DecisionCache(max_bytes=100_000))
        await live.start()
        watch = asyncio.create_task(live.watch())
        writer = threading.Thread(target=write)
        writer.start()
        decisions = []
        try:
            while len(in_force) < 8:
                decisions += await asyncio.gather(*(_decide(live) for _ in range(5)))
                await asyncio.sleep(0)
        finally:
            stop.set()
            writer.join()
        watch.cancel()
        await live.close()

        assert {decision.outcome for decision in decisions} == {Outcome.DENIED}
        assert len({decision.configuration_digest for decision in decisions}) > 2
        for decision in decisions:
            assert _names(decision) == in_force[decision.bundle_digest, decision.configuration_digest]
        assert all(evaluator.closed for evaluator in place.evaluators)

    _run(test())


def test_the_labels_of_a_namespace_are_looked_up_where_they_matter(place: _Place) -> None:
    known: dict[str, Mapping[str, str]] = {}
    asked: list[str] = []

    async def look_up(namespace: str, deadline: float) -> None:
        asked.append(namespace)
        known[namespace] = {"tier": "production"}

    async def test() -> None:
        live = place.live(namespace_labels=known.get, namespace_lookup=look_up)
        await live.start()
        await _decide(live)
        assert asked == [], "nothing is bound by namespace"
        place.bind(
            binding("production", "test/sample", match={"namespaceSelector": {"matchLabels": {"tier": "production"}}})
        )
        await live.poll()
        decisions = [await _decide(live) for _ in range(2)]
        assert asked == ["team"]
        assert [_names(decision) for decision in decisions] == [["production"], ["production"]]
        assert [decision.outcome for decision in decisions] == [Outcome.DENIED, Outcome.DENIED]

    _run(test())


# The last good one


def test_a_restart_with_broken_files_serves_what_was_good(place: _Place) -> None:
    async def test() -> None:
        first = place.live()
        await first.start()
        good = await _decide(first)
        await first.close()
        place.write("bindings.yaml", "kind: [")
        place.write_policy("no", name="sample")
        (place.policies / "test" / "sample" / "sample.rego").write_text("package wrong\n")

        second = place.live()
        await second.start()
        decision = await _decide(second)

        assert (decision.bundle_digest, decision.configuration_digest) == (
            good.bundle_digest,
            good.configuration_digest,
        )
        assert decision.outcome is Outcome.DENIED
        assert second.problem.startswith("started with the last good configuration, kept at 20")
        assert "test/sample/sample.rego: line 1: package wrong is not that of its folder" in second.problem
        before = second.problem
        await second.poll()
        assert second.problem == before

        place.write_policy()
        place.bind(name="mended")
        await second.poll()
        assert second.problem == ""
        assert _names(await _decide(second)) == ["mended"]

    _run(test())


def test_a_restart_without_any_files_serves_what_was_good(place: _Place, tmp_path: Path) -> None:
    async def test() -> None:
        first = place.live()
        await first.start()
        await first.close()
        place.policies, place.config = tmp_path / "gone", tmp_path / "gone too"
        second = place.live()
        await second.start()
        assert _names(await _decide(second)) == ["first"]

    _run(test())


def test_only_the_last_good_one_is_kept(place: _Place) -> None:
    async def test() -> None:
        live = place.live()
        await live.start()
        place.bind(name="second")
        await live.poll()
        place.write_policy(f"# changed\n{ALWAYS}")
        await live.poll()
        kept = sorted(path.name.partition("-")[0] for path in (place.state / "last-good").iterdir())
        assert kept == ["bundle", "configuration", "current.json"]
        modes = {oct(path.stat().st_mode & 0o777) for path in (place.state / "last-good").iterdir()}
        assert modes == {"0o600"}

    _run(test())


def test_waivers_and_namespaces_are_kept_too(place: _Place) -> None:
    waiver = {
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "Waiver",
        "metadata": {"name": "w"},
        "spec": {
            "policies": ["test/sample"],
            "match": {},
            "reason": "agreed",
            "requestedBy": "a",
            "approvedBy": "b",
            "approvedAt": "2026-01-01T00:00:00Z",
            "expires": "2036-01-01T00:00:00Z",
        },
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": {"tier": "a"}}}
    place.bind(binding("first", "test/sample"), waiver, namespace)

    async def test() -> None:
        first = place.live()
        await first.start()
        assert first.engine is not None
        good = first.engine.configuration
        place.write("bindings.yaml", "kind: [")
        second = place.live()
        await second.start()
        assert second.engine is not None
        again = second.engine.configuration
        assert (again.digest, again.documents, again.namespaces) == (good.digest, good.documents, good.namespaces)
        assert [waiver.name for waiver in again.waivers] == ["w"]

    _run(test())


# Waivers, and who may approve them

_WAIVED = request("w", ["test/sample"], expires="2036-01-01T00:00:00Z")
_LONG = {"maximumDays": {"low": 3650, "medium": 3650, "high": 3650, "critical": 3650}}


def _waive(place: _Place, *entries: Mapping[str, Any]) -> Path:
    """A waiver, its approval by Grace, and the list of approvers; the file of that list."""
    place.bind(binding("first", "test/sample"), _WAIVED)
    place.write("w.dsse.json", json.dumps(approval(_WAIVED)))
    return _trust(place, *entries)


def _trust(place: _Place, *entries: Mapping[str, Any]) -> Path:
    trusted = place.config.parent / "approvers.yaml"
    trusted.write_text(json.dumps(approvers(*entries, **_LONG)))
    return trusted


def _why_not(live: Live) -> list[str]:
    assert live.engine is not None
    return [each.why_not(datetime(2027, 1, 1, tzinfo=UTC)) for each in live.engine.configuration.waivers]


def test_a_signature_that_arrives_and_a_key_that_is_retired_come_into_force(place: _Place) -> None:
    trusted = _waive(place)
    (place.config / "w.dsse.json").rename(place.config / ".later")

    async def test() -> None:
        live = place.live(approvers=trusted)
        await live.start()
        told = [_why_not(live)]
        (place.config / ".later").rename(place.config / "w.dsse.json")
        await live.poll()
        told.append(_why_not(live))
        _trust(place, BOB.entry)
        await live.poll()
        told.append(_why_not(live))
        trusted.write_text("kind: [")
        await live.poll()
        assert live.problem.startswith(f"{trusted}: line 2")
        told.append(_why_not(live))
        assert told == [
            ["it is not approved: there is no signature for it"],
            [""],
            ["grace@example.com is not in the list of approvers"],
            ["grace@example.com is not in the list of approvers"],
        ]

    _run(test())


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ((GRACE.entry,), ""),
        ((BOB.entry,), "grace@example.com is not in the list of approvers"),
        (None, "its approval is not attested: no approver's key or identity is configured"),
    ],
)
def test_waivers_of_the_last_good_configuration_count_by_the_list_that_is_trusted_now(
    place: _Place, then: tuple[Mapping[str, Any], ...] | None, expected: str
) -> None:
    trusted = _waive(place, GRACE.entry)

    async def test() -> None:
        first = place.live(approvers=trusted)
        await first.start()
        assert _why_not(first) == [""]
        place.write("bindings.yaml", "kind: [")
        if then is None:
            trusted.write_text("kind: [")
        else:
            _trust(place, *then)
        second = place.live(approvers=trusted)
        await second.start()
        assert second.problem.startswith("started with the last good configuration")
        assert _why_not(second) == [expected]

    _run(test())


# Documents that are no files


class _Source:
    """A DocumentSource that the test changes."""

    def __init__(self, *found: Document | Problem) -> None:
        self.found = list(found)
        self.version: object = 0

    def documents(self) -> list[Document | Problem]:
        return self.found

    def change(self, *found: Document | Problem) -> None:
        self.found = list(found)
        self.version = object()


def _object(document: Mapping[str, Any]) -> Document:
    return Document(f"cluster/{document['metadata']['name']}", 0, 0, document)


def test_files_and_other_documents_are_one_configuration(place: _Place) -> None:
    async def test() -> None:
        source = _Source(_object(binding("second", "test/sample")))
        live = place.live(source=source)
        await live.start()
        assert _names(await _decide(live)) == ["first", "second"]
        assert live.engine is not None
        both = live.engine.configuration.digest
        source.change(_object(binding("third", "test/sample")))
        await live.poll()
        assert _names(await _decide(live)) == ["first", "third"]
        place.bind(binding("second", "test/sample"), binding("first", "test/sample"))
        source.change()
        await live.poll()
        assert live.engine.configuration.digest == both, "where a document is from makes no difference"
        assert live.reloads == 2

    _run(test())


def test_a_bad_document_of_either_source_leaves_both_in_force(place: _Place) -> None:
    async def test() -> None:
        source = _Source(_object(binding("second", "test/sample")))
        live = place.live(source=source)
        await live.start()
        source.change(_object(binding("second", "test/none")), _object(binding("first", "test/sample")))
        await live.poll()
        assert live.problems == (
            Problem(
                "cluster/second",
                "/spec/policy",
                "there is no policy 'test/none' in the bundle; `pratique policy list` shows those that there are",
            ),
            Problem("cluster/first", "/metadata/name", "there is a second PolicyBinding named first; rename one"),
        )
        assert _names(await _decide(live)) == ["first", "second"]
        source.change(_object(binding("second", "test/sample")))
        await live.poll()
        assert not live.problem
        assert not live.problems

    _run(test())


def test_the_folder_may_be_empty_where_there_is_another_source(place: _Place) -> None:
    (place.config / "bindings.yaml").unlink()

    async def test() -> None:
        live = place.live(source=_Source(_object(binding("second", "test/sample"))))
        await live.start()
        assert _names(await _decide(live)) == ["second"]
        with pytest.raises(ConfigError, match="there is no PolicyBinding: nothing would ever be judged"):
            await place.live(source=_Source(), state=None).start()

    _run(test())


def test_a_source_that_is_not_known_yet_starts_the_last_good_configuration(place: _Place) -> None:
    async def test() -> None:
        unknown = _Source(Problem("cluster", "", "these could not be listed yet: down"))
        with pytest.raises(ConfigError, match="these could not be listed yet: down"):
            await place.live(source=unknown).start()
        known = _Source(_object(binding("second", "test/sample")))
        await place.live(source=known).start()
        again = place.live(source=unknown)
        await again.start()
        assert _names(await _decide(again)) == ["first", "second"]
        assert again.problem.startswith("started with the last good configuration")
        assert [problem.message for problem in again.problems] == ["these could not be listed yet: down"]
        unknown.change(*known.documents())
        await again.poll()
        assert (again.problem, _names(await _decide(again))) == ("", ["first", "second"])

    _run(test())


@pytest.mark.parametrize("name", ["bundle", "configuration", "current"])
@pytest.mark.parametrize("damage", ["gone", "empty", "other"])
def test_a_last_good_one_that_is_damaged_is_not_used(
    place: _Place, caplog: pytest.LogCaptureFixture, name: str, damage: str
) -> None:
    async def test() -> None:
        first = place.live()
        await first.start()
        await first.close()
        (path,) = (place.state / "last-good").glob(f"{name}*")
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(b"" if damage == "empty" else json.dumps([binding("other", "test/sample")]).encode())
        place.write("bindings.yaml", "kind: [")
        with pytest.raises(LoadError) as raised:
            await place.live().start()
        assert str(raised.value).startswith("bindings.yaml: line 2: did not find")

    _run(test())
    told = any(message.startswith("the last good configuration cannot be used either") for message in caplog.messages)
    assert told is not (name == "current" and damage == "gone")


def test_without_a_state_folder_nothing_is_kept(place: _Place) -> None:
    async def test() -> None:
        live = place.live(state=None)
        await live.start()
        assert not place.state.exists()
        (place.policies / "test" / "sample" / "sample.rego").unlink()
        with pytest.raises(PolicyError):
            await place.live(state=None).start()

    _run(test())


def test_a_state_folder_that_cannot_be_written_stops_nothing(place: _Place, caplog: pytest.LogCaptureFixture) -> None:
    place.state.write_text("a file")

    async def test() -> None:
        live = place.live()
        await live.start()
        assert live.engine is not None

    _run(test())
    assert any(message.startswith("the last good configuration could not be kept in") for message in caplog.messages)
