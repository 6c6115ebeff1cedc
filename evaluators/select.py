"""Which engine runs the policies, and why: decided once at start, said in the log, never changed in silence."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evaluators import capabilities
from evaluators.opa import OpaEvaluator
from evaluators.opa_child import read_version
from evaluators.opa_external import ExternalOpaEvaluator
from evaluators.regopy import RegopyEvaluator
from pratique.errors import ConfigError, EvaluationError, Problem
from pratique.evaluator import Evaluator
from pratique.policy import PolicySet

PINNED_OPA_VERSION = "1.22.0"
"""The oldest OPA that is used, and the one that all this is tested with: `tools/versions.toml` provisions it."""
VERSION_SECONDS = 10.0
"""How long `opa version` may take before a binary counts as one that does not run."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine to start: our own OPA at `binary`, an external one at `url`, or regopy. `reason` is for the log."""

    name: Literal["opa", "regopy"]
    binary: Path | None
    version: str
    reason: str
    url: str = ""
    ca_file: Path | None = None


def choose_engine(
    setting: str,
    *,
    tools_cache: Path,
    environ: Mapping[str, str],
    opa_url: str = "",
    opa_ca_file: Path | None = None,
) -> EngineChoice:
    """The engine for `setting` (`auto`, `opa` or `regopy`).

    OPA is looked for in `PRATIQUE_OPA`, on the PATH of `environ` and in `tools_cache`; the first of the pinned version
    or newer is taken. `auto` takes regopy when there is none. With `opa_url`, the OPA there is the only candidate.

    Raises:
        ConfigError: the engine asked for by name cannot run, `PRATIQUE_OPA` names something else than an OPA that can
            be used, or the setting is unknown or contradicts `opa_url`.
    """
    if setting not in ("auto", "opa", "regopy"):
        raise _config_error("engine", f"{setting!r} is none of auto, opa, regopy")
    if opa_url:
        if setting == "regopy":
            raise _config_error("engine", f"regopy was asked for, but opa.url is set to {opa_url}")
        return EngineChoice(
            "opa", None, "", f"opa.url is set: the external OPA at {opa_url}", url=opa_url, ca_file=opa_ca_file
        )
    if setting == "regopy":
        version = _regopy_version()
        return EngineChoice("regopy", None, version, f"engine is set to regopy: the embedded regopy {version}")
    passed_over: list[str] = []
    found = _find_opa(environ, tools_cache, passed_over)
    because = f" (passed over: {'; '.join(passed_over)})" if passed_over else ""
    if found is not None:
        binary, version, place = found
        return EngineChoice("opa", binary, version, f"engine is set to {setting}: OPA {version} from {place}{because}")
    nowhere = f"no OPA {PINNED_OPA_VERSION} or newer in PRATIQUE_OPA, on the PATH or at {tools_cache / 'opa'}{because}"
    if setting == "opa":
        raise _config_error("engine", f"opa was asked for, but there is {nowhere}")
    version = _regopy_version()
    return EngineChoice(
        "regopy", None, version, f"engine is set to auto, but there is {nowhere}: the embedded regopy {version}"
    )


async def start_evaluator(choice: EngineChoice, policies: PolicySet, *, directory: Path | None = None) -> Evaluator:
    """Pass `policies` through the gate, start the chosen engine on them and return it once it answers.

    `directory` is where an OPA of our own makes its private directory.

    Raises:
        PolicyError: the gate or the engine refuses a module.
        ConfigError: the engine has no place to run.
        EvaluationError: the engine cannot run.
    """
    await asyncio.to_thread(capabilities.check, policies)  # the loop may be serving another bundle
    evaluator: Evaluator
    if choice.url:
        evaluator = ExternalOpaEvaluator(choice.url, ca_file=choice.ca_file)
    elif choice.binary is not None:
        evaluator = OpaEvaluator(choice.binary, directory=directory)
    elif choice.name == "regopy":
        evaluator = RegopyEvaluator()
    else:
        raise _config_error("engine", "opa was chosen, with neither a binary nor a URL")
    await evaluator.load(policies)
    return evaluator


def _find_opa(environ: Mapping[str, str], tools_cache: Path, passed_over: list[str]) -> tuple[Path, str, str] | None:
    """The binary, its version and where it was found; why others were not taken goes into `passed_over`."""
    named = environ.get("PRATIQUE_OPA", "")
    if named:
        try:
            return Path(named).absolute(), _usable_version(Path(named)), f"PRATIQUE_OPA ({named})"
        except EvaluationError as error:
            raise _config_error("PRATIQUE_OPA", str(error)) from error
    on_path = [Path(folder) / "opa" for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    for binary, place in [*((binary, f"the PATH ({binary})") for binary in on_path), *_cached(tools_cache)]:
        if not binary.is_file():
            continue
        if not binary.is_absolute():
            passed_over.append(f"{binary}, because the working directory decides what it is")
            continue
        try:
            return binary, _usable_version(binary), place
        except EvaluationError as error:
            passed_over.append(str(error))
    return None


def _cached(tools_cache: Path) -> list[tuple[Path, str]]:
    binary = tools_cache.absolute() / "opa"
    return [(binary, f"the tools cache ({binary})")]


def _usable_version(binary: Path) -> str:
    """The version of an OPA that runs and is not too old. Raises: EvaluationError."""
    if not binary.is_file():
        raise EvaluationError(f"{binary} is not a file")
    try:
        answer = subprocess.run(
            [binary.absolute(), "version"], capture_output=True, timeout=VERSION_SECONDS, env={}, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EvaluationError(f"{binary} cannot be run: {error}") from error
    version = read_version(answer.stdout, binary=binary, status=answer.returncode, errors=answer.stderr)
    if _order(version) < _order(PINNED_OPA_VERSION):
        raise EvaluationError(f"{binary} is OPA {version}, older than {PINNED_OPA_VERSION}")
    return version


def _order(version: str) -> tuple[int, int, int, bool]:
    """Sorts versions as Semantic Versioning 2.0.0 section 11 does, but for two pre-releases of one version."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)(-?)", version)
    if found is None:
        raise EvaluationError(f"{version!r} is not a version")
    return int(found[1]), int(found[2]), int(found[3]), not found[4]


def _regopy_version() -> str:
    try:
        return importlib.metadata.version("regopy")
    except importlib.metadata.PackageNotFoundError as error:
        raise _config_error("engine", "regopy is not installed") from error


def _config_error(setting: str, message: str) -> ConfigError:
    return ConfigError(Problem(setting, "", message))
