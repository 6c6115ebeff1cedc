"""`pratique demo`: the real webhook over HTTPS, asked about the example manifests as an API server would ask.

1. certificates in a private folder that goes away with the demo;
2. `pratique serve` as a child process, on a free port of loopback, with the ledger in the state folder;
3. one AdmissionReview for each object, over the network, the server's certificate verified;
4. the verdicts as the ledger has them;
5. with --keep, wait for Ctrl-C; then end the child.
"""

from __future__ import annotations

import argparse
import ctypes
import http.client
import os
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import orjson

from pratique.errors import EvaluationError, PratiqueError, Problem
from pratique.kinds import subject_of
from pratique.ledger import DATABASE_NAME, LedgerReader
from pratiquectl.__main__ import EXIT_DONE, EXIT_ERROR, Subparsers
from pratiquectl.check import default_namespace
from pratiquectl.manifests import Manifest, read_manifests
from pratiquectl.options import (
    DEFAULT_STATE,
    add_config,
    add_engine,
    add_policies,
    config_path,
    policies_path,
    terminal_width,
)
from reports.check import PassedOver
from reports.columns import write_table
from reports.text import policy_ids, reason, visible
from webhook.tls import CA_CERTIFICATE, CERTIFICATE, KEY, make_certificates

HOST = "127.0.0.1"
LOG_NAME = "serve.log"
USER = "ada@example.com"
START_SECONDS = 60.0
"""How long the webhook may take to become ready: a second is usual."""
STOP_SECONDS = 10.0
ANSWER_SECONDS = 10
"""How long one review may take, said to the webhook as an API server says it."""

_NAMESPACE = "default"
_PR_SET_PDEATHSIG = 1


class DemoFailedError(EvaluationError):
    """The webhook did not start or did not answer."""


@dataclass(frozen=True, slots=True)
class _Server:
    process: subprocess.Popen[bytes]
    port: int
    authority: Path
    log: Path

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"


@dataclass(frozen=True, slots=True)
class _Answer:
    manifest: Manifest
    allowed: bool
    decision_id: str
    message: str


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    parser = subparsers.add_parser(
        "demo",
        help="serve the webhook and send it the example manifests",
        description="Start the webhook over HTTPS, send it manifests as an API server would, and show the verdicts.",
        epilog="Example: pratique demo --examples examples",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--examples", default="examples", metavar="PATH", help="folder or file with manifests (default: examples)"
    )
    add_policies(parser)
    add_config(parser)
    add_engine(parser, default="regopy")
    parser.add_argument(
        "--state",
        type=Path,
        default=DEFAULT_STATE,
        metavar="DIR",
        help=f"where decisions are kept (default: {DEFAULT_STATE})",
    )
    parser.add_argument("--keep", action="store_true", help="go on serving until Ctrl-C")


def run(args: argparse.Namespace) -> int:
    """Serve, ask, show. Exit code 0 if there is an answer for every object.

    Raises:
        ConfigError: there are no policies. DemoFailedError: the webhook did not start, or did not answer.
    """
    policies, config = policies_path(args), config_path(args)
    manifests, left_out, problems = _manifests(args.examples)
    if not manifests:
        raise DemoFailedError(f"there is no Kubernetes object in {args.examples}; name a folder with --examples")
    args.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        _terminated_as_interrupted(),
        tempfile.TemporaryDirectory(prefix="pratique-demo-") as folder,
        _serving(Path(folder), args, policies=policies, config=config) as server,
    ):
        _say(f"sending {len(manifests)} objects from {args.examples} as AdmissionReviews ...")
        answers = _ask(server, manifests)
        _show(answers, args)
        for item in left_out:
            _say(f"passed over: {visible(item.file)}: {visible(item.reason)}")
        for problem in problems:
            print(f"pratique: {visible(str(problem))}", file=sys.stderr)
        _look_closer(answers, args.state)
        if args.keep:
            _keep_serving(server, Path(folder), manifests[0], args.state)
    return EXIT_ERROR if problems else EXIT_DONE


