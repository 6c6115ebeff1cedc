"""Judges documents by the rules of a namespace, in one OPA process for the whole run.

Most runs are *fast*: a generated module returns all rules of a namespace at once, one request for each document. Where
what a query does besides answering matters (tracing, `print`, built-in errors that are asked for) or a request failed,
it is *exact*: one request for each query that conftest makes, in its order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote as url_quote

from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.gojson import decode, dumps, quote
from pratiquectl.conftest.inputs import Configuration, Document, without_yaml
from pratiquectl.conftest.opa_process import Answer, LoadFailed, OpaProcess, Request
from pratiquectl.conftest.results import CheckResult, QueryResult, Result, result_of
from pratiquectl.conftest.rules import (
    Namespace,
    exception_query,
    is_failure,
    namespaces_of,
    parsed_module,
    refuse_booleans,
    rule_query,
)
from pratiquectl.conftest.workspace import PolicyOptions, Workspace

ENTRY = "pratique_conftest"
"""The package of the generated module."""

_TRACE_PLACE = re.compile(
    r"(?:\S.*?)?\s+(?=(?:\| )*(?:Enter|Eval|Exit|Fail|Redo|Index|Unify|Note|Duplicate|Wasm|Save)\b)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions(PolicyOptions):
    """What the flags say about the evaluation, too."""

    trace: bool = False
    builtin_errors: bool = False
    strict_results: bool = False
    combined: bool = False


class Engine:
    """Use as a context manager: `start` before it is asked; `ready` waits until it has loaded everything."""

    def __init__(self, binary: Path, options: EngineOptions) -> None:
        self._binary = binary
        self._options = options
        self._stack = ExitStack()
        self._stage = "check combined: check: " if options.combined else "query rule: check: "
        self.namespaces: dict[str, Namespace] = {}

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Reads the policies and starts OPA on them.

        Raises:
            ConftestError: there are none, or they cannot be read.
        """
        self._workspace = self._stack.enter_context(Workspace(self._binary, self._options))
        self._prints = any("print" in module.text for module in self._workspace.modules)
        self._opa = OpaProcess(
            self._binary,
            [*self._workspace.version_flags, *self._workspace.paths],
            directory=self._workspace.directory,
            logs=self._prints,
            timeout=self._options.timeout,
        )
        self._opa.launch()
        self._stack.callback(self._opa.end)

    def ready(self) -> None:
        """Waits until the policies are compiled, and finds their rules.

        Raises:
            ConftestError: they do not compile.
        """
        try:
            self._opa.connect()
        except LoadFailed as error:
            raise ConftestError(self._workspace.refusal(str(error))) from error
        listed = self._ask(Request("GET", "/v1/policies"))
        given = {module.path: module.text for module in self._workspace.modules}
        parsed = [parsed_module(each) for each in listed.json()["result"] if each["id"] in given]
        parsed.sort(key=lambda module: os.fsencode(module.file))
        refuse_booleans(parsed, given)
        self.namespaces = namespaces_of(parsed)
        self._reads_file = any(module.reads_file for module in parsed)
        self._prints = any(module.prints for module in parsed)
        self._entered: dict[str, int] = {}

    def check(self, configurations: Sequence[Configuration], namespace: str) -> list[CheckResult]:
        """What a namespace says of each file.

        Raises:
            ConftestError: a query failed.
        """
        known = self.namespaces.get(namespace) or Namespace(namespace, tuple(namespace.split(".")))
        if self._options.strict_results and not known.rules:
            raise ConftestError(f'query rule: the namespace "{namespace}" has no deny, violation or warn rule')
        if not known.rules or self._exact or not self._enter(known):
            return [self._check_exactly(each, known) for each in map(without_yaml, configurations)]
        if self._reads_file:
            return [self._check_fast([each], known)[0] for each in configurations]
        return self._check_fast(configurations, known)

    # The fast way

    def _enter(self, namespace: Namespace) -> bool:
        """Sees that the entry module asks for this namespace; false if no module can."""
        if namespace.name in self._entered:
            return True
        lines = [f"package {ENTRY}", "import rego.v1"]
        names = [*self._entered, namespace.name]
        for number, name in enumerate(names):
            each = self.namespaces[name]
            for index, rule in enumerate(each.rules):
                lines.append(f'n{number}["r{index}"] := {rule_query(name, rule)}')
                if each.has_exceptions or self._workspace.data_files:
                    query = exception_query(name, rule)
                    lines.append(f'n{number}["e{index}"] := count([1 | {query}])')
        answer = self._ask(Request("PUT", f"/v1/policies/{ENTRY}", "\n".join(lines).encode(), "text/plain"))
        if answer.status != 200:
            return False
        self._entered[namespace.name] = len(self._entered)
        return True

    def _check_fast(self, configurations: Sequence[Configuration], namespace: Namespace) -> list[CheckResult]:
        target = f"/v0/data/{ENTRY}/n{self._entered[namespace.name]}"
        if self._reads_file:
            self._set_file(configurations[0].path)
        documents = [(each, document) for each in configurations for document in each.documents]
        answers = self._opa.ask_all([_post(target, document) for _, document in documents])
        found = {each.path: CheckResult(each.path, namespace.name) for each in configurations}
        for (configuration, document), answer in zip(documents, answers, strict=True):
            if answer.status == 200:
                self._add(found[configuration.path], answer.json(), namespace)
                continue
            for each in without_yaml(Configuration(configuration.path, (document,))).documents:
                self._add_exactly(found[configuration.path], each, namespace)
        return list(found.values())

    def _add(self, check: CheckResult, answer: Mapping[str, Any], namespace: Namespace) -> None:
        queries = []
        for index, rule in enumerate(namespace.rules):
            exceptions = int(answer.get(f"e{index}", 0))
            results: list[Result] = []
            if f"r{index}" in answer:
                try:
                    results = self._results(answer[f"r{index}"], rule_query(namespace.name, rule))
                except ConftestError as error:
                    raise ConftestError(f"{self._stage}query rule: {error}") from error
            queries.append((rule, exceptions, results))
        count_results(check, namespace, queries)

    # The exact way

    def _check_exactly(self, configuration: Configuration, namespace: Namespace) -> CheckResult:
        check = CheckResult(configuration.path, namespace.name)
        self._set_file(configuration.path)
        for document in configuration.documents:
            self._add_exactly(check, document, namespace)
        return check

    def _add_exactly(self, check: CheckResult, document: Document, namespace: Namespace) -> None:
        queries = []
        for rule in namespace.rules:
            query = exception_query(namespace.name, rule)
            try:
                exceptions = self._query(query, document)
                if self._options.builtin_errors:
                    self._raise_builtin_error(namespace, rule, "e", document)
            except ConftestError as error:
                raise ConftestError(f"{self._stage}query exception: {error}") from error
            asked = rule_query(namespace.name, rule)
            try:
                results = self._query_rule(asked, rule, document, namespace)
                if self._options.builtin_errors:
                    self._raise_builtin_error(namespace, rule, "r", document)
            except ConftestError as error:
                raise ConftestError(f"{self._stage}query rule: {error}") from error
            check.queries += [exceptions, results]
            queries.append((rule, len(exceptions.results), results.results))
        count_results(check, namespace, queries)

    def trace(self, query: str) -> list[str]:
        """How a query without an input is evaluated, line for line."""
        answer = self._ask(Request("POST", "/v1/query?explain=debug&pretty=true", dumps({"query": query}).encode()))
        explanation = answer.json().get("explanation") if answer.status == 200 else ()
        return [line for line in map(_without_place, explanation or ()) if line]

    def builtin_error(self, query: str) -> str:
        """The error of a built-in that a query without an input meets, or nothing."""
        path = "/".join(url_quote(each, safe="") for each in _segments(query)[1:])
        answer = self._ask(Request("POST", f"/v1/data/{path}?strict-builtin-errors=true", b"{}"))
        return "" if answer.status == 200 else _error_text(answer).removeprefix("evaluating policy: ")

    def _query(self, query: str, document: Document) -> QueryResult:
        target = "/v1/query?explain=debug&pretty=true" if self._options.trace else "/v1/query"
        body = b'{"query": ' + quote(query).encode() + b', "input": ' + document.body + b"}"
        answer = self._opa.ask(Request("POST", target, body))
        outputs = self._opa.prints() if self._logs_prints else []
        if answer.status != 200:
            raise ConftestError(_error_text(answer))
        said = answer.json()
        traces = [line for line in map(_without_place, said.get("explanation") or ()) if line]
        return QueryResult(query, [Result()] * len(said.get("result") or ()), traces, outputs)

    def _query_rule(self, query: str, rule: str, document: Document, namespace: Namespace) -> QueryResult:
        traces: Sequence[str] = ()
        if self._options.trace:
            traces = self._query(query, document).traces
        path = "/".join(url_quote(each, safe="") for each in (*namespace.path, rule))
        answer = self._opa.ask(_post(f"/v0/data/{path}", document))
        outputs = self._opa.prints() if self._logs_prints else []
        if answer.status == 404:
            return QueryResult(query, [], traces, outputs)
        if answer.status != 200:
            raise ConftestError(_error_text(answer))
        return QueryResult(query, self._results(answer.json(), query), traces, outputs)

    def _raise_builtin_error(self, namespace: Namespace, rule: str, kind: str, document: Document) -> None:
        """Asks once more, with the first error of a built-in ending it.

        Raises:
            ConftestError: there was one.
        """
        if not self._enter(namespace):
            return
        index = namespace.rules.index(rule)
        target = f"/v1/data/{ENTRY}/n{self._entered[namespace.name]}/{kind}{index}?strict-builtin-errors=true"
        answer = self._ask(Request("POST", target, b'{"input": ' + document.body + b"}"))
        if answer.status != 200:
            raise ConftestError(f"built-in error: [{_error_text(answer).removeprefix('evaluating policy: ')}]")

    # What both need

    @property
    def _exact(self) -> bool:
        return self._prints or self._options.trace or self._options.builtin_errors

    @property
    def _logs_prints(self) -> bool:
        return self._opa.logs

    def _results(self, value: Any, query: str) -> list[Result]:
        """The results that the value of a rule stands for; one that passed for what is no set, or an empty one."""
        if not isinstance(value, list):
            if self._options.strict_results:
                raise ConftestError(f"{query} is {dumps(value)} and not a set of messages")
            return [Result()]
        if not value:
            return [Result()]
        results = []
        for each in value:
            result = result_of(each, query)
            if result is not None:
                results.append(result)
            elif self._options.strict_results:
                raise ConftestError(f"{query} has {dumps(each)}, which is neither a text nor an object")
        return results

    def _set_file(self, path: str) -> None:
        """Makes `data.conftest.file` that of the file that is judged next."""
        if not self._reads_file:
            return
        absolute = os.path.normpath(os.path.join(os.getcwd(), path))
        document = dumps({"name": os.path.basename(absolute) or "/", "dir": os.path.dirname(absolute)})
        answer = self._ask(Request("PUT", "/v1/data/conftest/file", document.encode()))
        if answer.status >= 300:
            raise ConftestError(f"query rule: check: add file info: {_error_text(answer)}")

    def _ask(self, request: Request) -> Answer:
        answer = self._opa.ask(request)
        if self._logs_prints:
            self._opa.prints()
        return answer


