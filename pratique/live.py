"""What is in force now: loads bundle and configuration, and replaces both as one when the files change.

    files change -> read aside, twice looked at -> start an evaluator if the bundle differs, or if a policy is bound
    that the one there is was not started for (ADR 25) -> probe -> swap -> keep as last good

Whatever fails on this way leaves what is in force as it is; `problem` then says why, until it is mended.

Whoever decides reads `Live.engine` once and uses that Engine to the end. Nothing more is asked of a caller: an
Engine that was replaced keeps its evaluator until the last decision on it has let go of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pratique import last_good
from pratique.approvers import approver_list
from pratique.cache import DecisionCache
from pratique.configuration import Configuration, load_configuration, trusted_approvers
from pratique.decision import Door, Enforcement, Result
from pratique.engine import BUILT_IN_FACTS, Engine, NamespaceLabels, NamespaceLookup, Request
from pratique.errors import ConfigError, EvaluationError, LoadError, PratiqueError, Problem
from pratique.evaluator import Evaluator
from pratique.facts import FactSource
from pratique.kinds import subject_of
from pratique.matching import Match
from pratique.policy import PolicySet
from pratique.subject import Subject
from pratique.watching import Signature, contents, signature
from pratique.yamlfile import Document

log = logging.getLogger(__name__)

PROBE_SECONDS = 10.0
"""How long the first decision of a new engine may take; milliseconds are usual."""
SETTLE_SECONDS = 0.15
"""Files that changed are read when they have not changed any more for so long: a file that is just being written may be
empty for a moment, and a folder without its bindings is a configuration too."""
SETTLE_TRIES = 20
"""How often, before files that never stop changing count as a problem."""
RETRY_SECONDS = 15.0
"""When an engine that could not be started, though nothing is wrong with the files, is tried again."""
LONGEST_DECISION_SECONDS = 35.0
"""No decision lasts longer: 30 s is the most that an API server waits for a webhook."""

StartEvaluator = Callable[[PolicySet, frozenset[str]], Awaitable[Evaluator]]
"""Checks the bundle and starts an evaluator that will be asked for the policies named.

