"""What Prometheus is told, from one registry of our own. Label values come from the configuration, never from users.

Counted while reviews are judged: decisions, evaluations, seconds. Read when asked for: cache, engine, reloads, ledger.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from pratique.decision import Decision
from pratique.ledger import Ledger
from pratique.live import Live
from pratique.mutation import Mutation

CONTENT_TYPE = CONTENT_TYPE_LATEST

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histograms' buckets: from a cached decision to the default timeout of the API server."""


class Metrics:
    """The numbers of one webhook. Label children are looked up once and kept: each costs more to find than to count."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._decisions = Counter("pratique_decisions", "Decisions made", ["door", "outcome"], registry=self.registry)
        self._evaluations = Counter(
            "pratique_evaluations",
            "Results of bindings in decisions",
            ["door", "binding", "result"],
            registry=self.registry,
        )
        self._policy_seconds = Histogram(
            "pratique_policy_seconds",
            "Time of the decisions in which the policy was run, not taken from the cache; its own part is not known,"
            " because all policies of a decision run in one call",
            ["policy"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._rejected = Counter(
            "pratique_rejected", "Requests that got no decision, by why", ["reason"], registry=self.registry
        )
        self._mutations = Counter(
            "pratique_mutations",
            "Objects at the mutating door: changed, unchanged, or undecided",
            ["outcome"],
            registry=self.registry,
        )
        self.review_seconds = Histogram(
            "pratique_review_seconds",
            "Time from the first byte of a review to its answer",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.record_seconds = Histogram(
            "pratique_record_seconds",
            "Time that a decision waited for its place in the ledger: in the queue and for the commit",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge("pratique_reviews_in_flight", "Reviews being read or judged", registry=self.registry)
        self.body_bytes = Gauge("pratique_reviews_bytes", "Bytes of the reviews in flight", registry=self.registry)
        ProcessCollector(registry=self.registry)
        self._decision_children: dict[tuple[str, str], Counter] = {}
        self._evaluation_children: dict[tuple[str, str, str], Counter] = {}
        self._policy_children: dict[str, Histogram] = {}

    def decided(self, decision: Decision) -> None:
        """Count a decision that was recorded."""
        door = decision.door
        index = (door, decision.outcome)
        counter = self._decision_children.get(index)
        if counter is None:
            counter = self._decision_children[index] = self._decisions.labels(door.value, decision.outcome.value)
        counter.inc()
        children = self._evaluation_children
        for evaluation in decision.evaluations:
            key = (door, evaluation.binding, evaluation.result)
            child = children.get(key)
            if child is None:
                child = children[key] = self._evaluations.labels(
                    door.value, evaluation.binding, evaluation.result.value
                )
            child.inc()
        if not decision.cached:
            seconds = decision.milliseconds / 1000
            for policy in {evaluation.policy for evaluation in decision.evaluations}:
                histogram = self._policy_children.get(policy)
                if histogram is None:
                    histogram = self._policy_children[policy] = self._policy_seconds.labels(policy)
                histogram.observe(seconds)

    def mutated(self, mutation: Mutation) -> None:
        """Count an object that came by the mutating door."""
        outcome = "undecided" if mutation.undecided else "changed" if mutation.patches else "unchanged"
        self._mutations.labels(outcome).inc()

    def rejected(self, reason: str) -> None:
        """Count a request that got no decision; `reason` is one of a few words of ours."""
        self._rejected.labels(reason).inc()

    def watch(self, live: Live, ledger: Ledger | None) -> None:
        """Show the state of `live` and `ledger` whenever somebody asks for the metrics."""
        self.registry.register(_State(live, ledger))

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _State(Collector):
    """Numbers that others keep."""

    def __init__(self, live: Live, ledger: Ledger | None) -> None:
        self._live = live
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        live = self._live
        yield GaugeMetricFamily(
            "pratique_ready",
            "Whether a bundle, a configuration and an engine are in force",
            value=live.engine is not None,
        )
        yield GaugeMetricFamily(
            "pratique_reload_problem", "Whether what is in force is not what is in the files", value=bool(live.problem)
        )
        yield CounterMetricFamily(
            "pratique_reloads", "Changes of bundle or configuration that came into force", value=live.reloads
        )
        yield CounterMetricFamily(
            "pratique_reload_failures",
            "Changes of bundle or configuration that were refused",
            value=live.failed_reloads,
        )
        if live.loaded_at is not None:
            yield GaugeMetricFamily(
                "pratique_reload_success_timestamp_seconds",
                "When what is in force came into force",
                value=live.loaded_at.timestamp(),
            )
        engine = live.engine
        if engine is not None:
            yield InfoMetricFamily(
                "pratique_in_force",
                "What decisions are made with",
                value={
                    "bundle": engine.policies.digest,
                    "configuration": engine.configuration.digest,
                    "engine": engine.evaluator.name,
                    "engine_version": engine.evaluator.version,
                },
            )
            yield CounterMetricFamily(
                "pratique_engine_restarts",
                "Times that a process of the engine in force was started again",
                value=engine.evaluator.restarts,
            )
            cache = engine.cache
            if cache is not None:
                yield CounterMetricFamily("pratique_cache_hits", "Decisions out of the cache", value=cache.hits)
                yield CounterMetricFamily("pratique_cache_misses", "Decisions not in the cache", value=cache.misses)
                yield GaugeMetricFamily("pratique_cache_bytes", "Size of the cache", value=cache.bytes)
                yield GaugeMetricFamily("pratique_cache_max_bytes", "Limit of that size", value=cache.max_bytes)
                yield GaugeMetricFamily("pratique_cache_entries", "Entries in the cache", value=len(cache))
        ledger = self._ledger
        if ledger is not None:
            yield CounterMetricFamily("pratique_ledger_recorded", "Decisions committed", value=ledger.recorded)
            yield CounterMetricFamily("pratique_ledger_failed", "Decisions not recorded", value=ledger.failed)
            yield CounterMetricFamily("pratique_ledger_commits", "Commits", value=ledger.commits)
            yield GaugeMetricFamily("pratique_ledger_waiting", "Decisions that wait for a commit", value=ledger.waiting)
