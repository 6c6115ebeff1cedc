"""`pratique serve`: the admission webhook. Everything is put together here, and nowhere else.

The order of the start is what makes it safe, and is numbered again in `_serve`:

1. the engine, the ledger and the connection to the API server;
2. bundle and configuration, until the first probe decision was right;
3. only then the listening socket: before, nobody can be let in unjudged, nor refused without a reason;
4. serve until SIGTERM or SIGINT: /readyz says no and answers ask for new connections, then no connection is taken
any more,
   then what was accepted is finished, recorded, and the process ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from attestations.signers import signer_of
from evaluators.select import EngineChoice, choose_engine, start_evaluator
from pratique.cache import DecisionCache
from pratique.errors import ConfigError, Problem
from pratique.ledger import DATABASE_NAME, Ledger
from pratique.live import Live
from pratique.private_directory import PrivateDirectory
from pratique.settings import KEYS, Listen, Settings, read_settings
from pratiquectl.__main__ import EXIT_DONE, Subparsers
from pratiquectl.logging_json import log_json_lines
from pratiquectl.options import tools_cache
from webhook.app import Webhook, create_app
from webhook.cluster import ApiServer, NamespaceLabelCache, ParentLookup, connect
from webhook.cluster_config import ClusterDocuments
from webhook.cluster_context import ClusterContext
from webhook.connection import ReviewConnection
from webhook.limits import Limits
from webhook.metrics import Metrics
from webhook.own_kinds import OwnKinds
from webhook.tls import ServingCertificate, TlsFiles

if TYPE_CHECKING:
    from attestations.in_force import EvidenceInForce

log = logging.getLogger("pratique.serve")

BACKLOG = 2048
"""Connections that the kernel holds until they are taken: an API server opens hundreds at once after a restart."""
GC_THRESHOLDS = (50_000, 20, 100)
"""When Python looks for garbage in cycles. By default it does after 700 new containers, hence more than once for each
review, and walks what is in flight each time. Measured: a third of the CPU time of a decision."""
KEEP_ALIVE_SECONDS = 180
"""Longer than the 90 s after which the API server closes an idle connection itself: where we closed it first, a
review that is on its way at that moment would be lost."""
EXIT_TERMINATED = 128 + signal.SIGTERM
SYNC_SECONDS = 5.0
"""How long the start waits for the namespaces: without them, those that matter are asked for one by one."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser: a flag for each setting."""
    parser = subparsers.add_parser(
        "serve",
        help="serve the admission webhook",
        description="Serve the admission webhook over HTTPS. Each setting can also be given as PRATIQUE_<NAME> in the "
        "environment, or as `name: value` in the --settings file; flags count first, the environment second.",
        epilog="Example: pratique serve --policies policies --config policies/bindings --state /var/lib/pratique "
        "--tls-cert certs/tls.crt --tls-key certs/tls.key --listen 0.0.0.0:8443",
        allow_abbrev=False,
    )
    parser.add_argument("--settings", type=Path, metavar="FILE", help="YAML file with settings (or PRATIQUE_SETTINGS)")
    for key in KEYS:
        if key.is_switch:
            parser.add_argument(key.flag, dest=key.name, action="store_const", const="true", help=key.help)
        else:
            parser.add_argument(key.flag, dest=key.name, metavar=key.metavar, help=key.help)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal ends it.

    Raises:
        LoadError: settings, bundle, configuration or certificates are wrong, or the address is taken.
        EvaluationError: the engine cannot run.
    """
    file = args.settings
    if file is None and os.environ.get("PRATIQUE_SETTINGS"):
        file = Path(os.environ["PRATIQUE_SETTINGS"])
    flags = {key.name: value for key in KEYS if (value := getattr(args, key.name)) is not None}
    settings = read_settings(file=file, environ=os.environ, flags=flags)
    log_json_lines(settings.log_level)
    log.setLevel(logging.INFO)  # few lines, and some of them are waited for: always there
    choice = _choose_engine(settings)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, choice))
    except asyncio.CancelledError:
        log.info("ended by SIGTERM before it served")
        return EXIT_TERMINATED
    return EXIT_DONE


def _choose_engine(settings: Settings) -> EngineChoice:
    """Raises: ConfigError."""
    environ = {**os.environ, **({"PRATIQUE_OPA": str(settings.opa)} if settings.opa is not None else {})}
    return choose_engine(
        settings.engine,
        tools_cache=tools_cache(),
        environ=environ,
        opa_url=settings.opa_url,
        opa_ca_file=settings.opa_ca,
    )


async def _serve(settings: Settings, choice: EngineChoice) -> None:
    main = asyncio.current_task()
    assert main is not None  # noqa: S101 - this is a coroutine that runs
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)
    log.info("engine %s %s: %s", choice.name, choice.version, choice.reason)
    async with contextlib.AsyncExitStack() as stack:
        # 1. what everything else needs
        certificate = _certificate(settings)
        cluster = await stack.enter_async_context(_cluster(settings))
        ledger = Ledger.open(settings.state / DATABASE_NAME, durability=settings.durability)
        stack.push_async_callback(ledger.close)
        evidence = _evidence(settings)
        if evidence is not None:
            stack.push_async_callback(evidence.aclose)
        # 2. bundle and configuration
        live = Live(
            policies=settings.policies,
            config=settings.config,
            approvers=settings.approvers,
            source=cluster.documents,
            state=settings.state,
            start_evaluator=lambda policies, asked: start_evaluator(choice, policies, asked=asked),
            cache=DecisionCache(max_bytes=settings.cache_bytes),
            namespace_labels=cluster.namespaces.labels if cluster.namespaces else None,
            namespace_lookup=cluster.namespaces.look_up if cluster.namespaces else None,
            facts=evidence.sources if evidence is not None else None,
            before_change=ledger.record_configuration,
            poll_seconds=settings.poll_seconds,
        )
        stack.push_async_callback(live.close)
        await live.start()
        metrics = Metrics()
        metrics.registry.register(_Surroundings(certificate, cluster, evidence))
        app = create_app(
            live=live,
            recorder=ledger,
            parents=ParentLookup(cluster.api),
            limits=Limits(
                max_body_bytes=settings.max_body_bytes,
                max_in_flight=settings.max_reviews_in_flight,
                read_seconds=settings.read_timeout_seconds,
            ),
            metrics=metrics,
            own=OwnKinds(signer=signer_of(settings.approval_key) if settings.approval_key else None),
            break_glass_users=settings.break_glass_users,
            known=cluster.context,
            evidence=evidence,
        )
        if certificate is not None:
            app.details["certificate"] = certificate.state
        if cluster.namespaces is not None:
            app.details["namespaces"] = cluster.namespaces.state
        if cluster.context is not None:
            app.details["cluster_context"] = cluster.context.state
        if cluster.documents is not None:
            app.details["cluster_config"] = cluster.documents.state
        if evidence is not None:
            app.details["evidence"] = evidence.state
        # 3. the socket
        listener = _listening_socket(settings.listen)
        server = _Server(_uvicorn_config(app, settings, certificate), app, settings)
        background = [asyncio.create_task(live.watch())]
        if certificate is not None:
            background.append(asyncio.create_task(_follow(certificate, settings.poll_seconds)))
        if cluster.documents is not None:
            background.append(asyncio.create_task(_report(cluster.documents, live, settings.poll_seconds)))
        if evidence is not None:
            background.append(asyncio.create_task(evidence.watch(settings.poll_seconds)))
        stack.push_async_callback(_cancelled, background)
        # What lives as long as the process is not looked at again by each full collection: that is 30 ms less of nobody
        # being answered, each time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        # 4. serve
        await server.serve(sockets=[listener])


# The surroundings


@dataclass(frozen=True, slots=True)
class _Cluster:
    """The API server, if one is configured."""

    api: ApiServer | None = None
    namespaces: NamespaceLabelCache | None = None
    context: ClusterContext | None = None
    documents: ClusterDocuments | None = None


@contextlib.asynccontextmanager
async def _cluster(settings: Settings) -> AsyncIterator[_Cluster]:
    """Raises: ConfigError."""
    if settings.kubeconfig is None and not settings.in_cluster:
        yield _Cluster()
        return
    private = PrivateDirectory(None)
    try:
        api = ApiServer(connect(kubeconfig=settings.kubeconfig, private=private.path))
    except ConfigError:
        private.remove()
        raise
    namespaces = NamespaceLabelCache(api)
    namespaces.start()
    context = ClusterContext(api)
    context.start()
    documents = ClusterDocuments(api) if settings.cluster_config else None
    if documents is not None:
        documents.start()
    try:
        if not await namespaces.wait_synced(seconds=SYNC_SECONDS):
            log.warning("the namespaces are not known yet: %s", namespaces.problem or "the API server takes its time")
        if not await context.wait_synced(seconds=SYNC_SECONDS):
            log.warning("autoscalers and resource claims are not known yet: %s", context.state())
        if documents is not None and not await documents.wait_synced(seconds=SYNC_SECONDS):
            log.warning("bindings and waivers of the cluster are not known yet: %s", documents.state())
        yield _Cluster(api, namespaces, context, documents)
    finally:
        namespaces.close()
        context.close()
        if documents is not None:
            documents.close()
        api.close()
        private.remove()


def _evidence(settings: Settings) -> EvidenceInForce | None:
    """Raises: EvidenceUnavailable."""
    if settings.evidence_config is None:
        return None
    # Imported here: who looks up no evidence does not pay for an HTTP client and certificates.
    from attestations.in_force import EvidenceInForce

    return EvidenceInForce(settings.evidence_config, environ=os.environ, state=settings.state, start_anyway=True)


def _certificate(settings: Settings) -> ServingCertificate | None:
    """Raises: ConfigError."""
    if settings.tls_cert is None or settings.tls_key is None:
        log.warning("serving plain HTTP on %s: whoever can connect can read reviews and forge answers", settings.listen)
        return None
    return ServingCertificate(TlsFiles(settings.tls_cert, settings.tls_key, settings.client_ca))


async def _follow(certificate: ServingCertificate, poll_seconds: float) -> None:
    while True:
        await asyncio.sleep(poll_seconds)
        try:
            certificate.poll()
        except Exception:  # a bug must not end the watch: the certificate would expire unnoticed
            log.exception("the serving certificate could not be looked at because of a bug")


async def _report(documents: ClusterDocuments, live: Live, poll_seconds: float) -> None:
    while True:
        await asyncio.sleep(poll_seconds)
        try:
            await documents.report(live.engine, live.problems, now=datetime.now(UTC))
        except Exception:  # a bug must not end this: people would read an old status
            log.exception("the status of bindings and waivers could not be written because of a bug")


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Surroundings(Collector):
    """Metrics of what surrounds the decisions."""

    def __init__(
        self, certificate: ServingCertificate | None, cluster: _Cluster, evidence: EvidenceInForce | None
    ) -> None:
        self._certificate = certificate
        self._evidence = evidence
        self._namespaces = cluster.namespaces
        self._context = cluster.context

    def collect(self) -> Iterator[Metric]:
        if (certificate := self._certificate) is not None:
            yield GaugeMetricFamily(
                "pratique_certificate_expiry_timestamp_seconds",
                "When the serving certificate in use ends",
                value=certificate.expires.timestamp(),
            )
            yield GaugeMetricFamily(
                "pratique_certificate_problem",
                "Whether the certificate in use is not that in the files",
                value=bool(certificate.problem),
            )
            yield CounterMetricFamily(
                "pratique_certificate_rotations",
                "Times that another certificate was taken into use",
                value=certificate.rotations,
            )
        if (namespaces := self._namespaces) is not None:
            yield GaugeMetricFamily("pratique_namespaces", "Namespaces whose labels are known", value=len(namespaces))
            yield GaugeMetricFamily(
                "pratique_namespaces_age_seconds",
                "How long ago the API server confirmed them; never is infinity",
                value=namespaces.age_seconds,
            )
        if (evidence := self._evidence) is not None:
            store = evidence.store
            yield CounterMetricFamily("pratique_evidence_hits", "Images whose evidence was known", value=store.hits)
            readings = CounterMetricFamily(
                "pratique_evidence_readings", "Images whose evidence was read, by result", labels=["result"]
            )
            readings.add_metric(["done"], store.readings - store.failed_readings)
            readings.add_metric(["failed"], store.failed_readings)
            yield readings
            yield GaugeMetricFamily("pratique_evidence_bytes", "Memory that evidence takes", value=store.bytes)
            yield GaugeMetricFamily("pratique_evidence_being_read", "Images being read", value=store.being_read)
            yield GaugeMetricFamily(
                "pratique_evidence_config_problem",
                "Whether the evidence configuration in force is not that in the file",
                value=bool(evidence.problem),
            )
        if (context := self._context) is not None:
            objects = GaugeMetricFamily(
                "pratique_context_objects",
                "Autoscalers and resource claims that are known, by resource",
                labels=["resource"],
            )
            ages = GaugeMetricFamily(
                "pratique_context_age_seconds",
                "How long ago the API server confirmed them; never is infinity",
                labels=["resource"],
            )
            for resource, known, age_seconds in context.ages_seconds():
                objects.add_metric([resource], known)
                ages.add_metric([resource], age_seconds)
            yield objects
            yield ages


# Listening and ending


def _listening_socket(listen: Listen) -> socket.socket:
    """A bound socket; it listens when the server starts.

    Raises:
        ConfigError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((listen.host, listen.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            Problem("listen", "", f"{listen} cannot be listened on: {error.strerror or error}")
        ) from error
    return listener


def _uvicorn_config(app: Webhook, settings: Settings, certificate: ServingCertificate | None) -> uvicorn.Config:
    def context(_config: uvicorn.Config, _default: Any) -> ssl.SSLContext:
        assert certificate is not None  # noqa: S101 - this is only called when there is one
        return certificate.context

    return uvicorn.Config(
        app,
        http=ReviewConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_grace_seconds)),
        ssl_context_factory=context if certificate is not None else None,
    )


