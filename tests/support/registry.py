"""An OCI registry on loopback, in memory: enough of the Distribution Specification to push to and pull from."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

USER, PASSWORD, TOKEN = "ada", "s3cret:with:colons", "t0ken"


@dataclass
class Registry:
    """Use as a context manager. `auth` is "", "basic" or "bearer", with tokens from `token_host` if it is not this one;
    `lies` are digests under which it gives nonsense."""

    auth: str = ""
    token_host: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    lies: set[str] = field(default_factory=set)
    status: int = 0
    requests: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)

    def __enter__(self) -> Registry:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[digest] = content
        return digest

    def layers(self, reference: str) -> dict[str, tuple[str, bytes]]:
        """Media type and content of each layer by its title."""
        manifest = json.loads(self.manifests[reference])
        return {
            layer["annotations"]["org.opencontainers.image.title"]: (layer["mediaType"], self.blobs[layer["digest"]])
            for layer in manifest["layers"] or ()
        }


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            """Says nothing."""

        def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _allowed(self) -> bool:
            given = self.headers.get("Authorization", "")
            basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if self.path.startswith("/token"):
                registry.users.append(given)
                if given != f"Basic {basic}":
                    self._answer(401)
                else:
                    self._answer(200, json.dumps({"token": TOKEN}).encode())
                return False
            wanted = {"basic": f"Basic {basic}", "bearer": f"Bearer {TOKEN}"}.get(registry.auth)
            if wanted is None or given == wanted:
                return True
            challenge = f'Bearer realm="http://{registry.token_host or registry.host}/token",service="it"'
            self._answer(401, WWW_Authenticate=challenge if registry.auth == "bearer" else 'Basic realm="it"')
            return False

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            registry.requests.append(f"{self.command} {self.path}")
            if not self._allowed():
                return
            if registry.status:
                self._answer(registry.status, b'{"errors": [{"code": "DENIED"}]}')
                return
            if found := re.fullmatch(r"/v2/.+/blobs/uploads/", self.path):
                self._answer(202, Location=f"{self.path}1?state=x")
            elif found := re.fullmatch(r"/v2/.+/blobs/uploads/1\?(?:state=x&)?digest=([^&]+)(?:&state=x)?", self.path):
                digest = found[1].replace("%3A", ":")
                assert registry.put(body) == digest
                self._answer(201)
            elif found := re.fullmatch(r"/v2/.+/blobs/(.+)", self.path):
                content = registry.blobs.get(found[1])
                lie = b"package lie\n" if found[1] in registry.lies else None
                self._answer(404) if content is None else self._answer(200, lie or content)
            elif found := re.fullmatch(r"/v2/.+/manifests/(.+)", self.path):
                self._manifest(found[1], body)
            else:
                self._answer(200 if self.path == "/v2/" else 404)

        def _manifest(self, reference: str, body: bytes) -> None:
            if self.command == "PUT":
                digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
                registry.manifests |= {reference: body, digest: body}
                self._answer(201, Docker_Content_Digest=digest)
            elif reference in registry.manifests:
                content = registry.manifests[reference]
                digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
                media_type = "application/vnd.oci.image.manifest.v1+json"
                self._answer(200, content, Content_Type=media_type, Docker_Content_Digest=digest)
            else:
                self._answer(404)

        do_GET = do_HEAD = do_POST = do_PUT = _handle  # noqa: N815 - the names that http.server looks for

    return Handler
