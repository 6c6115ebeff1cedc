"""An OCI registry, as far as pushing and pulling policies needs it (OCI Distribution Specification 1.1).

Credentials come from Docker's configuration: its helpers, its store, or what stands in the file. What is fetched counts
only if it has the digest under which it was asked for.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import ipaddress
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from attestations.credentials import HELPER_SECONDS, DockerConfiguration
from pratiquectl.conftest.errors import ConftestError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
POLICY_LAYER_TYPE = "application/vnd.cncf.openpolicyagent.policy.layer.v1+rego"
DATA_LAYER_TYPE = "application/vnd.cncf.openpolicyagent.data.layer.v1+json"
CONFIG_TYPE = "application/vnd.unknown.config.v1+json"
TITLE = "org.opencontainers.image.title"

TIMEOUT_SECONDS = 30.0
"""For a registry to accept a connection, and for each piece of an answer."""
MAX_MANIFEST_BYTES = 4 * 2**20
"""The size up to which the specification asks registries to take manifests."""
MAX_BLOB_BYTES = 256 * 2**20
"""Protects memory: no policy is that large."""
MAX_REDIRECTS = 5

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REFERENCE = re.compile(
    r"(?P<host>[^/]+)/(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Where an artifact is: registry, repository, and tag or digest."""

    host: str
    repository: str
    reference: str


