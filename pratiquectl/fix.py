"""`pratique fix`: what policies would change, written into the manifests themselves."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import Any

from pratique.canonical import parse_json
from pratique.configuration import Configuration, load_configuration
from pratique.decision import Door, Patch, Result
from pratique.engine import Engine, Request
from pratique.errors import InputError, Problem
from pratique.kinds import subject_of
from pratique.mutation import Change, Mutation
from pratique.pointer import pointer
from pratique.policy import PolicySet
from pratique.yamlfile import load_documents
from pratiquectl.__main__ import EXIT_DENIED, EXIT_DONE, EXIT_ERROR, Subparsers
from pratiquectl.check import DECISION_SECONDS, default_namespace, engine_over
from pratiquectl.manifests import MAX_FILE_BYTES, STDIN, manifest_files, read_manifests
from pratiquectl.options import (
    add_config,
    add_engine,
    add_evidence,
    add_policies,
    config_path,
    policies_path,
    terminal_width,
)
from pratiquectl.rewrite import Part, RewriteError, parts, rewritten_json, rewritten_yaml
from reports.text import visible

EXIT_TO_FIX = EXIT_DENIED

_BOM = "\ufeff"
_COLOURS = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "fix",
        help="write what policies would change into manifests, or show it",
        description="Apply the patches of all policies that are bound at the door `ci`, those that the cluster would "
        "apply among them, to YAML and JSON files: comments, order and quotes stay, and so does what the author wrote, "
        "unless a policy overrides it. Exit code 0: nothing to fix, or written. 1: there is something to fix (--diff). "
        "2: something could not be read, evaluated or written; this wins, and the other files are fixed all the same.",
        epilog="Example: pratique fix examples --policies policies --config policies/bindings",
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file, or folder (searched for YAML and JSON files)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--diff", action="store_true", help="print what would change as a unified diff (the default)")
    how.add_argument("--write", action="store_true", help="change the files, each of them whole or not at all")
    add_config(parser)
    add_policies(parser)
    add_evidence(parser)
    add_engine(parser)
    parser.add_argument(
        "--namespace", default="default", metavar="NS", help="for objects that do not name theirs (default: default)"
    )


def run(args: argparse.Namespace) -> int:
    """Fix what is at the paths, or show it. The diff goes to standard output, everything else to standard error.

    Raises:
        LoadError, EvaluationError: there is nothing to fix with. InputError: standard input cannot be fixed.
    """
    if STDIN in args.paths:
        raise InputError("standard input cannot be fixed; name a file or a folder")
    policies = PolicySet.load(policies_path(args))
    configuration = load_configuration(config_path(args), policies)
    fixes = asyncio.run(_fix(args, policies, configuration))
    problems = [problem for fix in fixes for problem in fix.problems]
    changed = [fix for fix in fixes if fix.after != fix.before]
    if args.write:
        problems += [problem for fix in changed if (problem := _write(fix)) is not None]
    else:
        for fix in changed:
            sys.stdout.write(_diff(fix, coloured=terminal_width() is not None))
        sys.stdout.flush()
    _report(changed, problems, fixes, wrote=args.write)
    if problems or not fixes:
        return EXIT_ERROR
    return EXIT_TO_FIX if changed and not args.write else EXIT_DONE


@dataclass(frozen=True, slots=True)
class _Fix:
    """One file: its bytes before and after, what was changed in it where, and what went wrong."""

    file: Path
    before: bytes = b""
    after: bytes = b""
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


async def _fix(args: argparse.Namespace, policies: PolicySet, configuration: Configuration) -> list[_Fix]:
    found = list(read_manifests(args.paths))
    async with engine_over(found, args, policies, configuration, clock=lambda: datetime.now(UTC)) as engine:
        fixer = _Fixer(engine, namespace=args.namespace)
        return [
            _Fix(Path(file.file), problems=(file,)) if isinstance(file, Problem) else await fixer.fixed(file)
            for file in manifest_files(args.paths)
        ]


class _Fixer:
    """Fixes one file after the other."""

    def __init__(self, engine: Engine, *, namespace: str) -> None:
        self._engine = engine
        self._namespace = namespace

    async def fixed(self, file: Path) -> _Fix:
        """The file as it would be. Never raises for what is in it."""
        try:
            with file.open("rb") as stream:
                content = stream.read(MAX_FILE_BYTES + 1)
            if len(content) > MAX_FILE_BYTES:
                raise InputError(f"more than {MAX_FILE_BYTES} bytes; split it")
            text = content.decode()
        except OSError as error:
            return _Fix(file, problems=(Problem(str(file), "", f"this cannot be read: {error.strerror}"),))
        except UnicodeDecodeError:
            message = "this is not UTF-8 text; save the file as UTF-8 YAML or JSON"
            return _Fix(file, content, content, problems=(Problem(str(file), "", message),))
        except InputError as error:
            return _Fix(file, problems=(Problem(str(file), "", str(error)),))
        bom = _BOM if text.startswith(_BOM) else ""
        newline = "\r\n" if "\r\n" in text else "\n"
        whole = text.removeprefix(bom).replace("\r\n", "\n")
        json = file.suffix == ".json" or _is_json(whole)
        notes: list[str] = []
        problems: list[Problem] = []
        after = []
        for part in [Part(whole, 1)] if json else parts(whole):
            fixed, said, wrong = await self._part(file, part, json=json)
            after.append(fixed)
            notes += said
            problems += wrong
        changed = "".join(after)
        if changed == whole:
            return _Fix(file, content, content, tuple(notes), tuple(problems))
        return _Fix(file, content, (bom + changed.replace("\n", newline)).encode(), tuple(notes), tuple(problems))

    async def _part(self, file: Path, part: Part, *, json: bool) -> tuple[str, list[str], list[Problem]]:
        """One document as it would be, what was changed in it, and what went wrong."""
        notes: list[str] = []
        problems: list[Problem] = []
        patches: list[Patch] = []
        for value in _values(file, part, json=json):
            if isinstance(value, Problem):
                problems.append(value)
                continue
            for place, obj in _objects(value):
                where = f"line {part.line}{f', {pointer(*place)}' if place else ''}"
                try:
                    mutation = await self._mutation(obj)
                except InputError as error:
                    problems.append(Problem(str(file), where, str(error)))
                    continue
                problems += _unanswered(mutation, str(file), where)
                prefix = pointer(*place)
                patches += [replace(patch, path=f"{prefix}{patch.path}") for patch in mutation.patches]
                subject = visible(str(mutation.decision.subject))
                notes += [
                    f"{visible(str(file))}:{part.line}: {subject}: {_said(change)}" for change in mutation.changes
                ]
        if not patches:
            return part.text, notes, problems
        try:
            fixed = rewritten_json(part.text, patches) if json else rewritten_yaml(part.text, patches)
        except RewriteError as error:
            return part.text, [], [*problems, Problem(str(file), f"line {part.line}", str(error))]
        return fixed, notes, problems

    async def _mutation(self, obj: Mapping[str, Any]) -> Mutation:
        subject = subject_of(obj, namespace=default_namespace(obj, self._namespace))
        return await self._engine.mutate(
            subject,
            Door.CI,
            request=Request(operation="CREATE"),
            deadline=time.monotonic() + DECISION_SECONDS,
            all_bindings=True,
        )


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        parse_json(text.encode())
    except InputError:
        return False
    return True


def _values(file: Path, part: Part, *, json: bool) -> Iterator[Any]:
    """What `part` says, or a Problem."""
    if json:
        try:
            yield parse_json(part.text.encode())
        except InputError as error:
            yield Problem(str(file), "", str(error))
        return
    # Blank lines stand for those before the part, so that a problem is named at its own line.
    for document in load_documents("\n" * (part.line - 1) + part.text, str(file)):
        yield document if isinstance(document, Problem) else document.value


def _objects(
    value: Any, place: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Any]]]:
    """The Kubernetes object that `value` is, or those in it if it is a List, each with its place."""
    if not isinstance(value, dict) or not value.get("apiVersion") or not isinstance(value.get("kind"), str):
        return
    items = value.get("items")
    if not value["kind"].endswith("List") or not isinstance(items, list):
        yield place, value
        return
    for index, item in enumerate(items):
        if value["kind"] != "List" and isinstance(item, dict):  # items of a typed list do not repeat what they are
            item = {"apiVersion": value["apiVersion"], "kind": value["kind"].removesuffix("List"), **item}
        yield from _objects(item, (*place, "items", index))


def _unanswered(mutation: Mutation, file: str, where: str) -> Iterator[Problem]:
    for evaluation in mutation.decision.with_result(Result.ERROR, Result.NOT_EVALUATED):
        subject = visible(str(mutation.decision.subject))
        yield Problem(file, where, f"{subject} is not fixed: {evaluation.policy_id}: {visible(evaluation.reason)}")


def _said(change: Change) -> str:
    return f"{change.policy_id} {change.op}s {visible(change.path)}"


def _diff(fix: _Fix, *, coloured: bool) -> str:
    """A unified diff that `git apply` and `patch -p1` take."""
    name = fix.file.as_posix().lstrip("/")
    before, after = (text.decode(errors="replace").splitlines(keepends=True) for text in (fix.before, fix.after))
    lines = []
    for line in unified_diff(before, after, f"a/{name}", f"b/{name}"):
        whole = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        if coloured:
            shown = visible(whole.rstrip("\r\n"), limit=2000)
            colour = _BOLD if whole.startswith(("---", "+++")) else _COLOURS.get(whole[0], "")
            whole = f"{colour}{shown}{_PLAIN if colour else ''}\n"
        lines.append(whole)
    return "".join(lines)


def _write(fix: _Fix) -> Problem | None:
    """Replace the file in one step, so that it is whole at every moment; why not, if that fails."""
    target = fix.file.resolve()  # a symbolic link stays one
    try:
        if target.read_bytes() != fix.before:
            return Problem(str(fix.file), "", "it changed while it was being fixed; run this again")
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(fix.after)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(target.stat().st_mode & 0o7777)
            Path(name).replace(target)
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        return Problem(str(fix.file), "", f"this cannot be written: {error.strerror}")
    return None


def _report(changed: Sequence[_Fix], problems: Iterable[Problem], fixes: Sequence[_Fix], *, wrote: bool) -> None:
    for fix in changed:
        for note in fix.notes:
            print(note, file=sys.stderr)
    for problem in problems:
        print(f"pratique: {visible(str(problem), limit=2000)}", file=sys.stderr)
    count = f"{len(changed)} of {len(fixes)} {'file' if len(fixes) == 1 else 'files'}"
    if wrote:
        print(f"{count} written", file=sys.stderr)
    elif changed:
        print(f"{count} would be changed; `--write` does it", file=sys.stderr)
    else:
        print(f"{count} would be changed", file=sys.stderr)
