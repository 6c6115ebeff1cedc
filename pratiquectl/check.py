"""`pratique check`: the verdicts of the cluster, before anything gets there."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from attestations.inventory import Inventory
from attestations.recorded import load_facts
from evaluators.select import choose_engine, start_evaluator
from pratique.cache import DecisionCache
from pratique.configuration import Configuration
from pratique.decision import Decision, Door, Finding, Result, Severity
from pratique.engine import Engine, Request
from pratique.errors import InputError, Problem
from pratique.facts import FactSource
from pratique.kinds import ContentCache, Context, context_of, subject_of
from pratique.policy import PolicySet
from pratiquectl.__main__ import EXIT_DENIED, EXIT_DONE, EXIT_ERROR, Subparsers
from pratiquectl.baseline import read_baseline, write_baseline
from pratiquectl.inputs import Inputs, read_inputs
from pratiquectl.manifests import Found, Manifest, unread
from pratiquectl.options import (
    add_engine,
    add_judging,
    clock,
    config_path,
    evidence_in_force,
    load_judging,
    policies_path,
    request_of,
    terminal_width,
    tools_cache,
)
from reports.check import Item, Judged, Report
from reports.check_text import summary
from reports.explanation import explain
from reports.formats import CHECK_FORMATS, writer
from reports.text import visible

AT_ONCE = 32
"""Objects that are judged at one time: enough to keep an engine busy, few enough to keep in memory."""

DECISION_SECONDS = 30.0
"""How long one object may take; a few milliseconds are usual."""

MAX_SECONDS = 3600.0
"""What `--timeout` may be: nobody waits for longer."""

PROGRESS_AFTER_SECONDS = 2.0
PROGRESS_EVERY_SECONDS = 0.5

_CACHE_BYTES = 32 * 2**20

CLUSTER_SCOPED = frozenset(
    {
        ("", "Namespace"), ("", "Node"), ("", "PersistentVolume"), ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("rbac.authorization.k8s.io", "ClusterRole"), ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("storage.k8s.io", "StorageClass"), ("storage.k8s.io", "CSIDriver"), ("scheduling.k8s.io", "PriorityClass"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"), ("node.k8s.io", "RuntimeClass"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"), ("networking.k8s.io", "IngressClass"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"), ("apiregistration.k8s.io", "APIService"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"), ("resource.k8s.io", "DeviceClass"),
        ("serving.kserve.io", "ClusterServingRuntime"), ("serving.kserve.io", "ClusterStorageContainer"),
        ("serving.kserve.io", "LocalModelCache"), ("trainer.kubeflow.org", "ClusterTrainingRuntime"),
        ("argoproj.io", "ClusterWorkflowTemplate"), ("tekton.dev", "ClusterTask"),
        ("ai.platform.internal", "AIWorkspace"), ("ai.platform.internal", "ModelRegistry"),
    }
)  # fmt: skip
"""Kinds that have no namespace: they do not get the default one."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "check",
        help="judge manifests on disk as the cluster would",
        description="Judge manifests with the same engine, policies and bindings as the cluster, at the door `ci`. "
        "Exit code 0: all allowed. 1: at least one denied. 2: something could not be read or evaluated, or nothing was "
        "there to judge; this wins over 1, and the denials are printed all the same.",
        epilog="Example: pratique check examples --policies policies --config policies/bindings",
        allow_abbrev=False,
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="file, folder (searched for YAML and JSON files), or - for stdin"
    )
    what = parser.add_argument_group("what is judged")
    what.add_argument(
        "--helm", action="append", default=[], metavar="CHART", help="what `helm template` makes of it; may be repeated"
    )
    what.add_argument(
        "--values", action="append", default=[], metavar="FILE", help="values for the charts; may be repeated"
    )
    what.add_argument(
        "--kustomize", action="append", default=[], metavar="DIR", help="what `kustomize build` makes of it"
    )
    what.add_argument(
        "--changed-since",
        default="",
        metavar="REF",
        help="judge only what changed since git revision REF (since it and HEAD parted); the rest is still context. "
        "Where policies or configuration changed, everything is judged",
    )
    what.add_argument(
        "--namespace", default="default", metavar="NS", help="for objects that do not name theirs (default: default)"
    )
    add_judging(parser)
    parser.add_argument(
        "--facts", type=Path, metavar="FILE", help="recorded facts, for runs that must not ask a registry (docs/ci)"
    )
    add_engine(parser)
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=DECISION_SECONDS,
        metavar="SECONDS",
        help=f"how long one object may take, before it is undecided (default: {DECISION_SECONDS:g})",
    )
    verdict = parser.add_argument_group("the verdict")
    verdict.add_argument("--baseline", type=Path, metavar="FILE", help="findings that are known, and do not count")
    verdict.add_argument(
        "--write-baseline",
        type=Path,
        metavar="FILE",
        help="write all findings there are as a baseline; they do not count then",
    )
    verdict.add_argument(
        "--fail-on",
        type=Severity,
        choices=tuple(Severity),
        metavar="SEVERITY",
        help="exit code 1 for findings of this severity or a higher one, whether they deny or warn, and for no others: "
        "low, medium, high or critical (default: for everything that is denied)",
    )
    shown = parser.add_argument_group("the report")
    shown.add_argument(
        "-o",
        "--output",
        action="append",
        type=_output,
        metavar="FORMAT[=FILE]",
        help=f"format, and where to write it (default: text, standard output); may be repeated. There are: "
        f"{', '.join(CHECK_FORMATS)}",
    )
    shown.add_argument(
        "--explain", action="store_true", help="say of each object which bindings matched and why (text, json)"
    )
    shown.add_argument(
        "--catalogue", default="", metavar="URL", help="where the policies are described (default: README.md of theirs)"
    )


