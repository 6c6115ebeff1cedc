"""What a live webhook says of an object: asked itself, or through the API server that it stands before.

Nothing is changed: the API server is asked for a dry run, the webhook with a review that says that it is one.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import orjson
import urllib3

from pratique.canonical import compact_json
from pratique.decision import Outcome
from pratique.engine import Request
from pratique.errors import EvidenceUnavailable
from reports.told import Told, read_denial, read_warnings
from webhook.limits import MAX_TIMEOUT_SECONDS
from webhook.registration import VALIDATE_PATH
from webhook.review import API_VERSION, KIND

SECONDS = 45.0
"""How long one question may take: the API server waits for a webhook for 30 s at most."""

MAX_AT_ONCE = 4
"""Questions at one time: enough to keep both sides busy, few for a cluster that others use."""

WEBHOOK_NAME = "validate.pratique.dev"
_DENIED = re.compile(rf'admission webhook "{re.escape(WEBHOOK_NAME)}" denied the request: (.*)', re.DOTALL)
_QUERY = "dryRun=All&fieldManager=pratique-parity&fieldValidation=Ignore"
_MAX_SHOWN = 300


class Remote(Protocol):
    """Who is asked: `WebhookUrl` or `ApiServerDryRun`."""

    def request(self) -> Request:
        """The request that it sees when it is asked: who creates the object."""

    def told(self, obj: Mapping[str, Any], *, namespace: str) -> Told:
        """What it says of the creation of `obj`, in `namespace` if the object names none and its kind has one.

        Raises:
            EvidenceUnavailable: it says nothing of the policies: the object is refused before it comes to them, say.
        """


class WebhookUrl:
    """The webhook at a URL, asked as an API server asks it; without one in between, nothing is defaulted.

    Unless the URL says otherwise, the webhook is given as long as an API server can give it: a machine that is slow is
    to make no difference.
    """

    def __init__(self, url: str, *, ca_file: Path | None, request: Request) -> None:
        parts = urlsplit(url)
        path = parts.path if parts.path not in ("", "/") else VALIDATE_PATH
        query = parts.query or f"timeout={MAX_TIMEOUT_SECONDS:g}s"
        self._url = urlunsplit(parts._replace(path=path, query=query))
        self._request = request
        self._pool = urllib3.PoolManager(
            maxsize=MAX_AT_ONCE, ca_certs=None if ca_file is None else str(ca_file), retries=False
        )

    def request(self) -> Request:
        return self._request

    def told(self, obj: Mapping[str, Any], *, namespace: str) -> Told:
        uid = str(uuid.uuid4())
        body = compact_json(_review(obj, uid, namespace, self._request))
        try:
            answer = self._pool.request(
                "POST", self._url, body=body, headers={"Content-Type": "application/json"}, timeout=SECONDS
            )
            response = orjson.loads(answer.data)["response"]
            if answer.status != 200 or response["uid"] != uid:
                raise EvidenceUnavailable(f"the webhook answered HTTP {answer.status}, or another review")
            if response["allowed"] is True:
                return read_warnings(response.get("warnings") or ())
            status = response["status"]
            return _refused(status["message"], int(status["code"]))
        except urllib3.exceptions.HTTPError as error:
            raise EvidenceUnavailable(f"the webhook cannot be asked: {error}") from error
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise EvidenceUnavailable(f"the webhook gave no verdict: {answer.data[:_MAX_SHOWN]!r}") from error


def _review(obj: Mapping[str, Any], uid: str, namespace: str, request: Request) -> dict[str, Any]:
    """An AdmissionReview of the creation of `obj` (k8s.io/api/admission/v1)."""
    group, _, version = str(obj.get("apiVersion")).rpartition("/")
    kind = {"group": group, "version": version, "kind": str(obj.get("kind"))}
    metadata = obj.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    is_namespace = (group, kind["kind"]) == ("", "Namespace")
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "request": {
            "uid": uid,
            "kind": kind,
            "resource": {"group": group, "version": version, "resource": f"{kind['kind'].lower()}s"},
            "requestKind": kind,
            "name": _text(named.get("name")),
            "namespace": _text(named.get("name")) if is_namespace else _text(named.get("namespace")) or namespace,
            "operation": request.operation,
            "userInfo": {"username": request.user, "groups": list(request.groups)},
            "object": obj,
            "oldObject": None,
            "dryRun": True,
            "options": None,
        },
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _refused(message: str, code: int) -> Told:
    """What a refusal says. Raises: ValueError."""
    return read_denial(message, Outcome.UNDECIDED if code == 500 else Outcome.DENIED)


class ApiServerDryRun:
    """The API server of a kubeconfig, asked to create objects, but not to keep them."""

    def __init__(self, kubeconfig: Path) -> None:
        from webhook.cluster import connect  # the client costs a fifth of a second, and `--server` does not need it

        self._client = connect(kubeconfig=kubeconfig)
        self._resources: dict[str, Mapping[str, tuple[str, bool]]] = {}

    def request(self) -> Request:
        """Who the API server takes us for.

        Raises:
            EvidenceUnavailable: it does not say.
        """
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        status, answer, _ = self._ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
        user = answer.get("status", {}).get("userInfo", {}) if status == 201 else {}
        if not user.get("username"):
            raise EvidenceUnavailable(f"the API server does not say who we are (HTTP {status}): {_shown(answer)}")
        return Request(operation="CREATE", user=user["username"], groups=tuple(user.get("groups") or ()), dry_run=True)

    def told(self, obj: Mapping[str, Any], *, namespace: str) -> Told:
        status, answer, warned = self._ask("POST", f"{self._collection(obj, namespace)}?{_QUERY}", obj)
        if status in (200, 201) or (status, answer.get("reason")) == (409, "AlreadyExists"):
            return read_warnings(warned)  # that something of the name exists is found out after all admission
        message = str(answer.get("message"))
        if (match := _DENIED.search(message)) is not None:
            try:
                return _refused(match[1], status)
            except ValueError:
                pass  # it was refused, but not by a verdict: said below
        raise EvidenceUnavailable(f"the API server refuses it for another reason (HTTP {status}): {_shown(answer)}")

    def _collection(self, obj: Mapping[str, Any], namespace: str) -> str:
        api_version, kind = str(obj.get("apiVersion")), str(obj.get("kind"))
        root = f"/apis/{quote(api_version)}" if "/" in api_version else f"/api/{quote(api_version)}"
        if api_version not in self._resources:
            status, answer, _ = self._ask("GET", root, None)
            listed = answer.get("resources") if status == 200 else None
            self._resources[api_version] = {
                str(each["kind"]): (str(each["name"]), bool(each["namespaced"]))
                for each in listed or ()
                if "/" not in str(each["name"])
            }
        if kind not in self._resources[api_version]:
            raise EvidenceUnavailable(f"the API server serves no {kind} of {api_version}")
        plural, namespaced = self._resources[api_version][kind]
        if not namespaced:
            return f"{root}/{plural}"
        metadata = obj.get("metadata")
        own = _text(metadata.get("namespace")) if isinstance(metadata, dict) else ""
        return f"{root}/namespaces/{quote(own or namespace, safe='')}/{plural}"

    def _ask(self, method: str, path: str, body: object) -> tuple[int, Mapping[str, Any], list[str]]:
        """Status, JSON and warnings of an answer. Raises: EvidenceUnavailable."""
        from kubernetes.client.exceptions import OpenApiException

        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            plain = orjson.loads(
                compact_json(body)
            )  # numbers that were kept as they were written are no JSON of theirs
            verb, url, sent, _, _ = self._client.param_serialize(
                method, path, header_params=headers, auth_settings=["BearerToken"]
            )
            response = self._client.call_api(verb, url, sent, plain, _request_timeout=SECONDS).response
            status, data = response.status, response.data
            warned = [_warning(text) for text in response.headers.getlist("Warning")]
            response.release_conn()
            answer = {} if status == 404 and data[:1] != b"{" else orjson.loads(data)
        except (urllib3.exceptions.HTTPError, OpenApiException, OSError) as error:
            raise EvidenceUnavailable(f"the API server cannot be asked for {path}: {error}") from error
        except orjson.JSONDecodeError as error:
            raise EvidenceUnavailable(f"the API server's answer for {path} is no JSON") from error
        return status, answer if isinstance(answer, dict) else {}, warned


def _warning(header: str) -> str:
    """The text of a `Warning` header: `299 - "text"`, with quotes and backslashes escaped (RFC 7234, section 5.5)."""
    # Header fields come as ISO 8859-1; what Kubernetes puts into them is UTF-8.
    utf8 = header.encode("latin-1", "replace").decode("utf-8", "replace")
    text = utf8.partition('"')[2].rpartition('"')[0]
    return re.sub(r"\\(.)", r"\1", text)


def _shown(answer: Mapping[str, Any]) -> str:
    return str(answer.get("message", ""))[:_MAX_SHOWN]
