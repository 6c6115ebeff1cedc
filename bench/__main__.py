"""`python -m bench`: measure, print the table, write bench/results/*.json and the table in bench/README.md.

Every round starts each peer afresh and gives it all sets of reviews, so that what changes on the machine meanwhile
changes for all. `--quick` and `--only` are for looking: they write nothing unless `--write` is given.

Exit codes: 0 done, 1 a peer gave errors or wrong verdicts, 2 it could not be run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import loadgen, machine, reviews, table
from bench.peers import PEERS, Peer, running
from bench.processes import MemoryPeak, cpu_seconds
from bench.results import Cell, Results, Run
from tests.support.cluster import REPOSITORY, ToolMissingError
from tests.support.pki import Authority

HERE = Path(__file__).parent
WORK = REPOSITORY / ".cache" / "bench"
"""Not the system's folder for temporary files: that may be in memory, where nothing has to be made durable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to measure and how long; times in seconds."""

    peers: tuple[str, ...]
    reviews: tuple[str, ...]
    clients: tuple[int, ...]
    rounds: int
    warmup: float
    seconds: float
    tls: bool
    write: bool


def read_settings(arguments: Sequence[str] | None) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n\n")[0] if __doc__ else "")
    sets = [f"{shape}-{verdict}" for shape in ("distinct", "storm") for verdict in ("compliant", "violating")]
    parser.add_argument("--quick", action="store_true", help="one short round: an impression in under 90 s")
    parser.add_argument("--only", action="append", choices=PEERS, help="this peer (may be repeated)")
    parser.add_argument("--reviews", action="append", choices=sets, help="this set of reviews (may be repeated)")
    parser.add_argument("--clients", action="append", type=int, help="this number of clients (default: 1 and 50)")
    parser.add_argument("--rounds", type=int, help="default 3, with --quick 1")
    parser.add_argument("--seconds", type=float, help="measured time of each run (default 4, with --quick 1)")
    parser.add_argument("--tls", action="store_true", help="HTTPS for all peers alike (default: plain HTTP for all)")
    parser.add_argument("--write", action="store_true", help="write the results although the run is a partial one")
    given = parser.parse_args(arguments)
    partial = given.quick or given.only or given.reviews or given.clients
    settings = Settings(
        peers=tuple(name for name in PEERS if not given.only or name in given.only),
        reviews=tuple(name for name in sets if not given.reviews or name in given.reviews),
        clients=tuple(given.clients or (1, 50)),
        rounds=given.rounds or (1 if given.quick else 3),
        warmup=0.3 if given.quick else 1.0,
        seconds=given.seconds or (1.0 if given.quick else 4.0),
        tls=given.tls,
        write=given.write or not partial,
    )
    if min(*settings.clients, settings.rounds) < 1 or settings.seconds <= 0:
        parser.error("clients, rounds and seconds must be positive")
    return settings


def measure(settings: Settings, binary: Path, sets: dict[str, reviews.ReviewSet], folder: Path, cores: int) -> Results:
    """Every round of every peer on every set."""
    results = Results(cores=cores)
    authority = Authority(folder / "tls", name="bench-ca") if settings.tls else None
    wanted = {name: _wanted(PEERS[name], settings.reviews) for name in settings.peers}
    asked_by = {name: (1,) if PEERS[name].bindings is not None else settings.clients for name in settings.peers}
    total = settings.rounds * sum(len(wanted[name]) * len(asked_by[name]) for name in settings.peers)
    done, started = 0, time.monotonic()
    for number in range(settings.rounds):
        for name in settings.peers:
            peer, place = PEERS[name], folder / f"{number}-{name}"
            with running(peer, place, authority=authority) as up, MemoryPeak(up.pid) as memory:
                for which in wanted[name]:
                    for clients in asked_by[name]:
                        run = _run(settings, binary, sets[which], up.url, up.pid, peer, clients, authority)
                        results.add(Cell(name, which, clients), run)
                        done += 1
                        left = (time.monotonic() - started) / done * (total - done)
                        _say(
                            f"[{done}/{total}, {left:.0f} s left] {peer.title}, {which}, {clients} clients: "
                            f"{run.load.requests_per_second:,.0f}/s, p50 {run.load.p50_ms:.2f} ms, p99 "
                            f"{run.load.p99_ms:.1f} ms"
                        )
            results.memory_bytes.setdefault(name, []).append(memory.bytes)
            shutil.rmtree(place)
    return results


def _wanted(peer: Peer, names: Sequence[str]) -> list[str]:
    return [name for name in names if peer.judges or name.endswith("-compliant")]


def _run(
    settings: Settings,
    binary: Path,
    which: reviews.ReviewSet,
    url: str,
    pid: int,
    peer: Peer,
    clients: int,
    authority: Authority | None,
) -> Run:
    before = cpu_seconds(pid)

    def measuring() -> None:
        nonlocal before
        before = cpu_seconds(pid)

    load = loadgen.run(
        binary,
        url=url,
        bodies=which.path,
        clients=clients,
        warmup_seconds=settings.warmup,
        seconds=settings.seconds,
        prefix=peer.prefix,
        suffix=peer.suffix,
        authority=None if authority is None else authority.certificate,
        measuring=measuring,
    )
    return Run(load, cpu_seconds(pid) - before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the command line says and return the exit code."""
    settings = read_settings(arguments)
    WORK.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=WORK))
    try:
        binary = loadgen.build()
        about = machine.describe(folder)
        if machine.is_busy(about):
            _say(f"warning: the machine is busy (load {about['load_before']}); these numbers will mean little")
        _say("capturing reviews from a real API server ...")
        sets = reviews.capture(folder)
        results = measure(settings, binary, sets, folder, about["cores"])
    except (ToolMissingError, loadgen.LoadError, TimeoutError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nbench: interrupted", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    now = datetime.now(UTC)
    document = results.document(
        machine=about,
        settings={
            "runs": settings.rounds,
            "warmup_seconds": settings.warmup,
            "seconds": settings.seconds,
            "tls": settings.tls,
            "clients": list(settings.clients),
            "reviews": {name: sets[name].average_bytes for name in settings.reviews},
            "objects": {name: sets[name].average_object_bytes for name in settings.reviews},
        },
        date=f"{now:%Y-%m-%d}",
    )
    text = table.markdown(
        document,
        {name: PEERS[name].title for name in settings.peers if PEERS[name].bindings is None},
        {name: PEERS[name].title for name in settings.peers if PEERS[name].bindings is not None},
    )
    print(text)
    if settings.write and not results.faults:
        path = HERE / "results" / f"{now:%Y-%m-%d}-{machine.slug(about)}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document, indent=1) + "\n")
        table.write_between_marks(table.README, text, "results")
        _say(f"written: bench/results/{path.name}, bench/README.md")
    return 1 if results.faults else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
