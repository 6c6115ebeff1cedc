"""The real `pratique serve` as a child process, with what it takes to break it: kill, restart, new certificates."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3

from pratique.kinds.context import AUTOSCALERS, RESOURCE_CLAIMS
from tests.support.cluster import HOST, REPOSITORY, Client, Cluster, free_port
from tests.support.pki import Authority
from tests.support.processes import HANG_SECONDS, Process, wait_until

OWN_NAMESPACE = "pratique-system"
"""Where the webhook itself would run: what it never judges, so that it can come back after it was down."""
USER = "pratique"
_READY_SECONDS = 120.0
"""Longer than any start should take: the tests that measure a start do so themselves."""
_RIGHTS = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": USER},
    "rules": [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["replicationcontrollers"], "verbs": ["get"]},
        {"apiGroups": ["pratique.dev"], "resources": ["policybindings", "waivers"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["pratique.dev"], "resources": ["policybindings/status", "waivers/status"], "verbs": ["patch"]},
        {"apiGroups": ["apps"], "resources": ["deployments", "replicasets", "statefulsets"], "verbs": ["get"]},
        *(
            {"apiGroups": [group], "resources": [resource], "verbs": ["list", "watch"]}
            for (group, _), resource in (AUTOSCALERS | RESOURCE_CLAIMS).items()
        ),
    ],
}
_GRANT = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": USER},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": USER},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}],
}


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded decision; `record` is all of it, as `pratique decisions list -o json` prints it."""

    id: str
    kind: str
    name: str
    outcome: str
    dry_run: bool
    cached: bool
    bundle_digest: str
    configuration_digest: str
    record: Mapping[str, Any]


