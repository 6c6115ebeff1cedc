"""What `pratique check` found as a code quality report of GitLab, which a merge request shows beside the lines.

A list of {"description", "check_name", "fingerprint", "severity", "location": {"path", "lines": {"begin"}}}.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any, TextIO

import orjson

from pratique.decision import Severity
from reports.check import Level, Report, Row
from reports.text import visible

_SEVERITIES = {
    Severity.LOW: "minor",
    Severity.MEDIUM: "major",
    Severity.HIGH: "critical",
    Severity.CRITICAL: "blocker",
    None: "blocker",
}
_TEXT = 2000


def write(items: Report, stream: TextIO, *, terminal: int | None) -> None:
    """Write it as one list. A warning is `info`, whatever its severity: it does not keep anybody from merging."""
    seen: Counter[str] = Counter()
    issues = []
    for row in items.told:
        issues.append(_issue(items, row, seen[row.fingerprint]))
        seen[row.fingerprint] += 1
    stream.write(orjson.dumps(issues, option=orjson.OPT_INDENT_2 if terminal else 0).decode() + "\n")


def _issue(report: Report, row: Row, copies: int) -> dict[str, Any]:
    path = report.located(row.file)
    subject = f"{visible(row.subject)}: " if row.subject else ""
    fix = f" Fix: {visible(row.remediation)}" if row.remediation and not row.undecided else ""
    # GitLab takes one issue for each fingerprint: the same finding of the same object in another file is another one.
    unique = f"{row.fingerprint}\0{path}\0{copies}"
    return {
        "description": f"{subject}{visible(row.message, limit=_TEXT)}{fix}",
        "check_name": visible(row.policy_id),
        "fingerprint": hashlib.sha256(unique.encode("utf-8", "surrogateescape")).hexdigest()[:32],
        "severity": _SEVERITIES[row.severity] if row.level is Level.ERROR else "info",
        "location": {"path": visible(path, limit=_TEXT), "lines": {"begin": row.position.line or 1}},
    }
