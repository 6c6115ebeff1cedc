"""GitHub's workflow commands: annotations at file and line, in a group for each file."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TextIO

from pratiquectl.conftest.gojson import quote
from pratiquectl.conftest.outputs import Options
from pratiquectl.conftest.results import CheckResult, Location, Totals

_VERB = re.compile(r"%[-+# 0]*[0-9]*(?:\.[0-9]*)?(.?)", re.DOTALL)
_ESCAPED = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def write(results: Sequence[CheckResult], stream: TextIO, options: Options) -> None:
    for one in results:
        kinds = (("error", one.failures), ("warning", one.warnings), ("notice", one.exceptions))
        if options.github_hide_passed and not one.skipped and not any(messages for _, messages in kinds):
            continue
        file, namespace = go_quote(one.file), go_quote(one.namespace)
        print(f"::group::Testing {file} against {one.tests} policies in namespace {namespace}", file=stream)
        here = Location(one.file, "1")
        for level, messages in kinds:
            for message in messages:
                _annotate(level, here, message.location, message.message, stream)
        for message in one.skipped:
            _line("notice", here, f"Test was skipped: {message.message}", stream)
        _line("notice", here, f"Number of successful checks: {one.successes}", stream)
        print("::endgroup::", file=stream)
    print(Totals.of(results), file=stream)


def _annotate(level: str, here: Location, there: Location | None, message: str, stream: TextIO) -> None:
    """At the place that the policy named; if that is in another file, at both."""
    if there is None or there.file == here.file:
        _line(level, there or here, go_format(message), stream)
        return
    named = Location(_relative(there.file), there.line)
    _line(level, named, go_format(message), stream)
    _line(level, here, go_format(f"(ORIGINATING FROM {named}) {message}"), stream)


def _line(level: str, location: Location, message: str, stream: TextIO) -> None:
    print(f"::{level} file={location.file.translate(_ESCAPED)},line={location.line}::{message}", file=stream)


def _relative(path: str) -> str:
    return os.path.relpath(path) if os.path.isabs(path) else path


def go_quote(text: str) -> str:
    """The text as Go's `%q` writes it, for what stands in file names."""
    quoted = quote(text)
    for json_form, go_form in (("\\u003c", "<"), ("\\u003e", ">"), ("\\u0026", "&")):
        quoted = quoted.replace(json_form, go_form)
    return quoted


def go_format(text: str) -> str:
    """The text as Go's Sprintf writes it without arguments, since conftest takes messages for formats here."""
    return _VERB.sub(_missing, text)


def _missing(found: re.Match[str]) -> str:
    verb = found[1]
    if verb == "%":
        return "%"
    return f"%!{verb}(MISSING)" if verb else "%!(NOVERB)"
