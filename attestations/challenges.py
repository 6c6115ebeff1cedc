"""`WWW-Authenticate`: which logins a server takes (RFC 9110, 11.6.1; RFC 6750, 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_CHALLENGE_LENGTH = 16 * 2**10
"""Protects the parser; a header of this length is no honest one."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the rule `token` of RFC 9110, 5.6.2
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PARAMETER = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*({_TOKEN}|{_QUOTED})", re.DOTALL)
_SCHEME = re.compile(rf"({_TOKEN})(?:[ ]+|(?=[ \t]*(?:,|$)))")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
_SEPARATORS = re.compile(r"[ \t,]*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in. `scheme` and the names of the parameters are in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(values: Sequence[str]) -> tuple[Challenge, ...]:
    """The challenges of all `WWW-Authenticate` fields of an answer, in their order.

    What does not parse ends the field that it is in; what stands before it counts.
    """
    return tuple(challenge for value in values for challenge in _field(value[:MAX_CHALLENGE_LENGTH]))


def _field(value: str) -> list[Challenge]:
    """`Scheme token68`, `Scheme name=value, name="va,lue"`, and several of them with commas between."""
    challenges: list[Challenge] = []
    at = _skip(value, 0)
    while at < len(value) and (scheme := _SCHEME.match(value, at)):
        at = scheme.end()
        parameters: dict[str, str] = {}
        if (bare := _TOKEN68.match(value, at)) and not _PARAMETER.match(value, at):
            at = _skip(value, bare.end())
        while parameter := _PARAMETER.match(value, at):
            parameters.setdefault(parameter[1].lower(), _unquoted(parameter[2]))
            at = _skip(value, parameter.end())
        challenges.append(Challenge(scheme[1].lower(), parameters))
        at = _skip(value, at)
    return challenges


def _skip(value: str, at: int) -> int:
    matched = _SEPARATORS.match(value, at)
    return matched.end() if matched else at


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(r"\1", text[1:-1]) if text.startswith('"') else text