class _Server(uvicorn.Server):
    """uvicorn, with an end that loses no review: see `_drain`."""

    def __init__(self, config: uvicorn.Config, app: Webhook, settings: Settings) -> None:
        super().__init__(config)
        self._app = app
        self._settings = settings
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and say where."""
        await super().startup(sockets=sockets)
        for listener in sockets or ():
            host, port, *_ = listener.getsockname()
            scheme = "https" if self.config.is_ssl else "http"
            url = f"{scheme}://{Listen(host, port)}"
            log.info(
                "listening on %s", url, extra={"fields": {"event": "listening", "url": url, "host": host, "port": port}}
            )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """From now on the first SIGTERM or SIGINT begins the end, and more hasten it, but never past the ledger."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        yield

    def _end(self, number: int) -> None:
        if self._draining is None:
            log.info("%s: ending", signal.Signals(number).name)
            self._draining = asyncio.create_task(self._drain())
        elif not self.should_exit:
            log.info("%s again: not waiting any longer for new requests to stop", signal.Signals(number).name)
            self.should_exit = True
        else:
            log.warning("%s again: not waiting for requests in flight", signal.Signals(number).name)
            self.force_exit = True

    async def _drain(self) -> None:
        """Serve on for a while, and have clients leave on their own.

        Kubernetes tells clients to go elsewhere at the same time as it sends SIGTERM: until they have heard, their
        requests must be served. A connection that we close is one on which a review may just be coming; one that the
        client closes is not.
        """
        self._app.drain()
        self.config.encoded_headers = [(b"connection", b"close")]
        self.server_state.default_headers = self.config.encoded_headers
        await asyncio.sleep(self._settings.shutdown_delay_seconds)
        self.should_exit = True