def parse_reference(text: str) -> Reference:
    """The reference that `text` writes out; without a tag, `latest`.

    Raises:
        ConftestError: it is none.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise ConftestError(f"invalid reference: {text!r} is not registry/repository:tag")
    return Reference(found["host"], found["repository"], found["digest"] or found["tag"] or "latest")


def is_loopback(host: str) -> bool:
    """Whether the registry is on this machine, by its name alone."""
    name = host.rpartition(":")[0] or host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Registry:
    """One repository of a registry. `tls` None means: unless it is on this machine."""

    def __init__(self, reference: Reference, *, tls: bool | None, environ: Mapping[str, str]) -> None:
        self._reference = reference
        self._environ = environ
        secure = not is_loopback(reference.host) if tls is None else tls
        self._root = f"{'https' if secure else 'http'}://{reference.host}"
        self._authorization = ""

    def push_blob(self, content: bytes) -> str:
        """Uploads the blob unless it is there; its digest.

        Raises:
            ConftestError: the registry does not take it.
        """
        digest = digest_of(content)
        if self._request("HEAD", f"blobs/{digest}").status == 200:
            return digest
        started = self._expect(self._request("POST", "blobs/uploads/"), 202, "starting an upload")
        location = urljoin(f"{self._root}/", started.headers.get("location", ""))
        separator = "&" if "?" in location else "?"
        target = f"{location}{separator}digest={quote(digest, safe='')}"
        answer = self._request("PUT", target, content, {"Content-Type": "application/octet-stream"})
        self._expect(answer, 201, "uploading a blob")
        return digest

    def push_manifest(self, content: bytes, reference: str) -> None:
        """Stores the manifest under a tag or its digest. Raises: ConftestError: the registry does not take it."""
        answer = self._request("PUT", f"manifests/{reference}", content, {"Content-Type": MANIFEST_TYPE})
        self._expect(answer, 201, "pushing the manifest")

    def manifest(self) -> dict[str, Any]:
        """The manifest that the reference names.

        Raises:
            ConftestError: there is none, or it is not what it says it is.
        """
        wanted = self._reference.reference
        answer = self._request(
            "GET", f"manifests/{wanted}", headers={"Accept": MANIFEST_TYPE}, limit=MAX_MANIFEST_BYTES
        )
        if answer.status == 404:
            raise ConftestError(f"{self._reference.host}/{self._reference.repository}:{wanted}: not found")
        self._expect(answer, 200, "fetching the manifest")
        expected = wanted if _DIGEST.fullmatch(wanted) else answer.headers.get("docker-content-digest", "")
        if expected.startswith("sha256:") and digest_of(answer.body) != expected:
            raise ConftestError(f"the manifest has the digest {digest_of(answer.body)} and not {expected}")
        try:
            document = json.loads(answer.body)
        except ValueError as error:
            raise ConftestError(f"the manifest is not JSON: {error}") from error
        if not isinstance(document, dict) or not isinstance(document.get("layers", []), list | None):
            raise ConftestError("the manifest is not that of an artifact with layers")
        return document

    def blob(self, digest: str) -> bytes:
        """The content with this digest.

        Raises:
            ConftestError: it is not there, or what is there has another digest.
        """
        if not _DIGEST.fullmatch(digest):
            raise ConftestError(f"the digest {digest!r} is not one of sha256")
        answer = self._expect(self._request("GET", f"blobs/{digest}", limit=MAX_BLOB_BYTES), 200, f"fetching {digest}")
        if digest_of(answer.body) != digest:
            raise ConftestError(
                f"the layer {digest} has the digest {digest_of(answer.body)}: it was changed on the way"
            )
        return answer.body

    def _expect(self, answer: Response, status: int, doing: str) -> Response:
        if answer.status == status:
            return answer
        said = answer.body[:300].decode(errors="replace").strip()
        raise ConftestError(f"{doing}: {self._reference.host} answers {answer.status}{': ' if said else ''}{said}")

    def _request(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        limit: int = MAX_MANIFEST_BYTES,
    ) -> Response:
        url = target if "://" in target else f"{self._root}/v2/{self._reference.repository}/{target}"
        answer = self._send(method, url, body, headers or {}, limit)
        if answer.status == 401 and self._authorize(answer.headers.get("www-authenticate", ""), pushes=method != "GET"):
            answer = self._send(method, url, body, headers or {}, limit)
        return answer

    def _send(self, method: str, url: str, body: bytes, headers: Mapping[str, str], limit: int) -> Response:
        for _ in range(MAX_REDIRECTS):
            own = urlsplit(url).netloc == self._reference.host
            extra = {"Authorization": self._authorization} if own and self._authorization else {}
            answer = fetch(method, url, body, {**headers, **extra}, limit=limit)
            if answer.status not in (301, 302, 303, 307, 308) or method not in ("GET", "HEAD"):
                return answer
            url = urljoin(url, answer.headers.get("location", ""))
        raise ConftestError(f"{self._reference.host} redirects more than {MAX_REDIRECTS} times")

    def _authorize(self, challenge: str, *, pushes: bool) -> bool:
        """Gets ready to answer the challenge; false if there is nothing to answer with."""
        user, secret = credentials(self._reference.host, self._reference.repository, self._environ)
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic":
            self._authorization = _basic(user, secret) if user else ""
            return bool(user)
        if kind.lower() != "bearer":
            return False
        parameters = dict(_CHALLENGE.findall(rest))
        realm = parameters.get("realm", "")
        if urlsplit(realm).scheme not in ("http", "https"):
            raise ConftestError(f"{self._reference.host} asks for a token from {realm!r}, which is no address")
        actions = "pull,push" if pushes else "pull"
        query = {"scope": parameters.get("scope") or f"repository:{self._reference.repository}:{actions}"}
        if "service" in parameters:
            query["service"] = parameters["service"]
        headers: dict[str, str] = {}
        if user == _TOKEN_USER:
            body = urlencode({**query, "grant_type": "refresh_token", "refresh_token": secret, "client_id": "pratique"})
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            answer = fetch("POST", realm, body.encode(), headers)
        else:
            headers |= {"Authorization": _basic(user, secret)} if user else {}
            answer = fetch("GET", f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}", b"", headers)
        if answer.status != 200:
            raise ConftestError(f"{urlsplit(realm).netloc} gives no token for {self._reference.host}: {answer.status}")
        try:
            said = json.loads(answer.body)
            self._authorization = f"Bearer {said.get('token') or said['access_token']}"
        except (ValueError, LookupError, AttributeError) as error:
            raise ConftestError(f"{urlsplit(realm).netloc} answers without a token") from error
        return True


def _basic(user: str, secret: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{secret}'.encode()).decode()}"


def fetch(
    method: str, url: str, body: bytes, headers: Mapping[str, str], *, limit: int = MAX_MANIFEST_BYTES
) -> Response:
    """The response of one request.

    Raises:
        ConftestError: there is none, or it is larger than `limit` bytes.
    """
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            parts.netloc, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    try:
        connection.request(method, path, body=body or None, headers={"User-Agent": "pratique", **headers})
        answer = connection.getresponse()
        content = answer.read(limit + 1)
    except (OSError, http.client.HTTPException) as error:
        raise ConftestError(f"{method} {url}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if len(content) > limit:
        raise ConftestError(f"{method} {url}: the answer is larger than {limit} bytes")
    return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)


_TOKEN_USER = "<token>"  # noqa: S105 - the name under which Docker's helpers give identity tokens


def credentials(host: str, repository: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """User and secret that Docker's configuration has for the repository; two empty texts if it has none.

    Raises:
        ConftestError: there are none, because the configuration cannot be read or its helper fails.
    """
    source = DockerConfiguration.of_environment(environ)
    found = asyncio.run(source.candidates(host, repository, seconds=HELPER_SECONDS))
    if found.credentials:
        first = found.credentials[0]
        return _TOKEN_USER if first.is_identity_token else first.user, first.secret
    if found.problems:
        raise ConftestError(found.problems[0])
    return "", ""
