"""What the readers of scan reports make of one, alike for all of them: `attestations.vulnerabilities` makes the fact
of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

MAX_FINDINGS = 100_000
"""Protects from a report that keeps us busy: the worst images have some thousands."""

SEVERITIES = ("critical", "high", "medium", "low", "negligible", "unknown")
"""From the worst on; `unknown` is last, and policies say what it counts as."""


class Vulnerability(NamedTuple):
    """One vulnerability in one package, as the scanner has it.

    `package` is `pkg:type/namespace/name` where the report has a purl, else the name; `purl` as it was written.
    `published` is in UTC, empty where it is not known; `fixed` the versions that have a fix, empty where none does, and
    None where the report does not say. `aliases` are other names of this one vulnerability: whoever names one of them
    names it.
    """

    id: str
    severity: str
    package: str
    version: str
    purl: str
    fixed: str | None
    published: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan. Times are in UTC, empty where the report does not say.

    `packages` are those that were looked at, in lower case, with their versions; None where the report does not list
    them. `ignored` is how many findings the scanner was told to leave out.
    """

    format: str
    scanner: str
    scanner_version: str
    database_version: str
    database_updated: str
    scanned: str
    vulnerabilities: Sequence[Vulnerability]
    packages: Mapping[str, Sequence[str]] | None
    ai_packages: Mapping[str, Sequence[str]]
    ignored: int = 0