def count_results(
    check: CheckResult, namespace: Namespace, queries: Iterable[tuple[str, int, Sequence[Result]]]
) -> None:
    """Adds the results of the queries to `check`. Fewer than there are rules means that the others passed."""
    successes = counted = 0
    for rule, exceptions, results in queries:
        if exceptions:
            message = exception_query(namespace.name, rule)
            check.exceptions += [Result(message)] * exceptions
            counted += exceptions
            continue
        failed = [result for result in results if not result.passed]
        successes += len(results) - len(failed)
        counted += len(failed)
        (check.failures if is_failure(rule) else check.warnings).extend(failed)
    check.successes += successes + max(0, namespace.count - counted - successes)


def _post(target: str, document: Document) -> Request:
    return Request("POST", target, document.body, "application/yaml" if document.yaml else "application/json")


def _error_text(answer: Answer) -> str:
    """The error of a query, as OPA writes it to a terminal."""
    try:
        said = answer.json()
    except ValueError:
        return f"evaluating policy: OPA answers {answer.status}"
    texts = []
    for each in said.get("errors") or ():
        place = each.get("location") or {}
        where = f"{place['file']}:{place['row']}: " if place.get("file") else ""
        texts.append(f"{where}{each.get('code')}: {each.get('message')}")
    if not texts:
        return f"evaluating policy: {said.get('message', answer.status)}"
    if str(said.get("code")) == "invalid_parameter":
        return f"evaluating policy: {len(texts)} error{'s' * (len(texts) > 1)} occurred: " + "\n".join(texts)
    return f"evaluating policy: {texts[0]}"


def _segments(reference: str) -> list[str]:
    """`data.a["b"]` as its parts."""
    found = re.findall(r'([A-Za-z_][A-Za-z0-9_]*)|\["((?:[^"\\\\]|\\\\.)*)"\]', reference)
    return [name or str(decode(f'"{quoted}"')) for name, quoted in found]


def _without_place(line: str) -> str:
    """A line of a trace without the column that says where the expression stands."""
    found = _TRACE_PLACE.match(line)
    return line[found.end() :] if found else line
