"""An OPA that somebody else runs, as an Evaluator."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import orjson

from evaluators.entry import ENTRY_PATH
from evaluators.opa_bundle import BUNDLE, MODULES, bundle_files, refusal
from evaluators.opa_client import (
    DATA_PATH,
    EMPTY_DOCUMENT,
    Answer,
    NoBundle,
    Pool,
    Traffic,
    complaint,
    evaluate,
    http_request,
    json_object,
)
from pratique.errors import ConfigError, EvaluationError, PolicyError, Problem
from pratique.evaluator import Results
from pratique.policy import PolicySet

log = logging.getLogger(__name__)

MAX_LISTING_BYTES = 256 * 1024 * 1024
"""OPA lists modules with their syntax trees, some thirty times as large as their text."""
PROVISION_SECONDS = 10.0
"""How long an external OPA may take to accept the bundle."""


class ExternalOpaEvaluator:
    """An OPA that somebody else runs, reached over HTTP or HTTPS.

    It must be ours alone: the bundle is written to it over REST, in place of the one before. Every answer names the
    bundle that gave it, so that a foreign one is an error. An OPA that has lost its bundle (a restart) gets it again.
    """

    name = "opa"
    restarts = 0

    def __init__(self, url: str, *, ca_file: Path | None = None) -> None:
        """Raises: ConfigError: `url` is not `http(s)://host[:port]`, or `ca_file` holds no certificates."""
        self.version = ""
        self.url = url
        host, port, self._host, is_https = _parse(url)
        context = _tls_context(ca_file) if is_https else None
        address = (host, port)
        self._pool = Pool(lambda factory: asyncio.get_running_loop().create_connection(factory, *address, ssl=context))
        self._policies: PolicySet | None = None
        self._digest = ""
        self._provisioning: asyncio.Task[None] | None = None
        self._traffic = Traffic()

    async def load(self, policies: PolicySet, *, asked: Collection[str] | None = None) -> None:
        """Write the bundle, unless it is there already. All of it, whatever is `asked`: it outlives us there, and what
        it is told by is its digest.

        Raises:
            PolicyError: OPA refuses a module.
            EvaluationError: OPA cannot be reached, or does not answer for this bundle.
        """
        if self._policies is not None or self._traffic.closed:
            raise EvaluationError("an ExternalOpaEvaluator is loaded once")
        self._policies, self._digest = policies, policies.digest
        try:
            async with asyncio.timeout(PROVISION_SECONDS):
                await self._pool.open()
                answer = await self._ask("POST", DATA_PATH + "?provenance", b'{"input":{"policies":[]}}')
                self.version = str(json_object(answer).get("provenance", {}).get("version", ""))
                if json_object(answer).get("result", {}).get("bundle") != self._digest:
                    await self._provision(policies)
            await self._probe()
        except OSError as error:
            await self.close()
            raise EvaluationError(f"the OPA at {self.url} cannot be reached: {error or 'no answer in time'}") from error
        except BaseException:
            await self.close()
            raise

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        """All documents are sent at once; see `Evaluator.evaluate`."""
        with self._traffic:
            try:
                return await evaluate(self._pool, documents, deadline=deadline, digest=self._digest, host=self._host)
            except NoBundle:
                if self._provisioning is None or self._provisioning.done():
                    self._provisioning = asyncio.create_task(self._provision_again(self._policies))
                raise

    async def close(self) -> None:
        """Refuse what is new, wait for what is in flight and close the connections. The bundle stays. Idempotent."""
        await self._traffic.drain()
        if self._provisioning is not None:
            self._provisioning.cancel()
        self._pool.close("the evaluator was closed")

    async def _probe(self) -> None:
        deadline = time.monotonic() + PROVISION_SECONDS
        await evaluate(self._pool, [EMPTY_DOCUMENT], deadline=deadline, digest=self._digest, host=self._host)

    async def _provision(self, policies: PolicySet) -> None:
        """Write the bundle. The entry goes first and comes last: meanwhile nothing answers, never two bundles mixed."""
        # 1. What is there from us, in an order that OPA accepts
        listed = json_object(await self._ask("GET", "/v1/policies")).get("result", [])
        old = [policy["id"] for policy in listed if policy["id"].startswith("pratique/")]
        old.sort(key=lambda policy: policy != ENTRY_PATH)
        # 2. Away with it, then the new modules, in any order that compiles: OPA compiles after each
        files = bundle_files(policies)
        entry = files.pop(BUNDLE + ENTRY_PATH)
        data = orjson.loads(files.pop(BUNDLE + "data.json"))
        await self._repeat([("DELETE", policy, b"") for policy in old])
        for key, value in data.items():
            await self._expect("PUT", f"/v1/data/{quote(key, safe='')}", orjson.dumps(value))
        modules = {f"{MODULES}{path.removeprefix(BUNDLE)}": text for path, text in files.items()}
        await self._repeat([("PUT", policy, text.encode()) for policy, text in modules.items()])
        # 3. The entry, with the digest
        await self._repeat([("PUT", ENTRY_PATH, entry.encode())])

    async def _provision_again(self, policies: PolicySet | None) -> None:
        if policies is None:
            return
        log.error("the OPA at %s has lost the bundle %s; writing it again", self.url, self._digest)
        try:
            async with asyncio.timeout(PROVISION_SECONDS):
                await self._provision(policies)
        except (EvaluationError, PolicyError, OSError) as error:
            log.error("the OPA at %s does not take the bundle %s: %s", self.url, self._digest, error)

    async def _repeat(self, requests: Sequence[tuple[str, str, bytes]]) -> None:
        """Send all, then those that failed again, as long as that helps: modules depend on each other."""
        while requests:
            failed, answers = [], []
            for request in requests:
                method, policy, body = request
                answer = await self._ask(method, f"/v1/policies/{quote(policy)}", body)
                if answer.status != 200:
                    failed.append(request)
                    answers.append(answer)
            if len(failed) == len(requests):
                raise refusal(answers[0].body)
            requests = failed

    async def _expect(self, method: str, path: str, body: bytes) -> None:
        answer = await self._ask(method, path, body)
        if answer.status not in (200, 204):
            raise EvaluationError(complaint(answer))

    async def _ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        exchange = self._pool.ask(
            http_request(method, path, host=self._host, body=body), max_answer_bytes=MAX_LISTING_BYTES
        )
        try:
            return await exchange.answer
        finally:
            self._pool.abandon(exchange)


def _parse(url: str) -> tuple[str, int, str, bool]:
    """Host, port, both as the Host header has them, and whether it is HTTPS. Raises: ConfigError."""
    wrong = ConfigError(Problem("opa.url", "", f"{url!r} is not of the form http(s)://host[:port]"))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise wrong from error
    is_https = parts.scheme == "https"
    if not host or parts.scheme not in ("http", "https") or parts._replace(scheme="", netloc="", path="").geturl():
        raise wrong
    if parts.path not in ("", "/") or "@" in parts.netloc:
        raise wrong
    return host, port or (443 if is_https else 80), parts.netloc, is_https


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(Problem(str(ca_file), "", f"no CA certificates could be read: {error}")) from error
