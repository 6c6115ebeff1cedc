"""The OPA binary as an Evaluator: a child process on a unix socket, replaced whenever it ends or hangs."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from evaluators.capabilities import CAPABILITIES_FILE
from evaluators.opa_bundle import bundle_files, refusal
from evaluators.opa_child import SOCKET, Child, opa_version, run_opa
from evaluators.opa_client import Traffic, evaluate
from pratique.errors import EvaluationError, PratiqueError
from pratique.evaluator import Results
from pratique.policy import PolicySet
from pratique.private_directory import PrivateDirectory

log = logging.getLogger(__name__)

STABLE_SECONDS = 10.0
"""A child that lived this long is restarted without a pause."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0
"""The pause before the second restart in a row; doubled for each further one, up to the longest."""


class OpaEvaluator:
    """OPA as a supervised child: it listens on a unix socket that only this user can open, and it dies when we die.

    A child that ends or hangs fails what is under way with EvaluationError and is replaced. What is asked meanwhile
    waits for the new one within its own deadline, or fails at once when the new one could not be started either.

    Call it from one event loop, in a thread that lives as long as the evaluator does.
    """

    name = "opa"

    def __init__(
        self,
        binary: Path,
        *,
        directory: Path | None = None,
        capabilities: Path | None = CAPABILITIES_FILE,
        memory_limit_mib: int = 160,
    ) -> None:
        """`directory` is where private directories are made, by default the system's for temporary files.

        `memory_limit_mib` makes the Go runtime collect garbage more often as it comes near (GOMEMLIMIT): it is not a
        hard limit, and one below what the bundle needs makes OPA slow.
        """
        self.version = ""
        self.restarts = 0
        self._binary = binary.absolute()
        self._directory = directory
        self._capabilities = capabilities
        self._environment = {
            "GOGC": "1000",  # 7 % less CPU than 400 for 50 MB more, a third less than 100 for 70 MB more
            "GOMEMLIMIT": f"{memory_limit_mib}MiB",
            "GOMAXPROCS": str(max(2, min(4, os.cpu_count() or 2))),  # one Python asks: more threads only cost memory
        }
        self._files: Mapping[str, str] = {}
        self._digest = ""
        self._child: asyncio.Future[Child] | None = None  # pending while one starts, failed after that failed
        self._started: Child | None = None  # the last that was started, whatever has become of it
        self._supervisor: asyncio.Task[None] | None = None
        self._traffic = Traffic()
        self._closing: asyncio.Task[None] | None = None

    async def load(self, policies: PolicySet, *, asked: Collection[str] | None = None) -> None:
        """Check the bundle with OPA's own compiler, start the child on what is asked of it and wait for its first right
        answer.

        Raises:
            PolicyError: OPA refuses a module; every refusal is listed with its file and line.
            ConfigError: there is no place for the socket.
            EvaluationError: OPA cannot run, or does not answer for this bundle.
        """
        if self._child is not None or self._traffic.closed:
            raise EvaluationError("an OpaEvaluator is loaded once")
        self._files = bundle_files(policies if asked is None else policies.only(asked))
        self._digest = policies.digest
        self._child = asyncio.get_running_loop().create_future()
        try:
            self.version = await opa_version(self._binary)
            await self._check(bundle_files(policies))
            child = await self._start()
        except BaseException as error:
            self._child.cancel()
            await self.close()
            if isinstance(error, OSError):
                raise EvaluationError(f"{self._binary} cannot be run: {error}") from error
            raise
        self._child.set_result(child)
        self._supervisor = asyncio.create_task(self._supervise(child))

    async def evaluate(self, documents: Sequence[bytes], *, deadline: float) -> Sequence[Results]:
        """All documents are sent at once; see `Evaluator.evaluate`."""
        with self._traffic:
            pool = (await self._running_child(deadline)).pool
            return await evaluate(pool, documents, deadline=deadline, digest=self._digest)

    async def close(self) -> None:
        """Refuse what is new, wait for what is in flight, end the child and remove its directory. Idempotent."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self._traffic.drain()
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
        if self._started is not None:
            await self._started.end("the evaluator was closed")

    async def _running_child(self, deadline: float) -> Child:
        child = self._child
        if child is None:
            raise EvaluationError("OPA was not started")
        if not child.done():
            await asyncio.wait([child], timeout=max(0.0, deadline - time.monotonic()))
            if not child.done():
                raise EvaluationError("OPA was not back before the deadline")
        try:
            return child.result()
        except asyncio.CancelledError:
            raise EvaluationError("OPA is closed") from None
        except EvaluationError as error:
            raise EvaluationError(str(error)) from error

    async def _start(self) -> Child:
        self._started = await Child.start(
            self._binary, self._files, digest=self._digest, environment=self._environment, directory=self._directory
        )
        return self._started

    async def _supervise(self, child: Child) -> None:
        deaths = 0
        while True:
            started = time.monotonic()
            reason = await child.lost()
            self._child = asyncio.get_running_loop().create_future()
            deaths = 1 if time.monotonic() - started > STABLE_SECONDS else deaths + 1
            await child.end(reason)
            while True:
                pause = _pause(deaths)
                log.error("%s; starting it again in %.1f s", reason, pause)
                await asyncio.sleep(pause)
                if self._child.done():
                    self._child = asyncio.get_running_loop().create_future()
                try:
                    child = await self._start()
                    break
                except (PratiqueError, OSError, RuntimeError) as error:  # RuntimeError: no further thread
                    reason = f"OPA could not be started: {error}"
                    deaths += 1
                    self._child.set_exception(EvaluationError(reason))
                    self._child.exception()  # seen: it is for who asks meanwhile, if anybody
            self.restarts += 1
            self._child.set_result(child)

    async def _check(self, files: Mapping[str, str]) -> None:
        """Raises: PolicyError."""
        directory = PrivateDirectory(self._directory, socket=SOCKET)
        try:
            directory.write(files)
            command = ["check", "--strict", "--bundle", "bundle", "--format", "json"]
            if self._capabilities is not None:
                command += ["--capabilities", str(self._capabilities.absolute())]
            status, _, errors = await run_opa(self._binary, *command, cwd=directory.path)
        finally:
            directory.remove()
        if status != 0:
            raise refusal(errors)


def _pause(deaths: int) -> float:
    return 0.0 if deaths <= 1 else min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (deaths - 2))
