"""Baselines: the findings that are known, so that only new ones count.

    {"format": "pratique.dev/baseline/v1",
     "findings": [{"fingerprint", "count", "policy_id", "subject", "path", "message"}]}

A finding is known by its fingerprint: the policy, the object (group, kind, namespace, name), the path without the
indexes of lists, and the message. It stays known when its file is renamed or lines move, and is new once it gets worse.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import orjson

from pratique.errors import ConfigError, Problem
from reports.check import Report

FORMAT = "pratique.dev/baseline/v1"
MAX_BYTES = 64 * 2**20
"""Protects the process from a file that was named by mistake."""


def read_baseline(file: Path) -> Mapping[str, int]:
    """How often each fingerprint is known.

    Raises:
        ConfigError: the file is no baseline. OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    try:
        document = orjson.loads(content) if len(content) <= MAX_BYTES else None
        if document is None or document["format"] != FORMAT:
            raise ValueError(f"it is not of the format {FORMAT}")
        known: Counter[str] = Counter()
        for entry in document["findings"]:
            count = entry.get("count", 1)
            if not isinstance(entry["fingerprint"], str) or type(count) is not int or count < 1:
                raise ValueError("a fingerprint is no text, or a count no whole number from 1 on")
            known[entry["fingerprint"]] += count
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = Problem(str(file), "", f"this is no baseline ({error}); write one with --write-baseline")
        raise ConfigError(problem) from error
    return known


def write_baseline(file: Path, report: Report) -> int:
    """Write what `report` found as the baseline `file`, whole or not at all; how many findings it holds.

    What is waived, only recorded, or could not be evaluated is not among them. Raises: OSError.
    """
    entries: dict[str, dict[str, object]] = {}
    counts: Counter[str] = Counter()
    for row in report.rows:
        if row.undecided or row.waiver or not (row.told or row.known):
            continue
        counts[row.fingerprint] += 1
        entries[row.fingerprint] = {
            "fingerprint": row.fingerprint,
            "policy_id": row.policy_id,
            "subject": row.subject,
            "path": row.path,
            "message": row.message,
        }
    findings = [entry | {"count": counts[fingerprint]} for fingerprint, entry in entries.items()]
    findings.sort(key=lambda entry: (str(entry["policy_id"]), str(entry["subject"]), str(entry["fingerprint"])))
    content = orjson.dumps({"format": FORMAT, "findings": findings}, option=orjson.OPT_INDENT_2) + b"\n"
    handle, name = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return sum(counts.values())
