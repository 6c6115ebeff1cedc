"""What `test` does between its options and its results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.gojson import decode, dumps, floats
from pratiquectl.conftest.inputs import (
    Configuration,
    Document,
    combine,
    find_files,
    read_configurations,
    without_yaml,
)
from pratiquectl.conftest.options import Options
from pratiquectl.conftest.results import CheckResult
from pratiquectl.conftest.rules import Namespace, has_wildcard, match_namespaces

if TYPE_CHECKING:
    from pratiquectl.conftest.engine import Engine, EngineOptions
    from pratiquectl.conftest.regopy_engine import RegopyEngine


def check_files(options: Options) -> list[CheckResult]:
    """What the policies say of the files.

    Raises:
        ConftestError: something could not be read, compiled or evaluated.
    """
    from pratiquectl.conftest.command import opa_binary
    from pratiquectl.conftest.engine import EngineOptions

    files = find_files(options.arguments, options.text("ignore"))
    engine_options = EngineOptions(
        policies=options.list("policy"),
        data=options.list("data"),
        rego_version=options.text("rego-version"),
        strict=options.on("strict"),
        capabilities=options.text("capabilities"),
        trace=options.on("trace"),
        builtin_errors=options.on("show-builtin-errors"),
        strict_results=options.on("strict-results"),
        combined=options.on("combine"),
        timeout=seconds(options.text("timeout")),
    )
    if options.list("update"):
        from pratiquectl.conftest.download import download

        configurations = _read(files, options)
        download(options.list("update"), options.list("policy")[0], tls=tls_setting(options), overwrite=True)
    binary = opa_binary(options.text("engine"))
    with _engine(binary, engine_options) as engine:
        if options.list("update"):
            engine.start()
        else:
            load_error = None
            try:
                engine.start()  # OPA compiles while we parse
            except ConftestError as error:
                load_error = error
            configurations = _read(files, options)
            if load_error is not None:
                raise load_error
        engine.ready()
        if options.on("combine"):
            configurations = [_combined(configurations)]
        results: list[CheckResult] = []
        for namespace in namespaces(options, engine.namespaces):
            results += engine.check(configurations, namespace)
        return results


def _engine(binary: Path | None, options: EngineOptions) -> Engine | RegopyEngine:
    if binary is None:
        from pratiquectl.conftest.regopy_engine import RegopyEngine

        return RegopyEngine(options)
    from pratiquectl.conftest.engine import Engine

    return Engine(binary, options)


def _read(files: Sequence[str], options: Options) -> list[Configuration]:
    return read_configurations(
        files,
        parser=options.text("parser"),
        stdin_name=options.text("stdin-filename"),
        proto_file_dirs=options.list("proto-file-dirs"),
    )


def _combined(configurations: Sequence[Configuration]) -> Configuration:
    """All files as the one document of `--combine`, whose numbers are written as JSON has them."""
    values = [
        (each.path, [floats(decode(document.body)) for document in each.documents])
        for each in map(without_yaml, configurations)
    ]
    return Configuration("Combined", (Document(dumps(combine(values)).encode("utf-8", "surrogatepass")),))


def namespaces(options: Options, available: dict[str, Namespace]) -> list[str]:
    """The namespaces that are asked.

    Raises:
        ConftestError: a pattern is malformed; with strict results, one matches nothing.
    """
    patterns = options.list("namespace")
    if options.on("all-namespaces"):
        return list(available)
    if not has_wildcard(patterns):
        return list(patterns)
    matched = match_namespaces(available, patterns)
    if options.on("strict-results") and not matched:
        raise ConftestError(f"filter namespaces: no namespace matches {', '.join(patterns)}")
    return matched


def seconds(text: str) -> float:
    """A duration: seconds, or with Go's units.

    Raises:
        ConftestError: it is none, or not more than zero.
    """
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = next(((text.removesuffix(unit), unit) for unit in units if text.endswith(unit)), (text, "s"))
    try:
        value = float(number) * units[unit]
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConftestError(f"--timeout is {text!r}: give the seconds, such as 30")
    return value


def tls_setting(options: Options) -> bool | None:
    """Whether to use TLS; None where nobody said, so that it depends on the host."""
    return options.on("tls") if "tls" in options.given else None
