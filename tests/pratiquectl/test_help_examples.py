"""Every example that `--help` shows is run, as it stands, in a folder with policies, examples and a filled ledger."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from pratique.ledger import DATABASE_NAME, Ledger
from pratiquectl.__main__ import VERBS, Subparsers, VerbModule
from pratiquectl.options import DEFAULT_STATE
from tests.support.approvals import GRACE, approvers, private_pem, request
from tests.support.decisions import decision, evaluation
from tests.support.oci_registry import serve
from tests.support.processes import HANG_SECONDS, wait_until
from tests.support.registry import Registry
from tests.support.signatures import Key, message_bundle

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]

ELSEWHERE = {"/var/lib/pratique": "state", "0.0.0.0:8443": "127.0.0.1:0"}
"""What an example says of a real machine, and what stands for it in a test."""

EXIT_CODES = {"check": (0, 1), "fix": (0, 1), "waiver": (0, 1)}
"""Of examples whose verdict is not the point; all others end with 0."""


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """`parser` and those of its sub-verbs."""
    yield parser
    for action in parser._actions:  # argparse has no public way down
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from parsers(each)


def examples() -> list[str]:
    """The `Example:` of every parser; without one, its usage, so that the test says who lacks it."""
    found = []
    for verb in VERBS:
        top = argparse.ArgumentParser(prog="pratique")
        module = cast(VerbModule, importlib.import_module(verb.module))
        module.add_parser(cast(Subparsers, top.add_subparsers()))
        (subparsers,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
        for parser in parsers(subparsers.choices[verb.name]):
            _, marked, example = (parser.epilog or "").partition("Example: ")
            found.append(example if marked else f"no example: {parser.prog}")
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("place")
    for folder in ("policies", "examples"):
        shutil.copytree(REPOSITORY / folder, place / folder)
    limit = Path("tests", "cases", "gpu", "limit")
    shutil.copytree(REPOSITORY / limit, place / limit)
    state = place / DEFAULT_STATE
    asyncio.run(_fill(state / DATABASE_NAME))
    run(place, "certs --out certs --host 127.0.0.1")
    (place / "results.json").write_text('[{"filename": "a.yaml", "namespace": "main", "successes": 1}]')
    (place / "approvers.yaml").write_text(json.dumps(approvers()))
    (place / "grace.pem").write_bytes(private_pem(GRACE.key))
    expires = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="seconds")
    waiver = request("finetune-q4", ["gpu/limit"], expires=expires)
    (place / "policies" / "bindings" / "finetune-q4.yaml").write_text(json.dumps(waiver))
    key, weights = Key(), b"weights"
    (place / "release.pub").write_text(key.pem)
    (place / "model.safetensors").write_bytes(weights)
    (place / "model.sigstore.json").write_text(json.dumps(message_bundle(key, weights)))
    with Registry() as registry, serve() as images:
        write_evidence_config(place / "evidence.yaml", images.host)
        images.repository("serving/vllm").image("0.11.0")
        run(
            place,
            "evidence export registry.internal/serving/vllm:0.11.0 -f evidence.json --evidence-config evidence.yaml",
        )
        ELSEWHERE["127.0.0.1:5000/policies:v1"] = f"{registry.host}/policies:v1"
        yield place


def write_evidence_config(file: Path, mirror: str) -> None:
    """Registry.internal as the examples have it, of which there is a mirror on loopback."""
    spec = {
        "registries": [
            {"host": "registry.internal", "mirrors": [mirror], "onlyMirrors": True},
            {"host": mirror, "plainHTTP": True},
        ],
        "signers": [],
    }
    document = {"apiVersion": "pratique.dev/v1alpha1", "kind": "EvidenceConfig", "spec": spec}
    file.write_text(json.dumps(document))


async def _fill(database: Path) -> None:
    ledger = Ledger.open(database, logs=False)
    await ledger.record(decision(evaluation()))
    await ledger.close()


def command(example: str) -> list[str]:
    """What to run; what another program does with the output is not ours to test."""
    example = example.partition(" | ")[0]
    return [sys.executable, "-m", "pratiquectl", *(ELSEWHERE.get(word, word) for word in shlex.split(example))]


def run(place: Path, example: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(example),
        cwd=place,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "HOME": str(place)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


ELSEWHERE_TESTED = ("pratique serve", "pratique parity")
"""Examples that need a running server; of parity, `tests/e2e/test_parity.py` runs what is shown."""


@pytest.mark.parametrize("example", [each for each in examples() if not each.startswith(ELSEWHERE_TESTED)])
def test_example_works(place: Path, example: str) -> None:
    program, verb, *_ = example.split()
    assert program == "pratique", example
    if verb == "certs":
        shutil.rmtree(place / "certs")
    done = run(place, example.removeprefix("pratique "))
    assert "Traceback" not in done.stderr
    assert done.returncode in EXIT_CODES.get(verb, (0,)), done.stderr


@pytest.mark.parametrize("example", [each for each in examples() if each.startswith("pratique serve")])
def test_example_of_the_server_serves(place: Path, example: str) -> None:
    log = place / "serve.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command(example.removeprefix("pratique ")),
            cwd=place,
            env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "HOME": str(place)},
            stderr=stream,
            stdout=stream,
        )
    try:
        wait_until(lambda: "listening on" in log.read_text() or process.poll() is not None, what="it listens")
        assert "listening on" in log.read_text(), log.read_text()
    finally:
        process.terminate()
        code = process.wait(HANG_SECONDS)
    assert code == 0
