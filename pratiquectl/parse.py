"""`pratique parse`: what policies see of configuration files, as conftest prints it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pratiquectl.__main__ import Subparsers
from pratiquectl.conftest import flags
from pratiquectl.conftest.command import add_help, execute
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.options import Flag, Options

FLAGS = (
    Flag(name="combine", kind="bool", help="print all files as the one document that --combine judges"),
    flags.PARSER,
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    add_help(
        subparsers,
        "parse",
        FLAGS,
        usage="pratique parse FILE [FILE ...] [flags]",
        help="print configuration files as conftest policies see them",
        description="Print the JSON that policies get as input: of several files, an object by file.",
        example="pratique parse examples/llm-server.yaml",
    )


def run_arguments(arguments: Sequence[str]) -> int:
    """Print the documents."""
    return execute(arguments, FLAGS, _run)


def _run(options: Options) -> int:
    from pratiquectl.conftest.gojson import Fields, dumps
    from pratiquectl.conftest.inputs import combine, parse, read_file

    if not options.arguments:
        raise ConftestError("must supply path to at least one file")
    parser = options.text("parser")
    values: dict[str, Any] = {path: parse(path, read_file(path), parser) for path in options.arguments}
    if options.on("combine"):
        combined = [Fields(path=each["path"], contents=each["contents"]) for each in combine(values.items())]
        print(dumps(combined or None, indent="\t") + "\n")
    elif len(values) == 1:
        print(dumps(next(iter(values.values())), indent="  "))
    else:
        print(dumps(values, indent="  "))
    return 0
