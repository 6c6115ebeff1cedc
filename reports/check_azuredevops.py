"""What `pratique check` found as logging commands of Azure Pipelines, which become issues of the build."""

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
    properties = {
        "type": "error" if row.level is Level.ERROR else "warning",
        "sourcepath": visible(report.located(row.file), limit=_TEXT),
    }
    if row.position.line:
        properties["linenumber"] = str(row.position.line)
    if row.position.column:
        properties["columnnumber"] = str(row.position.column)
    properties["code"] = visible(row.policy_id)
    shown = "".join(f"{name}={_property(value)};" for name, value in properties.items())
    subject = f"{visible(row.subject)}: " if row.subject else ""
    fix = f" Fix: {visible(row.remediation)}" if row.remediation and not row.undecided else ""
    return f"##vso[task.logissue {shown}]{_data(f'{subject}{visible(row.message, limit=_TEXT)}{fix}')}"


def _data(text: str) -> str:
    """Escaped as microsoft/azure-pipelines-task-lib does (node/taskcommand.ts)."""
    return text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace("]", "%5D").replace(";", "%3B")
