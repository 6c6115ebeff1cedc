"""From single runs to medians with their spread, to the aims, and to the JSON document."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.bindings import COUNTS, FEW, LIBRARY
from bench.loadgen import Load
from bench.peers import RAW_OPA, WITH_OPA, WITH_REGOPY

FORMAT = 1
BUSY_CLIENTS = 50
AIM_DISTINCT_RATIO = 0.8
AIM_STORM_RATIO = 2.5
AIM_P99_RATIO = 1.0
AIM_MEMORY_MB = 300
AIM_REGOPY_PER_CORE = 150
AIM_MANY_OTHERS_RATIO = 2.0
AIM_LIBRARY_P50_MS = 5.0


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """What was measured: a peer, a set of reviews, a number of clients."""

    peer: str
    reviews: str
    clients: int


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement of one cell; the CPU time is that of all processes of the peer."""

    load: Load
    cpu_seconds: float

    @property
    def cpu_seconds_per_1000(self) -> float:
        return self.cpu_seconds / self.load.requests * 1000 if self.load.requests else 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of several runs, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Figure:
        """Raises: statistics.StatisticsError: there are no values."""
        known = [float(value) for value in values]
        return cls(statistics.median(known), min(known), max(known))


METRICS: Mapping[str, Callable[[Run], float]] = {
    "requests_per_second": lambda run: run.load.requests_per_second,
    "p50_ms": lambda run: run.load.p50_ms,
    "p90_ms": lambda run: run.load.p90_ms,
    "p99_ms": lambda run: run.load.p99_ms,
    "max_ms": lambda run: run.load.max_ms,
    "cpu_seconds_per_1000": lambda run: run.cpu_seconds_per_1000,
}


@dataclass(frozen=True, slots=True)
class Aim:
    """One aim and what was measured; `met` is None where it could not be measured."""

    what: str
    target: str
    measured: float | None
    met: bool | None


