"""Logs of a server: one JSON object on each line of standard error."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import orjson

from pratique.ledger import log_decisions_to


class JsonLines(logging.Formatter):
    """time, level, logger and message; `fields` of the record beside them, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """`record` as one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def log_json_lines(level: str) -> None:
    """From now on every log of this process is JSON lines on standard error: decisions, and the rest from `level`
    on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    log_decisions_to(logging.StreamHandler(sys.stderr))
