"""`pratique verify`: the tests of Rego policies, as conftest runs them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pratique.errors import PratiqueError
from pratiquectl.__main__ import Subparsers
from pratiquectl.conftest import flags
from pratiquectl.conftest.command import add_help, execute, opa_binary
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.options import Flag, Options

FLAGS = (
    flags.NO_COLOR,
    flags.QUIET,
    Flag(name="trace", kind="bool", help="print on stderr how each test was evaluated"),
    flags.STRICT,
    Flag(name="report", kind="text", help="print OPA's report, with the events that full, notes or fails names"),
    flags.SHOW_BUILTIN_ERRORS,
    flags.OUTPUT,
    flags.JUNIT_HIDE_MESSAGE,
    flags.GITHUB_HIDE_PASSED,
    flags.CAPABILITIES,
    flags.REGO_VERSION,
    flags.DATA,
    flags.POLICY,
    flags.PROTO_FILE_DIRS,
    Flag(name="var-values", kind="bool", help="show the values of variables in expressions that failed"),
    Flag(name="namespace", short="n", kind="list", help="namespaces whose tests count; *, ? and [...] match"),
    Flag(name="timeout", kind="text", default="30", help="seconds that a test may take"),
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    add_help(
        subparsers,
        "verify",
        FLAGS,
        usage="pratique verify [flags]",
        help="run the tests of conftest policies",
        description="Run the tests (test_...) of Rego policies with conftest's flags, output and exit codes.",
        example="pratique verify --policy examples/conftest",
    )


def run_arguments(arguments: Sequence[str]) -> int:
    """Run the tests and print what came of them."""
    return execute(arguments, FLAGS, _run)


def _run(options: Options) -> int:
    from pratiquectl.conftest import outputs
    from pratiquectl.conftest.checking import seconds
    from pratiquectl.conftest.results import exit_code
    from pratiquectl.conftest.verifying import REPORTS, report, run_tests
    from pratiquectl.conftest.workspace import PolicyOptions

    kind = options.text("report")
    if options.on("var-values") and kind not in REPORTS:
        kind = "fails"
    try:
        writer = outputs.writer(options.text("output"))
        binary = opa_binary("opa")
        if binary is None:
            raise ConftestError("there is no OPA to run the tests")
        policies = PolicyOptions(
            policies=options.list("policy"),
            data=options.list("data"),
            rego_version=options.text("rego-version"),
            strict=options.on("strict"),
            capabilities=options.text("capabilities"),
            timeout=seconds(options.text("timeout")),
        )
        if kind in REPORTS and options.text("output") == "stdout":
            text, code = report(
                binary, policies, kind, namespaces=options.list("namespace"), var_values=options.on("var-values")
            )
            sys.stdout.write("" if options.on("quiet") and code == 0 else text)
            return code
        results = run_tests(
            binary,
            policies,
            namespaces=options.list("namespace"),
            trace=options.on("trace"),
            strict_errors=options.on("show-builtin-errors"),
        )
    except PratiqueError as error:
        raise ConftestError(f"running verification: {error}") from error
    if kind in REPORTS:
        raise ConftestError("report flag is supported with stdout only")
    code = exit_code(results)
    if options.on("quiet") and code == 0:
        return code
    shown = outputs.Options(
        color=not options.on("no-color"),
        trace=options.on("trace"),
        show_skipped=True,
        junit_hide_message=options.on("junit-hide-message"),
        github_hide_passed=options.on("github-hide-passed"),
    )
    outputs.show(writer, results, shown)
    return code
