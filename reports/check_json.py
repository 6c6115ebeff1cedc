"""What `pratique check` found as JSON. Its shape is a contract:

    {"format": "pratique.dev/check/v1", "engine", "engine_version", "bundle_digest", "configuration_digest",
     "summary": {"allowed", "denied", "undecided", "not_bound", "passed_over", "problems", "known", "gone"},
     "objects": [{"file", "line", "decision", "findings": [...]}], "passed_over": [{"file", "line", "reason"}],
     "problems": [{"file", "where", "message"}]}

`decision` has the fields of a record in the ledger (see `pratique.ledger`) but for `match_inputs`; with `--explain`
there is an `explanation` beside it. Each of `findings` is

    {"level", "policy_id", "policy", "title", "severity", "enforcement", "bindings", "message", "path", "file", "line",
     "column", "fix", "link", "fingerprint", "known", "undecided", "waiver"}

`level` is `error` for what makes the exit code, `warning`, or `note`; line 0 means that it is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

import orjson

from pratique.decision import Outcome
from pratique.ledger import record_document
from reports import explanation
from reports.check import Judged, Report, Row

FORMAT = "pratique.dev/check/v1"


def write(items: Report, stream: TextIO, *, terminal: int | None) -> None:
    """Write it as one document, indented for people."""
    summary = {outcome.value: len(items.judged(outcome)) for outcome in Outcome}
    document = {
        "format": FORMAT,
        "engine": items.engine,
        "engine_version": items.engine_version,
        "bundle_digest": items.bundle_digest,
        "configuration_digest": items.configuration_digest,
        "summary": {
            **summary,
            "not_bound": len(items.not_bound),
            "passed_over": len(items.passed_over),
            "problems": len(items.problems),
            "known": sum(row.known for row in items.rows),
            "gone": items.gone,
        },
        "objects": [_object(item, rows) for item, rows in items.rows_by_item if isinstance(item, Judged)],
        "passed_over": [{"file": each.file, "line": each.line, "reason": each.reason} for each in items.passed_over],
        "problems": items.problems,
    }
    option = orjson.OPT_INDENT_2 if terminal else 0
    stream.write(orjson.dumps(document, option=option, default=str).decode() + "\n")


def _object(item: Judged, rows: Sequence[Row]) -> dict[str, Any]:
    record = record_document(item.decision)
    document = {"file": item.file, "line": item.line, "decision": record, "findings": [_finding(row) for row in rows]}
    if item.explanation is not None:
        document["explanation"] = explanation.document(item.explanation, record)
    return document


def _finding(row: Row) -> dict[str, Any]:
    return {
        "level": row.level,
        "policy_id": row.policy_id,
        "policy": row.policy,
        "title": row.title,
        "severity": row.severity,
        "enforcement": row.enforcement,
        "bindings": row.bindings,
        "message": row.message,
        "path": row.path,
        "file": row.file,
        "line": row.position.line,
        "column": row.position.column,
        "fix": row.remediation,
        "link": row.link,
        "fingerprint": row.fingerprint,
        "known": row.known,
        "undecided": row.undecided,
        "waiver": row.waiver,
    }
