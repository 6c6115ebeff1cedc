"""Real registries on loopback, and the few requests that fill them.

`serve()` starts `tools/registry` (go-containerregistry, in memory), `serve_debian()` Debian's docker-registry where it
is installed. Both give a `Running`; its `repository()` pushes blobs, manifests, indexes and what refers to them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.pki import KeyPair
from tests.support.processes import Process, wait_until

PROGRAM = Path(__file__).resolve().parents[2] / ".cache" / "tools" / "registry"
DEBIAN = "docker-registry"
USER, PASSWORD = "ada", "s3cret:with:colons"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

Object = dict[str, Any]


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(media_type: str, content: bytes, **more: Any) -> Object:
    """A descriptor of `content`; `more` are further fields of it."""
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content), **more}


@dataclass(frozen=True, slots=True)
class Pushed:
    """A manifest as it is in the registry."""

    digest: str
    media_type: str
    content: bytes

    def descriptor(self, **more: Any) -> Object:
        return descriptor(self.media_type, self.content, **more)


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository of a running registry, to push to."""

    client: httpx.Client
    name: str
    login: tuple[str, str] | None = None

    def blob(self, content: bytes) -> str:
        """Uploads `content` in one go (distribution-spec, "POST then PUT"); its digest."""
        started = self._send("POST", f"/v2/{self.name}/blobs/uploads/", 202)
        target = httpx.URL(started.headers["Location"]).copy_merge_params({"digest": digest_of(content)})
        self._send("PUT", str(target), 201, content, "application/octet-stream")
        return digest_of(content)

    def manifest(self, document: Mapping[str, Any] | bytes, *, tag: str = "", media_type: str = MANIFEST) -> Pushed:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        digest = digest_of(content)
        self._send("PUT", f"/v2/{self.name}/manifests/{tag or digest}", 201, content, media_type)
        return Pushed(digest, media_type, content)

    def image(self, tag: str = "", *, content: bytes = b"an image") -> Pushed:
        """A runnable image as far as a registry can tell: a configuration and one layer."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "of": content.decode()}).encode()
        self.blob(config)
        self.blob(content)
        layers = [descriptor(LAYER, content)]
        return self.manifest(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, config), "layers": layers}, tag=tag
        )

    def index(self, entries: Sequence[Mapping[str, Any]], *, tag: str = "", **more: Any) -> Pushed:
        """An index of descriptors, such as `image.descriptor(platform={...})`."""
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries), **more}
        return self.manifest(document, tag=tag, media_type=INDEX)

    def artifact(
        self,
        layers: Sequence[tuple[str, bytes, Mapping[str, str]]],
        *,
        subject: Pushed | None = None,
        artifact_type: str = "",
        tag: str = "",
        config_type: str = EMPTY,
    ) -> Pushed:
        """A manifest of evidence: layers are media type, content and annotations; with `subject`, it refers to that."""
        self.blob(b"{}")
        for _, content, _ in layers:
            self.blob(content)
        document: Object = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(config_type, b"{}"),
            "layers": [descriptor(kind, content, annotations=dict(notes)) for kind, content, notes in layers],
        }
        if artifact_type:
            document["artifactType"] = artifact_type
        if subject is not None:
            document["subject"] = subject.descriptor()
        return self.manifest(document, tag=tag)

    def fallback(self, subject: Pushed, referring: Sequence[Pushed]) -> Pushed:
        """The referrers of `subject` as a client keeps them where the registry has no referrers API."""
        return self.index([each.descriptor() for each in referring], tag=subject.digest.replace(":", "-"))

    def _send(self, method: str, url: str, status: int, content: bytes = b"", media_type: str = "") -> httpx.Response:
        headers = {"Content-Type": media_type} if media_type else {}
        answer = self.client.request(method, url, content=content, headers=headers)
        challenge = answer.headers.get("WWW-Authenticate", "")
        if answer.status_code == 401 and self.login and challenge.startswith("Bearer "):
            token = self._token(challenge)
            answer = self.client.request(
                method, url, content=content, headers={**headers, "Authorization": f"Bearer {token}"}
            )
        elif answer.status_code == 401 and self.login:
            answer = self.client.request(method, url, content=content, headers=headers, auth=self.login)
        assert answer.status_code == status, f"{method} {url}: {answer.status_code} {answer.text}"
        return answer

    def _token(self, challenge: str) -> str:
        realm = challenge.partition('realm="')[2].partition('"')[0]
        scope = f"repository:{self.name}:pull,push"
        answer = self.client.get(realm, params={"scope": scope}, auth=self.login or ("", ""))
        return str(answer.json()["token"])


@dataclass(frozen=True, slots=True)
class Running:
    """A registry that answers at `host` (`127.0.0.1:port`)."""

    host: str
    client: httpx.Client
    login: tuple[str, str] | None = None

    def repository(self, name: str = "team/app") -> Repository:
        return Repository(self.client, name, self.login)


@contextmanager
def serve(
    *,
    referrers: bool = True,
    login: tuple[str, str] | None = None,
    token_seconds: int = 0,
    delay_milliseconds: int = 0,
    tls: KeyPair | None = None,
    authority: Path | None = None,
) -> Iterator[Running]:
    """The registry of `tools/registry`, until the block ends; `authority` is the PEM file to trust it by."""
    assert PROGRAM.exists(), "there is no .cache/tools/registry: run python3 tools/provision.py registry"
    options = [f"-referrers={'true' if referrers else 'false'}", f"-delay={delay_milliseconds}ms"]
    options += [f"-htpasswd={login[0]}:{login[1]}"] if login else []
    options += [f"-token={token_seconds}s"] if token_seconds else []
    options += [f"-tls-cert={tls.certificate}", f"-tls-key={tls.key}"] if tls else []
    with subprocess.Popen([PROGRAM, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            host = f"127.0.0.1:{int(process.stdout.readline())}"
            with _client(host, authority if tls else None) as client:
                yield Running(host, client, login)
        finally:
            process.stdin.close()  # which ends it


def is_debian_installed() -> bool:
    return shutil.which(DEBIAN) is not None


@contextmanager
def serve_debian(folder: Path) -> Iterator[Running]:
    """Debian's docker-registry (CNCF Distribution 2), which has no referrers API, with its data in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "config.yml"
    configuration.write_text(
        "version: 0.1\n"
        "log: {accesslog: {disabled: true}, level: info, formatter: json}\n"
        f"storage: {{filesystem: {{rootdirectory: {json.dumps(str(folder / 'data'))}}}}}\n"
        "http: {addr: '127.0.0.1:0'}\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    process = Process([DEBIAN, "serve", configuration], log=folder / "log.json", env=environment)
    try:
        wait_until(lambda: bool(_port_in(process.log)), what="docker-registry listens", process=process)
        host = f"127.0.0.1:{_port_in(process.log)}"
        with _client(host, None) as client:
            yield Running(host, client)
    finally:
        process.stop()


def _port_in(log: Path) -> str:
    """The port of the line in which the registry says where it listens; empty while there is none."""
    for line in log.read_text().splitlines() if log.exists() else ():
        _, found, address = line.partition("listening on 127.0.0.1:")
        if found and '"' in address:
            return address.partition('"')[0]
    return ""


def _client(host: str, authority: Path | None) -> httpx.Client:
    if authority is None:
        return httpx.Client(base_url=f"http://{host}", trust_env=False, timeout=30)
    context = ssl.create_default_context(cafile=str(authority))
    return httpx.Client(base_url=f"https://{host}", trust_env=False, timeout=30, verify=context)
