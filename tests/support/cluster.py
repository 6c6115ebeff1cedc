"""A real etcd and a real kube-apiserver on loopback, for tests and for `make cluster`.

    with Cluster(folder) as cluster:
        cluster.create_namespace("team-a")
        cluster.kubectl("apply", "-f", "-", input=manifest)

What is real: storage, authentication by client certificate, RBAC, every default admission plugin (ServiceAccount among
them), server-side apply, webhooks. What is missing: controllers, scheduler and kubelets. So nothing turns a Deployment
into pods, and `Cluster` itself makes what the controller-manager would make in a new namespace.

Every file lies in the folder that the caller gives, and no process outlives the caller (see `tests.support.processes`).
"""

from __future__ import annotations

import base64
import json
import os
import random
import socket
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import urllib3

from tests.support.pki import Authority, KeyPair, signing_key
from tests.support.processes import Process, wait_until

REPOSITORY: Path = Path(__file__).resolve().parents[2]
TOOLS: Path = REPOSITORY / ".cache" / "tools"
ADMIN = "admin"
ADMIN_GROUPS = ("system:masters",)
HOST = "127.0.0.1"
_READY_SECONDS = 120.0
"""Start-up takes about 3 s alone; a machine that also compiles can take far longer."""
_REQUEST_SECONDS = 30.0
_PORTS = range(20000, 32000)
"""Below the ports that Linux gives to outgoing connections, so that a stopped server finds its port free again."""


class ToolMissingError(RuntimeError):
    """A binary that the cluster needs has not been built."""


def tool(name: str, *, folder: Path = TOOLS) -> Path:
    """The path of a provisioned binary.

    Raises:
        ToolMissingError: it is not there.
    """
    path = folder / name
    if not os.access(path, os.X_OK):
        raise ToolMissingError(f"{path} is missing: run `python tools/provision.py` to build it")
    return path


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    for port in random.sample(_PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError(f"none of 200 ports tried between {_PORTS.start} and {_PORTS.stop} is free")


@dataclass(frozen=True, slots=True)
class Response:
    """What the API server answered. `warnings` are the texts of its `Warning` headers."""

    status: int
    body: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """The `message` of a `Status`, "" for any other object."""
        return str(self.body.get("message", "")) if self.body.get("kind") == "Status" else ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Client:
    """A small HTTP client for one user; any number of threads may share it (at most `connections` at once)."""

    def __init__(self, url: str, *, authority: Path, identity: KeyPair, connections: int = 64) -> None:
        self.url = url
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=connections,
            block=False,
            ca_certs=str(authority),
            cert_file=str(identity.certificate),
            key_file=str(identity.key),
            retries=False,
        )

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | str | None = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        timeout_seconds: float = _REQUEST_SECONDS,
    ) -> Response:
        """Send one request and return the answer, whatever its status. What is not JSON comes back as `{"text": ...}`.

        Raises:
            urllib3.exceptions.HTTPError: there is no answer.
        """
        answer = self._pool.request(
            method,
            self.url + path + ("?" + urlencode(query) if query else ""),
            body=body if isinstance(body, str) else None if body is None else json.dumps(body),
            headers={"Content-Type": content_type, "Accept": "application/json", "User-Agent": "pratique-tests"},
            timeout=timeout_seconds,
        )
        try:
            document = json.loads(answer.data)
        except ValueError:
            document = {"text": answer.data.decode(errors="replace")}
        return Response(answer.status, document, tuple(_warnings(answer.headers.getlist("Warning"))))

    def create(self, obj: Mapping[str, Any], *, manager: str = "pratique-tests", dry_run: bool = False) -> Response:
        """POST `obj` to the collection that its apiVersion, kind and namespace name."""
        return self.request("POST", collection(obj), obj, query={"fieldManager": manager} | _dry(dry_run))

    def apply(self, obj: Mapping[str, Any], *, manager: str = "pratique-tests", dry_run: bool = False) -> Response:
        """Server-side apply, as `kubectl apply --server-side` does it."""
        return self.request(
            "PATCH",
            location(obj),
            obj,
            content_type="application/apply-patch+yaml",
            query={"fieldManager": manager, "force": "true"} | _dry(dry_run),
        )

    def merge(self, path: str, patch: Mapping[str, Any], *, manager: str = "pratique-tests") -> Response:
        """JSON merge patch (RFC 7386) of one object or subresource."""
        content_type = "application/merge-patch+json"
        return self.request("PATCH", path, patch, content_type=content_type, query={"fieldManager": manager})

    def get(self, path: str) -> Response:
        return self.request("GET", path)

    def delete(self, path: str) -> Response:
        return self.request("DELETE", path, query={"gracePeriodSeconds": "0"})

    def close(self) -> None:
        self._pool.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_CLUSTER_SCOPED = {"Namespace", "ClusterRole", "ClusterRoleBinding", "ValidatingWebhookConfiguration", "PriorityClass",
                   "MutatingWebhookConfiguration", "CustomResourceDefinition", "Node"}  # fmt: skip


