"""How the verbs that take conftest's place run: flags, help, and errors on stderr with exit code 1."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from pratique.errors import PratiqueError
from pratiquectl.__main__ import Subparsers
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.options import CONFIG_FILE, Flag, Options, environment, read_options

EXIT_ERROR = 1
"""conftest's, for everything that could not be done; also its code for a failure, which is why the message counts."""


def add_help(
    subparsers: Subparsers, name: str, flags: Sequence[Flag], *, usage: str, help: str, description: str, example: str
) -> None:
    """The verb's parser: it prints the help; the command line is read by `read_options`."""
    parser = subparsers.add_parser(
        name,
        help=help,
        usage=usage,
        description=description,
        epilog=f"Each flag can be set as CONFTEST_<FLAG> or in conftest.toml too. Example: {example}",
        allow_abbrev=False,
    )
    for flag in [*flags, CONFIG_FILE]:
        names = [f"-{flag.short}"] if flag.short else []
        default = ",".join(flag.initial) if flag.kind == "list" else str(flag.initial)
        text = flag.help + (f" (default: {default})" if default and flag.kind != "bool" else "")
        if flag.kind == "bool":
            parser.add_argument(*names, f"--{flag.name}", action="store_true", help=text)
        else:
            parser.add_argument(*names, f"--{flag.name}", metavar="VALUE", help=text.replace("%", "%%"))


def execute(
    arguments: Sequence[str], flags: Sequence[Flag], run: Callable[[Options], int], *, failing: str = ""
) -> int:
    """Reads the options and runs the verb; `failing` is what its errors begin with."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        try:
            options = read_options(flags, arguments, environment())
        except ConftestError as error:
            print(f"Error: {error}", file=sys.stderr)
            return EXIT_ERROR
        return run(options)
    except PratiqueError as error:
        sys.stdout.flush()
        print(f"Error: {failing}{error}", file=sys.stderr)
        return EXIT_ERROR


def _terminated(number: int, _frame: object) -> NoReturn:
    """Ends as the signal would, but cleans up on the way."""
    sys.exit(128 + number)


def opa_binary(setting: str = "auto") -> Path | None:
    """The OPA that runs the policies; None if regopy is to do it.

    Raises:
        ConfigError: the engine that was asked for cannot be used.
    """
    from evaluators.opa_binary import PINNED_OPA_VERSION, config_error, find_opa
    from pratiquectl.places import tools_cache

    if setting not in ("auto", "opa", "regopy"):
        raise config_error("--engine", f"{setting!r} is none of auto, opa, regopy")
    if setting == "regopy":
        return None
    passed_over: list[str] = []
    found = find_opa(environment(), tools_cache(), passed_over)
    if found is not None:
        return found[0]
    if setting == "auto":
        return None
    because = f" (passed over: {'; '.join(passed_over)})" if passed_over else ""
    raise config_error("--engine", f"there is no OPA {PINNED_OPA_VERSION} or newer{because}")
