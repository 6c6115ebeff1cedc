"""The embedded engine in OPA's place: for policies that the capability gate accepts, and a clear error for all others.

What `test` asks of the policies is then less than OPA could answer: rules are sets, and there are no tracing, no
printing and no tests (`_test.rego` is not loaded, because `with` kills regopy).
"""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from pratiquectl.conftest.engine import EngineOptions, count_results
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.gojson import decode, go_float
from pratiquectl.conftest.inputs import Configuration, without_yaml
from pratiquectl.conftest.policies import Module, read_modules
from pratiquectl.conftest.results import CheckResult, Result, result_of
from pratiquectl.conftest.rules import Namespace, exception_name, is_asked, package_name, rule_query

START_SECONDS = 30.0
"""For a worker to import regopy and compile; 0.3 s is usual."""


class RegopyEngine:
    """Answers as `Engine` does; a context manager too."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self.namespaces: dict[str, Namespace] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RegopyEngine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def start(self) -> None:
        """Passes the policies through the gate and loads them.

        Raises:
            ConftestError: regopy cannot do what is asked.
            PolicyError: the gate refuses a policy.
        """
        options = self._options
        for asked, flag in (
            (options.trace, "--trace"),
            (options.builtin_errors, "--show-builtin-errors"),
            (options.strict, "--strict"),
            (options.capabilities, "--capabilities"),
            (options.data, "--data"),
            (options.rego_version.lower() != "v1", "--rego-version"),
        ):
            if asked:
                raise ConftestError(f"load: {flag} needs OPA, and there is none: install it, or run `make setup`")
        modules = read_modules(options.policies)
        loaded = [module for module in modules if not module.path.endswith("_test.rego")]
        _check(loaded)
        for module in modules:
            self._add(module, loaded=module in loaded)
        queries = {
            name: {
                **{rule: "/".join((*namespace.path, rule)) for rule in namespace.rules},
                **({"": "/".join((*namespace.path, "exception"))} if namespace.has_exceptions else {}),
            }
            for name, namespace in self.namespaces.items()
        }
        self._launch(loaded, queries)

    def ready(self) -> None:
        """Nothing is left to wait for."""

    def _add(self, module: Module, *, loaded: bool) -> None:
        """Counts the rules of a module that are asked."""
        from pratique.rego import package_clause, tokenize

        tokens = list(tokenize(module.text))
        clause = package_clause(tokens)
        if clause is None:
            raise ConftestError(f"load: loading policies: load: 1 error occurred: {module.path}: package expected")
        name = package_name(clause.path)
        namespace = self.namespaces.setdefault(name, Namespace(name, clause.path))
        depth = 0
        for index, token in enumerate(tokens):
            depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "operator" else 0
            if depth or token.kind != "name" or not token.first_on_line:
                continue
            if token.text == "exception":
                namespace.has_exceptions = True
            if not is_asked(token.text):
                continue
            following = tokens[index + 1].text if index + 1 < len(tokens) else ""
            if following != "contains" or not loaded:
                raise ConftestError(
                    f"load: {module.path}: line {token.line}: regopy is asked for sets outside of tests only "
                    f"(`{token.text} contains ...`); install OPA for this rule"
                )
            namespace.count += 1
            if token.text not in namespace.rules:
                namespace.rules.append(token.text)

    def _launch(self, modules: Sequence[Module], queries: dict[str, dict[str, str]]) -> None:
        from evaluators.regopy import WORKER, bundle_of

        self._process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        bundle = bundle_of([(module.path, module.text) for module in modules], queries)
        self._ask(bundle, seconds=START_SECONDS)

    def _ask(self, frame: bytes, *, seconds: float) -> bytes:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ConftestError("regopy was not started")
        try:
            process.stdin.write(struct.pack(">I", len(frame)) + frame)
            process.stdin.flush()
            deadline = time.monotonic() + seconds
            (size,) = struct.unpack(">I", _read(process.stdout.fileno(), 4, deadline))
            answer = _read(process.stdout.fileno(), size, deadline)
        except TimeoutError as error:
            raise ConftestError(f"no answer within {seconds:g} s: does a policy loop? (--timeout)") from error
        except OSError as error:
            raise ConftestError(f"regopy ended: {error}") from error
        if not answer.startswith(b"+"):
            raise ConftestError(f"regopy: {answer[1:].decode(errors='replace')}")
        return answer[1:]

    def check(self, configurations: Sequence[Configuration], namespace: str) -> list[CheckResult]:
        """What a namespace says of each file.

        Raises:
            ConftestError: a query failed, or a document is beyond what regopy is trusted with.
        """
        known = self.namespaces.get(namespace) or Namespace(namespace, tuple(namespace.split(".")))
        if self._options.strict_results and not known.rules:
            raise ConftestError(f'query rule: the namespace "{namespace}" has no deny, violation or warn rule')
        results = []
        for configuration in map(without_yaml, configurations):
            check = CheckResult(configuration.path, namespace)
            for document in configuration.documents if known.rules else ():
                self._judge(check, document.body, known)
            results.append(check)
        return results

    def _judge(self, check: CheckResult, body: bytes, namespace: Namespace) -> None:
        value = json.loads(body)
        _refuse_numbers(value, check.file)
        frame = json.dumps({"policies": [namespace.name], "input": _whole(value)}, ensure_ascii=False).encode()
        answers = decode(self._ask(frame, seconds=self._options.timeout))["results"][namespace.name]
        queries = []
        for rule in namespace.rules:
            wanted = exception_name(rule)
            exceptions = sum(name == wanted for names in answers.get("", ()) for name in names)
            query = rule_query(namespace.name, rule)
            answered = sorted(answers[rule], key=_order)
            found = [result for each in answered if (result := result_of(each, query)) is not None]
            queries.append((rule, exceptions, found or [Result()]))
        count_results(check, namespace, queries)


def _order(value: Any) -> tuple[bool, list[str], str]:
    """OPA's order of a set, which regopy does not keep: texts, then objects by their keys and values."""
    if isinstance(value, dict):
        return True, sorted(value), json.dumps([value[key] for key in sorted(value)], ensure_ascii=False)
    return False, [], value if isinstance(value, str) else json.dumps(value)


def _check(modules: Sequence[Module]) -> None:
    """The gate."""
    from evaluators import capabilities
    from pratique.policy import Module as PolicyModule
    from pratique.rego import package_clause, tokenize

    foreign = []
    for module in modules:
        clause = package_clause(list(tokenize(module.text)))
        foreign.append(PolicyModule(module.path, ".".join(clause.path) if clause else "", module.text))
    capabilities.check_foreign(foreign, data=frozenset())


def _read(descriptor: int, size: int, deadline: float) -> bytes:
    parts = []
    while size:
        if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError
        part = os.read(descriptor, size)
        if not part:
            raise OSError("it closed its output")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _refuse_numbers(value: Any, file: str) -> None:
    """Ensures that regopy prints every number of a document as OPA does.

    Raises:
        ConftestError: it holds one that OPA writes with an exponent.
    """
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _refuse_numbers(each, file)
    elif isinstance(value, float) and not isinstance(value, bool) and "e" in go_float(value):
        raise ConftestError(f"{file} holds the number {go_float(value)}, which regopy would print in another way")


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
