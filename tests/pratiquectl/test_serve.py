"""`pratique serve` as a process: how it starts, follows its files, serves TLS and ends."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.support.cluster import HOST, REPOSITORY
from tests.support.pki import Authority
from tests.support.policies import binding
from tests.support.processes import HANG_SECONDS, Process, is_running, wait_until
from tests.support.webhook import Webhook

pytestmark = pytest.mark.slow

_REVIEWS = REPOSITORY / "tests" / "fixtures" / "reviews"
_BAD = (_REVIEWS / "pod-create-violating.json").read_bytes()
_FAST = ("--poll-seconds", "0.1", "--shutdown-delay-seconds", "0.3")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    _bind(folder)
    return folder


def _bind(folder: Path, *, name: str = "privileged", text: str = "") -> None:
    temporary = folder / ".new"
    temporary.write_text(text or json.dumps(binding(name, "workload/privileged")))
    temporary.replace(folder / "bindings.yaml")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two policies: to load all of them takes seconds, and is done in the first test."""
    return _policies(tmp_path_factory.mktemp("library"))


def _policies(folder: Path) -> Path:
    """A copy of two policies, to be changed."""
    for name in ("lib", "workload/privileged", "gpu/limit"):
        shutil.copytree(REPOSITORY / "policies" / name, folder / name)
    return folder


@contextmanager
def _serving(folder: Path, config: Path, policies: Path, *arguments: str, **options: Any) -> Iterator[Webhook]:
    webhook = Webhook(folder / "webhook", config=config, policies=policies, arguments=(*_FAST, *arguments), **options)
    with webhook:
        yield webhook


class _Client:
    """One keep-alive connection."""

    def __init__(self, webhook: Webhook, *, identity: tuple[Path, Path] | None = None) -> None:
        context = ssl.create_default_context(cafile=str(webhook.authority))
        if identity is not None:
            context.load_cert_chain(*identity)
        self.connection = http.client.HTTPSConnection(HOST, webhook.port, context=context, timeout=HANG_SECONDS)

    def validate(self, body: bytes = _BAD) -> dict[str, Any]:
        self.connection.request("POST", "/validate?timeout=30s", body, {"Content-Type": "application/json"})
        found: dict[str, Any] = json.loads(self.connection.getresponse().read())["response"]
        return found

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def _state(webhook: Webhook) -> dict[str, Any]:
    found: dict[str, Any] = webhook.get("/readyz?verbose").json()
    return found


def _metric(webhook: Webhook, name: str) -> float:
    for line in webhook.get("/metrics").data.decode().splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    raise AssertionError(f"there is no metric {name}")


def _until(webhook: Webhook, ready: Callable[[], bool], what: str) -> None:
    wait_until(ready, what=what, process=webhook.process)


def _log(webhook: Webhook) -> list[dict[str, Any]]:
    return [json.loads(line) for line in webhook.log.read_text().splitlines()]


