"""When Pratique is called through a link named conftest: `conftest test ...` is `pratique test ...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pratiquectl.conftest import CONFTEST_VERSION
from pratiquectl.conftest.errors import ConftestError

VERBS = ("test", "verify", "parse", "push", "pull", "fmt", "doc", "reformat")


def reorder(arguments: Sequence[str]) -> list[str]:
    """The command line with the verb first: conftest takes `-c FILE` before it too.

    Raises:
        ConftestError: conftest has no such verb, or it is not here.
    """
    leading: list[str] = []
    rest = list(arguments)
    while rest and (rest[0].startswith("-c") or rest[0].partition("=")[0] == "--config-file"):
        word = rest.pop(0)
        leading.append(word)
        if word in ("-c", "--config-file") and rest:
            leading.append(rest.pop(0))
    if rest and rest[0] not in VERBS:
        raise ConftestError(f'unknown command "{rest[0]}" for "conftest"; there are {", ".join(VERBS)}')
    return [*rest[:1], *leading, *rest[1:]]


def answer(arguments: Sequence[str]) -> int | None:
    """The exit code, if the command line asks for no verb; what it asks for is printed."""
    if list(arguments) in (["--version"], ["-v"]):
        from evaluators.opa_binary import find_opa
        from pratiquectl.conftest.options import environment
        from pratiquectl.places import tools_cache

        found = find_opa(environment(), tools_cache(), [])
        print(f"Conftest: {CONFTEST_VERSION}\nOPA: {found[1] if found else 'none'}")
        return 0
    if list(arguments) in ([], ["--help"], ["-h"], ["help"]):
        print(f"usage: conftest {{{','.join(VERBS)}}} ...\n\n`conftest VERB --help` shows the flags of a verb.")
        return 0
    try:
        reorder(arguments)
    except ConftestError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return None
