"""When Pratique is called through a link named conftest."""

from __future__ import annotations

from collections.abc import Sequence


def reorder(arguments: Sequence[str]) -> list[str]:
    """The command line with the verb first: conftest takes `-c FILE` before it too."""
    leading: list[str] = []
    rest = list(arguments)
    while rest and (rest[0].startswith("-c") or rest[0].partition("=")[0] == "--config-file"):
        word = rest.pop(0)
        leading.append(word)
        if word in ("-c", "--config-file") and rest:
            leading.append(rest.pop(0))
    return [*rest[:1], *leading, *rest[1:]]
