"""What the webhook asks the API server: the labels of namespaces, and the object that a `scale` request or an
autoscaler is about.

Of the `kubernetes` client only its transport is used (`ApiClient`, `Watch`, its kubeconfig and in-cluster
authentication): the typed APIs (`CoreV1Api`) cost 70 MB and a second for models that are not needed to read labels.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import yaml

from pratique.canonical import parse_json
from pratique.errors import ConfigError, EvidenceUnavailable, InputError, Problem

if TYPE_CHECKING:
    from kubernetes.client.api_client import ApiClient

log = logging.getLogger(__name__)

Kept = TypeVar("Kept")

MAX_THREADS = 8
"""Requests to the API server at one time: protects it, and us, from a storm of scale requests."""
MAX_WATCHES = 8
"""Namespaces, our own kinds, autoscalers and resource claims: a connection each, kept for the next watch."""
WATCH_SECONDS = 60
"""How long one watch lasts. Each new one proves that the connection lives, and costs the API server next to nothing."""
CONNECT_SECONDS = 5.0
LIST_SECONDS = 30.0
STALE_SECONDS = 3 * WATCH_SECONDS
"""Labels that were not confirmed for so long are not known any more."""
FETCHED_SECONDS = 5.0
"""How long the labels of a namespace that was asked for by itself count: until then the watch has usually brought
it."""
FAILED_SECONDS = 1.0
"""How long a namespace that could not be fetched is not asked for again: protects the API server, and our latency."""
LOOKUP_SHARE = 0.5
"""The part of the time until the deadline that finding out labels may take: the rest is for the policies."""
MAX_FETCHED = 1000
"""Protects the memory from requests for namespaces that come and go faster than the watch brings them."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 15.0
PAGE_SIZE = 500
_OVERTIME_SECONDS = 0.1
"""How much later than whoever waits a thread gives up, so that there is one reason and not either of two."""
SERVED_SECONDS = 10.0
"""How often it is looked whether the API server serves a resource now that it did not: its CRD may come any time."""
DISCOVERY_SECONDS = 600.0
"""How long it is believed which version of a group serves a resource. One that is not found is looked for each time."""


def connect(*, kubeconfig: Path | None, private: Path | None = None) -> ApiClient:
    """A client of the API server that `kubeconfig` names; without one, of the cluster that this pod runs in.

    `private` is where the client writes the keys of the kubeconfig, which it can only read from files; by default the
    system's directory for temporary files, where they outlive a process that is killed.

    Raises:
        ConfigError: there is no usable identity.
    """
    # Imported here because it costs 10 MB and a fifth of a second, and most uses of this package have no cluster.
    from kubernetes import config
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration

    configuration = Configuration()
    configuration.retries = False  # the deadline decides; what is worth a second try is tried again here
    configuration.connection_pool_maxsize = MAX_THREADS + MAX_WATCHES
    try:
        if kubeconfig is not None:
            config.load_kube_config(  # type: ignore[no-untyped-call] # the client does not type it
                config_file=str(kubeconfig),
                client_configuration=configuration,
                temp_file_path=None if private is None else str(private),
            )
        else:
            config.load_incluster_config(  # type: ignore[no-untyped-call] # as above
                client_configuration=configuration
            )
        return ApiClient(configuration)
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError) as error:
        where = str(kubeconfig) if kubeconfig is not None else "in_cluster"
        raise ConfigError(Problem(where, "", f"the API server cannot be reached with this: {error}")) from error


