"""`pratique check`: the verdicts of the cluster, before anything gets there."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from attestations.inventory import Inventory
from evaluators.select import choose_engine, start_evaluator
from pratique.cache import DecisionCache
from pratique.configuration import Configuration, load_configuration
from pratique.decision import Door, Outcome
from pratique.engine import Engine, Request
from pratique.errors import InputError, Problem
from pratique.facts import FactSource
from pratique.kinds import ContentCache, Context, context_of, subject_of
from pratique.policy import PolicySet
from pratiquectl.__main__ import EXIT_DENIED, EXIT_DONE, EXIT_ERROR, Subparsers
from pratiquectl.manifests import Found, Manifest, read_manifests
from pratiquectl.options import (
    add_approvers,
    add_config,
    add_now,
    add_policies,
    approvers_path,
    clock,
    config_path,
    policies_path,
    terminal_width,
    tools_cache,
)
from reports.check import Item, Judged, Report
from reports.formats import CHECK_FORMATS, writer

AT_ONCE = 32
"""Objects that are judged at one time: enough to keep an engine busy, few enough to keep in memory."""

DECISION_SECONDS = 30.0
"""How long one object may take; a few milliseconds are usual."""

PROGRESS_AFTER_SECONDS = 2.0
PROGRESS_EVERY_SECONDS = 0.5

_CACHE_BYTES = 32 * 2**20

_CLUSTER_SCOPED = frozenset(
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
        "paths", nargs="+", metavar="PATH", help="file, folder (searched for YAML and JSON files), or - for stdin"
    )
    add_config(parser)
    add_policies(parser)
    add_approvers(parser)
    add_now(parser)
    parser.add_argument(
        "--engine", default="auto", choices=("auto", "opa", "regopy"), help="what runs the policies (default: auto)"
    )
    parser.add_argument(
        "--namespace", default="default", metavar="NS", help="for objects that do not name theirs (default: default)"
    )
    parser.add_argument("-o", "--output", default="text", choices=tuple(CHECK_FORMATS), help="format (default: text)")


def run(args: argparse.Namespace) -> int:
    """Judge what is at the paths and print the report; the exit code is the verdict.

    Raises:
        LoadError, EvaluationError: there is nothing to judge with.
    """
    policies = PolicySet.load(policies_path(args))
    configuration = load_configuration(config_path(args), policies, approvers=approvers_path(args))
    report = asyncio.run(_check(args, policies, configuration))
    writer(CHECK_FORMATS, args.output)(report, sys.stdout, terminal=terminal_width())
    sys.stdout.flush()
    return _exit_code(report)


def _exit_code(report: Report) -> int:
    if not report.judged() and not report.problems:
        print("pratique: there was nothing to judge; see that the paths are right", file=sys.stderr)
        return EXIT_ERROR
    if report.problems or report.judged(Outcome.UNDECIDED):
        return EXIT_ERROR
    return EXIT_DENIED if report.judged(Outcome.DENIED) else EXIT_DONE


async def _check(args: argparse.Namespace, policies: PolicySet, configuration: Configuration) -> Report:
    found = list(read_manifests(args.paths))
    async with engine_over(found, args, policies, configuration, clock=clock(args)) as engine:
        items = await _judge_all(found, engine, namespace=args.namespace)
    return Report(
        items=tuple(items),
        engine=engine.evaluator.name,
        engine_version=engine.evaluator.version,
        bundle_digest=policies.digest,
        configuration_digest=configuration.digest,
    )


@asynccontextmanager
async def engine_over(
    found: Sequence[Found],
    args: argparse.Namespace,
    policies: PolicySet,
    configuration: Configuration,
    *,
    clock: Callable[[], datetime],
) -> AsyncIterator[Engine]:
    """An engine for a whole input, on the evaluator that `--engine` chose: it knows the namespaces of the input, and
    what facts can be had from its objects.

    Raises:
        LoadError, EvaluationError: there is nothing to judge with.
    """
    choice = choose_engine(args.engine, tools_cache=tools_cache(), environ=os.environ)
    evaluator = await start_evaluator(choice, policies)
    try:
        yield Engine(
            policies=policies,
            configuration=configuration,
            evaluator=evaluator,
            facts={source.name: source for source in fact_sources(found, namespace=args.namespace, now=clock())},
            namespace_labels=namespaces_known(found, configuration).get,
            cache=DecisionCache(max_bytes=_CACHE_BYTES),
            clock=clock,
        )
    finally:
        await evaluator.close()


def fact_sources(found: Iterable[Found], *, namespace: str, now: datetime) -> Sequence[FactSource]:
    """The sources of facts that need no network: what the objects of an input say, each in its line."""
    unread = next((str(item) for item in found if isinstance(item, Problem)), "")
    objects = [item.object for item in found if isinstance(item, Manifest)]
    return [
        Inventory(objects, collected_at=now, namespace=namespace, unread=unread),
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


async def _judge_all(found: Sequence[Found], engine: Engine, *, namespace: str) -> list[Item]:
    """The items in the order of `found`, at most `AT_ONCE` of them in the making."""
    content = ContentCache()
    context = context_of((item.object for item in found if isinstance(item, Manifest)), namespace=namespace)
    progress = _Progress(len(found))
    items: list[Item] = []
    running: deque[asyncio.Task[Item]] = deque()
    try:
        for item in found:
            judgement = _judge(item, engine, namespace=namespace, content=content, context=context)
            running.append(asyncio.create_task(judgement))
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


async def _judge(item: Found, engine: Engine, *, namespace: str, content: ContentCache, context: Context) -> Item:
    if not isinstance(item, Manifest):
        return item
    try:
        place = default_namespace(item.object, namespace)
        subject = subject_of(item.object, namespace=place, cache=content, context=context)
        decision = await engine.decide(
            subject, Door.CI, request=Request(operation="CREATE"), deadline=time.monotonic() + DECISION_SECONDS
        )
    except InputError as error:
        return Problem(item.file, f"line {item.line}", str(error))
    return Judged(item.file, item.line, decision)


def default_namespace(obj: Mapping[str, Any], namespace: str) -> str:
    """`namespace`, or none for an object of a kind that has none."""
    group = str(obj["apiVersion"]).rpartition("/")[0]
    return "" if (group, str(obj["kind"])) in _CLUSTER_SCOPED else namespace


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
