"""The registry of formats: a new one is one module with a `write` function, and one line here.

Modules are named, not imported: a report in one format must not pay for the libraries of the others.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, TextIO, cast

from pratique.errors import ConfigError, Problem

DECISION_FORMATS: Mapping[str, str] = {
    "table": "reports.decisions_table",
    "json": "reports.decisions_json",
    "csv": "reports.decisions_csv",
}
"""Of lists of recorded decisions (`pratique.ledger.Record`)."""

CHECK_FORMATS: Mapping[str, str] = {
    "text": "reports.check_text",
    "json": "reports.check_json",
    "sarif": "reports.check_sarif",
    "junit": "reports.check_junit",
    "github": "reports.check_github",
    "gitlab": "reports.check_gitlab",
    "azuredevops": "reports.check_azuredevops",
    "markdown": "reports.check_markdown",
    "tap": "reports.check_tap",
}
"""Of what `pratique check` found (`reports.check.Report`)."""


class Writer(Protocol):
    """Writes a report to a stream; one implementation for each format."""

    def __call__(self, items: Any, stream: TextIO, *, terminal: int | None) -> None:
        """Write all of `items`; `terminal` is the width of the terminal that `stream` is, None if it is none."""


def writer(formats: Mapping[str, str], name: str) -> Writer:
    """The writer called `name` in one of the tables above.

    Raises:
        ConfigError: there is none of this name.
    """
    module = formats.get(name)
    if module is None:
        raise ConfigError(Problem("output format", "", f"{name!r} is unknown; use {', '.join(formats)}"))
    return cast(Writer, importlib.import_module(module).write)
