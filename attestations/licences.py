"""SPDX licence expressions (SPDX 2.3, annex D): what somebody may choose between, and what applies together.

`MIT OR (GPL-2.0-only WITH Classpath-exception-2.0 AND Zlib)` leaves two choices. Whoever wants to know whether a
licence can be avoided looks for a choice without it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_TOKENS = 100
"""Protects from an expression that takes minutes: real ones have a dozen words."""

MAX_CHARACTERS = 2000
"""The same of a text: licence texts of pages stand where names should."""

MAX_CHOICES = 16
"""Protects from expressions whose choices multiply: `(A OR B) AND (C OR D) AND ...`."""

_MAX_COMPARED = 4 * MAX_CHOICES
"""Before those are taken away that ask for more than another: that takes the square of it."""

_TOKEN = re.compile(r"\s*([()]|[A-Za-z0-9.:+-]+)", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9.:+()\s-]+\Z", re.ASCII)
_NAME = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?[A-Za-z0-9.-]+\+?\Z", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9.+-]+", re.ASCII)
_OPERATORS = {"AND": "AND", "OR": "OR", "WITH": "WITH", "and": "AND", "or": "OR", "with": "WITH"}
"""In upper case, or wholly in lower case, as SPDX 3 allows."""

_UNKNOWN = frozenset({"", "NOASSERTION", "NONE", "UNKNOWN"})
"""What stands where a licence should and is none (SPDX 2.3, 7.13; pip writes UNKNOWN): nobody can choose it."""

_Choices = frozenset[frozenset[str]]


@dataclass(frozen=True, slots=True)
class Licence:
    """What an expression comes to: `choices`, each the licences that apply together, sorted. A choice with NOASSERTION
    in it is left out where there is another one.

    What is no expression (a name such as `BSD License`), or one beyond the limits, is not `read`: then there is one
    choice, of the text and of its words, so that a denied one in it is found. Of an expression these are all its
    licences; of prose the first words, and NOASSERTION where there are more.
    """

    choices: tuple[tuple[str, ...], ...]
    read: bool

    @property
    def known(self) -> bool:
        """Whether something may be chosen that is known as a whole."""
        return any(_UNKNOWN.isdisjoint(choice) for choice in self.choices)


class _NoExpression(Exception):
    """The text is no licence expression."""


def is_stated(text: str) -> bool:
    """Whether `text` is a licence at all, rather than a word for not knowing one."""
    return text.strip().upper() not in _UNKNOWN


def read_licence(text: str) -> Licence:
    """What the licence expression `text` comes to; never raises."""
    text = text.strip()
    try:
        choices = _Reader(_tokens(text)).expression()
    except _NoExpression:
        return Licence((tuple(sorted(_words(text))),), read=False)
    known = frozenset(choice for choice in choices if _UNKNOWN.isdisjoint(choice))
    return Licence(tuple(sorted(tuple(sorted(choice)) for choice in known or choices)), read=True)


def _words(text: str) -> set[str]:
    """The text, which is no expression that is read, and its words: see `Licence`."""
    if _PLAIN.match(text):
        words = _WORD.findall(text)
        names = [word for word in words if word not in _OPERATORS]
        if len(words) - len(names) == len(names) - 1 > 0:  # an operator between each two
            return {text, *names}
    words = _WORD.findall(text[:MAX_CHARACTERS])
    names = [word for word in words[:MAX_TOKENS] if word not in _OPERATORS]
    cut = len(words) > MAX_TOKENS or len(text) > MAX_CHARACTERS
    return {text, *names, "NOASSERTION"} if cut else {text, *names}


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    if len(text) > MAX_CHARACTERS:
        raise _NoExpression
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or len(tokens) >= MAX_TOKENS:
            raise _NoExpression
        tokens.append(found[1])
        at = found.end()
    return tokens


class _Reader:
    """Reads from the lowest precedence to the highest: OR, AND, WITH (annex D.4). Its recursion is bounded by
    `MAX_TOKENS`, of which a level takes one."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def expression(self) -> _Choices:
        choices = self._either()
        if self._at != len(self._tokens):
            raise _NoExpression
        return choices

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _operator(self, name: str) -> bool:
        if _OPERATORS.get(self._next()) != name:
            return False
        self._at += 1
        return True

    def _either(self) -> _Choices:
        choices = self._both()
        while self._operator("OR"):
            choices = _fewest(choices | self._both())
        return choices

    def _both(self) -> _Choices:
        choices = self._one()
        while self._operator("AND"):
            right = self._one()
            choices = _fewest(frozenset(one | other for one in choices for other in right))
        return choices

    def _one(self) -> _Choices:
        word = self._next()
        self._at += 1
        if word == "(":
            choices = self._either()
            if self._next() != ")":
                raise _NoExpression
            self._at += 1
            return choices
        if not _NAME.match(word) or word in _OPERATORS:
            raise _NoExpression
        if self._operator("WITH"):
            exception = self._next()
            self._at += 1
            if not _NAME.match(exception) or exception in _OPERATORS:
                raise _NoExpression
            word = f"{word} WITH {exception}"
        return frozenset({frozenset({word})})


def _fewest(choices: _Choices) -> _Choices:
    """The choices without those that ask for more than another one does."""
    if len(choices) > _MAX_COMPARED:
        raise _NoExpression
    kept = frozenset(choice for choice in choices if not any(other < choice for other in choices))
    if len(kept) > MAX_CHOICES:
        raise _NoExpression
    return kept
