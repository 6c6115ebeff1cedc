"""`pratique waiver new`: write a request for an exception."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from pratique.approvers import approver_list
from pratique.configuration import build, trusted_approvers
from pratique.errors import ConfigError, InputError, Problem
from pratique.policy import PolicySet
from pratique.schemas import API_VERSION
from pratique.waiver import written_time
from pratique.yamlfile import Document, load_documents
from pratiquectl.__main__ import EXIT_DONE, Subparsers
from pratiquectl.options import add_approvers, add_now, add_policies, approvers_path, clock, policies_path, utc_time

MAX_DAYS = 3650
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""RFC 1123 subdomain, as Kubernetes wants names: the same document can go into a cluster, and names a file here."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the parser of `new`."""
    parser = subparsers.add_parser(
        "new",
        help="write a request for an exception",
        description="Write a waiver that nobody approved yet. It is narrow where --namespace, --kind, --object, "
        "--label and --image say so, and leaves the limits in place but for those that --parameter raises.",
        epilog="Example: pratique waiver new --name finetune-q4 --policy gpu/limit --parameter max_gpus=16 "
        "--namespace ml-research --kind Job --object 'finetune-*' --reason 'quarterly fine-tuning, agreed on' "
        "--ticket FIN-204 --requested-by ada@example.com --days 30",
        allow_abbrev=False,
    )
    parser.add_argument("--name", required=True, metavar="NAME")
    parser.add_argument(
        "--policy", action="append", required=True, metavar="NAME_OR_ID", help="what to waive; repeat for more"
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="raise this limit instead of waiving the policy whole; repeat for more",
    )
    for option, metavar, text in (
        ("--namespace", "NS", "only in this namespace (or glob)"),
        ("--kind", "KIND", "only for this kind"),
        ("--object", "NAME", "only for objects of this name (or glob)"),
        ("--label", "KEY=VALUE", "only for objects with this label"),
        ("--image", "IMAGE", "only for objects all of whose images match (globs, full names)"),
    ):
        parser.add_argument(option, action="append", default=[], metavar=metavar, help=f"{text}; repeat for more")
    parser.add_argument("--reason", required=True, metavar="TEXT")
    parser.add_argument("--ticket", default="", metavar="ID")
    parser.add_argument("--compensating-control", default="", metavar="TEXT", help="what is done about the risk")
    parser.add_argument("--requested-by", required=True, metavar="NAME", help="you; somebody else must approve it")
    end = parser.add_mutually_exclusive_group(required=True)
    end.add_argument("--expires", type=utc_time, metavar="TIME", help="when it ends, such as 2026-12-31T00:00:00Z")
    end.add_argument("--days", type=_days, metavar="N", help="it ends so many days from now")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a new file (default: standard output)")
    add_policies(parser)
    add_approvers(parser)
    add_now(parser)


def run(args: argparse.Namespace) -> int:
    """Write the waiver.

    Raises:
        ConfigError: it would not load. InputError: an argument is wrong, or the waiver would run too long.
    """
    now: datetime = clock(args)()
    policies = PolicySet.load(policies_path(args))
    document = _document(args, policies, now)
    source = Document(str(args.out or "(new waiver)"), 0, 1, document)
    (waiver,) = build([source], policies, unbound=True).waivers
    if waiver.expires <= now:
        raise InputError(f"it would end at {written_time(waiver.expires)}, which is over; name a later time")
    trusted = trusted_approvers(approvers_path(args))
    if trusted is not None:
        waived = [policies.policies[name] for name in waiver.policies]
        if why := approver_list(trusted).why_too_long(waived, start=now, end=waiver.expires):
            raise InputError(f"it would not count: {why}")
    text = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120)
    if args.out is None:
        sys.stdout.write(text)
        return EXIT_DONE
    try:
        with args.out.open("x") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise ConfigError(Problem(str(args.out), "", "there is a file of this name; name another")) from error
    print(f"{args.out}: {waiver.name}, until {written_time(waiver.expires)}; it counts once somebody approved it:")
    print(f"  pratique waiver approve {args.out} --key KEY --approvers APPROVERS")
    return EXIT_DONE


def _document(args: argparse.Namespace, policies: PolicySet, now: datetime) -> dict[str, Any]:
    """Raises: InputError."""
    if not NAME.fullmatch(args.name):
        raise InputError(f"{args.name!r} is not a name: write lower-case letters, digits, dots and hyphens")
    ids = {policy.id: policy.name for policy in policies.policies.values()}
    match: dict[str, Any] = {}
    if args.namespace:
        match["namespaces"] = {"include": args.namespace}
    if args.kind:
        match["kinds"] = args.kind
    if args.object:
        match["names"] = args.object
    if args.label:
        match["selector"] = {"matchLabels": dict(_pair(text, "--label") for text in args.label)}
    if args.image:
        match["images"] = args.image
    spec: dict[str, Any] = {"policies": [ids.get(name.upper(), name) for name in args.policy], "match": match}
    if args.parameter:
        spec["parameters"] = {
            name: _value(value) for name, value in (_pair(text, "--parameter") for text in args.parameter)
        }
    spec["reason"] = args.reason
    if args.ticket:
        spec["ticket"] = args.ticket
    if args.compensating_control:
        spec["compensatingControl"] = args.compensating_control
    spec["requestedBy"] = args.requested_by
    spec["expires"] = written_time(args.expires if args.expires is not None else now + timedelta(days=args.days))
    return {"apiVersion": API_VERSION, "kind": "Waiver", "metadata": {"name": args.name}, "spec": spec}


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InputError(f"{option} is {text!r}, not NAME=VALUE")
    return name, value


def _value(text: str) -> Any:
    """The value that `text` is in YAML, read as in files."""
    for document in load_documents(text, "--parameter"):
        if isinstance(document, Problem):
            raise InputError(f"--parameter has a value that cannot be read: {document.message}")
        return document.value
    return None


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 1 to {MAX_DAYS}")
    return int(text)