class Webhook:
    """`pratique serve` on a fixed port of loopback; in its `with` block it is ready, but not yet registered."""

    def __init__(
        self,
        folder: Path,
        *,
        config: Path,
        policies: Path,
        engine: str = "auto",
        kubeconfig: Path | None = None,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.config = config
        self.policies = policies
        self.engine = engine
        self.state = folder / "state"
        self.log = folder / "webhook.log"
        self.port = free_port()
        self.url = f"https://{HOST}:{self.port}"
        self._arguments = (*(() if kubeconfig is None else ("--kubeconfig", str(kubeconfig))), *arguments)
        self._environment = environment or {}
        self._process: Process | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(exist_ok=True)
        self._authority = Authority(folder / "tls", name="webhook-ca")
        self._tls = self._authority.server("serving", hosts=(HOST, "localhost"))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def authority(self) -> Path:
        """The PEM certificate that signed the serving certificate."""
        return self._authority.certificate

    @property
    def process(self) -> Process:
        """The running process.

        Raises:
            RuntimeError: it was never started.
        """
        if self._process is None:
            raise RuntimeError("the webhook has not been started")
        return self._process

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until `/readyz` says so, unless told not to.

        Raises:
            TimeoutError: it ended or did not become ready; the message cites its log.
        """
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PRATIQUE_", "KUBE"))},
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(self.folder),  # for OPA's private directory
            **self._environment,
        }
        self._process = Process(
            [
                *(sys.executable, "-m", "pratiquectl", "serve"),
                *("--config", self.config, "--policies", self.policies, "--engine", self.engine),
                *("--state", self.state, "--listen", f"{HOST}:{self.port}"),
                *("--tls-cert", self._tls.certificate, "--tls-key", self._tls.key),
                *self._arguments,
            ],
            log=self.log,
            env=environment,
            cwd=REPOSITORY,
        )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return when `/readyz` answers 200.

        Raises:
            TimeoutError: it ended or did not become ready; the message cites its log.
        """
        wait_until(
            lambda: self.status("/readyz") == 200,
            timeout_seconds=_READY_SECONDS,
            what="the webhook becomes ready",
            process=self.process,
        )

    def kill(self) -> None:
        """SIGKILL, and wait for its end. Only the process itself: its children must notice by themselves."""
        self.process.send(signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM, and wait for its end; the exit status.

        Raises:
            TimeoutError: it has not ended in time.
        """
        self.process.send(signal.SIGTERM)
        return self.process.wait()

    def restart(self, *, wait: bool = True) -> None:
        """Start it again on the same port, state and certificates, once all that is left of the old is gone."""
        self.close()
        self.start(wait=wait)

    def close(self) -> None:
        """Stop it, gracefully if possible."""
        if self._process is not None:
            self._process.stop()

    def status(self, path: str) -> int | None:
        """The HTTP status of a GET, None when nobody answers."""
        try:
            return self.get(path).status
        except urllib3.exceptions.HTTPError:
            return None

    def get(self, path: str, *, timeout_seconds: float = HANG_SECONDS) -> urllib3.BaseHTTPResponse:
        """GET `path` on a connection of its own.

        Raises:
            urllib3.exceptions.HTTPError: there is no answer.
        """
        with urllib3.PoolManager(ca_certs=str(self.authority), retries=False) as pool:
            return pool.request("GET", self.url + path, timeout=timeout_seconds)

    def children(self, name: str) -> list[int]:
        """The process ids of its descendants whose command line contains `name`, oldest first."""
        parents: dict[int, int] = {}
        commands: dict[int, str] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                    commands[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it ended while we were looking

        def descends(pid: int) -> bool:
            while pid in parents and pid != self.process.pid:
                pid = parents[pid]
            return pid == self.process.pid

        return sorted(
            pid for pid in parents if pid != self.process.pid and descends(pid) and name in commands.get(pid, "")
        )

    def new_certificate(self) -> int:
        """Replace certificate and key by new ones of the same authority; the new serial number."""
        fresh = self._authority.server("fresh", hosts=(HOST, "localhost"))
        serial = _serial(fresh.certificate.read_text())
        fresh.key.replace(self._tls.key)
        fresh.certificate.replace(self._tls.certificate)
        return serial

    def served_certificate(self) -> int:
        """The serial number of the certificate that a new connection sees."""
        return _serial(ssl.get_server_certificate((HOST, self.port), timeout=HANG_SECONDS))

    def decisions(self, namespace: str) -> list[Row]:
        """All decisions about `namespace`, oldest first; works whether or not the webhook runs.

        Raises:
            RuntimeError: the command failed; the message is its own.
        """
        listed = pratique("decisions", "list", "-o", "json", "--state", self.state, "--namespace", namespace)
        if listed.returncode != 0:
            raise RuntimeError(f"pratique decisions list: {listed.stderr}")
        return [
            Row(
                **{name: record[name] for name in ("id", "outcome", "dry_run", "cached")},
                **{name: record[name] for name in ("bundle_digest", "configuration_digest")},
                **{name: record["subject"][name] for name in ("kind", "name")},
                record=record,
            )
            for record in reversed(json.loads(listed.stdout))
        ]

    def configuration(self) -> str:
        """The webhook configurations that `pratique webhook-config` prints.

        Raises:
            RuntimeError: the command failed; the message is its own.
        """
        printed = pratique(
            *("webhook-config", "--url", self.url, "--ca-bundle", self.authority),
            *("--config", self.config, "--policies", self.policies),
        )
        if printed.returncode != 0:
            raise RuntimeError(f"pratique webhook-config: {printed.stderr}")
        return printed.stdout

    def register(self, cluster: Cluster, *, probe: Mapping[str, Any], patient: bool = False) -> None:
        """Register with the API server and return when `probe`, an object that must be refused, is refused.

        A `patient` API server waits for answers as long as it can: a machine that is slow and busy, too, must make no
        difference to tests.

        Raises:
            RuntimeError: the API server does not accept the configuration.
            TimeoutError: `probe` is still admitted.
        """
        configuration = self.configuration()
        assert "timeoutSeconds: 5\n" in configuration
        cluster.apply(
            configuration.replace("timeoutSeconds: 5\n", "timeoutSeconds: 30\n") if patient else configuration
        )
        client = cluster.client()
        wait_until(
            lambda: not client.create(probe, dry_run=True).ok,
            what="the API server asks the webhook",
            process=self.process,
        )


def prepare(cluster: Cluster) -> Path:
    """Give the webhook its identity, its rights and its namespace in `cluster`; the kubeconfig to start it with."""
    client = cluster.client()
    if not client.get(f"/api/v1/namespaces/{OWN_NAMESPACE}").ok:
        cluster.create_namespace(OWN_NAMESPACE)
    for obj in (_RIGHTS, _GRANT):
        answer = client.apply(obj)
        if not answer.ok:
            raise RuntimeError(f"{obj['kind']} {USER}: {answer.status} {answer.message}")
    return cluster.kubeconfig(USER, ())


def revoke(client: Client) -> None:
    """Take the webhook's rights away; `prepare` gives them back."""
    client.delete(f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{USER}")


def unregister(client: Client) -> None:
    """Remove all webhook configurations from the API server."""
    for kind in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
        client.delete(f"/apis/admissionregistration.k8s.io/v1/{kind}")


def pratique(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line and return its outcome, whatever its exit status."""
    return subprocess.run(
        [sys.executable, "-m", "pratiquectl", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=2 * HANG_SECONDS,
        check=False,
    )


def _serial(pem: str) -> int:
    from cryptography import x509

    return x509.load_pem_x509_certificate(pem.encode()).serial_number