def _output(text: str) -> tuple[str, str]:
    name, _, file = text.partition("=")
    if name not in CHECK_FORMATS:
        raise argparse.ArgumentTypeError(f"there is no format {name!r}; there are: {', '.join(CHECK_FORMATS)}")
    return name, file


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds, above 0 and up to {MAX_SECONDS:g}")
    return seconds


def run(args: argparse.Namespace) -> int:
    """Judge what is at the paths and print the report; the exit code is the verdict.

    Raises:
        LoadError, EvaluationError: there is nothing to judge with. InputError: a tool that is needed is not there.
    """
    if not (args.paths or args.helm or args.kustomize):
        raise InputError("there is nothing to judge: name a file, a folder, - for stdin, --helm or --kustomize")
    outputs = args.output or [("text", "")]
    if sum(not file for _, file in outputs) > 1:
        raise InputError("two formats cannot share standard output; give all but one a file: -o sarif=report.sarif")
    if args.explain and not any(name in ("text", "json") for name, _ in outputs):
        raise InputError("--explain needs the format text or json")
    if args.values and not args.helm:
        raise InputError("--values are for charts; name one with --helm")
    policies, configuration = load_judging(args)
    baseline = None if args.baseline is None else read_baseline(args.baseline)
    found = read_inputs(
        Inputs(
            paths=args.paths,
            charts=args.helm,
            values=args.values,
            kustomizations=args.kustomize,
            namespace=args.namespace,
            changed_since=args.changed_since,
            judged_with=(policies_path(args), config_path(args)),
        )
    )
    report = replace(
        asyncio.run(_check(args, policies, configuration, found)),
        baseline=baseline,
        fail_on=args.fail_on,
        catalogue=_catalogue(args),
        root=str(Path.cwd()),
        version=version("pratique"),
    )
    if args.write_baseline is not None:
        count = write_baseline(args.write_baseline, report)
        print(f"{args.write_baseline}: {count} findings written", file=sys.stderr)
        report = replace(report, baseline=read_baseline(args.write_baseline))
    for name, file in outputs:
        write = writer(CHECK_FORMATS, name)
        if file:
            with Path(file).open("w", encoding="utf-8", errors="backslashreplace") as stream:
                write(report, stream, terminal=None)
        else:
            write(report, sys.stdout, terminal=terminal_width())
            sys.stdout.flush()
    if all(file for _, file in outputs):
        print(summary(report), file=sys.stderr)
    return _exit_code(report, changed_since=args.changed_since)


