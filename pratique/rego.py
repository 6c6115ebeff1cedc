"""Rego's words: a tokenizer, enough to read a module's package, rule names, calls and references without an engine.

It is no parser. Whether a module is valid Rego is for the engines to say; what it *names* can be read from its tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

TokenKind = Literal["name", "string", "raw", "template", "number", "operator", "bad"]

_PATTERN = re.compile(
    r"""
    (?P<space>[ \t\r\n\ufeff]+)
  | (?P<comment>\#[^\n]*)
  | (?P<template>\$(?:"(?:[^"\\\n]|\\.)*"|`[^`]*`))
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<raw>`[^`]*`)
  | (?P<number>(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<operator>:=|==|!=|<=|>=|[-+*/%&|=<>.,;:(){}\[\]])
  | (?P<bad>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a module. `start` and `end` are offsets into its text, `line` counts from 1.

    `spaced` says whether white space, a comment or the start of the file precedes it: `f (x)` is not a call, `f(x)` is.
    `bad` is a character that Rego does not know, or the quote of a string that is never closed.
    """

    kind: TokenKind
    text: str
    line: int
    start: int
    spaced: bool
    first_on_line: bool

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def value(self) -> str:
        """The characters that a string or raw string stands for.

        Raises:
            ValueError: the string holds an escape that JSON does not know.
        """
        return self.text[1:-1] if self.kind == "raw" else str(json.loads(self.text))


def tokenize(text: str) -> Iterator[Token]:
    """The tokens of a module in order, without white space and comments."""
    line, spaced, first = 1, True, True
    for match in _PATTERN.finditer(text):
        kind, word = match.lastgroup, match.group()
        if kind in ("space", "comment"):
            newlines = word.count("\n")
            line += newlines
            first = first or newlines > 0
            spaced = True
            continue
        yield Token(kind, word, line, match.start(), spaced, first)  # type: ignore[arg-type]  # lastgroup is a TokenKind here
        line += word.count("\n")
        spaced = first = False


@dataclass(frozen=True, slots=True)
class PackageClause:
    """`package a.b["c-d"]`: the path's segments and the line it stands on. `end` is the index of the token after it."""

    path: tuple[str, ...]
    line: int
    end: int

    def __str__(self) -> str:
        return self.path[0] + "".join(
            f".{part}" if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", part) else f"[{json.dumps(part)}]"
            for part in self.path[1:]
        )


def package_clause(tokens: Sequence[Token]) -> PackageClause | None:
    """The package clause that a module must begin with, or None when it does not."""
    if len(tokens) < 2 or tokens[0].text != "package" or tokens[1].kind != "name":
        return None
    path = [tokens[1].text]
    index = 2
    while index + 1 < len(tokens):
        mark, word = tokens[index], tokens[index + 1]
        if mark.text == "." and word.kind == "name" and not mark.first_on_line:
            path.append(word.text)
            index += 2
        elif mark.text == "[" and word.kind == "string" and not mark.spaced and tokens[index + 2 : index + 3]:
            if tokens[index + 2].text != "]":
                return None
            path.append(word.value)
            index += 3
        else:
            break
    return PackageClause(tuple(path), tokens[0].line, index)


def data_references(tokens: Sequence[Token]) -> Iterator[tuple[str, ...]]:
    """The references to `data` in a module, imports among them, each as far as it is written in names and dots:
    `("lib", "values", "shown")` for `data.lib.values.shown(x)`, nothing for `data[area]`."""
    for index, token in enumerate(tokens):
        if token.text != "data" or token.kind != "name" or tokens[index - 1].text == ".":
            continue
        path = []
        position = index + 1
        while [part.text for part in tokens[position : position + 1]] == ["."] and position + 1 < len(tokens):
            path.append(tokens[position + 1].text)
            position += 2
        yield tuple(path)


def rule_names(tokens: Sequence[Token]) -> frozenset[str]:
    """The names of the rules and functions that a module defines: names that begin a line outside every bracket."""
    names, depth = set(), 0
    for index, token in enumerate(tokens):
        if token.kind == "operator":
            depth += (token.text in "([{") - (token.text in ")]}")
        elif token.kind == "name" and depth == 0 and token.first_on_line:
            if token.text == "default" and index + 1 < len(tokens):
                names.add(tokens[index + 1].text)
            elif token.text not in ("package", "import", "else", "default"):
                names.add(token.text)
    return frozenset(names)
