"""Options that several verbs share."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pratique.configuration import Configuration, load_configuration
from pratique.engine import Request
from pratique.errors import ConfigError, InputError, Problem
from pratique.ledger import DATABASE_NAME, LedgerReader
from pratique.policy import PolicyMetadata, PolicySet
from pratiquectl.places import tools_cache as tools_cache  # where other verbs look for it

if TYPE_CHECKING:
    from attestations.in_force import EvidenceInForce

DEFAULT_STATE = Path(".run", "state")
DEFAULT_POLICIES = Path("policies")
DEFAULT_CONFIG = Path("policies", "bindings")
STATE_VARIABLE = "PRATIQUE_STATE"
APPROVERS_VARIABLE = "PRATIQUE_APPROVERS"
EVIDENCE_CONFIG_VARIABLE = "PRATIQUE_EVIDENCE_CONFIG"
"""The same names as those of the server's settings."""
AUTHENTICATED = "system:authenticated"
"""The group of everybody whose name the API server knows."""


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


def add_approvers(parser: argparse.ArgumentParser) -> None:
    """`--approvers FILE`."""
    parser.add_argument(
        "--approvers",
        type=Path,
        default=os.environ.get(APPROVERS_VARIABLE) or None,
        metavar="FILE",
        help=f"who may approve waivers (default: ${APPROVERS_VARIABLE}; without one, no waiver counts)",
    )


def add_evidence_config(parser: argparse.ArgumentParser) -> None:
    """`--evidence-config FILE`."""
    parser.add_argument(
        "--evidence-config",
        type=Path,
        default=os.environ.get(EVIDENCE_CONFIG_VARIABLE) or None,
        metavar="FILE",
        help="who may sign, and how registries are reached (docs/evidence.md; default: "
        f"${EVIDENCE_CONFIG_VARIABLE}; without one, no evidence is looked up)",
    )


def add_evidence(parser: argparse.ArgumentParser) -> None:
    """`--evidence-config FILE` and `--evidence FILE`."""
    add_evidence_config(parser)
    parser.add_argument(
        "--evidence",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="what `pratique evidence export` wrote, in place of registries; may be repeated",
    )


def evidence_in_force(args: argparse.Namespace, *, clock: Callable[[], datetime]) -> EvidenceInForce | None:
    """What the options of `add_evidence` say; to be closed. Without them None.

    Raises:
        ConfigError: they cannot be used.
    """
    file = None if args.evidence_config is None else Path(args.evidence_config)
    if file is None:
        if args.evidence:
            message = "this says what hangs on images, and not who is trusted; name that with --evidence-config"
            raise ConfigError(Problem(str(args.evidence[0]), "", message))
        return None
    # Imported here: who looks up no evidence does not pay for an HTTP client and certificates.
    from attestations.in_force import EvidenceInForce, read_all_evidence

    return EvidenceInForce(file, environ=os.environ, recorded=read_all_evidence(args.evidence), clock=clock)


def approvers_path(args: argparse.Namespace) -> Path | None:
    """Where the list of approvers is."""
    return None if args.approvers is None else Path(args.approvers)


def add_now(parser: argparse.ArgumentParser) -> None:
    """`--now TIME`."""
    parser.add_argument(
        "--now",
        type=utc_time,
        default=None,
        metavar="TIME",
        help="the time to judge by, such as 2026-12-31T00:00:00Z (default: now): see what will have expired then",
    )


def clock(args: argparse.Namespace) -> Callable[[], datetime]:
    """The clock that `--now` stopped, or the one of this machine."""
    if args.now is None:
        return lambda: datetime.now(UTC)
    return lambda: cast(datetime, args.now)


def add_user(parser: argparse.ArgumentParser) -> None:
    """`--as-user NAME` and `--as-group NAME`."""
    parser.add_argument(
        "--as-user", default="", metavar="NAME", help="who is said to apply it: bindings may exempt users, or ask"
    )
    parser.add_argument(
        "--as-group", action="append", default=[], metavar="NAME", help="a group of that user; may be repeated"
    )


def request_of(args: argparse.Namespace) -> Request:
    """The creation of an object by who `--as-user` and `--as-group` name.

    Raises:
        InputError: there is a group without a user.
    """
    if args.as_group and not args.as_user:
        raise InputError("--as-group names the groups of somebody; name them with --as-user")
    groups = tuple(args.as_group)
    if args.as_user and AUTHENTICATED not in groups:
        groups += (AUTHENTICATED,)  # as the API server does (k8s.io/apiserver/pkg/endpoints/filters, impersonation)
    return Request(operation="CREATE", user=args.as_user, groups=groups)


def add_judging(parser: argparse.ArgumentParser) -> None:
    """What a decision is made by: `--config`, `--policies`, `--approvers`, `--now`, `--as-user`, `--as-group`,
    `--evidence-config` and `--evidence`."""
    add_config(parser)
    add_policies(parser)
    add_approvers(parser)
    add_now(parser)
    add_user(parser)
    add_evidence(parser)


def load_judging(args: argparse.Namespace) -> tuple[PolicySet, Configuration]:
    """The policies and the configuration that `--policies`, `--config` and `--approvers` name.

    Raises:
        LoadError: they cannot be loaded.
    """
    policies = PolicySet.load(policies_path(args))
    return policies, load_configuration(config_path(args), policies, approvers=approvers_path(args))


def add_engine(parser: argparse.ArgumentParser, *, default: str = "auto", help: str = "") -> None:
    """`--engine NAME`."""
    parser.add_argument(
        "--engine",
        default=default,
        choices=("auto", "opa", "regopy"),
        help=help or f"what runs the policies (default: {default})",
    )


def utc_time(text: str) -> datetime:
    """A time with its zone, for argparse."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time with its zone, such as 2026-12-31T00:00:00Z")
    return time.astimezone(UTC)


def policies_path(args: argparse.Namespace) -> Path:
    """Where the policies are.

    Raises:
        ConfigError: they were not named, and the default does not exist.
    """
    return _existing(args.policies, DEFAULT_POLICIES, "--policies")


def find_policy(policies: PolicySet, wanted: str) -> PolicyMetadata:
    """The policy of this name or id.

    Raises:
        InputError: there is none.
    """
    for policy in policies.policies.values():
        if wanted in (policy.name, policy.id) or wanted.upper() == policy.id:
            return policy
    known = ", ".join(f"{policy.id} ({policy.name})" for policy in policies.policies.values())
    raise InputError(f"there is no policy {wanted!r} in this bundle; it has: {known}")


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
