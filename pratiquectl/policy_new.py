"""`pratique policy new`: the beginnings of a policy, with tests and cases that pass as they stand."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from pratique.decision import Severity
from pratique.errors import InputError
from pratique.policy import PolicySet
from pratiquectl.__main__ import EXIT_DONE, Subparsers
from pratiquectl.options import add_policies, policies_path
from pratiquectl.policy_test import DEFAULT_CASES

_NAME = re.compile(r"[a-z][a-z0-9-]*/[a-z][a-z0-9-]*")
_ID = re.compile(r"[A-Z][A-Z0-9-]*-[0-9]{3}")

RULES = """\
# METADATA
# title: {title}
# description: >-
#   Say here what goes wrong without this policy, in words that whoever is refused understands.
# scope: package
# custom:
#   id: {id}
#   severity: {severity}
#   subjects: [workload]
#   needs: []
#   reads: {{}}
#   parameters:
#     label:
#       description: The label that every workload has.
#       type: string
#       minLength: 1
#       default: {label}
#   remediation: Add the label {label} under metadata.labels.
package policies.{area}.{policy}

violations contains {{"message": message, "path": path}} if {{
	name := input.parameters.label
	not _is_text(object.get(_labels, name, null))
	message := concat("", ["the label ", name, " has no text; required is some"])
	path := concat("", ["/metadata/labels/", replace(replace(name, "~", "~0"), "/", "~1")])
}}

_labels := labels if {{
	labels := object.get(input.subject, "labels", {{}})
	is_object(labels)
}} else := {{}}

_is_text(value) if {{
	is_string(value)
	value != ""
}}
"""

TESTS = """\
package policies.{area}.{policy}_test

import data.policies.{area}.{policy}

_violations(subject) := found if {{
	found := {policy}.violations with input as {{"subject": subject, "parameters": {{"label": "example.com/a~b"}}}}
}}

_finding := {{{{
	"message": "the label example.com/a~b has no text; required is some",
	"path": "/metadata/labels/example.com~1a~0b",
}}}}

test_with_the_label if {{
	_violations({{"labels": {{"example.com/a~b": "x"}}}}) == set()
}}

test_without_the_label if {{
	every labels in [null, [], {{}}, {{"example.com/a~b": ""}}] {{
		_violations({{"labels": labels}}) == _finding
	}}
	_violations({{}}) == _finding
}}

test_other_types if {{
	every value in [null, 1, true, [], {{}}] {{
		_violations({{"labels": {{"example.com/a~b": value}}}}) == _finding
	}}
}}
"""

CASE = """\
# {comment}
object:
  apiVersion: v1
  kind: Pod
  metadata:
    name: example
    namespace: default
    labels:
      app: example
{label}  spec:
    containers:
    - name: main
      image: registry.internal/example:1.0.0
"""

FOUND = """\
findings:
- path: /metadata/labels/{label}
  message: the label {label} has no text; required is some
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "new",
        help="write the beginnings of one",
        description="Write a new policy that demands a label, its unit tests and its cases. They pass as they stand "
        "(pratique policy test AREA/NAME); make it demand what you want from there. Nothing that exists is changed.",
        epilog="Example: pratique policy new prompt/owner --title 'Prompts name their owner'",
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="AREA/NAME")
    parser.add_argument("--title", default="", help="what holds where the policy is kept (default: from its name)")
    parser.add_argument("--id", default="", help="default: the next free one of the area")
    parser.add_argument(
        "--severity", type=Severity, choices=tuple(Severity), default=Severity.MEDIUM, help="default: medium"
    )
    add_policies(parser)
    parser.add_argument(
        "--cases", type=Path, default=DEFAULT_CASES, metavar="FOLDER", help=f"the cases (default: {DEFAULT_CASES})"
    )


def run(args: argparse.Namespace) -> int:
    """Write the files and name them.

    Raises:
        InputError: the name or the id cannot be used, or the policy exists. OSError: a file cannot be written.
        PolicyError: the bundle cannot be loaded.
    """
    if not _NAME.fullmatch(args.name):
        raise InputError(f"{args.name!r} is no name of a policy; write AREA/NAME with a-z, 0-9 and -")
    root = policies_path(args)
    if not root.is_dir():
        raise InputError(f"{root} is no folder; a new policy is written into a folder of policies")
    policies = PolicySet.load(root)
    area, name = args.name.split("/")
    identifier = args.id or _next_id(policies, area)
    if not _ID.fullmatch(identifier):
        raise InputError(f"{identifier!r} is no id of a policy; write one such as GPU-001")
    if taken := [policy.name for policy in policies.policies.values() if policy.id == identifier]:
        raise InputError(f"{identifier} is the id of {taken[0]}; ids are never used again")
    words = {
        "id": identifier,
        "title": _yaml(args.title or f"Workloads have the label {name}"),
        "severity": args.severity.value,
        "label": name,
        "area": area.replace("-", "_"),
        "policy": name.replace("-", "_"),
    }
    labelled = f"      {name}: example\n"
    cases = args.cases / area / name
    empty = f'      {name}: ""\n'
    files = {
        root / area / name / f"{name}.rego": RULES.format(**words),
        root / area / name / f"{name}_test.rego": TESTS.format(**words),
        cases / "allow_label_missing.yaml": CASE.format(comment="With the label.", label=labelled),
        cases / "deny_label_missing.yaml": CASE.format(comment="Without the label.", label="") + FOUND.format(**words),
        cases / "allow_label_empty.yaml": CASE.format(comment="With some text.", label=labelled),
        cases / "deny_label_empty.yaml": CASE.format(comment="Empty text is none.", label=empty)
        + FOUND.format(**words),
    }
    if existing := [str(file) for file in files if file.exists()]:
        raise InputError(f"{', '.join(existing)} exists already; nothing was written")
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        print(file)
    print(f"Test it: pratique policy test {args.name}; then bind it, or nothing is judged by it.")
    return EXIT_DONE


def _yaml(text: str) -> str:
    """`text` as it can stand in YAML."""
    return text if re.fullmatch(r"[A-Za-z][\w ,.()/-]*", text) else json.dumps(text)


def _next_id(policies: PolicySet, area: str) -> str:
    """The id after the highest of the area."""
    prefix, highest = area.upper(), 0
    for policy in policies.policies.values():
        if policy.name.startswith(f"{area}/"):
            prefix, _, number = policy.id.rpartition("-")
            highest = max(highest, int(number) if number.isdigit() else 0)
    return f"{prefix}-{highest + 1:03}"
