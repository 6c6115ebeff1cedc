"""nginx.conf, as directives with their parameters and blocks; nothing is included, comments are left out.

As in conftest, a directive that nginx does not document is an error, but in `map` and `types`; the servers of a block
`http` or `upstream` stand behind its other directives; the code of Lua blocks is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.limits import MAX_DEPTH
from pratiquectl.conftest.parsers.nginx_directives import DIRECTIVES
from pratiquectl.conftest.parsers.source import Source

_BLANK = " \t"
_LINE_END = "\r\n"
_FREE = frozenset({"types", "map"})
_LUA = "_by_lua_block"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """`word`, `quoted`, `lua`, `;`, `{`, `}`, or nothing at the end."""
    text: str
    line: int


def documents(source: Source) -> list[Any]:
    """One document with the directives of the file."""
    reader = _Reader(go.text(source.content))
    return [{"directives": [_plain(directive) for directive in reader.block(0, free=False)]}]


@dataclass(slots=True)
class _Directive:
    name: str
    parameters: list[str]
    block: list[_Directive] | None = None


def _plain(directive: _Directive) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": directive.name}
    if directive.parameters:
        plain["parameters"] = directive.parameters
    if directive.block is not None:
        plain["block"] = {"directives": [_plain(inner) for inner in directive.block]}
    return plain


class _Reader:
    """Reads the tokens of one text in order."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._token = next(self._tokens)

    def _advance(self) -> _Token:
        if self._token.kind:
            self._token = next(self._tokens)
        return self._token

    def block(self, depth: int, *, free: bool) -> list[_Directive]:
        """The directives up to the end of the block, on which the reader then stands."""
        if depth > MAX_DEPTH:
            raise ParseError(f"blocks are nested more than {MAX_DEPTH} levels deep")
        found = []
        while self._token.kind != "}":
            if not self._token.kind:
                if depth:
                    raise ParseError("a block is not closed")
                break
            if self._token.kind in ("word", "quoted"):
                found.append(self._statement(depth, free=free))
            self._advance()
        return found

    def _statement(self, depth: int, *, free: bool) -> _Directive:
        name = self._token
        if not free and name.text not in DIRECTIVES:
            raise ParseError(f"line {name.line}: {name.text[:80]!r} is no directive of nginx")
        directive = _Directive(name.text, [])
        while True:
            token = self._advance()
            if token.kind in ("word", "quoted"):
                directive.parameters.append(token.text)
            elif token.kind == ";":
                return _finished(directive, name.line)
            elif token.kind == "{":
                if name.text.endswith(_LUA):
                    self._skip_lua()
                    return _Directive(name.text, directive.parameters, [])
                self._advance()
                directive.block = self.block(depth + 1, free=free or name.text in _FREE)
                return _finished_block(directive, name.line)
            else:
                raise ParseError(f"line {token.line}: the directive {name.text[:80]!r} is not ended with ;")

    def _skip_lua(self) -> None:
        depth = 1
        while depth and self._advance().kind:
            depth += {"{": 1, "}": -1}.get(self._token.kind, 0)


def _finished(directive: _Directive, line: int) -> _Directive:
    if directive.name == "include" and len(directive.parameters) != 1:
        raise ParseError(f"line {line}: include takes exactly one parameter")
    if directive.name == "server":
        return _upstream_server(directive)
    return directive


def _finished_block(directive: _Directive, line: int) -> _Directive:
    block = directive.block or []
    match directive.name:
        case "http":
            is_server = [inner.name == "server" and inner.block is not None for inner in block]
            ordered = [inner for inner, last in zip(block, is_server, strict=True) if not last]
            ordered += [inner for inner, last in zip(block, is_server, strict=True) if last]
            return _Directive("http", [], ordered)
        case "server":
            return _Directive("server", [], block)
        case "upstream":
            if not directive.parameters:
                raise ParseError(f"line {line}: upstream takes a name")
            servers = [_upstream_server(inner) for inner in block if inner.name == "server"]
            return _Directive(
                "upstream", directive.parameters[:1], [*(i for i in block if i.name != "server"), *servers]
            )
        case "location" if not 1 <= len(directive.parameters) <= 2:
            raise ParseError(f"line {line}: location takes one or two parameters")
    return directive


def _upstream_server(directive: _Directive) -> _Directive:
    """The address, then what is named, sorted, then the rest."""
    address, *rest = directive.parameters or [""]
    named = dict(parameter.split("=", 1) for parameter in rest if "=" in parameter)
    flags = [parameter for parameter in rest if "=" not in parameter]
    return _Directive("server", [address, *(f"{name}={named[name]}" for name in sorted(named)), *flags])


def _tokens(text: str) -> Iterator[_Token]:
    at, line = 0, 1
    last_word = ""
    while at < len(text):
        character = text[at]
        start = at
        if character in _BLANK or character in _LINE_END:
            at += 1
            line += character == "\n"
            continue
        if character == "#":
            while at < len(text) and text[at] not in _LINE_END:
                at += 1
            continue
        if character in ";{}":
            at += 1
            yield _Token(character, character, line)
            if character == "{" and last_word.endswith(_LUA):
                at, code = _lua(text, at)
                yield _Token("lua", code, line)
            last_word = ""
        elif character in "\"'`":
            at = _quoted_end(text, at)
            yield _Token("quoted", text[start:at], line)
            last_word = ""
        else:
            at = _word_end(text, at)
            last_word = text[start:at]
            yield _Token("word", last_word, line)
        line += text.count("\n", start, at)
    while True:
        yield _Token("", "", line)


def _quoted_end(text: str, at: int) -> int:
    quote = text[at]
    end = at + 1
    while end < len(text):
        if text[end] == "\\" and text[end + 1 : end + 2] == quote:
            end += 2
        elif text[end] == quote:
            return end + 1
        else:
            end += 1
    raise ParseError(f"line {text.count(chr(10), 0, at) + 1}: a quote is not closed")


def _word_end(text: str, at: int) -> int:
    end = at + 1
    previous, variable = text[at], False
    while end < len(text) and text[end] not in _BLANK + _LINE_END + ";":
        character = text[end]
        if character == "{":
            if previous == "$":
                variable = True
            elif not variable:
                break
        elif character == "}":
            if not variable:
                break
            variable = False
        else:
            previous = character
        end += 1
    return end


def _lua(text: str, at: int) -> tuple[int, str]:
    """The end of a block of Lua, whose braces are balanced, and its code."""
    depth, end = 0, at
    while end < len(text):
        character = text[end]
        if character == "#":
            while end < len(text) and text[end] not in _LINE_END:
                end += 1
            continue
        if character == "}":
            if depth == 0:
                return end, text[at:end]
            depth -= 1
        elif character == "{":
            depth += 1
        end += 1
    raise ParseError(f"line {text.count(chr(10), 0, at) + 1}: a block of Lua is not closed")
