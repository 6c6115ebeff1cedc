"""The versions table: TOML text becomes frozen dataclasses here and nowhere else."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioning.errors import TableError


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One published file for one platform; `member` is the path of the program inside an archive, or None."""

    name: str
    algorithm: str
    checksum: str
    member: str | None


@dataclass(frozen=True, kw_only=True)
class Build:
    """`go build PACKAGE` in the folder MODULE beside the table; `pin` is the module that has the tool's version."""

    module: str
    package: str
    pin: str
    ldflags: str


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One row of the table; `version` keeps its leading v. One that nobody releases has no `url` and no `assets`."""

    name: str
    version: str
    probe: tuple[str, ...]
    reports: re.Pattern[str]
    url: str
    assets: Mapping[str, Asset]
    build: Build


def read_table(path: Path) -> dict[str, Tool]:
    """The tools of the table by name, in its order.

    Raises:
        TableError: it cannot be read, or something in it is missing, unknown or malformed.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TableError(
            f"the table {path} cannot be read ({error}); correct it or name another with --table"
        ) from error
    try:
        tools = {name: _tool(name, row) for name, row in document["tools"].items()}
    except KeyError as error:
        raise TableError(f"the table {path} lacks the key {error}; add it") from error
    except (AttributeError, TypeError, ValueError, re.error) as error:
        raise TableError(f"the table {path} is malformed ({error}); correct it") from error
    if not tools:
        raise TableError(f"the table {path} has no tools; add one")
    return tools


def _tool(name: str, row: Mapping[str, Any]) -> Tool:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise ValueError(f"{name!r} is no name for a tool: lower case, digits and dashes only")
    _only(row, "version", "probe", "reports", "release", "build", where=name)
    version = row["version"]
    matched = re.fullmatch(r"v(\d+)\.(\d+)\.\d+", version)
    if matched is None:
        raise ValueError(f"{name}: version {version!r} is not vMAJOR.MINOR.PATCH")
    if not isinstance(row["probe"], list):
        raise ValueError(f"{name}: probe is not a list of arguments")
    reports = re.compile(row["reports"], re.MULTILINE)
    if reports.groups != 1:
        raise ValueError(f"{name}: reports has not exactly one group, which is the version")
    release, build = row.get("release"), row["build"]
    _only(build, "module", "package", "pin", "ldflags", where=f"{name}.build")
    if release is None:
        release = {"url": ""}
    else:
        _only(release, "url", "platforms", where=f"{name}.release")
        if not release["url"].format(version=version, asset="").startswith("https://"):
            raise ValueError(f"{name}.release: url does not start with https://")
    ldflags = build["ldflags"].format(version=version, major=matched[1], minor=matched[2])
    return Tool(
        name=name,
        version=version,
        probe=tuple(row["probe"]),
        reports=reports,
        url=release["url"],
        assets={at: _asset(f"{name}.{at}", entry) for at, entry in release.get("platforms", {}).items()},
        build=Build(
            module=build["module"], package=build["package"], pin=build["pin"], ldflags=" ".join(ldflags.split())
        ),
    )


def _asset(where: str, row: Mapping[str, Any]) -> Asset:
    _only(row, "asset", "sha256", "sha512", "member", where=where)
    sums = [(algorithm, row[algorithm]) for algorithm in ("sha256", "sha512") if algorithm in row]
    if len(sums) != 1:
        raise ValueError(f"{where}: exactly one of sha256 and sha512 is needed")
    algorithm, checksum = sums[0]
    if not re.fullmatch(r"[0-9a-f]+", checksum) or len(checksum) != 2 * hashlib.new(algorithm).digest_size:
        raise ValueError(f"{where}: {checksum!r} is not a {algorithm} sum in lower-case hexadecimal")
    return Asset(name=row["asset"], algorithm=algorithm, checksum=checksum, member=row.get("member"))


def _only(row: Mapping[str, Any], *allowed: str, where: str) -> None:
    unknown = sorted(set(row) - set(allowed))
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}")
