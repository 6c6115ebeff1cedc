"""`pratique waiver`: ask for an exception, approve one, and see which count."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import cast

from pratique.configuration import Configuration, build, read_documents, trusted_approvers
from pratique.engine import Request, images_of, match_inputs
from pratique.errors import ConfigError, InputError, Problem
from pratique.kinds import subject_of
from pratique.policy import PolicySet
from pratique.stale import Standing, Target, standing
from pratiquectl import waiver_approve, waiver_new
from pratiquectl.__main__ import EXIT_DENIED, EXIT_DONE, EXIT_ERROR, Subparsers
from pratiquectl.check import default_namespace
from pratiquectl.manifests import Manifest, read_manifests
from pratiquectl.options import (
    add_approvers,
    add_config,
    add_now,
    add_policies,
    add_state,
    approvers_path,
    clock,
    config_path,
    ledger_reader,
    policies_path,
    terminal_width,
)
from reports.waivers import text, write_waivers_json, write_waivers_table


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "waiver",
        help="ask for an exception, approve one, and see which count",
        description="Waivers are exceptions with a reason and an end, approved by somebody else than who asks for "
        "them. They lie among the bindings as YAML, and their approvals beside them as signatures.",
        epilog="Example: pratique waiver list --approvers approvers.yaml",
        allow_abbrev=False,
    )
    what = parser.add_subparsers(title="what", dest="what", metavar="new|approve|list|show|check", required=True)
    waiver_new.add_parser(cast(Subparsers, what))
    waiver_approve.add_parser(cast(Subparsers, what))
    listed = what.add_parser(
        "list",
        help="all of them",
        description="List waivers. --stale lists those that somebody should look at: expired or about to be (7 days), "
        "never used as far back as the ledger in --state goes, or for something that is not among --targets any more. "
        "What could not be found out is said on stderr.",
        epilog="Example: pratique waiver list --stale --approvers approvers.yaml --targets examples",
        allow_abbrev=False,
    )
    listed.add_argument("--stale", action="store_true", help="only those that somebody should look at, and why")
    listed.add_argument("--targets", nargs="+", metavar="PATH", help="manifests of all that there is")
    listed.add_argument("-o", "--output", default="table", choices=("table", "json"), help="format (default: table)")
    shown = what.add_parser(
        "show",
        help="one of them",
        epilog="Example: pratique waiver show finetune-q4 --approvers approvers.yaml",
        allow_abbrev=False,
    )
    shown.add_argument("name", metavar="NAME")
    shown.add_argument("-o", "--output", default="text", choices=("text", "json"), help="format (default: text)")
    for each in (listed, shown):
        add_state(each)
    checked = what.add_parser(
        "check",
        help="whether all of them count",
        description="Say of each waiver whether it counts and why not. Exit code 0: all count. 1: at least one does "
        "not. 2: something could not be read, or there is no waiver.",
        epilog="Example: pratique waiver check --approvers approvers.yaml --now 2026-11-25T00:00:00Z",
        allow_abbrev=False,
    )
    checked.set_defaults(output="table")
    for each in (listed, shown, checked):
        add_config(each)
        add_policies(each)
        add_approvers(each)
        add_now(each)


def run(args: argparse.Namespace) -> int:
    """Do what is asked for.

    Raises:
        LoadError, InputError, VerificationError, EvidenceUnavailable: it cannot be done.
    """
    match args.what:
        case "new":
            return waiver_new.run(args)
        case "approve":
            return waiver_approve.run(args)
        case "list":
            return _list(args)
        case "show":
            return _show(args)
    return _check(args)


def _configuration(args: argparse.Namespace) -> Configuration:
    return build(
        read_documents(config_path(args)),
        PolicySet.load(policies_path(args)),
        approvers=trusted_approvers(approvers_path(args)),
        unbound=True,
    )


def _list(args: argparse.Namespace) -> int:
    configuration = _configuration(args)
    found = _standings(args, configuration, targets=_targets(args.targets, configuration) if args.targets else None)
    if args.stale:
        for reason in dict.fromkeys(reason for each in found for reason in each.unknown):
            names = ", ".join(each.waiver.name for each in found if reason in each.unknown)
            print(f"pratique: {reason} ({names})", file=sys.stderr)
        found = [each for each in found if each.stale]
    if args.output == "json":
        write_waivers_json(found, sys.stdout)
    elif found:
        write_waivers_table(found, sys.stdout, terminal=terminal_width(), stale=args.stale)
    else:
        print(f"pratique: there is no waiver{' that is stale' if args.stale else ''}", file=sys.stderr)
    return EXIT_DONE


def _show(args: argparse.Namespace) -> int:
    configuration = _configuration(args)
    found = [each for each in _standings(args, configuration, targets=None) if each.waiver.name == args.name]
    if not found:
        known = ", ".join(waiver.name for waiver in configuration.waivers) or "none"
        raise InputError(f"there is no waiver {args.name!r}; there are: {known}")
    if args.output == "json":
        write_waivers_json(found, sys.stdout)
    else:
        print(text(found[0]))
    return EXIT_DONE


def _check(args: argparse.Namespace) -> int:
    now = clock(args)()
    found = [standing(waiver, now=now) for waiver in _configuration(args).waivers]
    if not found:
        print("pratique: there is no waiver; see that --config is right", file=sys.stderr)
        return EXIT_ERROR
    write_waivers_table(found, sys.stdout, terminal=terminal_width(), stale=False)
    return EXIT_DONE if all(each.counts for each in found) else EXIT_DENIED


def _standings(
    args: argparse.Namespace, configuration: Configuration, *, targets: Sequence[Target] | None
) -> list[Standing]:
    reader = ledger_reader(args)
    used = reader.waivers_used() if Path(reader.path).exists() else None
    now: datetime = clock(args)()
    return [standing(waiver, now=now, used=used, targets=targets) for waiver in configuration.waivers]


def _targets(paths: Sequence[str], configuration: Configuration) -> list[Target]:
    """The objects in the manifests at `paths`.

    Raises:
        ConfigError: one of them cannot be read: it may be just what a waiver is for.
    """
    found = []
    problems = []
    for item in read_manifests(paths):
        if isinstance(item, Manifest):
            subject = subject_of(item.object, namespace=default_namespace(item.object, "default"))
            inputs = match_inputs(subject, Request(), configuration.namespaces.get)
            found.append(Target(inputs, images_of(subject)))
        elif isinstance(item, Problem):
            problems.append(item)
    if problems:
        raise ConfigError(*problems)
    return found
