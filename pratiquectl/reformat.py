"""`pratique reformat`: the JSON of an earlier `test` in another format."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pratiquectl.__main__ import Subparsers
from pratiquectl.conftest import flags
from pratiquectl.conftest.command import add_help, execute
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.options import Options

FLAGS = (flags.OUTPUT,)


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    add_help(
        subparsers,
        "reformat",
        FLAGS,
        usage="pratique reformat [FILE] [flags]",
        help="print the JSON output of test in another format",
        description="Read what `test --output json` printed, from FILE or stdin, and print it in another format.",
        example="pratique reformat --output table results.json",
    )


def run_arguments(arguments: Sequence[str]) -> int:
    """Print the results."""
    return execute(arguments, FLAGS, _run)


def _run(options: Options) -> int:
    from pratiquectl.conftest import outputs
    from pratiquectl.conftest.gojson import decode
    from pratiquectl.conftest.results import check_result_from

    try:
        content = Path(options.arguments[0]).read_bytes() if options.arguments else sys.stdin.buffer.read()
    except OSError as error:
        raise ConftestError(f"failed to open input file: open {error.filename}: {error.strerror}") from error
    try:
        document: Any = decode(content)
        results = [check_result_from(each) for each in document or ()]
    except (ValueError, TypeError, AttributeError) as error:
        raise ConftestError(f"failed to parse JSON input: {error}") from error
    outputs.show(outputs.writer(options.text("output")), results, outputs.Options())
    return 0
