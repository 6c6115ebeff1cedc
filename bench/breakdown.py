"""`python -m bench.breakdown`: where the processor time of a review goes, part by part, beside what raw OPA takes.

Pratique on OPA at 50 clients, sampled (`bench.sampled`) on compliant reviews, distinct and in a storm; then raw OPA on
the same. The table is printed and, with `--write`, kept in bench/README.md.

Exit codes: 0 measured, 1 a peer gave errors or wrong verdicts, 2 it could not be run, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench import loadgen, machine, reviews
from bench.__main__ import WORK
from bench.peers import PEERS, RAW_OPA, WITH_OPA, Peer, Place, running
from bench.processes import cpu_seconds, thread_seconds
from bench.sampled import HTTP, PARTS
from bench.table import README, write_between_marks
from tests.support.cluster import ToolMissingError

SETS = ("distinct-compliant", "storm-compliant")
CLIENTS = 50
WARMUP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Profile:
    """Milliseconds of processor time for each review: by part of our main thread, of our other threads, of OPA below
    us, and of raw OPA on the same reviews."""

    parts: Mapping[str, float]
    threads: float
    opa: float
    raw_opa: float

    @property
    def together(self) -> float:
        return sum(self.parts.values()) + self.threads + self.opa


@dataclass(slots=True)
class _Spent:
    """Processor time in seconds while reviews were answered: all of a peer, its first process, that one's main
    thread."""

    family: float
    process: float
    main_thread: float


class Wrong(RuntimeError):
    """A peer answered with errors or wrong verdicts: its times mean nothing."""


def _spent(pid: int) -> _Spent:
    threads = thread_seconds(pid)
    return _Spent(cpu_seconds(pid), sum(threads.values()), threads[pid])


def _run(peer: Peer, which: reviews.ReviewSet, binary: Path, folder: Path, seconds: float) -> tuple[int, _Spent]:
    """How many reviews were answered in `seconds`, and what was spent on them.

    Raises:
        Wrong: not all of them were answered as they should be.
    """
    with running(peer, folder, authority=None) as up:
        before = _spent(up.pid)

        def measuring() -> None:
            nonlocal before
            before = _spent(up.pid)

        load = loadgen.run(
            binary,
            url=up.url,
            bodies=which.path,
            clients=CLIENTS,
            warmup_seconds=WARMUP_SECONDS,
            seconds=seconds,
            prefix=peer.prefix,
            suffix=peer.suffix,
            measuring=measuring,
        )
        after = _spent(up.pid)
    if load.errors or load.wrong_verdicts:
        raise Wrong(f"{peer.title} gave {load.errors} errors and {load.wrong_verdicts} wrong verdicts: {load.examples}")
    return load.requests, _Spent(
        after.family - before.family, after.process - before.process, after.main_thread - before.main_thread
    )


def measure(which: reviews.ReviewSet, binary: Path, folder: Path, seconds: float) -> Profile:
    """The profile of one set of reviews. Raises: Wrong."""
    out = folder / "samples.json"
    ours = PEERS[WITH_OPA]

    def sampled(place: Place) -> Sequence[str | Path]:
        python, _, _, *rest = ours.command(place)
        return (python, "-m", "bench.sampled", out, *rest)

    count, spent = _run(replace(ours, command=sampled), which, binary, folder / "ours", seconds)
    counts: dict[str, int] = json.loads(out.read_text())
    raw_count, raw = _run(PEERS[RAW_OPA], which, binary, folder / "raw", seconds)
    each = spent.main_thread / sum(counts.values()) / count * 1e3
    return Profile(
        parts={part: counts.get(part, 0) * each for part in (HTTP, *dict.fromkeys(PARTS.values()))},
        threads=(spent.process - spent.main_thread) / count * 1e3,
        opa=max(0.0, spent.family - spent.process) / count * 1e3,  # the two are read one after the other
        raw_opa=raw.family / raw_count * 1e3,
    )


def table_of(profiles: Mapping[str, Profile], about: Mapping[str, object], seconds: float) -> str:
    """The profiles as Markdown, a column for each set."""
    rows = [
        *(
            (part, [profile.parts[part] for profile in profiles.values()])
            for part in next(iter(profiles.values())).parts
        ),
        ("other threads: the ledger's writer", [profile.threads for profile in profiles.values()]),
        ("OPA", [profile.opa for profile in profiles.values()]),
        ("**together**", [profile.together for profile in profiles.values()]),
        ("raw OPA", [profile.raw_opa for profile in profiles.values()]),
    ]
    return "\n".join(
        [
            f"{datetime.now(UTC):%Y-%m-%d}: {about['cpu']}, {about['cores']} cores, load {about['load_before']}; "
            f"Python {about['python']}, OPA {about['opa']}; {CLIENTS} clients for {seconds:g} s. Milliseconds of "
            "processor time for each review.",
            "",
            f"| part | {' | '.join(profiles)} |",
            f"|---|{'---|' * len(profiles)}",
            *(f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} |" for name, values in rows),
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.breakdown", description="where the time of a review goes")
    parser.add_argument("--seconds", type=float, default=8.0, help="measured time of each run (default: 8)")
    parser.add_argument("--write", action="store_true", help="write the table into bench/README.md")
    given = parser.parse_args(arguments)
    WORK.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=WORK))
    try:
        binary = loadgen.build()
        about = machine.describe(folder)
        print("capturing reviews from a real API server ...", file=sys.stderr, flush=True)
        sets = reviews.capture(folder)
        profiles = {}
        for name in SETS:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            profiles[name] = measure(sets[name], binary, folder / name, given.seconds)
    except Wrong as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except (ToolMissingError, loadgen.LoadError, TimeoutError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nbench: interrupted", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = table_of(profiles, about, given.seconds)
    print(text)
    if given.write:
        write_between_marks(README, text, "breakdown")
    return 0


if __name__ == "__main__":
    sys.exit(main())
