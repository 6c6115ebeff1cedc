"""`pratique decisions`: what was decided, from the ledger."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain

from pratique.decision import Door, Outcome
from pratique.ledger import Filters, Record
from pratiquectl.__main__ import EXIT_DONE, Subparsers
from pratiquectl.options import add_state, ledger_reader, terminal_width
from reports.formats import DECISION_FORMATS, writer

TABLE_LIMIT = 50
"""Rows of a table, unless told otherwise; the other formats are for programs and have no such limit."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "decisions",
        help="list recorded decisions, or show one",
        description="List recorded decisions, the newest first, or show one.",
        epilog="Example: pratique decisions list --outcome denied --since 24h",
        allow_abbrev=False,
    )
    what = parser.add_subparsers(title="what", dest="what", metavar="list|show", required=True)
    listed = what.add_parser(
        "list",
        help="the newest first",
        epilog="Example: pratique decisions list --namespace team-a --policy GPU-001 -o csv",
        allow_abbrev=False,
    )
    add_state(listed)
    listed.add_argument(
        "-o", "--output", default="table", choices=tuple(DECISION_FORMATS), help="format (default: table)"
    )
    listed.add_argument(
        "--since",
        type=_time,
        metavar="TIME",
        help="from then on: 2026-11-21, 2026-11-21T18:00:00Z, or 30m, 24h, 7d ago",
    )
    listed.add_argument("--until", type=_time, metavar="TIME", help="before then")
    listed.add_argument("--namespace", default="", metavar="NAME")
    listed.add_argument("--outcome", choices=[outcome.value for outcome in Outcome])
    listed.add_argument("--policy", default="", metavar="NAME_OR_ID", help="only where this policy did not pass")
    listed.add_argument("--user", default="", metavar="NAME")
    listed.add_argument("--kind", default="", metavar="KIND")
    listed.add_argument("--door", choices=[door.value for door in Door])
    listed.add_argument(
        "--limit", type=_limit, metavar="N", help=f"at most so many (default: {TABLE_LIMIT} in a table, else all)"
    )
    shown = what.add_parser(
        "show",
        help="one decision, by its id or how it begins",
        epilog="Example: pratique decisions show 01a1ff43-dd7b-7000-8000-000000000001",
        allow_abbrev=False,
    )
    add_state(shown)
    shown.add_argument("id", metavar="ID")
    shown.add_argument("-o", "--output", default="json", choices=tuple(DECISION_FORMATS), help="format (default: json)")


def run(args: argparse.Namespace) -> int:
    """Print what is asked for. An empty list is no error, but said on stderr."""
    reader = ledger_reader(args)
    write = writer(DECISION_FORMATS, args.output)
    if args.what == "show":
        write([reader.get(args.id)], sys.stdout, terminal=terminal_width())
        return EXIT_DONE
    limit = args.limit if args.limit is not None or args.output != "table" else TABLE_LIMIT + 1
    records: Iterator[Record] = reader.read(
        Filters(
            since=args.since,
            until=args.until,
            namespace=args.namespace,
            outcome=Outcome(args.outcome) if args.outcome else None,
            policy=args.policy,
            user=args.user,
            kind=args.kind,
            door=Door(args.door) if args.door else None,
            limit=limit,
        )
    )
    first = next(records, None)
    if first is None:
        print("pratique: no decision passes these filters", file=sys.stderr)
        if args.output != "table":
            write([], sys.stdout, terminal=None)
        return EXIT_DONE
    found: Iterable[Record] = chain([first], records)
    if args.output == "table" and args.limit is None:
        shown = list(found)
        write(shown[:TABLE_LIMIT], sys.stdout, terminal=terminal_width())
        if len(shown) > TABLE_LIMIT:
            print(f"pratique: these are the newest {TABLE_LIMIT}; there are more, see --limit", file=sys.stderr)
    else:
        write(found, sys.stdout, terminal=terminal_width())
    return EXIT_DONE


def _time(text: str) -> datetime:
    ago = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    try:
        if ago:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        sentence = f"{text!r} is not a time; write 2026-11-21, 2026-11-21T18:00:00Z, or 24h for a day ago"
        raise argparse.ArgumentTypeError(sentence) from None


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)