def _manifests(path: str) -> tuple[list[Manifest], list[PassedOver], list[Problem]]:
    """The objects, what is none, and what cannot be read or is not an object that can be judged."""
    manifests: list[Manifest] = []
    left_out: list[PassedOver] = []
    problems: list[Problem] = []
    for item in read_manifests([path]):
        if isinstance(item, PassedOver):
            left_out.append(item)
        elif isinstance(item, Problem):
            problems.append(item)
        else:
            try:
                subject_of(item.object)
                manifests.append(item)
            except PratiqueError as error:
                problems.append(Problem(item.file, f"line {item.line}", str(error)))
    return manifests, left_out, problems


# The server


@contextmanager
def _serving(folder: Path, args: argparse.Namespace, *, policies: Path, config: Path) -> Iterator[_Server]:
    _say("making a CA and a serving certificate ...")
    tls = folder / "tls"
    make_certificates(tls, hosts=(HOST, "localhost"), days=1, force=False)
    log = folder / LOG_NAME  # another demo may use the same state folder
    _say("starting the webhook ...")
    started = time.monotonic()
    command = [
        *(sys.executable, "-m", "pratiquectl", "serve", "--listen", f"{HOST}:0", "--engine", args.engine),
        *("--policies", policies, "--config", config, "--state", args.state),
        *("--tls-cert", tls / CERTIFICATE, "--tls-key", tls / KEY, "--shutdown-delay-seconds", "0"),
    ]
    # Settings of another server must not reach this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PRATIQUE_")}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env={**environment, "TMPDIR": str(folder)},
            start_new_session=True,  # Ctrl-C reaches us, and we end it in order
            preexec_fn=_ended_with_parent(),
        )
    try:
        server = _Server(process, _port(process, log), tls / CA_CERTIFICATE, log)
        _say(f"{server.url} is ready after {time.monotonic() - started:.1f} s")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.move(log, args.state / LOG_NAME)


def _ended_with_parent() -> Callable[[], None] | None:
    """What makes the kernel end the child when this process is killed; only Linux can."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None, use_errno=True)  # before the fork: nothing is loaded after it
    return lambda: library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port that the server says in its log that it listens on: it does so once it can judge.

    Raises:
        DemoFailedError: it ended, or takes too long.
    """
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        for line in log.read_bytes().split(b"\n")[:-1]:
            try:
                entry = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # other programs write to this log, too
            if isinstance(entry, dict) and entry.get("event") == "listening":
                return int(entry["port"])
        if process.poll() is not None:
            break
        time.sleep(0.02)
    said = log.read_text(errors="replace").strip().splitlines()[-5:]
    why = "ended" if process.poll() is not None else f"was not ready after {START_SECONDS:.0f} s"
    raise DemoFailedError(f"the webhook {why}; its log ends with:\n" + "\n".join(said))


# The client


def _ask(server: _Server, manifests: Sequence[Manifest]) -> list[_Answer]:
    """Raises: DemoFailedError: there is no answer for one of them."""
    context = ssl.create_default_context(cafile=str(server.authority))
    connection = http.client.HTTPSConnection(HOST, server.port, timeout=ANSWER_SECONDS + 5, context=context)
    try:
        return [_ask_one(connection, manifest) for manifest in manifests]
    finally:
        connection.close()


def _ask_one(connection: http.client.HTTPSConnection, manifest: Manifest) -> _Answer:
    review = _review(manifest.object)
    try:
        connection.request(
            "POST",
            f"/validate?timeout={ANSWER_SECONDS}s",
            orjson.dumps(review, default=float),
            {"content-type": "application/json"},
        )
        response = connection.getresponse()
        body = response.read()
        if response.status != http.HTTPStatus.OK:
            raise DemoFailedError(f"the webhook answered {response.status} for {manifest.file}: {body[:500]!r}")
        answer = orjson.loads(body)["response"]
        if answer["uid"] != review["request"]["uid"]:
            raise DemoFailedError(f"the webhook answered another review than that of {manifest.file}")
        return _Answer(
            manifest=manifest,
            allowed=answer["allowed"],
            decision_id=answer.get("auditAnnotations", {}).get("decision-id", ""),
            message=answer.get("status", {}).get("message", ""),
        )
    except (OSError, http.client.HTTPException, orjson.JSONDecodeError, KeyError) as error:
        raise DemoFailedError(f"the webhook did not answer for {manifest.file}: {error}") from error


