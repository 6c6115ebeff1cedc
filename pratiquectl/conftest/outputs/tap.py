"""Test Anything Protocol: one plan, numbered lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from pratiquectl.conftest.outputs import Options
from pratiquectl.conftest.outputs.stdout import place
from pratiquectl.conftest.results import CheckResult, Result, Totals


def write(results: Sequence[CheckResult], stream: TextIO, options: Options) -> None:
    """Prints nothing where there is no test, as conftest does; with strict results, the plan of none."""
    total = Totals.of(results).tests
    if total == 0:
        if options.strict_results:
            print("1..0", file=stream)
        return
    print(f"1..{total}", file=stream)
    number = 0
    for one in results:
        indicator, namespace = place(one)
        sections: tuple[tuple[str, str, Sequence[Result]], ...] = (
            ("", "not ok", one.failures),
            ("warnings", "not ok", one.warnings),
            ("exceptions", "ok", one.exceptions),
            ("skip", "ok", one.skipped),
            ("successes", "ok", [Result("SUCCESS")] * one.successes),
        )
        for header, status, messages in sections:
            if header and messages:
                print("#", header, file=stream)
            for message in messages:
                number += 1
                print(status, number, indicator, namespace, message.message, file=stream)
