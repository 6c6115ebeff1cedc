"""What is asked of the API server: with a real one for what it does, with a scripted one for how it fails."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pratique.decision import Door, Outcome
from pratique.engine import Engine, Request
from pratique.errors import ConfigError, EvidenceUnavailable
from pratique.kinds import subject_of
from tests.support import workloads
from tests.support.cluster import Cluster
from tests.support.policies import binding, configuration, policy, policy_set
from tests.support.processes import HANG_SECONDS, wait_until
from tests.support.scripted import ScriptedEvaluator
from tests.support.scripted_api import listed, scripted_api
from webhook import cluster as module
from webhook.cluster import LOOKUP_SHARE, ApiServer, NamespaceLabelCache, ParentLookup, connect
from webhook.registration import _SCALABLE, RESOURCES, Registration, ServiceReference, registered


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@contextmanager
def _watching(kubeconfig: Path) -> Iterator[NamespaceLabelCache]:
    api = ApiServer(connect(kubeconfig=kubeconfig))
    cache = NamespaceLabelCache(api)
    cache.start()
    try:
        yield cache
    finally:
        cache.close()
        api.close()


def _until(ready: Callable[[], bool], what: str) -> None:
    wait_until(ready, what=what)


async def _refusal(
    lookup: ParentLookup, resource: str = "deployments", *, seconds: float = HANG_SECONDS, group: str = "apps"
) -> str:
    with pytest.raises(EvidenceUnavailable) as raised:
        await lookup.parent_of_scale(group, resource, "team", "server", deadline=time.monotonic() + seconds)
    return str(raised.value)


# With a real API server


@pytest.mark.e2e
def test_the_labels_follow_the_namespaces(cluster: Cluster) -> None:
    client = cluster.client()
    cluster.create_namespace("before", {"tier": "a"})
    with _watching(cluster.kubeconfig()) as cache:
        assert cache.labels("before") is None, "nothing is known before the first list"
        assert asyncio.run(cache.wait_synced(seconds=HANG_SECONDS))
        assert cache.labels("before") == {"kubernetes.io/metadata.name": "before", "tier": "a"}

        cluster.create_namespace("after", {"tier": "b"})
        _until(lambda: cache.labels("after") is not None, "a new namespace is known")
        client.merge("/api/v1/namespaces/before", {"metadata": {"labels": {"tier": "c"}}})
        _until(lambda: (cache.labels("before") or {}).get("tier") == "c", "a new label is known")
        client.delete("/api/v1/namespaces/after")
        client.request(
            "PUT",
            "/api/v1/namespaces/after/finalize",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "after"}, "spec": {"finalizers": []}},
        )
        _until(lambda: cache.labels("after") is None, "a namespace that is gone is not known")

        assert (cache.problem, cache.synced) == ("", True)
        assert 0 <= cache.age_seconds < 60


@pytest.mark.e2e
def test_the_first_pod_of_a_new_namespace_is_judged_with_its_labels(cluster: Cluster) -> None:
    policies = policy_set(policy("test/deny", id="T-1"))
    document = binding("b", "test/deny", match={"namespaceSelector": {"matchLabels": {"tier": "production"}}})
    client = cluster.client()

    async def outcomes(cache: NamespaceLabelCache) -> list[Outcome]:
        await cache.wait_synced(seconds=HANG_SECONDS)
        engine = Engine(
            policies=policies,
            configuration=configuration(policies, document),
            evaluator=ScriptedEvaluator({"test/deny": lambda _: [{"message": "no", "path": ""}]}),
            namespace_labels=cache.labels,
            namespace_lookup=cache.look_up,
        )
        found = []
        for number in range(20):
            name = f"new-{number}"
            labels = {"tier": "production"} if number % 2 else {}
            client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
            subject = subject_of(workloads.pod("first", namespace=name))
            decision = await engine.decide(
                subject, Door.ADMISSION, request=Request(), deadline=time.monotonic() + HANG_SECONDS
            )
            found.append(decision.outcome)
        return found

    with _watching(cluster.kubeconfig()) as cache:
        assert asyncio.run(outcomes(cache)) == [Outcome.ALLOWED, Outcome.DENIED] * 10


@pytest.mark.e2e
def test_the_parent_of_a_scale_is_found_in_the_version_that_is_served(cluster: Cluster) -> None:
    cluster.create_namespace("team")
    cluster.client().create(workloads.deployment("server", namespace="team", replicas=3))
    lookup = ParentLookup(ApiServer(connect(kubeconfig=cluster.kubeconfig())))

    async def twice() -> list[Mapping[str, Any]]:
        return [
            await lookup.parent_of_scale(
                "apps", "deployments", "team", "server", deadline=time.monotonic() + HANG_SECONDS
            )
            for _ in range(2)
        ]

    first, second = asyncio.run(twice())

    assert (first["apiVersion"], first["kind"], first["spec"]["replicas"]) == ("apps/v1", "Deployment", 3)
    assert first == second


@pytest.mark.e2e
def test_why_there_is_no_parent_is_said(cluster: Cluster) -> None:
    admin = ParentLookup(ApiServer(connect(kubeconfig=cluster.kubeconfig())))
    nobody = ParentLookup(ApiServer(connect(kubeconfig=cluster.kubeconfig("nobody", ()))))

    async def reasons() -> list[str]:
        return [
            await _refusal(admin, "statefulsets"),
            await _refusal(admin, "things"),
            await _refusal(admin, group="none.example"),
            await _refusal(nobody, "replicationcontrollers", group=""),
            await _refusal(admin, seconds=-1),
        ]

    assert asyncio.run(reasons()) == [
        "the API server has no /apis/apps/v1/namespaces/team/statefulsets/server",
        "the API server serves no things.apps",
        "the API server has no /apis/none.example",
        "the API server does not let the webhook read /api/v1/namespaces/team/replicationcontrollers/server"
        " (HTTP 403); grant it `get`",
        "there was no time left to ask the API server for /apis/apps",
    ]


@pytest.mark.e2e
def test_in_a_cluster_the_service_account_is_used(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.create_namespace("in-cluster")
    token = cluster.kubectl("create", "token", "default", "-n", "in-cluster")
    assert token.returncode == 0, token.stderr
    (tmp_path / "token").write_text(token.stdout.strip())
    host, _, port = cluster.url.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_CERT_FILENAME", str(cluster.authority))
    api = ApiServer(connect(kubeconfig=None))

    review = asyncio.run(api.get("/apis/apps", deadline=time.monotonic() + HANG_SECONDS))

    assert review["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    api.close()


@pytest.mark.e2e
def test_the_api_server_takes_what_registers_the_webhook(cluster: Cluster, tmp_path: Path) -> None:
    policies = policy_set(
        policy("test/workload", id="W-1"), policy("test/resource", id="R-1", subjects=["resource", "workload"])
    )
    operations = ["CREATE", "UPDATE", "DELETE", "CONNECT"]
    endpoint = ServiceReference("default", "nowhere")
    for number, documents in enumerate(
        [
            [binding("b", "test/workload")],
            [binding("b", "test/workload", mutate=True)],
            [
                binding("all", "test/resource", match={"operations": operations}, mutate=True),
                binding("some", "test/workload", match={"kinds": ["Pod"], "operations": operations}),
            ],
            [binding("b", "test/workload", enforcement="off")],
        ]
    ):
        registration = Registration(
            endpoint=endpoint,
            ca_bundle=cluster.authority.read_bytes(),
            name=f"registration-{number}",
            excluded_namespaces=("kube-system", "pratique-system"),
        )
        found = registered(configuration(policies, *documents).bindings, registration)
        for document in found.documents:
            applied = cluster.client().apply(document)
            assert applied.ok, applied.message

    # The widest of them is in force now, and leads nowhere: what still works is what the conditions keep away.
    client = cluster.client()
    try:
        _until(
            lambda: not client.create(_config_map("probe"), dry_run=True).ok,
            "the API server asks a webhook that is not there",
        )
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "lease", "namespace": "default"},
        }
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "event", "namespace": "default"},
            "involvedObject": {"namespace": "default"},
        }
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        assert client.create(lease).ok
        assert client.create(event).ok
        assert client.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review).ok
        assert client.create({**_config_map("system"), "metadata": {"name": "system", "namespace": "kube-system"}}).ok
        refused = client.create(_config_map("refused"))
        assert 'failed calling webhook "validate.pratique.dev"' in refused.message or (
            'failed calling webhook "mutate.pratique.dev"' in refused.message
        )
    finally:
        for number in range(4):
            for kind in ("validating", "mutating"):
                client.delete(
                    f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations/registration-{number}"
                )


@pytest.mark.e2e
def test_the_table_of_resources_is_that_of_the_api_server(cluster: Cluster) -> None:
    client = cluster.client()
    prefixes = {"": "/api/v1"} | {
        group["name"]: f"/apis/{group['preferredVersion']['groupVersion']}"
        for group in client.get("/apis").body["groups"]
    }
    served: dict[tuple[str, str], str] = {}
    scalable = set()
    for group, prefix in prefixes.items():
        for entry in client.get(prefix).body["resources"]:
            name, _, subresource = entry["name"].partition("/")
            if not subresource:
                served[group, entry["kind"]] = name
            elif subresource == "scale":
                scalable.add(name)

    known = {key: name for key, name in RESOURCES.items() if key[0] in prefixes}
    assert known == {key: served.get(key) for key in known}
    assert {name for name, *_ in prefixes.items()} >= {"", "apps", "batch"}
    assert scalable == _SCALABLE


def _config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


# With an API server that fails as told


def _namespace(name: str, version: int, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version), "labels": labels}}


def test_a_watch_goes_on_from_where_it_was_and_lists_again_when_that_is_gone(tmp_path: Path) -> None:
    asked: list[str] = []
    gone = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old resource version"}}
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}

    def answer(path: str) -> tuple[int, Any]:
        query = path.partition("?")[2]
        asked.append("watch " + query.split("&")[1] if "watch=true" in query else "list " + query)
        match len(asked):
            case 1:
                return listed(3, _namespace("a", 1, v="1"), more="next")
            case 2:
                return listed(3, _namespace("b", 2, v="1"))
            case 3:
                return 200, [{"type": "MODIFIED", "object": _namespace("a", 5, v="2")}, bookmark]
            case 4:
                return 200, [gone]
            case 5:
                return listed(20, _namespace("c", 20, v="3"))
            case _:
                return 0, None

    with scripted_api(answer) as api, _watching(api.kubeconfig(tmp_path)) as cache:
        _until(lambda: len(asked) == 6, "it watches again")

        assert asked == [
            "list limit=500",
            "list limit=500&continue=next",
            "watch resourceVersion=3",
            "watch resourceVersion=9",
            "list limit=500",
            "watch resourceVersion=20",
        ]
        assert (cache.labels("a"), cache.labels("b"), cache.labels("c")) == (None, None, {"v": "3"})


def test_a_watch_that_fails_is_taken_up_again_and_visible_meanwhile(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = threading.Event()
    broken.set()

    def answer(path: str) -> tuple[int, Any]:
        if broken.is_set():
            return 503, {"kind": "Status"}
        return (0, None) if "watch=true" in path else listed(3, _namespace("a", 1, v="1"))

    with scripted_api(answer) as api, _watching(api.kubeconfig(tmp_path)) as cache:
        _until(lambda: bool(cache.problem), "the problem is visible")
        assert cache.problem == (
            "the namespaces cannot be watched: the API server answered HTTP 503 for /api/v1/namespaces?limit=500"
        )
        assert (cache.synced, cache.labels("a")) == (False, None)
        broken.clear()
        _until(lambda: cache.labels("a") is not None, "the namespaces are known")

        assert cache.problem == ""
    assert caplog.messages.count(
        "the namespaces cannot be watched: the API server answered HTTP 503 for /api/v1/namespaces?limit=500"
    ) == 1  # fmt: skip


def test_labels_that_nobody_confirms_are_not_known_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(path: str) -> tuple[int, Any]:
        return (0, None) if "watch=true" in path else listed(3, _namespace("a", 1, v="1"))

    with scripted_api(answer) as api, _watching(api.kubeconfig(tmp_path)) as cache:
        _until(lambda: cache.labels("a") is not None, "the namespaces are known")
        monkeypatch.setattr(module, "STALE_SECONDS", 0.0)

        assert cache.labels("a") is None


def test_a_namespace_is_asked_for_once_for_all_who_wait_and_only_for_part_of_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LOOKUP_SHARE < 1
    asked: list[str] = []

    def answer(path: str) -> tuple[int, Any]:
        if path.endswith("/slow"):
            return 0, None
        if "?" not in path:
            asked.append(path)
            return 200, _namespace("new", 1, v="1")
        return (0, None) if "watch=true" in path else listed(3)

    async def look_up(cache: NamespaceLabelCache) -> float:
        deadline = time.monotonic() + HANG_SECONDS
        await asyncio.gather(*(cache.look_up("new", deadline) for _ in range(50)))
        monkeypatch.setattr(module, "LOOKUP_SHARE", 0.2 / HANG_SECONDS)
        started = time.monotonic()
        await cache.look_up("slow", started + HANG_SECONDS)
        return time.monotonic() - started

    with scripted_api(answer) as api, _watching(api.kubeconfig(tmp_path)) as cache:
        took = asyncio.run(look_up(cache))

        assert asked == ["/api/v1/namespaces/new"]
        assert cache.labels("new") == {"v": "1"}
        assert cache.labels("slow") is None
        assert 0.1 < took < HANG_SECONDS


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((0, None), "the API server did not give /api/v1/namespaces/team/things/server before the deadline"),
        ((500, {}), "the API server answered HTTP 500 for /api/v1/namespaces/team/things/server"),
        ((301, {}), "the API server answered HTTP 301 for /api/v1/namespaces/team/things/server"),
        (
            (200, b"{"),
            "the API server's answer for /api/v1/namespaces/team/things/server cannot be read: the JSON cannot be read:"
            " EOF while parsing an object at line 2 column 0",
        ),
        ((200, [[]]), "the API server's answer for /api/v1/namespaces/team/things/server is not an object"),
    ],
)
def test_an_answer_that_is_none_is_told(tmp_path: Path, answer: tuple[int, Any], reason: str) -> None:
    seconds = 0.3 if answer[0] == 0 else HANG_SECONDS
    with scripted_api(lambda _: answer) as api:
        server = ApiServer(connect(kubeconfig=api.kubeconfig(tmp_path)))

        assert asyncio.run(_refusal(ParentLookup(server), "things", group="", seconds=seconds)) == reason
        server.close()


def test_an_api_server_that_is_not_there(tmp_path: Path) -> None:
    with scripted_api(lambda _: (200, {})) as api:
        kubeconfig = api.kubeconfig(tmp_path)

    reason = asyncio.run(_refusal(ParentLookup(ApiServer(connect(kubeconfig=kubeconfig))), group=""))

    assert reason.startswith("the API server could not be asked for /api/v1/namespaces/team/deployments/server: ")


def test_without_an_api_server_there_is_no_parent() -> None:
    reason = asyncio.run(_refusal(ParentLookup(None)))

    assert reason == "no API server is configured; start the webhook with --kubeconfig or --in-cluster"


@pytest.mark.slow
def test_the_keys_of_a_kubeconfig_are_written_to_the_private_directory_only(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, elsewhere = tmp_path / "private", tmp_path / "elsewhere"
    private.mkdir()
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))

    connect(kubeconfig=cluster.kubeconfig("keeper", ()), private=private)

    assert list(elsewhere.iterdir()) == []
    assert any("PRIVATE KEY" in file.read_text() for file in private.iterdir())


@pytest.mark.parametrize("text", [None, "", "{}", "a: [", "apiVersion: v1\nkind: Config\n"])
def test_a_kubeconfig_that_cannot_be_used(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)

    with pytest.raises(ConfigError, match="kubeconfig: the API server cannot be reached with this: "):
        connect(kubeconfig=path)


def test_outside_a_cluster_there_is_no_service_account() -> None:
    with pytest.raises(ConfigError, match="in_cluster: the API server cannot be reached with this: "):
        connect(kubeconfig=None)
