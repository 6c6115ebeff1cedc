"""Where the OPA binary is, and whether it can be used. Imports nothing slow: some command lines need only this."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pratique.errors import ConfigError, EvaluationError, Problem

PINNED_OPA_VERSION = "1.22.0"
"""The oldest OPA that is used, and the one that all this is tested with: `tools/versions.toml` provisions it."""
VERSION_SECONDS = 10.0
"""How long `opa version` may take before a binary counts as one that does not run."""
QUOTED_BYTES = 300
"""Of what a program said, in a message about it."""


def find_opa(environ: Mapping[str, str], tools_cache: Path, passed_over: list[str]) -> tuple[Path, str, str] | None:
    """The binary, its version and where it was found; why others were not taken goes into `passed_over`.

    Raises:
        ConfigError: `PRATIQUE_OPA` names something else than an OPA that can be used.
    """
    named = environ.get("PRATIQUE_OPA", "")
    if named:
        try:
            return Path(named).absolute(), _usable_version(Path(named)), f"PRATIQUE_OPA ({named})"
        except EvaluationError as error:
            raise config_error("PRATIQUE_OPA", str(error)) from error
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


def read_version(output: bytes, *, binary: Path, status: int, errors: bytes) -> str:
    """The version in what `binary version` printed.

    Raises:
        EvaluationError: there is none.
    """
    found = re.search(rb"^Version: v?(\d+\.\d+\.\d+\S*)$", output, re.MULTILINE)
    if status != 0 or found is None:
        said = (errors or output)[:QUOTED_BYTES].decode(errors="replace").strip() or "it says nothing"
        raise EvaluationError(f"{binary} is not an OPA that runs (status {status}): {said}")
    return found[1].decode()


def config_error(setting: str, message: str) -> ConfigError:
    return ConfigError(Problem(setting, "", message))
