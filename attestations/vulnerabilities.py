"""Scans: a report becomes one element of `facts.vulnerabilities.scans`, with what OpenVEX takes away taken away.

    {"format": "cosign-vuln (trivy)", "scanner": {"name": "trivy", "version": "0.68.1"},
     "database": {"version": "2", "updated": "2026-11-20T06:00:00Z"}, "scanned": "2026-11-20T08:00:00Z",
     "counts": {"critical": 0, "high": 1, "medium": 4, "low": 9, "negligible": 0, "unknown": 0},
     "vulnerabilities": [{"id", "aliases", "severity", "package", "version", "fixed", "published"}],
     "suppressed": [{...the same, "status", "justification", "signers"}],
     "oldest": {"id", "published"}, "ignored": 0,
     "packages": {"listed": true, "count": 412}, "ai_packages": {"pkg:pypi/torch": ["2.9.1"]}, "truncated": []}

`fixed` is missing where the report does not say which versions have a fix, and empty where it says that none has.
`counts` are after VEX and complete; `vulnerabilities` has the worst of them, up to a limit. `oldest` is the earliest
published of those that are still there, for all that the report says. Whether a scan is too old is for policies: they
have the clock.
"""

from __future__ import annotations

from typing import Any

from attestations.clipped import clipped
from attestations.scan import SEVERITIES, Scan, Vulnerability
from attestations.vex import Statement, Statements

MAX_LISTED = 300
"""Vulnerabilities in a fact, the worst first: some 60 KB of it at the most."""

MAX_ALIASES = 5
"""Other names of one vulnerability."""

MAX_AI_PACKAGES = 200
"""The table of them has fewer names; with those of conda, and without purls."""


def vulnerability_fact(scan: Scan, vex: Statements, *, digests: frozenset[str]) -> dict[str, Any]:
    """One element of `facts.vulnerabilities.scans`: of `scan`, about an image that `digests` name."""
    remaining: dict[tuple[str, str, str], Vulnerability] = {}
    suppressed: dict[tuple[str, str, str], tuple[Vulnerability, Statement]] = {}
    for found in scan.vulnerabilities:
        key = (found.id, found.package, found.version)
        if by := vex.taking_away(found, digests):
            suppressed[key] = (found, by)
        elif key not in remaining or _rank(found) < _rank(remaining[key]):
            remaining[key] = found
    left = sorted(remaining.values(), key=_rank)
    taken = sorted(suppressed.values(), key=lambda pair: _rank(pair[0]))
    dated = [found for found in left if found.published]
    oldest = min(dated, key=lambda found: (found.published, found.id), default=None)
    return {
        "format": scan.format,
        "scanner": {"name": clipped(scan.scanner), "version": clipped(scan.scanner_version)},
        "database": {"version": clipped(scan.database_version), "updated": scan.database_updated},
        "scanned": scan.scanned,
        "counts": {severity: sum(found.severity == severity for found in left) for severity in SEVERITIES},
        "vulnerabilities": [_shown(found) for found in left[:MAX_LISTED]],
        "suppressed": [
            _shown(found)
            | {"status": by.status, "justification": clipped(by.justification), "signers": list(by.signers)}
            for found, by in taken[:MAX_LISTED]
        ],
        "oldest": {"id": clipped(oldest.id), "published": oldest.published} if oldest else None,
        "ignored": scan.ignored,
        "packages": {"listed": scan.packages is not None, "count": len(scan.packages or ())},
        "ai_packages": {
            clipped(name): [clipped(version) for version in versions[:MAX_ALIASES]]
            for name, versions in list(scan.ai_packages.items())[:MAX_AI_PACKAGES]
        },
        "truncated": [
            name for name, all_ in (("vulnerabilities", left), ("suppressed", taken)) if len(all_) > MAX_LISTED
        ],
    }


def _rank(found: Vulnerability) -> tuple[int, str, str, str, bool]:
    """The worst first; of the same thing the one that has a fix, or could have."""
    return SEVERITIES.index(found.severity), found.id, found.package, found.version, found.fixed == ""


def _shown(found: Vulnerability) -> dict[str, Any]:
    shown = {
        "id": clipped(found.id),
        "aliases": [clipped(alias) for alias in found.aliases[:MAX_ALIASES]],
        "severity": found.severity,
        "package": clipped(found.package),
        "version": clipped(found.version),
        "published": found.published,
    }
    return shown if found.fixed is None else shown | {"fixed": clipped(found.fixed)}