def collection(obj: Mapping[str, Any]) -> str:
    """The URL path to which an object of this kind is POSTed."""
    version, kind = str(obj["apiVersion"]), str(obj["kind"])
    plural = kind.lower() + ("es" if kind.endswith(("s", "x", "ch")) else "s")
    plural = plural.removesuffix("ys") + "ies" if plural.endswith(("cys", "tys")) else plural
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    if kind in _CLUSTER_SCOPED:
        return f"{root}/{plural}"
    return f"{root}/namespaces/{obj['metadata'].get('namespace', 'default')}/{plural}"


def location(obj: Mapping[str, Any]) -> str:
    """The URL path of one named object."""
    return f"{collection(obj)}/{quote(str(obj['metadata']['name']))}"


class Cluster:
    """etcd and kube-apiserver in `folder`; a context manager that is ready inside its block.

    Raises:
        ToolMissingError: a binary has not been provisioned.
        TimeoutError: a server did not become ready; the message cites its log.
    """

    def __init__(self, folder: Path, *, tools: Path = TOOLS, audit: bool = False) -> None:
        self.folder = folder
        self.audit_log = folder / "audit.log" if audit else None
        """One JSON line for each finished request, with the webhooks' audit annotations; None unless asked for."""
        self._tools = {name: tool(name, folder=tools) for name in ("etcd", "kube-apiserver", "kubectl")}
        self._processes: list[Process] = []
        self._identities: dict[tuple[str, tuple[str, ...]], KeyPair] = {}
        self._clients: list[Client] = []
        self._lock = threading.Lock()
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start both servers and return when `/readyz` says ok."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:  # Ctrl-C too
            self.stop()
            raise

    def stop(self) -> None:
        """Kill both servers: what they hold is thrown away with the folder."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        while self._processes:
            self._processes.pop().stop(grace_seconds=0)

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of etcd and kube-apiserver."""
        return tuple(process.pid for process in self._processes)

    @property
    def authority(self) -> Path:
        """The PEM certificate that signed the API server's certificate."""
        return self._authority.certificate

    def identity(self, user: str = ADMIN, groups: Sequence[str] = ADMIN_GROUPS) -> KeyPair:
        """A client certificate for `user` in `groups`, made once."""
        with self._lock:
            key = (user, tuple(groups))
            if key not in self._identities:
                name = f"client-{len(self._identities)}"
                self._identities[key] = self._authority.client(name, user=user, groups=groups)
            return self._identities[key]

    def client(self, user: str = ADMIN, groups: Sequence[str] = ADMIN_GROUPS, *, connections: int = 64) -> Client:
        """An HTTP client that acts as `user` in `groups`; closed with the cluster."""
        client = Client(
            self.url, authority=self.authority, identity=self.identity(user, groups), connections=connections
        )
        self._clients.append(client)
        return client

    def service_account(self, name: str, *, namespace: str = "kube-system", connections: int = 64) -> Client:
        """A client that acts as a service account, with its rights: the controllers' come from bootstrap roles."""
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return self.client(f"system:serviceaccount:{namespace}:{name}", groups, connections=connections)

    def kubeconfig(self, user: str = ADMIN, groups: Sequence[str] = ADMIN_GROUPS) -> Path:
        """A kubeconfig file for `user` in `groups`, with everything inlined."""
        identity = self.identity(user, groups)
        path = identity.key.with_suffix(".kubeconfig")
        if not path.exists():
            document = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": "pratique",
                        "cluster": {"server": self.url, "certificate-authority-data": _base64(self.authority)},
                    }
                ],
                "users": [
                    {
                        "name": user,
                        "user": {
                            "client-certificate-data": _base64(identity.certificate),
                            "client-key-data": _base64(identity.key),
                        },
                    }
                ],
                "contexts": [{"name": "pratique", "context": {"cluster": "pratique", "user": user}}],
                "current-context": "pratique",
            }
            path.touch(mode=0o600)
            path.write_text(json.dumps(document, indent=1))
        return path

    def kubectl(
        self,
        *args: str | Path,
        input: str | None = None,
        user: str = ADMIN,
        groups: Sequence[str] = ADMIN_GROUPS,
        timeout_seconds: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as `user` and return its outcome, whatever its exit status."""
        return subprocess.run(
            [self._tools["kubectl"], "--kubeconfig", self.kubeconfig(user, groups), *args],
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            env=self._environment(),
            check=False,
        )

    def apply(self, manifests: str) -> None:
        """`kubectl apply` of YAML text.

        Raises:
            RuntimeError: kubectl refused; the message is kubectl's own.
        """
        done = self.kubectl("apply", "-f", "-", input=manifests)
        if done.returncode != 0:
            raise RuntimeError(f"kubectl apply: {done.stderr.strip()}")

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Create a namespace and what the controller-manager would put in it: the default ServiceAccount and the CA.

        Raises:
            RuntimeError: the API server refused.
        """
        metadata = {"name": name, "labels": dict(labels or {})}
        inside = {"namespace": name}
        certificate = self.authority.read_text()
        for obj in (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": inside | {"name": "default"}},
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": inside | {"name": "kube-root-ca.crt"},
                "data": {"ca.crt": certificate},
            },
        ):
            answer = self._admin.create(obj)
            if not answer.ok:
                raise RuntimeError(f"{obj['kind']} {name}: {answer.status} {answer.message}")

    def _environment(self) -> dict[str, str]:
        """For tools of this cluster: no kubeconfig of the caller's, no proxy, no file outside the folder."""
        drop = ("KUBECONFIG", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        inherited = {name: value for name, value in os.environ.items() if name.upper() not in drop}
        return inherited | {"HOME": str(self.folder), "KUBECACHEDIR": str(self.folder / "kubectl-cache")}

    def _start(self) -> None:
        pki = self.folder / "pki"
        self._authority = Authority(pki)
        serving = self._authority.server("apiserver", hosts=(HOST, "localhost", "kubernetes.default.svc"))
        tokens = signing_key(pki, "service-accounts")
        etcd_url, peer_url = f"http://{HOST}:{free_port()}", f"http://{HOST}:{free_port()}"
        port = free_port()
        self.url = f"https://{HOST}:{port}"

        # The API server retries until etcd answers, so both start at once.
        self._spawn(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={etcd_url}",
            f"--advertise-client-urls={etcd_url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=default={peer_url}",
            "--unsafe-no-fsync",
            "--heartbeat-interval=50",
            "--election-timeout=250",
            f"--quota-backend-bytes={1 << 29}",
            "--snapshot-count=5000",
            "--log-level=warn",
        )
        self._spawn(
            "kube-apiserver",
            f"--etcd-servers={etcd_url}",
            f"--bind-address={HOST}",
            f"--advertise-address={HOST}",
            "--endpoint-reconciler-type=none",
            f"--secure-port={port}",
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={self.authority}",
            f"--service-account-key-file={tokens.certificate}",
            f"--service-account-signing-key-file={tokens.key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/24",
            "--authorization-mode=RBAC",
            "--enable-admission-plugins=ServiceAccount",  # on by default: named because tests rely on it
            "--allow-privileged=true",
            "--profiling=false",
            "--v=0",
            *self._audit_flags(),
        )
        self._admin = self.client()
        wait_until(
            self._is_ready,
            timeout_seconds=_READY_SECONDS,
            what="kube-apiserver becomes ready",
            process=self._processes[-1],
        )

    def _spawn(self, name: str, *flags: str) -> None:
        log = self.folder / f"{name}.log"
        process = Process(
            [self._tools[name], *flags], log=log, env=self._environment(), cwd=self.folder, orphan_grace_seconds=0
        )
        self._processes.append(process)

    def _audit_flags(self) -> Iterable[str]:
        if self.audit_log is None:
            return ()
        policy = self.folder / "audit-policy.json"
        document = {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [{"level": "Metadata", "verbs": ["create", "update", "patch", "delete"]}],
        }
        policy.write_text(json.dumps(document))
        return (f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}", "--audit-log-mode=blocking")

    def _is_ready(self) -> bool:
        if (status := self._processes[0].poll()) is not None:
            raise TimeoutError(f"etcd ended with status {status}; its log ends with\n{self._processes[0].tail()}")
        try:
            return self._admin.request("GET", "/readyz", timeout_seconds=5).status == 200
        except urllib3.exceptions.HTTPError:
            return False


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _warnings(headers: Iterable[str]) -> Iterable[str]:
    """The texts in `299 - "..."` headers, RFC 9111 5.5 as Kubernetes uses it."""
    for header in headers:
        _, _, quoted = header.encode("latin-1").decode(errors="replace").partition('"')  # urllib3 takes it for latin-1
        yield quoted.rpartition('"')[0].replace('\\"', '"').replace("\\\\", "\\")


if __name__ == "__main__":
    from tests.support.demo import main

    raise SystemExit(main())
