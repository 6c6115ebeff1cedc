"""`pratique explain`: how a decision came to be."""

from __future__ import annotations

import argparse
import sys

import orjson

from pratique.errors import ConfigError
from pratiquectl.__main__ import EXIT_DONE, Subparsers
from pratiquectl.options import add_state, ledger_reader
from reports.explanation import document, explain, text


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "explain",
        help="show how a decision came to be",
        description="Show which bindings matched an object and which did not and why, what was found, which waiver, "
        "cache and engine played a part.",
        epilog="Example: pratique explain 01a1ff43-dd7b-7000-8000-000000000001",
        allow_abbrev=False,
    )
    parser.add_argument("id", metavar="ID", help="the decision's id, or how it begins")
    add_state(parser)
    parser.add_argument("-o", "--output", default="text", choices=("text", "json"), help="format (default: text)")


def run(args: argparse.Namespace) -> int:
    """Print the explanation."""
    reader = ledger_reader(args)
    record = reader.get(args.id)
    configuration, unknown = None, ""
    snapshot = reader.snapshot(record.decision)
    if record.document["match_inputs"] is None:
        unknown = "the labels of the object were too large to be recorded"
    elif snapshot is None:
        unknown = "the configuration of that time was not recorded"
    else:
        try:
            configuration = snapshot.configuration()
        except ConfigError as error:
            unknown = f"this version of Pratique does not read the configuration of that time ({error})"
    explanation = explain(record.decision, configuration, unknown=unknown)
    if args.output == "json":
        answer = document(explanation, dict(record.document))
        sys.stdout.write(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        print(text(explanation))
    return EXIT_DONE
