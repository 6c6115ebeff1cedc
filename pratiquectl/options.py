"""Options that several verbs share."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from pratique.errors import ConfigError, Problem
from pratique.ledger import DATABASE_NAME, LedgerReader

DEFAULT_STATE = Path(".run", "state")
DEFAULT_POLICIES = Path("policies")
DEFAULT_CONFIG = Path("policies", "bindings")
STATE_VARIABLE = "PRATIQUE_STATE"
"""The same name as that of the server's setting."""


def add_state(parser: argparse.ArgumentParser) -> None:
    """`--state DIR`."""
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(os.environ.get(STATE_VARIABLE) or DEFAULT_STATE),
        metavar="DIR",
        help=f"the state folder of the server (default: ${STATE_VARIABLE}, else {DEFAULT_STATE})",
    )


def ledger_reader(args: argparse.Namespace) -> LedgerReader:
    """Reads the ledger in the folder that `--state` names."""
    return LedgerReader(args.state / DATABASE_NAME)


def add_policies(parser: argparse.ArgumentParser) -> None:
    """`--policies PATH`."""
    parser.add_argument(
        "--policies",
        type=Path,
        metavar="PATH",
        help=f"folder of policies, or an OPA bundle tarball (default: {DEFAULT_POLICIES}, if there is one here)",
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    """`--config PATH`."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="PATH",
        help=f"folder (or file) of bindings, waivers and namespaces (default: {DEFAULT_CONFIG}, if there is one here)",
    )


def policies_path(args: argparse.Namespace) -> Path:
    """Where the policies are.

    Raises:
        ConfigError: they were not named, and the default does not exist.
    """
    return _existing(args.policies, DEFAULT_POLICIES, "--policies")


def config_path(args: argparse.Namespace) -> Path:
    """Where the configuration is.

    Raises:
        ConfigError: it was not named, and the default does not exist.
    """
    return _existing(args.config, DEFAULT_CONFIG, "--config")


def _existing(given: Path | None, default: Path, option: str) -> Path:
    if given is not None:
        if not given.exists():
            raise ConfigError(Problem(str(given), "", f"there is no such file or folder; correct {option}"))
        return given
    if not default.exists():
        raise ConfigError(Problem(option, "", f"there is no folder {default} here; name the one to use with {option}"))
    return default


def terminal_width() -> int | None:
    """How many characters fit on a line of the terminal that standard output is; None if it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def tools_cache() -> Path:
    """Where `make setup` puts the tools: `.cache/tools` of the checkout that this runs from."""
    return Path(__file__).resolve().parent.parent / ".cache" / "tools"
