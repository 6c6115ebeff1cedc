"""Which engine runs the policies, and why: decided once at start, said in the log, never changed in silence."""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evaluators import capabilities
from evaluators.opa import OpaEvaluator
from evaluators.opa_binary import PINNED_OPA_VERSION, config_error, find_opa
from evaluators.opa_external import ExternalOpaEvaluator
from evaluators.regopy import RegopyEvaluator
from pratique.evaluator import Evaluator
from pratique.policy import PolicySet


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
        raise config_error("engine", f"{setting!r} is none of auto, opa, regopy")
    if opa_url:
        if setting == "regopy":
            raise config_error("engine", f"regopy was asked for, but opa.url is set to {opa_url}")
        return EngineChoice(
            "opa", None, "", f"opa.url is set: the external OPA at {opa_url}", url=opa_url, ca_file=opa_ca_file
        )
    if setting == "regopy":
        version = _regopy_version()
        return EngineChoice("regopy", None, version, f"engine is set to regopy: the embedded regopy {version}")
    passed_over: list[str] = []
    found = find_opa(environ, tools_cache, passed_over)
    because = f" (passed over: {'; '.join(passed_over)})" if passed_over else ""
    if found is not None:
        binary, version, place = found
        return EngineChoice("opa", binary, version, f"engine is set to {setting}: OPA {version} from {place}{because}")
    nowhere = f"no OPA {PINNED_OPA_VERSION} or newer in PRATIQUE_OPA, on the PATH or at {tools_cache / 'opa'}{because}"
    if setting == "opa":
        raise config_error("engine", f"opa was asked for, but there is {nowhere}")
    version = _regopy_version()
    return EngineChoice(
        "regopy", None, version, f"engine is set to auto, but there is {nowhere}: the embedded regopy {version}"
    )


async def start_evaluator(
    choice: EngineChoice,
    policies: PolicySet,
    *,
    asked: Collection[str] | None = None,
    directory: Path | None = None,
) -> Evaluator:
    """Pass `policies` through the gate, start the chosen engine on them and return it once it answers.

    `asked` names the policies that will be asked for; None stands for all. `directory` is where an OPA of our own makes
    its private directory.

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
        raise config_error("engine", "opa was chosen, with neither a binary nor a URL")
    await evaluator.load(policies, asked=asked)
    return evaluator


def _regopy_version() -> str:
    try:
        return importlib.metadata.version("regopy")
    except importlib.metadata.PackageNotFoundError as error:
        raise config_error("engine", "regopy is not installed") from error
