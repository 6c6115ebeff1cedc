"""HCL 1: a block becomes a list of objects under its name; its labels nest one in the other, each in a list."""

from __future__ import annotations

import re
from typing import Any

from pratiquectl.conftest.parsers import go, hcl1_json
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.hcl1_tree import ESCAPE, Budget, Item, List, Node, Object, Scalar, document, unescaped
from pratiquectl.conftest.parsers.limits import MAX_DEPTH
from pratiquectl.conftest.parsers.source import Source

_SKIPPED = re.compile(r"(?:[ \t\r\n]|(?:#|//)[^\n]*|/\*[\s\S]*?\*/)+")
_IDENTIFIER = re.compile(r"[^\W\d](?:\w|[\-.])*")
_FLOAT = re.compile(r"-?(?:[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]*)?|[0-9]+[eE][+-]?[0-9]*)|\.[0-9]+(?:[eE][+-]?[0-9]*)?")
_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|[0-9]+)")
_NOT_OCTAL = re.compile(r"-?0[0-9]+[89]")
_HEREDOC = re.compile(r"<<(-?)(\w+)\n")


class _EndOfFileError(Exception):
    """The file ends where a value should be."""


def documents(source: Source) -> list[Any]:
    """One document: the keys and blocks of the file."""
    budget = Budget(len(source.content))
    if hcl1_json.is_json(source.content):
        return [document(hcl1_json.read(source.content, budget), budget)]
    try:
        text = source.content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ParseError("HCL is UTF-8 text, and this is not") from error
    return [document(Object(_Reader(text).items("", 0)), budget)]


