"""The samples are of what is said, and a short run gives a table that adds up. Nothing is timed here."""

from __future__ import annotations

import inspect
import os
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import Any

import pytest

from bench.breakdown import Profile, main, table_of
from bench.processes import thread_seconds
from bench.sampled import FIRST_REVIEW, HTTP, PARTS, Samples
from tests.support.cluster import ToolMissingError


@pytest.mark.parametrize("name", [*PARTS, FIRST_REVIEW])
def test_the_functions_that_name_parts_exist(name: str) -> None:
    path, _, qualified = name.partition(":")
    found: Any = import_module(path.removesuffix(".py").replace("/", "."))
    for attribute in qualified.split("."):
        found = getattr(found, attribute)
    code = inspect.unwrap(found).__code__
    assert (code.co_filename.endswith(f"/{path}"), code.co_qualname) == (True, qualified)


def code_named(path: str, qualified: str, inner: Callable[[], FrameType | None]) -> Callable[[], FrameType | None]:
    """A function that calls `inner`, and whose frame says that it is another one."""

    def stand_in() -> FrameType | None:
        return inner()

    code = stand_in.__code__.replace(co_filename=f"/anywhere/{path}", co_qualname=qualified)
    stand_in.__code__ = code
    return stand_in


def stack(*names: str) -> FrameType | None:
    """The frame of the last of `names`, each called by the one before."""
    call: Callable[[], FrameType | None] = lambda: sys._getframe(1)  # noqa: E731 - it is wrapped
    for name in reversed(names):
        path, _, qualified = name.partition(":")
        call = code_named(path, qualified, call)
    return call()


DECIDE, ASK = "pratique/engine.py:Engine.decide", "evaluators/opa.py:OpaEvaluator.evaluate"


def test_the_innermost_part_counts_from_the_first_review_on() -> None:
    samples = Samples()
    samples.take(stack("pratiquectl/serve.py:_serve", ASK))
    assert samples.counts == {}
    samples.take(stack(FIRST_REVIEW, "somewhere/else.py:f"))
    samples.take(stack(FIRST_REVIEW, DECIDE, "somewhere/else.py:f"))
    samples.take(stack(FIRST_REVIEW, DECIDE, ASK, "somewhere/else.py:f"))
    samples.take(stack("asyncio/runners.py:Runner.run"))
    assert samples.counts == {HTTP: 2, PARTS[DECIDE]: 1, PARTS[ASK]: 1}


def test_a_thread_is_told_from_the_main_thread() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        assert set(thread_seconds(os.getpid())) >= {os.getpid(), thread.native_id}
    finally:
        over.set()
        thread.join()


def test_the_table_adds_up() -> None:
    profile = Profile(parts={HTTP: 0.25, "recording": 0.5}, threads=0.125, opa=1.0, raw_opa=2.0)
    about = {"cpu": "a processor", "cores": 2, "load_before": 0.1, "python": "3.11", "opa": "1.2"}
    lines = table_of({"distinct": profile, "storm": profile}, about, 8.0).splitlines()
    assert lines[2] == "| part | distinct | storm |"
    assert f"| {HTTP} | 0.25 | 0.25 |" in lines
    assert lines[-2:] == ["| **together** | 1.88 | 1.88 |", "| raw OPA | 2.00 | 2.00 |"]


def test_what_could_not_be_run_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build() -> None:
        raise ToolMissingError("there is no Go")

    monkeypatch.setattr("bench.loadgen.build", build)
    assert main([]) == 2
    assert capsys.readouterr().err == "bench: there is no Go\n"


@pytest.mark.e2e
def test_a_short_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "1"]) == 0
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    found = {row[0]: [float(value) for value in row[1:]] for row in rows if row[0] != "part"}
    assert set(found) >= {HTTP, *PARTS.values(), "OPA", "raw OPA", "**together**"}
    assert all(value > 0 for value in found["**together**"])
    asking, subject = found[PARTS[ASK]], found["the subject: digest, key, containers, models, GPUs"]
    assert asking[0] > asking[1], "in a storm the engine is asked once"
    assert subject[0] > 0
