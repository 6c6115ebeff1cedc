"""What `pratique check` found as workflow commands of GitHub Actions, which become annotations of a pull request."""

from __future__ import annotations

from typing import TextIO

from reports.check import Level, Report, Row
from reports.check_text import summary
from reports.text import visible

_TEXT = 2000


def write(items: Report, stream: TextIO, *, terminal: int | None) -> None:
    """Write one command for each finding that people are told of, and a summary for the log."""
    for row in items.told:
        stream.write(_command(items, row) + "\n")
    stream.write(f"{summary(items)}\n")


def _command(report: Report, row: Row) -> str:
    properties = {"file": visible(report.located(row.file), limit=_TEXT)}
    if row.position.line:
        properties["line"] = str(row.position.line)
    if row.position.column:
        properties["col"] = str(row.position.column)
    severity = f" ({row.severity})" if row.severity else ""
    properties["title"] = f"{visible(row.policy_id)}{severity} {visible(row.title)}".strip()
    shown = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    subject = f"{visible(row.subject)}: " if row.subject else ""
    fix = f"\nFix: {visible(row.remediation)}" if row.remediation and not row.undecided else ""
    see = f"\nSee {visible(row.link)}" if row.link else ""
    level = "error" if row.level is Level.ERROR else "warning"
    return f"::{level} {shown}::{_data(f'{subject}{visible(row.message, limit=_TEXT)}{fix}{see}')}"


def _data(text: str) -> str:
    """Escaped as actions/toolkit does (packages/core, command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