def _catalogue(args: argparse.Namespace) -> str:
    if args.catalogue:
        return str(args.catalogue)
    file = policies_path(args) / "README.md"
    return str(file) if file.is_file() else ""


def _exit_code(report: Report, *, changed_since: str) -> int:
    if not report.judged() and not report.problems:
        if changed_since:
            print(f"pratique: no manifest changed since {visible(changed_since)}", file=sys.stderr)
            return EXIT_DONE
        print("pratique: there was nothing to judge; see that the paths are right", file=sys.stderr)
        return EXIT_ERROR
    if report.is_open:
        return EXIT_ERROR
    return EXIT_DENIED if report.fails else EXIT_DONE


async def _check(
    args: argparse.Namespace, policies: PolicySet, configuration: Configuration, found: Sequence[Found]
) -> Report:
    recorded = {} if args.facts is None else load_facts(args.facts, clock=clock(args))
    async with engine_over(found, args, policies, configuration, clock=clock(args), recorded=recorded) as engine:
        judge = Judge(
            found,
            engine,
            namespace=args.namespace,
            request=request_of(args),
            explained=args.explain,
            seconds=args.timeout,
        )
        items = await judge.items()
    return Report(
        items=tuple(items),
        engine=engine.evaluator.name,
        engine_version=engine.evaluator.version,
        bundle_digest=policies.digest,
        configuration_digest=configuration.digest,
        policies=policies.policies,
    )


@asynccontextmanager
async def engine_over(
    found: Sequence[Found],
    args: argparse.Namespace,
    policies: PolicySet,
    configuration: Configuration,
    *,
    clock: Callable[[], datetime],
    recorded: Mapping[str, FactSource] | None = None,
) -> AsyncIterator[Engine]:
    """An engine for a whole input, on the evaluator that `--engine` chose: it knows the namespaces of the input, and
    what facts can be had from its objects, and evidence as the options say. Facts that were `recorded` count before any
    other source of theirs.

    Raises:
        LoadError, EvaluationError: there is nothing to judge with.
    """
    choice = choose_engine(args.engine, tools_cache=tools_cache(), environ=os.environ)
    async with AsyncExitStack() as stack:
        evidence = evidence_in_force(args, clock=clock)
        if evidence is not None:
            stack.push_async_callback(evidence.aclose)
        evaluator = await start_evaluator(choice, policies, asked=configuration.policies_bound)
        stack.push_async_callback(evaluator.close)
        yield Engine(
            policies=policies,
            configuration=configuration,
            evaluator=evaluator,
            facts={
                **{source.name: source for source in fact_sources(found, namespace=args.namespace, now=clock())},
                **(evidence.sources if evidence is not None else {}),
                **(recorded or {}),
            },
            namespace_labels=namespaces_known(found, configuration).get,
            cache=DecisionCache(max_bytes=_CACHE_BYTES),
            clock=clock,
        )


def fact_sources(found: Sequence[Found], *, namespace: str, now: datetime) -> Sequence[FactSource]:
    """The sources of facts that need no network: what the objects of an input say, each in its line."""
    objects = [item.object for item in found if isinstance(item, Manifest)]
    return [
        Inventory(objects, collected_at=now, namespace=namespace, unread=unread(found)),
    ]


def namespaces_known(found: Iterable[Found], configuration: Configuration) -> Mapping[str, Mapping[str, Any]]:
    """The labels of each namespace of the input or the configuration, with the one that the API server adds."""
    labels: dict[str, Mapping[str, Any]] = dict(configuration.namespaces)
    for item in found:
        if isinstance(item, Manifest) and (item.object.get("apiVersion"), item.object["kind"]) == ("v1", "Namespace"):
            metadata = item.object.get("metadata")
            if isinstance(metadata, dict) and isinstance(metadata.get("name"), str):
                own = metadata.get("labels")
                labels[metadata["name"]] = own if isinstance(own, dict) else {}
    return {name: {**own, "kubernetes.io/metadata.name": name} for name, own in labels.items()}


