"""What `pratique check` found as JSON. Its shape is a contract:

    {"format": "pratique.dev/check/v1", "engine", "engine_version", "bundle_digest", "configuration_digest",
     "summary": {"allowed", "denied", "undecided", "not_bound", "passed_over", "problems"},
     "objects": [{"file", "line", "decision"}], "passed_over": [{"file", "line", "reason"}],
     "problems": [{"file", "where", "message"}]}

`decision` has the fields of a record in the ledger (see `pratique.ledger`) but for `match_inputs`.
"""

from __future__ import annotations

from typing import TextIO

import orjson

from pratique.decision import Outcome
from pratique.ledger import record_document
from reports.check import Report

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
        },
        "objects": [
            {"file": item.file, "line": item.line, "decision": record_document(item.decision)}
            for item in items.judged()
        ],
        "passed_over": items.passed_over,
        "problems": items.problems,
    }
    option = orjson.OPT_INDENT_2 if terminal else 0
    stream.write(orjson.dumps(document, option=option, default=str).decode() + "\n")
