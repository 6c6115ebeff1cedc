"""`pratique VERB ...`: finds the verb, runs it, and turns what it raises into one sentence and an exit code.

Only the module of the verb that is asked for is imported, so that `pratique --help` costs next to nothing.

Exit codes of every verb: 0 done; 2 wrong usage or something that could not be done, with a sentence on stderr; 130
interrupted; 141 the reader of the output went away. `check`, `waiver check`, `policy test`, `parity`, `verify-bundle`
add 1: something is denied, does not count, fails, differs or is not signed; so does `fix --diff`: there is something to
fix.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast

from pratique.errors import LoadError, PratiqueError

EXIT_DONE = 0
EXIT_DENIED = 1
EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


class Verb(NamedTuple):
    """A verb. One with `own_flags` reads its command line itself (`run_arguments`); argparse only prints its help."""

    name: str
    module: str
    help: str
    own_flags: bool = False


VERBS = (
    Verb("check", "pratiquectl.check", "judge manifests on disk as the cluster would"),
    Verb("parity", "pratiquectl.parity", "compare the verdicts of check with those of a live webhook"),
    Verb("fix", "pratiquectl.fix", "write what policies would change into manifests, or show it"),
    Verb("serve", "pratiquectl.serve", "serve the admission webhook"),
    Verb("certs", "pratiquectl.certs", "make a CA and a serving certificate for the webhook"),
    Verb("webhook-config", "pratiquectl.webhook_config", "print the webhook configurations for the API server"),
    Verb("test", "pratiquectl.test", "run conftest policies on configuration files", own_flags=True),
    Verb("verify", "pratiquectl.verify", "run the tests of conftest policies", own_flags=True),
    Verb("parse", "pratiquectl.parse", "print configuration files as conftest policies see them", own_flags=True),
    Verb("reformat", "pratiquectl.reformat", "print the JSON output of test in another format", own_flags=True),
    Verb("push", "pratiquectl.push", "push conftest policies to an OCI registry", own_flags=True),
    Verb("pull", "pratiquectl.pull", "pull conftest policies from an OCI registry", own_flags=True),
    Verb("fmt", "pratiquectl.fmt", "format Rego files", own_flags=True),
    Verb("doc", "pratiquectl.doc", "write documentation from the annotations of policies", own_flags=True),
    Verb("verify-bundle", "pratiquectl.verify_bundle", "verify a Sigstore bundle of a file"),
    Verb("decisions", "pratiquectl.decisions", "list recorded decisions, or show one"),
    Verb("explain", "pratiquectl.explain", "show how a decision came to be"),
    Verb("policy", "pratiquectl.policy", "list policies, or show one"),
    Verb("subject", "pratiquectl.subject", "show what policies see of manifests"),
    Verb("waiver", "pratiquectl.waiver", "ask for an exception, approve one, and see which count"),
    Verb("evidence", "pratiquectl.evidence", "look at signatures, SBOMs, scans and provenance of images"),
    Verb("completion", "pratiquectl.completion", "print what makes a shell complete commands"),
    Verb("demo", "pratiquectl.demo", "serve the webhook and send it the example manifests"),
)
"""Every verb there is; a new one is one file and one line here."""


class Subparsers(Protocol):
    """What `argparse.ArgumentParser.add_subparsers` returns, of which argparse has no public name."""

    def add_parser(self, name: str, **options: object) -> argparse.ArgumentParser:
        """A parser for one verb."""


class VerbModule(Protocol):
    """The shape of a verb's module."""

    def add_parser(self, subparsers: Subparsers) -> None:
        """Add the verb's parser, with an `Example:` in its epilog."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; the exit code."""


class OwnFlagsModule(Protocol):
    """The shape of the module of a verb with `own_flags`."""

    def run_arguments(self, arguments: Sequence[str]) -> int:
        """Do what the command line behind the verb says; the exit code."""


CONFTEST = "conftest"
"""The name of a link to us through which the verbs of conftest are called as its users are used to."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code; whatever is raised becomes a sentence on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_conftest = argv is None and sys.argv[0].rpartition("/")[2] == CONFTEST
    try:
        try:
            code = _run_as_conftest(arguments) if as_conftest else _run(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would raise once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        print("pratique: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except LoadError as error:
        for problem in error.problems:
            print(f"pratique: {problem}", file=sys.stderr)
        return EXIT_ERROR
    except PratiqueError as error:
        print(f"pratique: {error}", file=sys.stderr)
        return EXIT_ERROR
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"pratique: {place}{error.strerror or error}", file=sys.stderr)
        return EXIT_ERROR
    except Exception as error:  # a bug; exit code 1 would read as "denied"
        if os.environ.get("PRATIQUE_DEBUG"):
            raise
        advice = "set PRATIQUE_DEBUG=1 to see where, and report it"
        print(f"pratique: this is a bug: {type(error).__name__}: {error}; {advice}", file=sys.stderr)
        return EXIT_ERROR
    return code


def _run_as_conftest(arguments: list[str]) -> int:
    from pratiquectl.conftest import link

    code = link.answer(arguments)
    return _run(link.reorder(arguments)) if code is None else code


def program_name() -> str:
    """How this was called: `pratique`, or `kubectl pratique` as the plugin of kubectl that `kubectl-pratique` is."""
    name = os.path.basename(sys.argv[0]) if sys.argv else ""  # noqa: PTH119 - pathlib costs what `--help` must not
    return "kubectl pratique" if name.startswith("kubectl-pratique") else "pratique"


def _run(arguments: list[str]) -> int:
    wanted = arguments[0] if arguments else ""
    own = next((verb for verb in VERBS if verb.name == wanted and verb.own_flags), None)
    if own is not None and not {"-h", "--help"} & set(arguments):
        return cast(OwnFlagsModule, importlib.import_module(own.module)).run_arguments(arguments[1:])
    parser = argparse.ArgumentParser(
        prog=program_name(),
        description="Policy as code for AI platforms on Kubernetes.",
        epilog="`pratique VERB --help` shows the options of a verb and an example.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    subparsers = parser.add_subparsers(title="verbs", dest="verb", metavar="VERB")
    module: VerbModule | None = None
    for verb in VERBS:
        if verb.name == wanted:
            module = cast(VerbModule, importlib.import_module(verb.module))
            module.add_parser(cast(Subparsers, subparsers))
        else:
            subparsers.add_parser(verb.name, help=verb.help)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else EXIT_ERROR
    if args.version:
        from importlib.metadata import version

        print(f"pratique {version('pratique')}")
        return EXIT_DONE
    if module is None:
        parser.print_usage(sys.stderr)
        names = ", ".join(verb.name for verb in VERBS)
        print(f"pratique: name a verb: {names}", file=sys.stderr)
        return EXIT_ERROR
    return module.run(args)


if __name__ == "__main__":
    sys.exit(main())