class Judge:
    """Judges objects that were found together, each in the light of the others."""

    def __init__(
        self,
        found: Sequence[Found],
        engine: Engine,
        *,
        namespace: str,
        request: Request,
        explained: bool = False,
        seconds: float = DECISION_SECONDS,
    ) -> None:
        self._found = found
        self._engine = engine
        self._namespace = namespace
        self._request = request
        self._explained = explained
        self._seconds = seconds
        self._content = ContentCache()
        objects = [item.object for item in found if isinstance(item, Manifest)]
        self._context: Context = context_of(objects, namespace=namespace)
        self._cluster_scoped = cluster_scoped(objects)

    async def items(self) -> list[Item]:
        """What became of each that is to be judged, in their order, at most `AT_ONCE` of them in the making."""
        wanted = [item for item in self._found if not isinstance(item, Manifest) or item.judged]
        progress = _Progress(len(wanted))
        items: list[Item] = []
        running: deque[asyncio.Task[Item]] = deque()
        try:
            for item in wanted:
                running.append(asyncio.create_task(self._item(item)))
                if len(running) >= AT_ONCE:
                    items.append(await running.popleft())
                    progress.show(len(items))
            while running:
                items.append(await running.popleft())
                progress.show(len(items))
        finally:
            progress.clear()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return items

    async def _item(self, item: Found) -> Item:
        if not isinstance(item, Manifest):
            return item
        try:
            decision = await self.decision(item)
        except InputError as error:
            return Problem(item.file, f"line {item.line}" if item.line else "", str(error))
        paths = {
            finding.path
            for evaluation in decision.evaluations
            if evaluation.result is not Result.PASS
            for finding in (*evaluation.findings, _WHOLE)
        }
        explanation = explain(decision, self._engine.configuration) if self._explained else None
        return Judged(item.file, item.line, decision, item.positions(paths) if paths else {}, explanation)

    async def decision(self, item: Manifest) -> Decision:
        """The decision on one object. Raises: InputError."""
        place = default_namespace(item.object, self._namespace, cluster_scoped=self._cluster_scoped)
        subject = subject_of(item.object, namespace=place, cache=self._content, context=self._context)
        return await self._engine.decide(
            subject, Door.CI, request=self._request, deadline=time.monotonic() + self._seconds
        )


_WHOLE = Finding("", "")
"""Stands for the object itself, which must be found where a path is not."""


def cluster_scoped(objects: Iterable[Mapping[str, Any]]) -> frozenset[tuple[str, str]]:
    """The kinds that have no namespace, by group and kind: those that are known, and what the CRDs among `objects`
    say of theirs."""
    known = set(CLUSTER_SCOPED)
    for obj in objects:
        if obj.get("kind") != "CustomResourceDefinition":
            continue
        spec = obj.get("spec")
        names = spec.get("names") if isinstance(spec, dict) else None
        if isinstance(spec, dict) and isinstance(names, dict):
            defined = (str(spec.get("group")), str(names.get("kind")))
            known.discard(defined)
            if spec.get("scope") == "Cluster":
                known.add(defined)
    return frozenset(known)


def default_namespace(
    obj: Mapping[str, Any], namespace: str, *, cluster_scoped: frozenset[tuple[str, str]] = CLUSTER_SCOPED
) -> str:
    """`namespace`, or none for an object of a kind that has none."""
    group = str(obj["apiVersion"]).rpartition("/")[0]
    return "" if (group, str(obj["kind"])) in cluster_scoped else namespace


class _Progress:
    """A line on the terminal that says how far it is, once that takes long."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._next = time.monotonic() + PROGRESS_AFTER_SECONDS
        self._shown = False

    def show(self, done: int) -> None:
        now = time.monotonic()
        if now >= self._next and sys.stderr.isatty():
            self._next = now + PROGRESS_EVERY_SECONDS
            self._shown = True
            print(f"\r\x1b[Kjudged {done} of {self._total} ...", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
