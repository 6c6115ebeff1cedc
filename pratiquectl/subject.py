"""`pratique subject`: what policies see of an object."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import yaml

from pratique.canonical import compact_json
from pratique.document import subject_document
from pratique.errors import InputError, Problem
from pratique.kinds import context_of, subject_of
from pratiquectl.__main__ import EXIT_DONE, EXIT_ERROR, Subparsers
from pratiquectl.check import default_namespace
from pratiquectl.manifests import Found, Manifest, read_manifests


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "subject",
        help="show what policies see of manifests",
        description="Print the subject of each object exactly as it is in the input of a policy: pods, images, models "
        "and GPUs, each with a JSON pointer into the object. Autoscalers and resource claims among the same manifests "
        "count, as they do for `check`. Exit code 2: something could not be read, or nothing was there.",
        epilog="Example: pratique subject examples/llm-server.yaml",
        allow_abbrev=False,
    )
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="file, folder (searched for YAML and JSON files), or - for stdin"
    )
    parser.add_argument("-o", "--output", default="yaml", choices=tuple(_WRITERS), help="format (default: yaml)")
    parser.add_argument(
        "--namespace", default="default", metavar="NS", help="for objects that do not name theirs (default: default)"
    )
    parser.add_argument(
        "--identity", action="store_true", help="with the name and owners, which only policies that need them see"
    )


def run(args: argparse.Namespace) -> int:
    """Print the subjects; what cannot be read is a sentence on stderr and does not keep the others from being shown."""
    found = list(read_manifests(args.paths))
    subjects, problems = _subjects(found, namespace=args.namespace, identity=args.identity)
    _WRITERS[args.output](subjects)
    for problem in problems:
        print(f"pratique: {problem}", file=sys.stderr)
    if not subjects and not problems:
        print("pratique: there was no object; see that the paths are right", file=sys.stderr)
        return EXIT_ERROR
    return EXIT_ERROR if problems else EXIT_DONE


def _subjects(
    found: Sequence[Found], *, namespace: str, identity: bool
) -> tuple[list[tuple[Manifest, dict[str, Any]]], list[Problem]]:
    manifests = [item for item in found if isinstance(item, Manifest)]
    problems = [item for item in found if isinstance(item, Problem)]
    context = context_of((item.object for item in manifests), namespace=namespace)
    subjects = []
    for item in manifests:
        try:
            place = default_namespace(item.object, namespace)
            subject = subject_of(item.object, namespace=place, context=context)
            # Through JSON, as it goes to a policy: what cannot be carried there shows here.
            document = orjson.loads(compact_json(subject_document(subject, identity=identity)))
        except InputError as error:
            problems.append(Problem(item.file, f"line {item.line}", str(error)))
        else:
            subjects.append((item, document))
    return subjects, problems


def _write_json(subjects: Iterable[tuple[Manifest, dict[str, Any]]]) -> None:
    value = [{"file": item.file, "line": item.line, "subject": document} for item, document in subjects]
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


class _Dumper(yaml.CSafeDumper):
    """Writes every value where it is used, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _write_yaml(subjects: Iterable[tuple[Manifest, dict[str, Any]]]) -> None:
    for item, document in subjects:
        place = orjson.dumps(item.file).decode()  # a file name may hold a line break
        sys.stdout.write(f"---\n# {place}, line {item.line}\n")
        yaml.dump({"subject": document}, sys.stdout, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


_WRITERS = {"yaml": _write_yaml, "json": _write_json}
"""Every format there is."""