class ApiServer:
    """GETs of one API server from an event loop, in a few threads."""

    def __init__(self, client: ApiClient) -> None:
        self.client = client
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="pratique-api")

    async def get(self, path: str, *, deadline: float) -> Mapping[str, Any]:
        """The object at `path`, by `deadline`.

        Raises:
            EvidenceUnavailable: there is no answer, or it is another than the object; `NotFound` where it is not there.
        """
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise EvidenceUnavailable(f"there was no time left to ask the API server for {path}")
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._get, path, deadline)
        try:
            async with asyncio.timeout(remaining):
                return await asyncio.shield(future)
        except TimeoutError as error:
            future.add_done_callback(_seen)
            raise EvidenceUnavailable(f"the API server did not give {path} before the deadline") from error

    def close(self) -> None:
        """Ask nothing more; what is under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.client.close()  # type: ignore[no-untyped-call] # the client does not type it

    def _get(self, path: str, deadline: float) -> Mapping[str, Any]:
        # Once more where a connection that had been idle was closed by the other side.
        for last in (False, True):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            try:
                limit = remaining + _OVERTIME_SECONDS
                return _checked(*request(self.client, path, timeout=(limit, limit)), path=path)
            except OSError as error:
                if last:
                    raise EvidenceUnavailable(f"the API server could not be asked for {path}: {error}") from error
        raise EvidenceUnavailable(f"there was no time left to ask the API server for {path}")


class NotFound(EvidenceUnavailable):
    """The API server says that it is not there."""


def request(client: ApiClient, path: str, *, timeout: tuple[float, float]) -> tuple[int, bytes]:
    """Status and body of a GET. `timeout` is for connecting, and for each part of the answer.

    Raises:
        OSError: there is no answer.
    """
    response = stream(client, path, timeout=timeout)
    try:
        return response.status, response.data
    except _http_errors() as error:
        raise OSError(_in_a_line(error)) from error
    finally:
        response.release_conn()


def get(client: ApiClient, path: str) -> Mapping[str, Any]:
    """The object at `path`, for a thread that has the time of a list.

    Raises:
        EvidenceUnavailable: as for `ApiServer.get`. OSError: there is no answer.
    """
    return _checked(*request(client, path, timeout=(CONNECT_SECONDS, LIST_SECONDS)), path=path)


def stream(client: ApiClient, path: str, *, timeout: tuple[float, float]) -> Any:
    """The answer to a GET as `urllib3` gives it, its body not read yet. Raises: OSError."""
    method, url, headers, body, _ = client.param_serialize(
        "GET", path, header_params={"Accept": "application/json"}, auth_settings=["BearerToken"]
    )
    try:
        return client.call_api(method, url, headers, body, _request_timeout=timeout).response
    except _http_errors() as error:
        raise OSError(_in_a_line(error)) from error


def merge_patch(client: ApiClient, path: str, patch: Mapping[str, Any], *, timeout: tuple[float, float]) -> None:
    """Change the object at `path` (RFC 7386).

    Raises:
        EvidenceUnavailable: the API server does not want to. OSError: there is no answer.
    """
    headers = {"Accept": "application/json", "Content-Type": "application/merge-patch+json"}
    method, url, headers, body, _ = client.param_serialize(
        "PATCH", path, header_params=headers, body=patch, auth_settings=["BearerToken"]
    )
    try:
        response = client.call_api(method, url, headers, body, _request_timeout=timeout).response
        status, answer = response.status, response.data
        response.release_conn()
    except _http_errors() as error:
        raise OSError(_in_a_line(error)) from error
    if status != 200:
        raise EvidenceUnavailable(f"the API server answered HTTP {status} to a change of {path}: {answer[:200]!r}")


def _in_a_line(error: Exception) -> str:
    """What the client says, of which the reason is the part to show."""
    return " ".join(str(getattr(error, "reason", None) or error).split())


def _http_errors() -> tuple[type[Exception], ...]:
    from kubernetes.client.exceptions import OpenApiException
    from urllib3.exceptions import HTTPError

    return HTTPError, OpenApiException


def _checked(status: int, body: bytes, *, path: str) -> Mapping[str, Any]:
    """Raises: EvidenceUnavailable."""
    if status == 200:
        try:
            document = parse_json(body)
        except InputError as error:
            raise EvidenceUnavailable(f"the API server's answer for {path} cannot be read: {error}") from error
        if isinstance(document, dict):
            return document
        raise EvidenceUnavailable(f"the API server's answer for {path} is not an object")
    if status == 404:
        raise NotFound(f"the API server has no {path}")
    if status in (401, 403):
        raise EvidenceUnavailable(
            f"the API server does not let the webhook read {path} (HTTP {status}); grant it"
            f" {'`get`, `list` and `watch`' if '?' in path else '`get`'}"
        )
    raise EvidenceUnavailable(f"the API server answered HTTP {status} for {path}")


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


class ListWatch(ABC, Generic[Kept]):
    """All objects of one kind, kept by list and watch in a thread of its own, each under `namespace/name` or its name.

    A watch that breaks is resumed from the version that was reached; only where the API server has forgotten that
    (HTTP 410) everything is listed again. What was known stays known until then.
    """

    def __init__(self, api: ApiServer, path: str, *, what: str) -> None:
        self.problem = ""
        """Why the watch does not run at the moment; empty if it does."""
        self._synced = threading.Event()
        self._api = api
        self._path = path
        self._what = what
        self._objects: Mapping[str, Kept] = {}
        """Replaced and never changed, so that other threads read it as it is."""
        self._heard = float("-inf")
        self._stopping = threading.Event()
        self._watch: Any = None
        self._thread = threading.Thread(target=self._run, name=f"pratique-{path.rpartition('/')[2]}", daemon=True)

    @abstractmethod
    def _kept(self, obj: Mapping[str, Any]) -> Kept | None:
        """What is kept of an object; None for nothing."""

    def _where(self) -> str:
        """Where the objects are listed.

        Raises: NotServed: at present nowhere. EvidenceUnavailable, OSError.
        """
        return self._path

    def _told(self, key: str, kept: Kept | None) -> None:
        """Called in the thread with everything that is kept anew or otherwise, and with None for what is not kept any
        more."""

    def start(self) -> None:
        self._thread.start()

    async def wait_synced(self, *, seconds: float) -> bool:
        """Whether all objects were listed once, waited for so long."""
        return await asyncio.to_thread(self._synced.wait, seconds)

    @property
    def synced(self) -> bool:
        """Whether all objects were listed once."""
        return self._synced.is_set()

    @property
    def fresh(self) -> bool:
        """Whether what is here can be believed: listed once, and confirmed not too long ago."""
        return self._synced.is_set() and time.monotonic() - self._heard < STALE_SECONDS

    @property
    def why_not_fresh(self) -> str:
        """Why what is here cannot be believed."""
        if self.problem:
            return self.problem
        if not self.synced:
            return f"{self._what} were not listed yet"
        return f"the API server has not confirmed {self._what} for {self.age_seconds:.0f} s"

    @property
    def age_seconds(self) -> float:
        """How long ago the API server last confirmed what is here."""
        return time.monotonic() - self._heard

    def state(self) -> dict[str, object]:
        """For people who look at the server."""
        age = round(self.age_seconds, 1) if self.synced else None
        return {"known": len(self), "confirmed_seconds_ago": age, "problem": self.problem}

    def __len__(self) -> int:
        return len(self._objects)

    def close(self) -> None:
        """End the watch. The thread may take a moment longer; it holds nothing up."""
        self._stopping.set()
        if self._watch is not None:
            self._watch.stop()

    # From here on: the thread.

    def _run(self) -> None:
        pause: float = FIRST_PAUSE_SECONDS
        version = ""
        while not self._stopping.is_set():
            try:
                if not version:
                    version = self._list()
                for reached in self._changes(version):
                    version = reached
                    pause = FIRST_PAUSE_SECONDS
                self._confirmed()  # the watch ended because its time was over
            except _Gone:
                version = ""
            except NotServed:
                version = ""
                self._replace({})
                self._stopping.wait(SERVED_SECONDS)
            except Exception as error:  # noqa: BLE001 - the thread must outlive every answer; the problem is shown and logged
                if self._stopping.is_set():
                    return
                if isinstance(error, NotFound):
                    version = ""  # the version of the API that was listed may be what is gone
                problem = f"{self._what} cannot be watched: {error}"
                if problem != self.problem:
                    log.warning("%s", problem)
                self.problem = problem
                self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the load, guards nothing
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)

    def _list(self) -> str:
        """Read all objects; the resource version that a watch starts from."""
        found: dict[str, Kept] = {}
        query = {"limit": str(PAGE_SIZE)}
        self._path = self._where()
        while True:
            path = f"{self._path}?{urlencode(query)}"
            status, body = request(self._api.client, path, timeout=(CONNECT_SECONDS, LIST_SECONDS))
            if status == 410:  # the list was changed while it was read page by page for too long
                raise _Gone
            page = _checked(status, body, path=path)
            for item in page["items"]:
                kept = self._kept(item)
                if kept is not None:
                    found[_key_of(item)] = kept
            more = page["metadata"].get("continue")
            if not more:
                break
            query["continue"] = more
        self._replace(found)
        return str(page["metadata"]["resourceVersion"])

    def _replace(self, found: Mapping[str, Kept]) -> None:
        """All that there is, is `found`."""
        before, self._objects = self._objects, found
        for key in before.keys() | found.keys():
            if before.get(key) != found.get(key):
                self._told(key, found.get(key))
        self._confirmed()
        self._synced.set()

    def _changes(self, version: str) -> Iterator[str]:
        """Follow the changes since `version` until the watch ends, and yield the version that was reached after each.

        Raises: _Gone, EvidenceUnavailable, OSError.
        """
        from kubernetes.client.exceptions import ApiException
        from kubernetes.watch import Watch

        self._watch = Watch()  # type: ignore[no-untyped-call] # the client does not type it
        try:
            for event in self._watch.stream(self._open_watch, resource_version=version, timeout_seconds=WATCH_SECONDS):
                self._confirmed()
                changed = event["object"]
                if event["type"] != "BOOKMARK":
                    self._changed(_key_of(changed), None if event["type"] == "DELETED" else self._kept(changed))
                yield str(changed["metadata"]["resourceVersion"])
        except ApiException as error:
            if error.status == 410:
                raise _Gone from error
            raise OSError(f"HTTP {error.status}: {error.reason}") from error
        except _http_errors() as error:
            raise OSError(_in_a_line(error)) from error

    def _changed(self, key: str, kept: Kept | None) -> None:
        """Most events change nothing that is kept: the status of an autoscaler is written four times a minute."""
        if self._objects.get(key) == kept:
            return
        if kept is None:
            self._objects = {other: value for other, value in self._objects.items() if other != key}
        else:
            self._objects = {**self._objects, key: kept}
        self._told(key, kept)

    def _open_watch(self, *, watch: bool, resource_version: str, timeout_seconds: int, _preload_content: bool) -> Any:
        """The open answer to a watch, for `Watch.stream`, which calls this with the parameters of a generated API.

        Raises: _Gone, EvidenceUnavailable, OSError.
        """
        query = {
            "watch": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
            "allowWatchBookmarks": "true",
        }
        path = f"{self._path}?{urlencode(query)}"
        response = stream(self._api.client, path, timeout=(CONNECT_SECONDS, WATCH_SECONDS + LIST_SECONDS))
        if response.status == 410:
            raise _Gone
        if response.status != 200:
            _checked(response.status, response.data, path=path)
        self._confirmed()
        return response

    def _confirmed(self) -> None:
        self._heard = time.monotonic()
        if self.problem:
            log.info("%s are watched again", self._what)
            self.problem = ""


class NotServed(Exception):
    """The API server does not serve the resource at present."""


class _Gone(Exception):
    """HTTP 410: the changes since a version are not kept any more; list again."""


def _key_of(obj: Mapping[str, Any]) -> str:
    metadata = obj.get("metadata") or {}
    name, namespace = str(metadata.get("name", "")), metadata.get("namespace")
    return f"{namespace}/{name}" if namespace else name


class NamespaceLabelCache(ListWatch[Mapping[str, str]]):
    """The labels of every namespace.

    `labels` and `look_up` are for the event loop. A namespace that the watch has not brought yet is fetched by
    itself, so that the first pod of a namespace made a moment ago is judged with its labels.
    """

    def __init__(self, api: ApiServer) -> None:
        super().__init__(api, "/api/v1/namespaces", what="the namespaces")
        self._fetched: dict[str, tuple[Mapping[str, str] | None, float]] = {}
        self._fetching: dict[str, asyncio.Task[None]] = {}

    def _kept(self, obj: Mapping[str, Any]) -> Mapping[str, str]:
        return _labels_of(obj)

    def labels(self, namespace: str) -> Mapping[str, str] | None:
        """The labels of `namespace`; None where they are not known."""
        now = time.monotonic()
        if self.fresh:
            labels = self._objects.get(namespace)
            if labels is not None:
                return labels
        fetched = self._fetched.get(namespace)
        return fetched[0] if fetched is not None and now - fetched[1] < FETCHED_SECONDS else None

    async def look_up(self, namespace: str, deadline: float) -> None:
        """Ask the API server for `namespace` alone, once for all who wait for it, within a part of the time that
        there is."""
        now = time.monotonic()
        labels, fetched_at = self._fetched.get(namespace, (None, -FAILED_SECONDS))
        if labels is None and now - fetched_at < FAILED_SECONDS:
            return
        task = self._fetching.get(namespace)
        if task is None:
            task = asyncio.create_task(self._fetch(namespace, now + (deadline - now) * LOOKUP_SHARE))
            self._fetching[namespace] = task
            task.add_done_callback(lambda _: self._fetching.pop(namespace, None))
        await asyncio.wait([task], timeout=max(0.0, deadline - time.monotonic()))

    async def _fetch(self, namespace: str, deadline: float) -> None:
        labels: Mapping[str, str] | None = None
        try:
            found = await self._api.get(f"/api/v1/namespaces/{quote(namespace, safe='')}", deadline=deadline)
            labels = _labels_of(found)
        except EvidenceUnavailable as error:
            log.info("the labels of namespace %s are not known: %s", namespace, error)
        if len(self._fetched) >= MAX_FETCHED:
            self._fetched.clear()
        self._fetched[namespace] = (labels, time.monotonic())


def _labels_of(namespace: Mapping[str, Any]) -> Mapping[str, str]:
    return (namespace.get("metadata") or {}).get("labels") or {}


class ParentLookup:
    """Finds the object whose replicas a `scale` request or an autoscaler changes. `api` is None where no API server is
    configured."""

    def __init__(self, api: ApiServer | None) -> None:
        self._api = api
        self._served: dict[tuple[str, str], tuple[str, float]] = {}
        self._collections: dict[tuple[str, str], tuple[str, str, float]] = {}

    async def parent_of_scale(
        self, group: str, resource: str, namespace: str, name: str, *, deadline: float
    ) -> Mapping[str, Any]:
        """The object, as the API server holds it now, by `deadline` (a `time.monotonic()` instant).

        Raises:
            EvidenceUnavailable: it could not be had; the sentence says why and what to do.
        """
        prefix = await self._prefix(self._configured(), group, resource, deadline=deadline)
        try:
            return await self._configured().get(_object_path(prefix, resource, namespace, name), deadline=deadline)
        except NotFound:
            self._served.pop((group, resource), None)  # its version may be what is gone
            raise

    async def target_of_autoscaler(
        self, group: str, kind: str, namespace: str, name: str, *, deadline: float
    ) -> Mapping[str, Any] | None:
        """The object, as the API server holds it now, by `deadline`; None where there is none (yet).

        Raises:
            EvidenceUnavailable: as for `parent_of_scale`.
        """
        api = self._configured()
        try:
            prefix, resource = await self._collection(api, group, kind, deadline=deadline)
            return await api.get(_object_path(prefix, resource, namespace, name), deadline=deadline)
        except NotFound:
            self._collections.pop((group, kind), None)
            return None

    def _configured(self) -> ApiServer:
        """Raises: EvidenceUnavailable."""
        if self._api is None:
            raise EvidenceUnavailable(
                "no API server is configured; start the webhook with --kubeconfig or --in-cluster"
            )
        return self._api

    async def _prefix(self, api: ApiServer, group: str, resource: str, *, deadline: float) -> str:
        """The path of the version of `group` that serves `resource`: the preferred one if it does.

        Raises: EvidenceUnavailable.
        """
        if not group:
            return "/api/v1"
        known = self._served.get((group, resource))
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        root = _root(group)
        for version in versions_of(await api.get(root, deadline=deadline)):
            prefix = f"{root}/{version}"
            if any(name == resource for name, _ in resources_of(await api.get(prefix, deadline=deadline))):
                self._served[group, resource] = (prefix, time.monotonic() + DISCOVERY_SECONDS)
                return prefix
        raise NotFound(f"the API server serves no {resource}.{group}")

    async def _collection(self, api: ApiServer, group: str, kind: str, *, deadline: float) -> tuple[str, str]:
        """The path of the version that serves a kind: the preferred one if it does; and the resource of the kind.

        Raises: EvidenceUnavailable.
        """
        known = self._collections.get((group, kind))
        if known is not None and time.monotonic() < known[2]:
            return known[:2]
        root = _root(group)
        versions = versions_of(await api.get(root, deadline=deadline)) if group else ["v1"]
        for version in versions:
            for name, its_kind in resources_of(await api.get(f"{root}/{version}", deadline=deadline)):
                if its_kind == kind:
                    self._collections[group, kind] = (
                        f"{root}/{version}",
                        name,
                        time.monotonic() + DISCOVERY_SECONDS,
                    )
                    return f"{root}/{version}", name
        raise NotFound(f"the API server serves no {kind} of group {group!r}")


def _root(group: str) -> str:
    return f"/apis/{quote(group, safe='')}" if group else "/api"


def _object_path(prefix: str, resource: str, namespace: str, name: str) -> str:
    place = f"namespaces/{quote(namespace, safe='')}/" if namespace else ""
    return f"{prefix}/{place}{resource}/{quote(name, safe='')}"


def versions_of(group: Mapping[str, Any]) -> list[str]:
    """The versions of a group of the API (meta/v1 APIGroup), the preferred one first."""
    preferred = (group.get("preferredVersion") or {}).get("version")
    versions = [str(version.get("version")) for version in group.get("versions") or []]
    return sorted(versions, key=lambda version: version != preferred)  # stable


def resources_of(listed: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The resources of a version and their kinds (meta/v1 APIResourceList), without the subresources."""
    entries = [(str(entry.get("name")), str(entry.get("kind"))) for entry in listed.get("resources") or []]
    return [(name, kind) for name, kind in entries if "/" not in name]