def _refused_start(*arguments: str | Path, environment: Mapping[str, str] = {}) -> list[str]:
    """What `serve` says about `arguments` that it cannot start with, without the lines of its log."""
    done = subprocess.run(
        [sys.executable, "-m", "pratiquectl", "serve", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    return [line for line in done.stderr.splitlines() if not line.startswith("{")]


def _files(tmp_path: Path) -> tuple[str | Path, ...]:
    """The settings of a webhook that would start."""
    authority = Authority(tmp_path / "tls")
    pair = authority.server("serving", hosts=(HOST,))
    return (
        *("--policies", REPOSITORY / "policies", "--config", tmp_path / "config", "--state", tmp_path / "state"),
        *("--tls-cert", pair.certificate, "--tls-key", pair.key, "--listen", f"{HOST}:0"),
    )


# Starting


def test_a_free_port_is_taken_and_told_in_one_line_of_json(tmp_path: Path, config: Path) -> None:
    log = tmp_path / "log"
    process = Process([sys.executable, "-m", "pratiquectl", "serve", *_files(tmp_path)], log=log, cwd=REPOSITORY)
    try:
        lines: list[dict[str, Any]] = []

        def listening() -> bool:
            lines[:] = [json.loads(line) for line in log.read_text().splitlines() if '"event":"listening"' in line]
            return bool(lines)

        wait_until(listening, what="it says where it listens", process=process)
        (line,) = lines
        assert (line["host"], line["url"]) == (HOST, f"https://{HOST}:{line['port']}")
        with socket.create_connection((HOST, line["port"]), timeout=HANG_SECONDS):
            pass
    finally:
        process.stop()


def test_nobody_is_heard_before_the_first_decision_was_right(tmp_path: Path, config: Path) -> None:
    """A process that cannot start its engine never listens, not even for a moment."""
    webhook = Webhook(tmp_path / "webhook", config=config, policies=REPOSITORY / "policies", engine="opa",
                      environment={"PRATIQUE_OPA": str(_slow_opa(tmp_path))})  # fmt: skip
    webhook.start(wait=False)
    heard = False
    try:
        while webhook.process.poll() is None:
            with socket.socket() as probe:
                heard = heard or probe.connect_ex((HOST, webhook.port)) == 0
            time.sleep(0.005)
    finally:
        webhook.close()

    assert not heard
    assert webhook.process.wait() == 2
    assert webhook.log.read_text().splitlines()[-1].startswith("pratique: ")


def _slow_opa(folder: Path) -> Path:
    """An OPA that checks and starts, but dies instead of answering."""
    path = folder / "slow-opa"
    real = REPOSITORY / ".cache" / "tools" / "opa"
    path.write_text(f'#!/bin/sh\nif [ "$1" = run ]; then sleep 0.5; exit 1; fi\nexec "{real}" "$@"\n')
    path.chmod(0o755)
    return path


def test_every_problem_is_a_line_of_its_own(tmp_path: Path, config: Path) -> None:
    _bind(config, text=json.dumps([binding("x", "workload/privileged")]) + "\n---\nkind: Nothing\n")

    lines = _refused_start(*_files(tmp_path))

    assert len(lines) == 2
    assert all(line.startswith("pratique: bindings.yaml: line ") for line in lines)


def test_settings_that_are_wrong_are_told_with_their_source(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("engine: cue\n")

    lines = _refused_start(
        *("--settings", settings, "--policies", "p", "--config", "c", "--listen", "everywhere"),
        environment={"PRATIQUE_CACHE_BYTES": "much"},
    )

    assert lines == [
        f"pratique: {settings}: line 1: engine is 'cue', none of auto, opa, regopy",
        "pratique: command line: --listen: listen is 'everywhere', not HOST:PORT such as 0.0.0.0:8443",
        "pratique: environment: PRATIQUE_CACHE_BYTES: cache_bytes is 'much', not a whole number",
        "pratique: settings: state is not set; give --state, or set PRATIQUE_STATE",
    ]


def test_an_address_that_is_taken_is_one_sentence(tmp_path: Path, config: Path) -> None:
    with closing(socket.create_server((HOST, 0))) as taken:
        address = f"{HOST}:{taken.getsockname()[1]}"

        assert _refused_start(*_files(tmp_path), "--listen", address) == [
            f"pratique: listen: {address} cannot be listened on: Address already in use"
        ]


def test_a_restart_with_a_broken_configuration_serves_the_last_good_one(
    tmp_path: Path, config: Path, library: Path
) -> None:
    with _serving(tmp_path, config, library) as webhook:
        good = _state(webhook)
        webhook.terminate()
        _bind(config, text="kind: [")
        webhook.restart()
        state = _state(webhook)

        assert state["ready"]
        assert state["problem"].startswith("started with the last good configuration, kept at ")
        assert {name: state[name] for name in ("bundle_digest", "configuration_digest")} == {
            name: good[name] for name in ("bundle_digest", "configuration_digest")
        }
        with _Client(webhook) as client:
            assert not client.validate()["allowed"]
        assert _metric(webhook, "pratique_reload_problem") == 1
        _bind(config, name="mended")
        _until(webhook, lambda: _state(webhook)["problem"] == "", "the mended configuration is in force")


# Following the files


def test_a_broken_change_is_visible_and_changes_nothing(tmp_path: Path, config: Path, library: Path) -> None:
    with _serving(tmp_path, config, library) as webhook:
        before = _state(webhook)
        _bind(config, text="kind: [")
        _until(webhook, lambda: _state(webhook)["problem"] != "", "the problem is visible")
        state = _state(webhook)

        assert (state["ready"], state["configuration_digest"]) == (True, before["configuration_digest"])
        assert state["problem"].startswith("bindings.yaml: line ")
        assert _metric(webhook, "pratique_reload_problem") == 1
        assert _metric(webhook, "pratique_reload_failures_total") == 1
        with _Client(webhook) as client:
            assert not client.validate()["allowed"]
        _bind(config)
        _until(webhook, lambda: _state(webhook)["problem"] == "", "the problem is gone")
        assert _metric(webhook, "pratique_reload_problem") == 0
    told = [line for line in _log(webhook) if line.get("message", "").startswith("not in force: bindings.yaml")]
    assert [line["level"] for line in told] == ["error"]


def test_bundle_and_configuration_change_under_load_without_a_wrong_answer(tmp_path: Path, config: Path) -> None:
    """Each answer is a refusal by a decision that names one pair of digests which was in force together."""
    policies = _policies(tmp_path / "policies")
    rego = policies / "workload" / "privileged" / "privileged.rego"
    text = rego.read_text()
    with _serving(tmp_path, config, policies) as webhook, _load(webhook) as load:
        pairs = [_pair(_state(webhook))]
        for number in range(3):
            _bind(config, name=f"binding-{number}")
            _until(webhook, lambda: _pair(_state(webhook)) != pairs[-1], "the configuration is in force")
            pairs.append(_pair(_state(webhook)))
            rego.write_text(f"{text}\n# {number}\n")
            _until(webhook, lambda: _pair(_state(webhook)) != pairs[-1], "the bundle is in force")
            pairs.append(_pair(_state(webhook)))
        load.wait_for(20)
        assert load.end() == []
        children = webhook.children("run --server")
        _until(webhook, lambda: len(webhook.children("run --server")) == 1, f"one OPA is left of {len(children)}")
        rows = webhook.decisions("team-a")

    assert len(set(pairs)) == 7
    assert {(row.bundle_digest, row.configuration_digest) for row in rows} <= set(pairs)
    assert len(rows) == load.answered


def _pair(state: Mapping[str, Any]) -> tuple[str, str]:
    return state["bundle_digest"], state["configuration_digest"]


class _Load:
    """Threads that ask without pause: on connections that stay, and on a new one for each request."""

    def __init__(self, webhook: Webhook, *, identity: tuple[Path, Path] | None = None) -> None:
        self._webhook = webhook
        self._identity = identity
        self._stop = threading.Event()
        self._answers: list[dict[str, Any]] = []
        self._errors: list[str] = []
        self._threads = [threading.Thread(target=self._keep, args=(keep,)) for keep in (True, True, False)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def answered(self) -> int:
        return len(self._answers)

    def wait_for(self, more: int) -> None:
        goal = self.answered + more
        wait_until(lambda: self.answered >= goal or bool(self._errors), what="there is load")

    def end(self) -> list[str]:
        """Stop, and say what went wrong: requests that failed, and answers other than a refusal by a decision."""
        self.stop()
        codes = [
            answer["status"]["code"] for answer in self._answers if answer["allowed"] or answer["status"]["code"] != 403
        ]
        return [*self._errors, *map(str, codes)]

    def _keep(self, keep: bool) -> None:
        client = _Client(self._webhook, identity=self._identity)
        while not self._stop.is_set():
            try:
                self._answers.append(client.validate())
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._errors.append(f"{type(error).__name__}: {error}")
                return
            finally:
                if not keep:
                    client.connection.close()
        client.connection.close()


@contextmanager
def _load(webhook: Webhook, *, identity: tuple[Path, Path] | None = None) -> Iterator[_Load]:
    load = _Load(webhook, identity=identity)
    load.start()
    try:
        load.wait_for(5)
        yield load
    finally:
        load.stop()


# TLS


def test_certificates_rotate_under_load_without_a_failed_request(tmp_path: Path, config: Path, library: Path) -> None:
    with _serving(tmp_path, config, library) as webhook, _load(webhook) as load:
        for _ in range(3):
            serial = webhook.new_certificate()
            _until(webhook, lambda serial=serial: webhook.served_certificate() == serial, "the new one is served")  # type: ignore[misc] # a lambda's default
            load.wait_for(10)
        assert load.end() == []
        assert _metric(webhook, "pratique_certificate_rotations_total") == 3
        assert _metric(webhook, "pratique_certificate_expiry_timestamp_seconds") > time.time()
        assert _state(webhook)["certificate"]["rotations"] == 3


def test_a_broken_certificate_is_visible_and_changes_nothing(tmp_path: Path, config: Path, library: Path) -> None:
    with _serving(tmp_path, config, library) as webhook:
        serial = webhook.served_certificate()
        key = next((webhook.folder / "tls").glob("serving.key"))
        key.write_text("no key")
        _until(webhook, lambda: bool(_state(webhook)["certificate"]["problem"]), "the problem is visible")

        assert webhook.served_certificate() == serial
        assert _metric(webhook, "pratique_certificate_problem") == 1
        webhook.new_certificate()
        _until(webhook, lambda: not _state(webhook)["certificate"]["problem"], "the problem is gone")


def test_with_a_client_ca_the_api_server_is_served_and_others_are_not(tmp_path: Path, config: Path) -> None:
    clients = Authority(tmp_path / "clients", name="clients")
    api_server = clients.client("api-server", user="kube-apiserver", groups=())
    webhook = Webhook(
        tmp_path / "webhook",
        config=config,
        policies=REPOSITORY / "policies",
        arguments=(*_FAST, "--client-ca", str(clients.certificate)),
    )
    try:
        webhook.start(wait=False)
        _until(webhook, lambda: webhook.log.exists() and '"event":"listening"' in webhook.log.read_text(), "it listens")

        with _Client(webhook, identity=(api_server.certificate, api_server.key)) as client:
            assert client.validate()["status"]["code"] == 403
        with _Client(webhook) as stranger, pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            stranger.validate()
    finally:
        webhook.close()


def test_plain_http_needs_its_ugly_name_and_says_so(tmp_path: Path, config: Path) -> None:
    log = tmp_path / "log"
    arguments = [argument for argument in _files(tmp_path) if "tls" not in str(argument)]
    settings = tmp_path / "settings.yaml"
    settings.write_text("unsafe_plain_http: true\nlog_level: warning\n")
    process = Process(
        [sys.executable, "-m", "pratiquectl", "serve", *map(str, arguments)],
        log=log,
        cwd=REPOSITORY,
        env={**os.environ, "PRATIQUE_SETTINGS": str(settings)},
    )
    try:
        wait_until(lambda: '"event":"listening"' in log.read_text(), what="it listens", process=process)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        url = next(line["url"] for line in lines if line.get("event") == "listening")
        assert url.startswith(f"http://{HOST}:")
        assert urllib3.request("GET", f"{url}/readyz", timeout=HANG_SECONDS).status == 200
        assert any(line["level"] == "warning" and "serving plain HTTP" in line["message"] for line in lines)
    finally:
        process.stop()


# Ending


def test_sigterm_finishes_what_is_in_flight_and_has_clients_go_elsewhere(
    tmp_path: Path, config: Path, library: Path
) -> None:
    with _serving(
        tmp_path, config, library, "--shutdown-delay-seconds", "300", "--read-timeout-seconds", "300"
    ) as webhook:
        with _Client(webhook) as slow, _Client(webhook) as idle:
            idle.validate()
            half = len(_BAD) // 2
            slow.connection.putrequest("POST", "/validate?timeout=30s")
            slow.connection.putheader("Content-Type", "application/json")
            slow.connection.putheader("Content-Length", str(len(_BAD)))
            slow.connection.endheaders(_BAD[:half])
            webhook.process.send(signal.SIGTERM)
            _until(webhook, lambda: webhook.status("/readyz") == 503, "it says that it is not ready")

            idle.connection.request("POST", "/validate", _BAD, {"Content-Type": "application/json"})
            answer = idle.connection.getresponse()
            assert not json.loads(answer.read())["response"]["allowed"]
            assert answer.headers["Connection"] == "close"
            webhook.process.send(signal.SIGTERM)  # ends the delay
            _until(webhook, lambda: webhook.status("/readyz") is None, "no connection is taken any more")
            slow.connection.send(_BAD[half:])
            finished = json.loads(slow.connection.getresponse().read())["response"]
        assert finished["status"]["code"] == 403
        assert webhook.process.wait() == 0
        rows = webhook.decisions("team-a")

    assert [row.outcome for row in rows] == ["denied"] * 3
    assert rows[-1].id == finished["auditAnnotations"]["decision-id"]


def test_a_second_signal_hastens_the_end(tmp_path: Path, config: Path, library: Path) -> None:
    with _serving(tmp_path, config, library, "--shutdown-delay-seconds", "300") as webhook:
        webhook.process.send(signal.SIGTERM)
        _until(webhook, lambda: webhook.status("/readyz") == 503, "it says that it is not ready")
        webhook.process.send(signal.SIGINT)

        assert webhook.process.wait() == 0


def test_no_process_and_no_private_folder_is_left(tmp_path: Path, config: Path, library: Path) -> None:
    with _serving(tmp_path, config, library) as webhook:
        children = webhook.children("")
        assert webhook.terminate() == 0

    assert [pid for pid in children if is_running(pid)] == []
    assert sorted(path.name for path in webhook.folder.iterdir()) == ["state", "tls", "webhook.log"]


def test_sigterm_during_the_start_ends_it(tmp_path: Path, config: Path) -> None:
    webhook = Webhook(tmp_path / "webhook", config=config, policies=REPOSITORY / "policies")
    webhook.start(wait=False)
    try:
        _until(webhook, lambda: webhook.log.exists() and "engine is set to" in webhook.log.read_text(), "it starts")
        webhook.process.send(signal.SIGTERM)

        assert webhook.process.wait() in (0, 143)
    finally:
        webhook.close()
    assert sorted(path.name for path in webhook.folder.iterdir()) == ["state", "tls", "webhook.log"]


def test_every_line_of_the_log_is_json(tmp_path: Path, config: Path, library: Path) -> None:
    with _serving(tmp_path, config, library) as webhook, _Client(webhook) as client:
        client.validate()

    lines = _log(webhook)
    assert [line["outcome"] for line in lines if line.get("log") == "decision"] == ["denied"]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines if "log" not in line)


def test_python_m_webhook_is_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "webhook", "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: pratique serve" in done.stdout
    assert "--unsafe-plain-http" in done.stdout
