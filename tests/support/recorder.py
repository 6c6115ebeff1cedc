"""An admission webhook that allows everything and remembers the bytes: what a real API server sends, as it sends it."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.support.cluster import HOST, Cluster
from tests.support.pki import Authority
from tests.support.processes import wait_until

_LABEL = "recorded"
_READY_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """One AdmissionReview: its exact bytes and its parsed `request`."""

    body: bytes
    request: dict[str, Any]

    @property
    def what(self) -> tuple[str, str, str]:
        """Operation, resource and subresource, the two latter in the request's own version."""
        return self.request["operation"], self.request["resource"]["resource"], self.request.get("subResource", "")


class Recorder:
    """Serves HTTPS on loopback inside its `with` block, registered for everything in namespaces made by `namespace`."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._recorded: list[Recorded] = []
        self._lock = threading.Lock()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = json.loads(body)["request"]
                recorder._add(Recorded(body, request))
                answer = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
                document = answer | {"response": {"uid": request["uid"], "allowed": True}}
                data = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

            def finish_request(self, request: Any, client_address: Any) -> None:
                with context.wrap_socket(request, server_side=True) as secure:  # here, so that it happens in the thread
                    super().finish_request(secure, client_address)

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A connection that the API server drops is none of our business."""

        self._authority = Authority(folder, name="recorder-ca")
        pair = self._authority.server("recorder", hosts=(HOST,))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self._server = Server((HOST, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="recorder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._register()
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.client().delete(f"{_CONFIGURATIONS}/recorder")
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def namespace(self, name: str) -> str:
        """Make a namespace of which everything is recorded, and return its name."""
        self._cluster.create_namespace(name, {_LABEL: "yes"})
        return name

    def take(self) -> list[Recorded]:
        """What was recorded since the last call, oldest first. An answered request has been recorded."""
        with self._lock:
            taken, self._recorded = self._recorded, []
        return taken

    def _add(self, recorded: Recorded) -> None:
        with self._lock:
            self._recorded.append(recorded)

    def _register(self) -> None:
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "recorder"},
            "webhooks": [
                {
                    "name": "recorder.pratique.dev",
                    "admissionReviewVersions": ["v1"],
                    "sideEffects": "None",
                    "failurePolicy": "Fail",
                    "namespaceSelector": {"matchLabels": {_LABEL: "yes"}},
                    "rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}],
                    "clientConfig": {
                        "url": f"https://{HOST}:{self._server.server_port}/record",
                        "caBundle": base64.b64encode(self._authority.certificate.read_bytes()).decode(),
                    },
                }
            ],
        }
        client = self._cluster.client()
        answer = client.create(configuration)
        if not answer.ok:
            raise RuntimeError(f"the recorder could not be registered: {answer.message}")
        probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe", "namespace": "recorder-probe"}}
        self.namespace("recorder-probe")

        def is_called() -> bool:
            client.create(probe, dry_run=True)
            return bool(self.take())

        wait_until(is_called, timeout_seconds=_READY_SECONDS, what="the API server calls the recorder")


_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
