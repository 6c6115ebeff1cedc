"""`pratique VERB ...`: finds the verb, runs it, and turns what it raises into one sentence and an exit code.

Only the module of the verb that is asked for is imported, so that `pratique --help` costs next to nothing.

Exit codes of every verb: 0 done; 2 wrong usage or something that could not be done, with a sentence on stderr; 130
interrupted; 141 the reader of the output went away. `check`, `waiver check`, `policy test`, `parity` add 1: something
is denied, does not count, fails or differs; so does `fix --diff`: there is something to fix.
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
    name: str
    module: str
    help: str


VERBS = (
    Verb("check", "pratiquectl.check", "judge manifests on disk as the cluster would"),
    Verb("parity", "pratiquectl.parity", "compare the verdicts of check with those of a live webhook"),
    Verb("fix", "pratiquectl.fix", "write what policies would change into manifests, or show it"),
    Verb("serve", "pratiquectl.serve", "serve the admission webhook"),
    Verb("certs", "pratiquectl.certs", "make a CA and a serving certificate for the webhook"),
    Verb("webhook-config", "pratiquectl.webhook_config", "print the webhook configurations for the API server"),
    Verb("decisions", "pratiquectl.decisions", "list recorded decisions, or show one"),
    Verb("explain", "pratiquectl.explain", "show how a decision came to be"),
    Verb("policy", "pratiquectl.policy", "list policies, or show one"),
    Verb("subject", "pratiquectl.subject", "show what policies see of manifests"),
    Verb("waiver", "pratiquectl.waiver", "ask for an exception, approve one, and see which count"),
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code; whatever is raised becomes a sentence on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            code = _run(arguments)
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


def program_name() -> str:
    """How this was called: `pratique`, or `kubectl pratique` as the plugin of kubectl that `kubectl-pratique` is."""
    name = os.path.basename(sys.argv[0]) if sys.argv else ""  # noqa: PTH119 - pathlib costs what `--help` must not
    return "kubectl pratique" if name.startswith("kubectl-pratique") else "pratique"


def _run(arguments: list[str]) -> int:
    wanted = arguments[0] if arguments else ""
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