class Results:
    """All runs, by cell, and the peak memory of each start of each peer."""

    def __init__(self, *, cores: int) -> None:
        self.cores = cores
        self.runs: dict[Cell, list[Run]] = {}
        self.memory_bytes: dict[str, list[int]] = {}

    def add(self, cell: Cell, run: Run) -> None:
        self.runs.setdefault(cell, []).append(run)

    @property
    def faults(self) -> list[str]:
        """A sentence for each cell with errors or wrong verdicts: its numbers mean nothing then."""
        found = []
        for cell, runs in sorted(self.runs.items()):
            errors = sum(run.load.errors for run in runs)
            wrong = sum(run.load.wrong_verdicts for run in runs)
            silent = sum(run.load.requests == 0 for run in runs)
            if errors or wrong or silent:
                example = next((text for run in runs for text in run.load.examples), "no answer at all")
                found.append(
                    f"{cell.peer}, {cell.reviews}, {cell.clients} clients: {errors} errors, {wrong} wrong verdicts; "
                    f"such as: {example}"
                )
        return found

    def figure(self, metric: str, peer: str, reviews: str, clients: int) -> Figure | None:
        """None where it was not measured."""
        runs = self.runs.get(Cell(peer, reviews, clients))
        return Figure.of(METRICS[metric](run) for run in runs) if runs else None

    def ratio(self, metric: str, peer: str, reviews: str, clients: int, *, to: str = RAW_OPA) -> float | None:
        """The median of `peer` over that of the peer `to`; None where either was not measured or that is 0."""
        own, other = (self.figure(metric, name, reviews, clients) for name in (peer, to))
        return own.median / other.median if own is not None and other is not None and other.median else None

    def aims(self) -> list[Aim]:
        """Every aim of the project for these measurements, met or not."""
        aims = []
        for shape, target in (("distinct", AIM_DISTINCT_RATIO), ("storm", AIM_STORM_RATIO)):
            for verdict in ("compliant", "violating"):
                ratio = self.ratio("requests_per_second", WITH_OPA, f"{shape}-{verdict}", BUSY_CLIENTS)
                what = f"{shape}, {verdict}: rate with OPA over raw OPA's, {BUSY_CLIENTS} clients"
                aims.append(Aim(what, f">= {target}", ratio, None if ratio is None else ratio >= target))
        for shape in ("distinct", "storm"):
            for verdict in ("compliant", "violating"):
                ratio = self.ratio("p99_ms", WITH_OPA, f"{shape}-{verdict}", BUSY_CLIENTS)
                what = f"{shape}, {verdict}: p99 with OPA over raw OPA's, {BUSY_CLIENTS} clients"
                aims.append(Aim(what, f"<= {AIM_P99_RATIO}", ratio, None if ratio is None else ratio <= AIM_P99_RATIO))
        for peer in (WITH_OPA, WITH_REGOPY):
            memory = max(self.memory_bytes[peer]) / 1e6 if self.memory_bytes.get(peer) else None
            met = None if memory is None else memory < AIM_MEMORY_MB
            aims.append(Aim(f"{peer}: peak memory of all processes, MB", f"< {AIM_MEMORY_MB}", memory, met))
        for verdict in ("compliant", "violating"):
            rate = self.figure("requests_per_second", WITH_REGOPY, f"distinct-{verdict}", BUSY_CLIENTS)
            per_core = None if rate is None else rate.median / self.cores
            met = None if per_core is None else per_core >= AIM_REGOPY_PER_CORE
            what = f"distinct, {verdict}: decisions/s with regopy for each core of the machine"
            aims.append(Aim(what, f">= {AIM_REGOPY_PER_CORE}", per_core, met))
        return [*aims, *self._aims_of_bindings()]

    def _aims_of_bindings(self) -> Iterator[Aim]:
        many, few = f"others-{max(COUNTS)}", f"others-{FEW}"
        for shape in ("distinct", "storm"):
            for metric, name in (("cpu_seconds_per_1000", "CPU"), ("p50_ms", "p50")):
                ratio = self.ratio(metric, many, f"{shape}-compliant", 1, to=few)
                what = f"{shape}: {name} with {max(COUNTS):,} bindings that do not match over that with {FEW}, 1 client"
                met = None if ratio is None else ratio <= AIM_MANY_OTHERS_RATIO
                yield Aim(what, f"<= {AIM_MANY_OTHERS_RATIO:g}", ratio, met)
        p50 = self.figure("p50_ms", f"library-{LIBRARY}", "distinct-compliant", 1)
        met = None if p50 is None else p50.median < AIM_LIBRARY_P50_MS
        what = f"distinct: p50 with {LIBRARY} policies on each pod, 1 client, ms"
        yield Aim(what, f"< {AIM_LIBRARY_P50_MS:g}", None if p50 is None else p50.median, met)

    def document(self, *, machine: Mapping[str, Any], settings: Mapping[str, Any], date: str) -> dict[str, Any]:
        """What is written to bench/results/."""
        cells = []
        for cell, runs in sorted(self.runs.items()):
            cells.append(
                {
                    **asdict(cell),
                    **{metric: asdict(Figure.of(map(read, runs))) for metric, read in METRICS.items()},
                    "requests": [run.load.requests for run in runs],
                    "errors": sum(run.load.errors for run in runs),
                    "wrong_verdicts": sum(run.load.wrong_verdicts for run in runs),
                    "load_generator_share_of_machine": Figure.of(_share(runs, self.cores)).median,
                }
            )
        return {
            "format": FORMAT,
            "date": date,
            "machine": dict(machine),
            "settings": dict(settings),
            "cells": cells,
            "peak_memory_bytes": {
                peer: asdict(Figure.of(peaks)) for peer, peaks in sorted(self.memory_bytes.items()) if peaks
            },
            "aims": [asdict(aim) for aim in self.aims()],
            "faults": self.faults,
        }


def _share(runs: Sequence[Run], cores: int) -> list[float]:
    return [run.load.own_cpu_seconds / (run.load.seconds * cores) if run.load.seconds else 0.0 for run in runs]
