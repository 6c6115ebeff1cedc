"""Azure Pipelines' logging commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from pratiquectl.conftest.outputs import Options
from pratiquectl.conftest.results import CheckResult, Totals


def write(results: Sequence[CheckResult], stream: TextIO, options: Options) -> None:
    for one in results:
        tested = f"Testing '{one.file}' against {one.tests} policies in namespace '{one.namespace}'"
        print(f"##[section]{tested}", file=stream)
        print("##[group]See conftest results", file=stream)
        for level, messages in (("error", one.failures), ("warning", one.warnings), ("warning", one.exceptions)):
            for message in messages:
                print(f"##vso[task.logissue type={level}] file={one.file} --> {message.message}", file=stream)
        for message in one.skipped:
            print(f"skipped file={one.file} {message.message}", file=stream)
        if one.successes:
            print(f"success file={one.file} {one.successes}", file=stream)
        print("##[endgroup]", file=stream)
    print(Totals.of(results), file=stream)