class _Reader:
    """Reads one text from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def _error(self, message: str) -> ParseError:
        return ParseError(f"line {self._text.count(chr(10), 0, self._at) + 1}: {message}")

    def _skip(self) -> str:
        """Step over blanks and comments; the next character, or nothing."""
        if match := _SKIPPED.match(self._text, self._at):
            self._at = match.end()
        if self._text.startswith("/*", self._at):
            raise self._error("a comment is not closed")
        return self._text[self._at : self._at + 1]

    def items(self, closing: str, depth: int) -> tuple[Item, ...]:
        """The items up to `closing`, or to the end."""
        if depth > MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} levels deep")
        items = []
        while (character := self._skip()) != closing:
            if not character:
                raise self._error(f"{closing} is missing")
            try:
                items.append(self._item(depth))
            except _EndOfFileError:
                # A key at the end of the file whose value is missing is left out.
                if closing:
                    raise self._error(f"{closing} is missing") from None
                break
            if self._skip() == ",":
                self._at += 1
        self._at += len(closing)
        return tuple(items)

    def _item(self, depth: int) -> Item:
        keys: list[str] = []
        while (character := self._skip()) not in ("=", "{"):
            if character == '"':
                keys.append(self._string())
            elif match := _IDENTIFIER.match(self._text, self._at):
                if match[0] in ("true", "false"):
                    raise self._error(f"{match[0]} cannot be a key")
                keys.append(match[0])
                self._at = match.end()
            else:
                raise self._error("a key, = or { should be here")
        if not keys or (character == "=" and len(keys) > 1):
            raise self._error(f"{character} needs {'exactly one key' if character == '=' else 'a key'}")
        self._at += 1
        if character == "=":
            return Item(tuple(keys), self._value(depth))
        return Item(tuple(keys), Object(self.items("}", depth + 1)))

    def _value(self, depth: int) -> Node:
        character = self._skip()
        if not character:
            raise _EndOfFileError
        if character == "{":
            self._at += 1
            return Object(self.items("}", depth + 1))
        if character == "[":
            self._at += 1
            return self._list(depth + 1)
        return self._literal(character)

    def _list(self, depth: int) -> List:
        if depth > MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} levels deep")
        items: list[Node] = []
        after_value = False
        while (character := self._skip()) != "]":
            if character == ",":
                self._at += 1
                after_value = False
            elif after_value or not character:
                raise self._error("a list needs , or ] here")
            else:
                items.append(self._value(depth))
                after_value = not isinstance(items[-1], List)
        self._at += 1
        return List(tuple(items))

    def _literal(self, character: str) -> Scalar:
        if character == '"':
            return Scalar("string", self._string())
        if character == "<":
            return Scalar("string", self._heredoc())
        for word in ("true", "false"):
            match = _IDENTIFIER.match(self._text, self._at)
            if match and match[0] == word:
                self._at = match.end()
                return Scalar("bool", word)
        if match := _FLOAT.match(self._text, self._at):
            self._at = match.end()
            return Scalar("float", match[0])
        if match := _NUMBER.match(self._text, self._at):
            if _NOT_OCTAL.match(match[0]):
                raise self._error(f"{match[0][:40]} is not a number")
            self._at = match.end()
            return Scalar("number", match[0])
        raise self._error("a value should be here")

    def _string(self) -> str:
        """A quoted text; what stands in `${...}` stays as it is."""
        end, braces = self._at + 1, 0
        text = self._text
        while True:
            character = text[end : end + 1]
            if not character or character == "\0" or (character == "\n" and not braces):
                raise self._error("a quoted text is not closed")
            if character == '"' and not braces:
                break
            if not braces and text.startswith("${", end):
                braces, end = 1, end + 1
            elif braces and character in "{}":
                braces += 1 if character == "{" else -1
            elif character == "\\":
                match = ESCAPE.match(text, end)
                if match is None:
                    raise self._error(f"{text[end : end + 2]!r} is no escape of HCL")
                end = match.end() - 1
            end += 1
        raw = text[self._at + 1 : end]
        unquoted = self._unquoted(raw)
        self._at = end + 1
        return unquoted

    def _unquoted(self, raw: str) -> str:
        content = bytearray()
        at = 0
        while at < len(raw):
            if raw.startswith("${", at):
                end = _interpolation_end(raw, at)
                content += raw[at:end].encode()
                at = end
            elif raw[at] == "\\":
                match = ESCAPE.match(raw, at)
                if match is None:
                    raise self._error(f"{raw[at : at + 2]!r} is no escape of HCL")
                content += self._unescaped(match)
                at = match.end()
            elif raw[at] in '\n"':
                raise self._error("a quoted text cannot hold this character")
            else:
                content += raw[at].encode()
                at += 1
        return go.text(bytes(content))

    def _unescaped(self, match: re.Match[str]) -> bytes:
        meant = unescaped(match, half=go.REPLACEMENT.encode())
        if meant is None:
            raise self._error(f"{match[0]} is no byte and no character")
        return meant

    def _heredoc(self) -> str:
        match = _HEREDOC.match(self._text, self._at)
        if match is None:
            raise self._error("<< and a name should open a text of several lines")
        # Blanks of that line only: `\s` would go through all empty lines behind each of them.
        closing = re.compile(rf"^[ \t\f\r]*{re.escape(match[2])}\r*\n", re.MULTILINE)
        end = closing.search(self._text, match.end())
        if end is None:
            raise self._error(f"the text <<{match[2]} is not closed")
        whole = self._text[self._at : end.end()]
        self._at = end.end()
        start = len(match[0])
        # What is cut off at the end is as long as the name and its line's end; blanks before the name stay.
        body = whole[start : len(whole) - len(match[2]) - 1]
        if not match[1]:
            return body
        lines = body.split("\n")
        indentation = lines[-1]
        if all(line.startswith(indentation) for line in lines):
            return "\n".join([*(line[len(indentation) :] for line in lines[:-1]), ""])
        return body[:-1].rstrip(" \t") if len(body) > len(match[2]) else body


def _interpolation_end(raw: str, at: int) -> int:
    end, braces = at + 2, 1
    while end < len(raw) and braces:
        braces += {"{": 1, "}": -1}.get(raw[end], 0)
        end += 1
    if braces:
        raise ParseError("an interpolation ${ is not closed")
    return end
