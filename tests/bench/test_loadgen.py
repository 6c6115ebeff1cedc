"""The load generator against a server that answers as a test says: every verdict is checked, every failure counted."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench import loadgen
from bench.reviews import Entry
from tests.support.cluster import REPOSITORY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("go") is None, reason="the load generator is built with Go"),
]

UID = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"
Answer = Callable[[str], tuple[int, object]]


class Server:
    """Answers each POST with what `answer` makes of the body, and keeps the bodies."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.answer: Answer = allowed
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                server.bodies.append(body)
                status, value = server.answer(body)
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/validate"


def allowed(body: str) -> tuple[int, object]:
    return 200, {"response": {"uid": json.loads(body)["request"]["uid"], "allowed": True}}


def denied(body: str) -> tuple[int, object]:
    return 200, {"response": {"uid": json.loads(body)["request"]["uid"], "allowed": False}}


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loadgen.build(into=tmp_path_factory.mktemp("tools"))


@pytest.fixture
def bodies(tmp_path: Path) -> Path:
    body = json.dumps({"request": {"uid": UID, "name": "pod-c0ffee", "volume": "token-c0ffee"}})
    path = tmp_path / "bodies.jsonl"
    path.write_text(Entry(body, UID, True, (("c0ffee", "base36"),)).line() + "\n")
    return path


def test_right_answers_are_counted(binary: Path, server: Server, bodies: Path) -> None:
    began: list[bool] = []
    load = loadgen.run(
        binary,
        url=server.url,
        bodies=bodies,
        clients=3,
        warmup_seconds=0.1,
        seconds=0.3,
        measuring=lambda: began.append(True),
    )
    assert began == [True]
    assert (load.errors, load.wrong_verdicts, load.examples) == (0, 0, ())
    assert 0 < load.requests < len(server.bodies)
    assert load.requests_per_second == pytest.approx(load.requests / load.seconds)
    assert 0 < load.p50_ms <= load.p90_ms <= load.p99_ms <= load.max_ms
    assert 0 < load.own_cpu_seconds < load.seconds * 2


def test_no_two_requests_are_alike(binary: Path, server: Server, bodies: Path) -> None:
    loadgen.run(binary, url=server.url, bodies=bodies, clients=2, warmup_seconds=0, seconds=0.2)
    requests = [json.loads(body)["request"] for body in server.bodies]
    assert len({request["uid"] for request in requests}) == len(requests) > 2
    assert len({request["name"] for request in requests}) == len(requests)
    assert all(re.fullmatch(r"pod-[0-9a-z]{6}", request["name"]) for request in requests)
    assert all(request["volume"] == f"token-{request['name'][4:]}" for request in requests)
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request["uid"]) for request in requests)


@pytest.mark.parametrize(
    ("answer", "example"),
    [
        (denied, "allowed is false, expected true"),
        (lambda _: (200, {"response": {"uid": UID, "allowed": True}}), "the answer does not echo the uid"),
    ],
)
def test_wrong_verdicts_are_counted(binary: Path, server: Server, bodies: Path, answer: Answer, example: str) -> None:
    server.answer = answer
    load = loadgen.run(binary, url=server.url, bodies=bodies, clients=1, warmup_seconds=0, seconds=0.2)
    assert load.wrong_verdicts == load.requests > 0
    assert (load.errors, load.requests_per_second) == (0, 0)
    assert load.examples[0].startswith(example)


@pytest.mark.parametrize(
    ("answer", "example"),
    [
        (lambda _: (500, {"response": {"uid": UID, "allowed": True}}), "HTTP status 500"),
        (lambda _: (200, {"response": {"uid": UID}}), "the answer has no verdict"),
        (lambda _: (200, {"result": {}}), "the answer has no verdict"),
        (lambda _: (200, ["allowed"]), "the answer is not JSON of the right shape"),
    ],
)
def test_errors_are_counted(binary: Path, server: Server, bodies: Path, answer: Answer, example: str) -> None:
    server.answer = answer
    load = loadgen.run(binary, url=server.url, bodies=bodies, clients=1, warmup_seconds=0.05, seconds=0.2)
    assert load.errors > load.requests > 0  # those of the warm-up count as well
    assert (load.wrong_verdicts, load.requests_per_second) == (0, 0)
    assert load.examples[0].startswith(example)


def test_opa_is_asked_and_read_in_its_own_words(binary: Path, server: Server, bodies: Path) -> None:
    server.answer = lambda body: (200, {"result": allowed(json.dumps(json.loads(body)["input"]))[1]})
    load = loadgen.run(
        binary, url=server.url, bodies=bodies, clients=1, warmup_seconds=0, seconds=0.2, prefix='{"input":', suffix="}"
    )
    assert (load.errors, load.wrong_verdicts) == (0, 0)
    assert load.requests > 0


def test_nobody_there(binary: Path, bodies: Path) -> None:
    with pytest.raises(loadgen.LoadError, match="cannot be reached"):
        loadgen.run(binary, url="http://127.0.0.1:1/validate", bodies=bodies, clients=1, warmup_seconds=0, seconds=0.2)


def test_a_mark_that_is_not_in_the_body(binary: Path, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "bodies.jsonl"
    path.write_text(Entry("{}", UID, True, ()).line() + "\n")
    with pytest.raises(loadgen.LoadError, match="does not occur"):
        loadgen.run(binary, url=server.url, bodies=path, clients=1, warmup_seconds=0, seconds=0.2)


def test_percentiles_are_nearest_ranks() -> None:
    done = subprocess.run(
        ["go", "test", "-count=1", "./..."],
        cwd=REPOSITORY / "tools" / "loadgen",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