def _review(manifest: dict[str, Any]) -> dict[str, Any]:
    """The AdmissionReview (k8s.io/api/admission/v1) of creating this object, as an API server sends it."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    kind = {"group": group, "version": version, "kind": manifest["kind"]}
    resource = {"group": group, "version": version, "resource": f"{manifest['kind'].lower()}s"}
    namespace = default_namespace(manifest, _NAMESPACE)
    metadata = {**({"namespace": namespace} if namespace else {}), **manifest.get("metadata", {})}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": str(uuid.uuid4()),
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": metadata.get("name", ""),
            "namespace": metadata.get("namespace", ""),
            "operation": "CREATE",
            "userInfo": {"username": USER, "groups": ["data-science", "system:authenticated"]},
            "object": {**manifest, "metadata": metadata},
            "oldObject": None,
            "dryRun": False,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    }


# What is shown


def _show(answers: Sequence[_Answer], args: argparse.Namespace) -> None:
    """The verdicts, as the ledger has them: an answer without its record is no answer.

    Raises:
        DemoFailedError: a decision is not in the ledger, or says something else than the answer.
    """
    reader = LedgerReader(args.state / DATABASE_NAME)
    rows = []
    for answer in answers:
        if not answer.decision_id:
            raise DemoFailedError(f"the webhook could not judge the object of {answer.manifest.file}: {answer.message}")
        decision = reader.get(answer.decision_id).decision
        if (decision.outcome == "allowed") != answer.allowed:
            raise DemoFailedError(f"the ledger contradicts the answer for {answer.manifest.file}")
        rows.append(
            [
                decision.outcome.value,
                str(decision.subject),
                " ".join(policy_ids(decision)),
                reason(decision),
            ]
        )
    sys.stdout.write("\n")
    columns = ("verdict", "object", "policies", "reason")
    write_table(rows, sys.stdout, columns=columns, terminal=terminal_width(), whole=("verdict",))
    sys.stdout.write("\n")


def _look_closer(answers: Sequence[_Answer], state: Path) -> None:
    example = next((answer for answer in answers if not answer.allowed), answers[0])
    _say("Look closer:")
    _say(f"  {_program()} explain {example.decision_id} --state {shlex.quote(_shown(state))}")
    _say(f"  {_program()} decisions list --state {shlex.quote(_shown(state))}")


def _keep_serving(server: _Server, folder: Path, manifest: Manifest, state: Path) -> None:
    review = folder / "review.json"
    review.write_bytes(orjson.dumps(_review(manifest.object), default=float))
    authority = shlex.quote(str(server.authority))
    _say("")
    _say("The webhook goes on serving; Ctrl-C ends it. In another terminal, ask it as an API server would:")
    _say(
        f"  curl --cacert {authority} -H 'content-type: application/json' "
        f"--data-binary @{shlex.quote(str(review))} '{server.url}/validate?timeout=5s'"
    )
    _say(f"  curl --cacert {authority} '{server.url}/readyz?verbose'")
    _say("To try it with kubectl on a real API server: make cluster")
    try:
        code = server.process.wait()
    except KeyboardInterrupt:
        _say(f"\nending the webhook; its decisions stay in {_shown(state)}")
        return
    raise DemoFailedError(f"the webhook ended by itself with code {code}; see {_shown(server.log)}")


def _program() -> str:
    """How to call this program again from here."""
    script = Path(sys.executable).with_name("pratique")
    if script.is_file():
        return shlex.quote(_shown(script))
    return f"{shlex.quote(_shown(Path(sys.executable)))} -m pratiquectl"


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _say(line: str) -> None:
    print(line, flush=True)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that no process is left behind."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
