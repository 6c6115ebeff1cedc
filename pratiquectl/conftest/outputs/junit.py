"""JUnit XML: a suite for each namespace, a test case for each result."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TextIO

from pratiquectl.conftest import CONFTEST_GO_VERSION
from pratiquectl.conftest.outputs import Options
from pratiquectl.conftest.results import CheckResult

_ENTITIES = {
    '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"
}  # fmt: skip
_SPECIAL = re.compile("[\"'&<>\t\n\r]|[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(results: Sequence[CheckResult], stream: TextIO, options: Options) -> None:
    suites: dict[str, list[tuple[str, str]]] = defaultdict(list)
    failures: dict[str, int] = defaultdict(int)
    for one in results:
        cases: list[tuple[str, str]] = []
        for message in (*one.warnings, *one.failures):
            element = f'<failure message="Failed" type="">{_escape(message.message)}</failure>'
            cases.append((_name(one.file, message.message, options), element))
        failures[one.namespace] += len(cases)
        for message in one.skipped:
            element = f'<skipped message="{_escape(message.message)}"></skipped>'
            cases.append((_name(one.file, message.message, options), element))
        cases += [(one.file, "")] * one.successes
        if cases:
            suites[one.namespace] += cases
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines += ["<testsuites>"] if suites else ["<testsuites></testsuites>"]
    for namespace in sorted(suites):
        lines += _suite(f"conftest.{namespace}", suites[namespace], failures[namespace])
    lines += ["</testsuites>"] if suites else []
    print("\n".join(lines), file=stream)


def _suite(name: str, cases: Sequence[tuple[str, str]], failures: int) -> list[str]:
    head = f'<testsuite tests="{len(cases)}" failures="{failures}" time="0.000" name="{_escape(name)}">'
    version = f'<property name="go.version" value="{CONFTEST_GO_VERSION}"></property>'
    lines = [f"\t{head}", "\t\t<properties>", f"\t\t\t{version}", "\t\t</properties>"]
    class_name = _escape(name.rpartition("/")[2])
    for case, element in cases:
        opening = f'<testcase classname="{class_name}" name="{_escape(case)}" time="0.000">'
        if element:
            lines += [f"\t\t{opening}", f"\t\t\t{element}", "\t\t</testcase>"]
        else:
            lines.append(f"\t\t{opening}</testcase>")
    return [*lines, "\t</testsuite>"]


def _name(file: str, message: str, options: Options) -> str:
    if options.junit_hide_message or not message:
        return file
    return f"{file} - {message.partition(chr(10))[0]}"


def _escape(text: str) -> str:
    """As Go's encoding/xml escapes text and attributes; what XML cannot hold becomes U+FFFD."""
    return _SPECIAL.sub(lambda found: _ENTITIES.get(found[0], "\ufffd"), text)
