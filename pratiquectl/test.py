"""`pratique test`: a team's own Rego policies on its configuration files, as conftest runs them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pratique.errors import PratiqueError
from pratiquectl.__main__ import Subparsers
from pratiquectl.conftest import flags
from pratiquectl.conftest.command import EXIT_ERROR, add_help, execute
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.options import Flag, Options

FLAGS = (
    Flag(name="fail-on-warn", kind="bool", help="exit 2 on failures, 1 if there are only warnings"),
    Flag(name="no-fail", kind="bool", help="exit 0 even if a policy fails"),
    flags.NO_COLOR,
    Flag(name="suppress-exceptions", kind="bool", help="leave exceptions out of the output"),
    Flag(name="all-namespaces", kind="bool", help="ask the policies of all namespaces"),
    flags.QUIET,
    Flag(name="trace", kind="bool", help="print on stderr how each query was evaluated"),
    flags.STRICT,
    flags.SHOW_BUILTIN_ERRORS,
    Flag(name="combine", kind="bool", help="judge all files together, as one document"),
    Flag(name="ignore", kind="text", help="regular expression of paths to leave out"),
    flags.PARSER,
    Flag(name="stdin-filename", kind="text", help="file name to print for the standard input"),
    flags.CAPABILITIES,
    flags.REGO_VERSION,
    flags.OUTPUT,
    flags.JUNIT_HIDE_MESSAGE,
    flags.GITHUB_HIDE_PASSED,
    flags.POLICY,
    Flag(name="update", short="u", kind="list", help="addresses to fetch policies from before"),
    Flag(name="namespace", short="n", kind="list", default=("main",), help="namespaces to ask; *, ? and [...] match"),
    flags.DATA,
    flags.PROTO_FILE_DIRS,
    Flag(name="tls", kind="bool", default=True, help="use TLS to the registry of --update"),
    Flag(name="strict-results", kind="bool", help="make errors of what conftest takes for a pass: no rule, no set"),
    Flag(name="timeout", kind="text", default="30", help="seconds that a document may take"),
    Flag(name="engine", kind="text", default="auto", help="what runs the policies: auto, opa or regopy"),
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb's parser."""
    add_help(
        subparsers,
        "test",
        FLAGS,
        usage="pratique test PATH [PATH ...] [flags]",
        help="run conftest policies on configuration files",
        description="Ask the rules deny, violation and warn of Rego policies about files, with conftest's "
        "flags, output and exit codes: 0 passed, 1 failed or could not be done. PATH is a file, a folder, or -.",
        example="pratique test --policy examples/conftest examples/llm-server.yaml",
    )


def run_arguments(arguments: Sequence[str]) -> int:
    """Judge the files and print what was found; the exit code is the verdict."""
    return execute(arguments, FLAGS, _run)


def _run(options: Options) -> int:
    from pratiquectl.conftest import outputs
    from pratiquectl.conftest.checking import check_files
    from pratiquectl.conftest.results import exit_code

    if not options.arguments:
        print("usage: pratique test PATH [PATH ...] [flags]", file=sys.stderr)
        print("Error: missing required arguments", file=sys.stderr)
        return EXIT_ERROR
    try:
        writer = outputs.writer(options.text("output"))
        results = check_files(options)
    except PratiqueError as error:
        raise ConftestError(f"running test: {error}") from error
    code = exit_code(results, fail_on_warn=options.on("fail-on-warn"))
    if options.on("quiet") and code == 0:
        return code
    shown = outputs.Options(
        color=not options.on("no-color"),
        suppress_exceptions=options.on("suppress-exceptions"),
        trace=options.on("trace"),
        junit_hide_message=options.on("junit-hide-message"),
        github_hide_passed=options.on("github-hide-passed"),
        strict_results=options.on("strict-results"),
    )
    outputs.show(writer, results, shown)
    return 0 if options.on("no-fail") else code
