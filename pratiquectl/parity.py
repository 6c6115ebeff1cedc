"""`pratique parity`: whether a live webhook says of manifests what `pratique check` says."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pratique.errors import EvidenceUnavailable, InputError, Problem
from pratiquectl.__main__ import EXIT_DENIED, EXIT_DONE, EXIT_ERROR, Subparsers
from pratiquectl.check import Judge, engine_over
from pratiquectl.inputs import Inputs, read_inputs
from pratiquectl.manifests import Found, Manifest
from pratiquectl.options import (
    add_engine,
    add_judging,
    clock,
    load_judging,
    request_of,
)
from pratiquectl.remote import MAX_AT_ONCE, ApiServerDryRun, Remote, WebhookUrl
from reports.text import visible
from reports.told import Told, told

EXIT_DIFFERENT = EXIT_DENIED
_MAX_SHOWN = 2000


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "parity",
        help="compare the verdicts of check with those of a live webhook",
        description="Judge manifests as `pratique check` does, ask a live webhook about the same objects (nothing is "
        "created), and print where they do not say the same: the outcome, and every finding that a user is told of. "
        "Exit code 0: the same. 1: at least one difference. 2: no difference, but something could not be compared. "
        "What the API server fills in before it asks the webhook may make a difference of its own.",
        epilog="Example: pratique parity examples --kubeconfig cluster.kubeconfig",
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file, folder, or - for stdin")
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("--server", metavar="URL", help="the webhook, such as https://127.0.0.1:8443")
    whom.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="the API server that asks the webhook: a server-side dry run"
    )
    parser.add_argument("--ca", type=Path, metavar="FILE", help="with --server: who signed its certificate (PEM)")
    parser.add_argument("--namespace", default="default", metavar="NS", help="for objects that do not name theirs")
    add_judging(parser)
    add_engine(parser, help="what runs the policies here")
    parser.add_argument("-o", "--output", default="text", choices=("text", "json"), help="format (default: text)")


@dataclass(frozen=True, slots=True)
class Compared:
    """One object, what is said of it here and there, and why that could not be found out if it was not."""

    file: str
    line: int
    subject: str
    here: Told | None = None
    there: Told | None = None
    problem: str = ""

    @property
    def state(self) -> str:
        """`same`, `different` or `not compared`. Of what a text left out, nothing is said to differ."""
        if self.here is None or self.there is None:
            return "not compared"
        return (
            "different" if self.here.outcome is not self.there.outcome or self.only_here or self.only_there else "same"
        )

    @property
    def only_here(self) -> list[str]:
        return _missing(self.here, self.there)

    @property
    def only_there(self) -> list[str]:
        return _missing(self.there, self.here)


def _missing(one: Told | None, other: Told | None) -> list[str]:
    """What `one` says and `other` does not, though it said all that it had to say."""
    return sorted(one.sayings - other.sayings) if one is not None and other is not None and other.whole else []


def run(args: argparse.Namespace) -> int:
    """Compare and print; the exit code says whether something differs.

    Raises:
        LoadError, EvaluationError, EvidenceUnavailable: there is nothing to judge with, or nobody to ask.
        InputError: the options contradict each other.
    """
    if args.kubeconfig is not None and (args.as_user or args.ca is not None):
        raise InputError("--as-user and --ca are for --server: with --kubeconfig, the API server knows who asks")
    policies, configuration = load_judging(args)
    found = read_inputs(Inputs(paths=args.paths, namespace=args.namespace))
    remote: Remote
    if args.kubeconfig is not None:
        remote = ApiServerDryRun(args.kubeconfig)
    else:
        remote = WebhookUrl(args.server, ca_file=args.ca, request=request_of(args))
    request = remote.request()

    async def compared() -> list[Compared]:
        async with engine_over(found, args, policies, configuration, clock=clock(args)) as engine:
            judge = Judge(found, engine, namespace=args.namespace, request=request)
            return await compare(found, judge, remote, namespace=args.namespace)

    results = asyncio.run(compared())
    write = _write_json if args.output == "json" else _write_text
    write(results)
    states = Counter(each.state for each in results)
    if states["different"]:
        return EXIT_DIFFERENT
    return EXIT_ERROR if states["not compared"] or not results else EXIT_DONE


async def compare(found: Sequence[Found], judge: Judge, remote: Remote, *, namespace: str) -> list[Compared]:
    """What both say of each object of `found`, in order."""
    room = asyncio.Semaphore(MAX_AT_ONCE)

    async def one(item: Manifest | Problem) -> Compared:
        if isinstance(item, Problem):
            return Compared(item.file, 0, "", problem=f"{item.where}: {item.message}" if item.where else item.message)
        subject = f"{item.object.get('kind')} {_name(item.object)}"
        async with room:
            try:
                decision = await judge.decision(item)
                there = await asyncio.to_thread(remote.told, item.object, namespace=namespace)
            except (InputError, EvidenceUnavailable) as error:
                return Compared(item.file, item.line, subject, problem=str(error))
            return Compared(item.file, item.line, str(decision.subject), told(decision), there)

    wanted = [item for item in found if isinstance(item, Manifest | Problem)]
    return list(await asyncio.gather(*(one(item) for item in wanted)))


def _name(obj: dict[str, Any]) -> object:
    metadata = obj.get("metadata")
    return metadata.get("name", "") if isinstance(metadata, dict) else ""


def _write_text(results: Sequence[Compared]) -> None:
    for each in results:
        place = f"{each.file}:{each.line}" if each.line else each.file
        line = f"{each.state:<13} {visible(place, limit=_MAX_SHOWN)}: {visible(each.subject)}"
        if each.problem:
            line += f": {visible(each.problem)}"
        elif each.here is not None and each.there is not None:
            line += f" ({each.here.outcome}"
            line += ")" if each.here.outcome is each.there.outcome else f" here, {each.there.outcome} there)"
        print(line)
        for where, sayings in (("here", each.only_here), ("there", each.only_there)):
            for saying in sayings:
                print(f"    only {where}: {visible(saying, limit=_MAX_SHOWN)}")
    states = Counter(each.state for each in results)
    print(f"{len(results)} compared: " + ", ".join(f"{states[state]} {state}" for state in _STATES))


_STATES = ("same", "different", "not compared")


def _write_json(results: Sequence[Compared]) -> None:
    documents = [
        {
            "file": each.file,
            "line": each.line,
            "subject": each.subject,
            "state": each.state,
            "here": None if each.here is None else each.here.outcome,
            "there": None if each.there is None else each.there.outcome,
            "only_here": each.only_here,
            "only_there": each.only_there,
            "problem": each.problem,
        }
        for each in results
    ]
    sys.stdout.write(orjson.dumps(documents, option=orjson.OPT_INDENT_2).decode() + "\n")