Raises: PolicyError, ConfigError, EvaluationError."""

_PROBE_LABELS = {"kubernetes.io/metadata.name": "pratique-probe"}
_PROBE_RESOURCE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "probe", "namespace": "pratique-probe"},
}
_PROBE_WORKLOAD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "probe", "namespace": "pratique-probe"},
    "spec": {"containers": [{"name": "probe", "image": "registry.invalid/probe:1"}]},
}


class DocumentSource(Protocol):
    """Documents of the configuration that are no files. Implemented by `webhook.cluster_config.ClusterDocuments`."""

    @property
    def version(self) -> object:
        """Another one whenever the documents are others."""

    def documents(self) -> list[Document | Problem]:
        """All documents, and a Problem for what cannot be known."""


_Seen = tuple[Signature, object]
"""What tells one state of files and documents from another."""


class Live:
    """The Engine in force, kept up to date with the files that it is made from. To be used from one event loop."""

    def __init__(
        self,
        *,
        policies: Path,
        config: Path,
        start_evaluator: StartEvaluator,
        approvers: Path | None = None,
        source: DocumentSource | None = None,
        state: Path | None = None,
        cache: DecisionCache | None = None,
        namespace_labels: NamespaceLabels | None = None,
        namespace_lookup: NamespaceLookup | None = None,
        facts: Mapping[str, FactSource] | None = None,
        before_change: Callable[[Configuration, PolicySet], Awaitable[None]] | None = None,
        poll_seconds: float = 1.0,
    ) -> None:
        """`approvers` is the file that says who may approve waivers; without it, none counts. `source` has documents
        beside those in `config`, which together are one configuration. `state` is where the last
        good configuration is kept; None: nowhere.

        `cache` is shared by all engines: its keys hold the digests. Without `namespace_labels`, those of the
        Namespace documents in the configuration count. `facts` are the sources that every engine has, by name.
        `before_change` is awaited before each new pair of bundle and
        configuration comes into force.
        """
        self.engine: Engine | None = None
        """What is in force. None until `start` has returned."""
        self.problem = ""
        """Why what is in force is not what is in the files; empty if it is."""
        self.problems: tuple[Problem, ...] = ()
        """The same, one by one, where documents are the reason."""
        self.loaded_at: datetime | None = None
        """When what is in force came into force."""
        self.reloads = 0
        """How often a changed bundle or configuration came into force after the start."""
        self.failed_reloads = 0
        """How often one was refused."""
        self._policies = policies
        self._config = config
        self._approvers = approvers
        self._source = source
        self._start_evaluator = start_evaluator
        self._asked: frozenset[str] = frozenset()  # what the evaluator in force was started for
        self._state = state
        self._cache = cache
        self._namespace_labels = namespace_labels
        self._namespace_lookup = namespace_lookup
        self._facts = facts
        self._before_change = before_change
        self._poll_seconds = poll_seconds
        self._tried: _Seen | None = None
        self._retry_at: float | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Bring into force what is in the files, or else the last good bundle and configuration.

        Ensures that the engine has answered a probe decision.

        Raises:
            ConfigError, PolicyError: the files are wrong, and there is no last good configuration; every problem is
            listed. EvaluationError: the evaluator cannot run, or did not answer the probe.
        """
        try:
            await self._load()
        except (LoadError, EvaluationError) as error:
            if not await self._start_from_last_good(error):
                raise

    async def watch(self) -> None:
        """Follow the files until cancelled. Never raises anything else."""
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self.poll()
            except Exception as error:  # noqa: BLE001 - a bug in a loader must not end the watch: it is shown and logged
                self._refuse(f"this is a bug: {type(error).__name__}: {error}", error)

    async def poll(self) -> None:
        """Look once; if the files are not those that were tried last, load them and bring them into force or say why
        not."""
        seen = await asyncio.to_thread(self._seen)
        retry = self._retry_at is not None and time.monotonic() >= self._retry_at
        if seen == self._tried and not retry:
            return
        try:
            await self._load()
        except EvaluationError as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self._refuse(str(error))
        except LoadError as error:
            self._refuse(str(error), problems=error.problems)

    async def close(self) -> None:
        """Close every evaluator, after what is in flight on it. No engine is in force afterwards. Idempotent."""
        engine, self.engine = self.engine, None
        if engine is not None:
            await engine.evaluator.close()
        for task in list(self._retiring):
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)

    async def _load(self) -> None:
        """Bring what is in the files into force.

        Raises:
            ConfigError, PolicyError, EvaluationError: it cannot be; what is in force has not changed.
        """
        self._retry_at = None
        policies, configuration = await self._settled()
        current = self.engine
        if current is not None and _digests(current) == (policies.digest, configuration.digest):
            self._mended()
            return
        await self._bring_into_force(policies, configuration)
        self._mended()
        await self._keep(policies, configuration)

    async def _settled(self) -> tuple[PolicySet, Configuration]:
        """What is in the files, read while nothing changed; where something is in force already, after a pause too."""
        for attempt in range(SETTLE_TRIES):
            before = await asyncio.to_thread(self._seen)
            if attempt or self.engine is not None:
                await asyncio.sleep(SETTLE_SECONDS)
            failure: LoadError | None = None
            try:
                found = await asyncio.to_thread(self._read)
            except LoadError as error:
                failure = error
            if await asyncio.to_thread(self._seen) == before:
                self._tried = before
                if failure is not None:
                    raise failure
                return found
        where = " or ".join(str(path) for path in self._paths())
        raise ConfigError(Problem(where, "", "the files never stop changing; replace them in one step"))

    def _seen(self) -> _Seen:
        return signature(*self._paths()), self._source.version if self._source is not None else None

    def _paths(self) -> list[Path]:
        return [path for path in (self._policies, self._config, self._approvers) if path is not None]

    def _read(self) -> tuple[PolicySet, Configuration]:
        policies = PolicySet.load(contents(self._policies))
        more = self._source.documents() if self._source is not None else None
        return policies, load_configuration(contents(self._config), policies, approvers=self._approvers, more=more)

    async def _bring_into_force(self, policies: PolicySet, configuration: Configuration) -> None:
        """Raises: PolicyError, ConfigError, EvaluationError."""
        former = self.engine
        asked = configuration.policies_bound
        kept = former is not None and former.policies.digest == policies.digest and asked <= self._asked
        evaluator = former.evaluator if former and kept else await self._start_evaluator(policies, asked)
        try:
            await self._probe(policies, configuration, evaluator)
            await self._announce(policies, configuration)
        except BaseException:
            if not kept:
                await evaluator.close()
            raise
        # From here to the swap nothing is awaited, so that no decision can see a half of it.
        self.engine = Engine(
            policies=policies,
            configuration=configuration,
            evaluator=evaluator,
            cache=self._cache,
            facts=self._facts,
            namespace_labels=self._namespace_labels,
            namespace_lookup=self._namespace_lookup,
        )
        self.loaded_at = datetime.now(UTC)
        if not kept:
            self._asked = asked
        if former is not None:
            self.reloads += 1
            if not kept:
                self._retire(former)
        log.info(
            "in force: bundle %s with %d policies (%d bound), configuration %s with %d bindings and %d waivers, %s %s",
            policies.digest,
            len(policies.policies),
            len(asked),
            configuration.digest,
            len(configuration.bindings),
            len(configuration.waivers),
            evaluator.name,
            evaluator.version,
        )

    async def _announce(self, policies: PolicySet, configuration: Configuration) -> None:
        if self._before_change is not None:
            try:
                await self._before_change(configuration, policies)
            except PratiqueError as error:
                log.error("what comes into force could not be recorded: %s", error)

    def _retire(self, engine: Engine) -> None:
        """Close the evaluator of `engine` when no decision is on it any more.

        A decision under way holds its Engine, so the last one to end frees it: that is exact and costs the others
        nothing. Where something else still holds it then (a traceback), the longest time that a decision can take
        ends the wait.
        """
        freed = asyncio.Event()
        weakref.finalize(engine, freed.set).atexit = False
        task = asyncio.create_task(_close_when(freed, engine.evaluator))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _probe(self, policies: PolicySet, configuration: Configuration, evaluator: Evaluator) -> None:
        """Decide on a pod and a ConfigMap with every binding as if it matched, each in full.

        Raises:
            EvaluationError: a binding came to no result for another reason than a fact that nobody can have.
        """
        for probe in (_PROBE_WORKLOAD, _PROBE_RESOURCE):
            subject = subject_of(probe)
            bindings = tuple(
                replace(binding, match=Match(), enforcement=dict.fromkeys(Door, Enforcement.DENY))
                for binding in configuration.bindings
                if _judges(binding.policy.subjects, subject) and not _needs_facts(binding.policy.needs)
            )
            engine = Engine(
                policies=policies,
                configuration=replace(configuration, bindings=bindings, waivers=(), _indexes={}),
                evaluator=evaluator,
                namespace_labels=lambda _: _PROBE_LABELS,
            )
            deadline = time.monotonic() + PROBE_SECONDS
            decision = await engine.decide(subject, Door.ADMISSION, request=Request(), deadline=deadline)
            if len(decision.evaluations) != len(bindings):
                raise EvaluationError(
                    f"the probe decision has {len(decision.evaluations)} evaluations for {len(bindings)} bindings"
                )
            for evaluation in decision.with_result(Result.ERROR, Result.NOT_EVALUATED):
                raise EvaluationError(
                    f"the probe decision failed at binding {evaluation.binding}"
                    f" (policy {evaluation.policy}): {evaluation.reason}"
                )

    async def _start_from_last_good(self, error: LoadError | EvaluationError) -> bool:
        """Whether the last good bundle and configuration are in force instead of what failed with `error`."""
        if self._state is None:
            return False
        try:
            found = await asyncio.to_thread(self._last_good, self._state)
            if found is None:
                return False
            await self._bring_into_force(found.policies, found.configuration)
        except PratiqueError as second:
            log.error("the last good configuration cannot be used either: %s", second)
            return False
        since = f"{found.saved_at:%Y-%m-%dT%H:%M:%SZ}"
        if isinstance(error, EvaluationError):
            self._retry_at = time.monotonic() + RETRY_SECONDS
        problems = error.problems if isinstance(error, LoadError) else ()
        self._refuse(f"started with the last good configuration, kept at {since}, because: {error}", problems=problems)
        return True

    def _last_good(self, state: Path) -> last_good.LastGood | None:
        """Raises: LoadError."""
        try:
            approvers = trusted_approvers(self._approvers)
            if approvers is not None:
                approver_list(approvers)
        except ConfigError as error:
            log.error("no waiver counts, because the list of approvers cannot be used: %s", error)
            approvers = None
        return last_good.load(state, approvers=approvers)

    async def _keep(self, policies: PolicySet, configuration: Configuration) -> None:
        if self._state is None:
            return
        try:
            await asyncio.to_thread(last_good.save, self._state, policies, configuration)
        except OSError as error:
            log.error("the last good configuration could not be kept in %s: %s", self._state, error)

    def _mended(self) -> None:
        if self.problem:
            log.info("the files are in force again")
        self.problem, self.problems = "", ()

    def _refuse(self, problem: str, bug: Exception | None = None, *, problems: tuple[Problem, ...] = ()) -> None:
        self.failed_reloads += 1
        if problem != self.problem:
            log.error("not in force: %s", problem, exc_info=bug)
        self.problem, self.problems = problem, problems


async def _close_when(freed: asyncio.Event, evaluator: Evaluator) -> None:
    try:
        async with asyncio.timeout(LONGEST_DECISION_SECONDS):
            await freed.wait()
    except TimeoutError:
        log.debug("an engine that was replaced is still referred to; its evaluator is closed now")
    finally:
        await evaluator.close()


def _digests(engine: Engine) -> tuple[str, str]:
    return engine.policies.digest, engine.configuration.digest


def _judges(subjects: frozenset[str], subject: Subject) -> bool:
    return subject.type in subjects


def _needs_facts(needs: frozenset[str]) -> bool:
    """Whether `needs` names facts that are not to be had without a source that was configured."""
    return any(need.startswith("facts.") and need.removeprefix("facts.") not in BUILT_IN_FACTS for need in needs)
