"""`python -m bench.conftest`: `pratique test` beside conftest, as commands that a pipeline runs.

Both get the same files and policies in turn; a run counts only if both found the same. The table of medians is printed
and, with `--write`, kept in bench/README.md.

Exit codes: 0 done, 1 Pratique took longer than the limits say, 2 it could not be run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.table import README, write_between_marks

REPOSITORY = Path(__file__).resolve().parents[1]
CONFTEST = REPOSITORY / ".cache" / "tools" / "conftest"

PODS, CHECKS = 1000, 12
HELP_LIMIT_SECONDS = 0.15
SMALL_LIMIT_SECONDS = 0.4
RATIO_LIMIT = 1.5
"""Of conftest's time for all pods."""

_CHECK = """package main

import rego.v1

{severity}_check{number} contains msg if {{
	some container in input.spec.containers
	to_number(container.resources.limits["nvidia.com/gpu"]) > {number}
	msg := sprintf("%s: container %s asks for more than %d", [input.metadata.name, container.name, {number}])
}}
"""
_POD = """apiVersion: v1
kind: Pod
metadata:
  name: trainer-{number}
  namespace: team-{team}
  labels:
    app: trainer
    team: vision
spec:
  securityContext:
    runAsNonRoot: true
  containers:
  - name: main
    image: registry.internal/train:v{number}
    args: [--epochs, "{number}", --rate, "0.1"]
    ports:
    - containerPort: 8080
    resources:
      limits:
        cpu: "4"
        memory: 16Gi
        nvidia.com/gpu: {accelerators}
    volumeMounts:
    - name: data
      mountPath: /data
  volumes:
  - name: data
    persistentVolumeClaim:
      claimName: data-{number}
"""


@dataclass
class Measured:
    """The wall times of one command, by program."""

    name: str
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, program: str) -> float:
        return statistics.median(self.seconds[program])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.conftest", description="pratique test beside conftest")
    parser.add_argument("--rounds", type=int, default=9, help="runs of each command (default: 9)")
    parser.add_argument("--write", action="store_true", help="write the table into bench/README.md")
    given = parser.parse_args(arguments)
    if not CONFTEST.exists():
        print(f"bench: there is no {CONFTEST}; run make setup", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        measured = measure(Path(folder), given.rounds)
    table = table_of(measured, given.rounds)
    print(table)
    if given.write:
        write_between_marks(README, table, "conftest")
    return int(not within_limits(measured))


def fill(folder: Path) -> None:
    """The pods and the policies."""
    for name in ("pods", "policy"):
        (folder / name).mkdir()
    for number in range(PODS):
        text = _POD.format(number=number, team=number % 7, accelerators=number % 8)
        (folder / "pods" / f"{number:04}.yaml").write_text(text)
    for number in range(CHECKS):
        severity = "deny" if number % 3 else "warn"
        (folder / "policy" / f"check{number}.rego").write_text(_CHECK.format(severity=severity, number=number))


def measure(folder: Path, rounds: int) -> list[Measured]:
    """Each command by each program, in turn.

    Raises:
        ValueError: the programs found different things.
    """
    ours = [sys.executable, "-m", "pratiquectl"]
    commands = {
        "--help": ["test", "--help"],
        "1 pod": ["test", "pods/0007.yaml", "-o", "json"],
        f"{PODS:,} pods": ["test", "pods", "-o", "json"],
    }
    measured = []
    for name, arguments in commands.items():
        entry = Measured(name)
        for _ in range(rounds):
            outputs = {}
            for program, command in (("conftest", [str(CONFTEST)]), ("Pratique", ours)):
                started = time.perf_counter()
                outputs[program] = run([*command, *arguments], folder)
                entry.seconds.setdefault(program, []).append(time.perf_counter() - started)
            if name != "--help" and _ordered(outputs["conftest"]) != _ordered(outputs["Pratique"]):
                raise ValueError(f"{name}: conftest and Pratique found different things")
        measured.append(entry)
    return measured


def run(command: Sequence[str], folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or done.stderr:
        raise ValueError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def _ordered(output: str) -> list[str]:
    """The results without their order, which is by chance with conftest."""
    results = json.loads(output)
    for result in results:
        for name in ("failures", "warnings"):
            result.setdefault(name, []).sort(key=lambda each: str(each["msg"]))
    return sorted(json.dumps(result, sort_keys=True) for result in results)


def table_of(measured: Sequence[Measured], rounds: int) -> str:
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    load = os.getloadavg()[0]
    lines = [
        f"{day}: {os.cpu_count()} cores, load {load:.1f}; {CHECKS} checks; medians of {rounds} runs (lowest, highest).",
        "",
        "| command | conftest, s | Pratique, s | Pratique / conftest |",
        "|---|---|---|---|",
    ]
    for entry in measured:
        cells = [
            f"{entry.median(program):.2f} ({min(entry.seconds[program]):.2f} to {max(entry.seconds[program]):.2f})"
            for program in ("conftest", "Pratique")
        ]
        ratio = entry.median("Pratique") / entry.median("conftest")
        lines.append(f"| `test` {entry.name} | {' | '.join(cells)} | {ratio:.2f} |")
    return "\n".join(lines) + "\n"


def within_limits(measured: Sequence[Measured]) -> bool:
    """Whether Pratique is as fast as it has to be."""
    help_, small, all_pods = measured
    return (
        help_.median("Pratique") < HELP_LIMIT_SECONDS
        and small.median("Pratique") < SMALL_LIMIT_SECONDS
        and all_pods.median("Pratique") < RATIO_LIMIT * all_pods.median("conftest")
    )


if __name__ == "__main__":
    sys.exit(main())
