"""`pratique policy`: what the policies of a bundle demand, from their own METADATA; tests of them, and new ones."""

from __future__ import annotations

import argparse
import sys
from typing import Any, cast

import orjson

from pratique.policy import PolicyMetadata, PolicySet
from pratiquectl import policy_new, policy_test
from pratiquectl.__main__ import EXIT_DONE, Subparsers
from pratiquectl.options import add_policies, find_policy, policies_path, terminal_width
from reports.columns import write_table
from reports.text import visible


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "policy",
        help="list policies, show one, test them, begin one",
        description="List the policies of a bundle; show one: parameters, fix, controls; run their tests and cases; or "
        "write the beginnings of a new one.",
        epilog="Example: pratique policy show GPU-001",
        allow_abbrev=False,
    )
    what = parser.add_subparsers(title="what", dest="what", metavar="list|show|test|new", required=True)
    listed = what.add_parser("list", help="all of them", epilog="Example: pratique policy list", allow_abbrev=False)
    shown = what.add_parser(
        "show", help="one of them", epilog="Example: pratique policy show gpu/limit -o json", allow_abbrev=False
    )
    shown.add_argument("policy", metavar="NAME_OR_ID")
    policy_test.add_parser(cast(Subparsers, what))
    policy_new.add_parser(cast(Subparsers, what))
    for each in (listed, shown):
        add_policies(each)
        each.add_argument("-o", "--output", default="table", choices=("table", "json"), help="format (default: table)")


def run(args: argparse.Namespace) -> int:
    """Print what is asked for.

    Raises:
        PolicyError: the bundle cannot be loaded. InputError: there is no such policy in it.
    """
    if args.what == "test":
        return policy_test.run(args)
    if args.what == "new":
        return policy_new.run(args)
    policies = PolicySet.load(policies_path(args))
    if args.what == "list":
        ordered = sorted(policies.policies.values(), key=lambda policy: policy.name)
        if args.output == "json":
            _write_json({"bundle_digest": policies.digest, "policies": [_document(policy) for policy in ordered]})
        else:
            rows = [
                [each.id, each.name, each.severity.value, " ".join(sorted(each.subjects)), each.title]
                for each in ordered
            ]
            columns = ("id", "name", "severity", "judges", "title")
            write_table(rows, sys.stdout, columns=columns, terminal=terminal_width(), whole=("id", "name"))
        return EXIT_DONE
    policy = find_policy(policies, args.policy)
    if args.output == "json":
        _write_json(_document(policy))
    else:
        print(_text(policy))
    return EXIT_DONE


def _write_json(value: Any) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def _document(policy: PolicyMetadata) -> dict[str, Any]:
    return {
        "id": policy.id,
        "name": policy.name,
        "title": policy.title,
        "description": policy.description,
        "severity": policy.severity,
        "subjects": sorted(policy.subjects),
        "needs": sorted(policy.needs),
        "parameters": policy.parameters,
        "remediation": policy.remediation,
        "controls": policy.controls,
        "has_patches": policy.has_patches,
        "override": policy.override,
        "references": policy.references,
        "file": policy.file,
    }


def _text(policy: PolicyMetadata) -> str:
    lines = [
        f"{policy.id} {policy.name} ({policy.severity})",
        policy.title,
        "",
        policy.description,
        "",
        f"judges      {', '.join(sorted(policy.subjects))}",
        f"needs       {', '.join(sorted(policy.needs)) or 'nothing beside the object'}",
        f"fix         {policy.remediation}",
    ]
    if policy.has_patches:
        reach = "what is missing, and what the author wrote" if policy.override else "what is missing"
        lines.append(f"patches     {reach} (see docs/mutation.md)")
    lines += [f"control     {framework}: {', '.join(ids)}" for framework, ids in sorted(policy.controls.items())]
    lines += [f"reference   {reference}" for reference in policy.references]
    lines.append(f"file        {policy.file}")
    if policy.parameters:
        lines += ["", "Parameters"]
    for name, schema in policy.parameters.items():
        rest = {key: value for key, value in schema.items() if key != "description"}
        lines.append(f"  {name}  {orjson.dumps(rest).decode()}")
        if description := schema.get("description"):
            lines.append(f"      {description}")
    return "\n".join(visible(line, limit=4000) for line in lines)
