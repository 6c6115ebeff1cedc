"""An OPA that somebody else runs: on loopback, with the real binary."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from evaluators.opa_external import ExternalOpaEvaluator
from pratique.errors import ConfigError, EvaluationError, PolicyError
from pratique.policy import PolicySet
from tests.evaluators.bundle import DIGEST, OPA, document, echo, policy_set, said, soon
from tests.support.cluster import free_port
from tests.support.pki import Authority
from tests.support.processes import wait_until

OTHER_DIGEST = "sha256:" + "6" * 64
LIBRARY = 'violations contains {"message": data.policies.test.library.word(1), "path": ""} if input.subject'


@contextmanager
def external_opa(port: int, *options: str) -> Iterator[None]:
    command = [str(OPA), "run", "--server", "--addr", f"127.0.0.1:{port}", "--skip-version-check", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _takes_connections(port), what="OPA listens")
            yield
        finally:
            process.kill()


def _takes_connections(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


async def loaded(url: str, policies: PolicySet | None = None, *, ca_file: Path | None = None) -> ExternalOpaEvaluator:
    evaluator = ExternalOpaEvaluator(url, ca_file=ca_file)
    await evaluator.load(policies or policy_set())
    return evaluator


def test_it_is_given_the_bundle_and_answers() -> None:
    async def act(url: str) -> None:
        bundle = policy_set(test__use=LIBRARY, test__library='word(_) := concat("", [data.limits.word, "!"])')
        bundle = PolicySet(
            digest=DIGEST, modules=bundle.modules, policies=bundle.policies, data={"limits": {"word": "x"}}
        )
        evaluator = await loaded(url, bundle)
        assert said(await evaluator.evaluate([document("test/use")] * 2, deadline=soon())) == [{"test/use": ["x!"]}] * 2
        assert (evaluator.name, evaluator.version, evaluator.restarts) == ("opa", "1.22.0", 0)
        await evaluator.close()
        await evaluator.close()
        with pytest.raises(EvaluationError, match="closed"):
            await evaluator.evaluate([echo()], deadline=soon())

    port = free_port()
    with external_opa(port):
        asyncio.run(act(f"http://127.0.0.1:{port}"))


def test_a_builtin_that_fails_is_an_error() -> None:
    async def act(url: str) -> None:
        evaluator = await loaded(url)
        with pytest.raises(EvaluationError, match=r"test/fragile\.rego:3: eval_builtin_error"):
            await evaluator.evaluate([document("test/fragile", count="many")], deadline=soon())
        await evaluator.close()

    port = free_port()
    with external_opa(port):
        asyncio.run(act(f"http://127.0.0.1:{port}"))


def test_a_second_bundle_replaces_the_first_whose_evaluator_is_refused() -> None:
    async def act(url: str) -> None:
        first = await loaded(url, policy_set(test__use=LIBRARY, test__library='word(_) := "x"'))
        body = 'violations contains {"message": "y", "path": ""}'
        second = await loaded(url, policy_set(digest=OTHER_DIGEST, test__library=body))
        with pytest.raises(EvaluationError, match=f"answered for the bundle '{OTHER_DIGEST}' instead of {DIGEST}"):
            await first.evaluate([document("test/use")], deadline=soon())
        [answer] = await second.evaluate([document("test/library")], deadline=soon())
        assert answer.by_policy["test/library"].violations == [{"message": "y", "path": ""}]
        with pytest.raises(EvaluationError, match="test/use"):
            await second.evaluate([document("test/use")], deadline=soon())
        await first.close()
        await second.close()

    port = free_port()
    with external_opa(port):
        asyncio.run(act(f"http://127.0.0.1:{port}"))


def test_restarted_without_its_bundle_it_is_given_it_again() -> None:
    port = free_port()

    async def act(url: str) -> None:
        with external_opa(port):
            evaluator = await loaded(url)
        with pytest.raises(EvaluationError):
            await evaluator.evaluate([echo("x")], deadline=soon())
        with external_opa(port):
            limit = soon()
            while True:
                try:
                    answers = await evaluator.evaluate([echo("x")], deadline=soon())
                    break
                except EvaluationError:
                    assert time.monotonic() < limit
                    await asyncio.sleep(0.02)
            assert said(answers) == [{"test/echo": ["x"]}]
            await evaluator.close()

    asyncio.run(act(f"http://127.0.0.1:{port}"))


def test_over_tls_its_certificate_is_verified(tmp_path: Path) -> None:
    async def act(url: str) -> None:
        evaluator = await loaded(url, ca_file=authority.certificate)
        assert said(await evaluator.evaluate([echo("x")], deadline=soon())) == [{"test/echo": ["x"]}]
        await evaluator.close()
        for ca_file in (None, stranger.certificate):
            with pytest.raises(EvaluationError, match=r"cannot be reached: .*CERTIFICATE_VERIFY_FAILED"):
                await loaded(url, ca_file=ca_file)

    authority, stranger = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    server = authority.server("opa", hosts=["127.0.0.1"])
    port = free_port()
    with external_opa(port, "--tls-cert-file", str(server.certificate), "--tls-private-key-file", str(server.key)):
        asyncio.run(act(f"https://127.0.0.1:{port}"))


def test_what_it_refuses_is_named() -> None:
    async def act(url: str) -> None:
        with pytest.raises(PolicyError, match=r"test/wrong\.rego: line 2: rego_unsafe_var_error|var x is unsafe"):
            await loaded(url, policy_set(test__wrong="violations contains x if true"))

    port = free_port()
    with external_opa(port):
        asyncio.run(act(f"http://127.0.0.1:{port}"))


def test_nobody_listens() -> None:
    with pytest.raises(
        EvaluationError, match=r"the OPA at http://127\.0\.0\.1:\d+ cannot be reached: .*Connect call failed"
    ):
        asyncio.run(loaded(f"http://127.0.0.1:{free_port()}"))


@pytest.mark.parametrize(
    "url",
    [
        *("opa", "unix:///s", "http://", "http://opa/v1", "http://me@opa"),
        *("ftp://opa", "http://opa:x", "http://opa?x", "http://[opa"),
    ],
)
def test_a_url_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ConfigError, match=r"opa\.url"):
        ExternalOpaEvaluator(url)


def test_a_ca_file_without_certificates(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("nothing")
    for name in ("ca.crt", "missing.crt"):
        with pytest.raises(ConfigError, match=f"{name}: no CA certificates could be read"):
            ExternalOpaEvaluator("https://opa", ca_file=tmp_path / name)
