"""HOCON, as the library reads it that conftest uses, which is not all of HOCON and differs from it.

Values are numbers, booleans or texts; lists are texts (`[1,2]`), durations and sizes too. Each key at the top has to be
an object. What would end conftest with a crash is an error here. Includes are not read.
"""

from __future__ import annotations

import math
import os
import re
from typing import Any, cast

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.source import Source

_MAX_STEPS = 1_000_000
"""Protects against substitutions of substitutions, which double with every line of a file."""

# The text is read byte by byte, so a byte of a longer character can be a blank.
_BLANKS = " \t\n\v\f\r\xa0"
_NOT_IN_TEXT = '$"{}[]:=+,#`^?!@*&\\'
_NOT_IN_KEY = f"{_NOT_IN_TEXT}."
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class _Budget:
    """How much may still be looked at."""

    def __init__(self) -> None:
        self._steps = 0

    def spend(self) -> None:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise ParseError("substitutions stand for far more than is written")


class _Object:
    """Keys and their values; a key that is set again keeps its old value in the new one."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self.items: dict[str, _Value] = {}

    def create(self, key: str) -> _Value:
        value = _Value(self._budget, self.items.get(key))
        self.items[key] = value
        return value

    def merge(self, other: _Object) -> None:
        for key, theirs in other.items.items():
            ours = self.items.get(key)
            if ours is None:
                self.items[key] = theirs
                continue
            our_object, their_object = ours.object(), theirs.object()
            if our_object is not None and their_object is not None and our_object is not their_object:
                our_object.merge(their_object)


class _Substitution:
    def __init__(self, path: str, *, optional: bool) -> None:
        self.path = path
        self.optional = optional
        self.resolved: _Value | None = None


class _Value:
    """What is put together to one value: texts, lists of values, substitutions, or one object."""

    def __init__(self, budget: _Budget, old: _Value | None = None) -> None:
        self._budget = budget
        self.parts: list[str | list[_Value] | _Substitution | _Object] = []
        self.old = old

    def _seen(self, part: Any) -> Any:
        """`part`, or what it stands for: a substitution of a value by itself means the value before."""
        if isinstance(part, _Substitution):
            if part.resolved is not None:
                return part.resolved.old or part.resolved
            return self.old
        return part

    def object(self) -> _Object | None:
        self._budget.spend()
        if not self.parts:
            return None
        part = self._seen(self.parts[0])
        if isinstance(part, _Value):
            return part.object()
        return part if isinstance(part, _Object) else None

    def text(self) -> str | None:
        """The text, if every part is one."""
        self._budget.spend()
        texts = []
        for part in self.parts:
            seen = self._seen(part)
            text = seen.text() if isinstance(seen, _Value) else seen
            if not isinstance(text, str):
                return None
            texts.append(text)
        if not texts:
            return None
        whole = "".join(texts)
        return "" if whole == "null" else whole.strip(go.SPACE)

    def list(self) -> list[_Value]:
        self._budget.spend()
        found: list[_Value] = []
        for part in self.parts:
            seen = self._seen(part)
            if isinstance(seen, _Value):
                found += seen.list()
            elif isinstance(seen, list):
                found += seen
        return found

    def printed(self, indent: int = 0) -> str:
        self._budget.spend()
        text = self.text()
        if text is not None:
            return _quoted(text) if text else '""'
        found = self.object()
        if found is not None:
            blanks = "  " * (indent + 1)
            lines = [f"{blanks}{_quoted(key)} : {item.printed(indent + 1)}\r\n" for key, item in found.items.items()]
            return f"{{\r\n{''.join(lines)}{'  ' * indent}}}"
        items = self.list()
        return f"[{','.join(item.printed(indent + 1) for item in items)}]" if items else "<<unknown value>>"


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text or "\t" in text else text


def documents(source: Source) -> list[Any]:
    """One document: the objects of the file."""
    # Latin-1 makes each byte a character; texts are put right at the end.
    root = _Reader(source.content.decode("latin-1")).read()
    return [{_utf8(key): _section(root, _node(root, key), key) for key in cast(_Object, root.object()).items}]


def _section(root: _Value, value: _Value | None, path: str) -> dict[str, Any]:
    found = value.object() if value is not None else None
    if found is None:
        raise ParseError(f"{_utf8(path)} is no object; conftest reads values in objects only")
    result: dict[str, Any] = {}
    for key in found.items:
        inner_path = f"{path}.{key}"
        inner = _node(root, inner_path)
        if inner is None:
            raise ParseError(f"the key {_utf8(key)!r} cannot be part of a path")
        result[_utf8(key)] = (
            _section(root, inner, inner_path) if inner.object() is not None else _typed(_utf8(inner.printed()))
        )
    return result


def _typed(text: str) -> Any:
    number = go.parse_float(text)
    if number is not None:
        if not math.isfinite(number):
            raise ParseError(f"{text} is not a number that JSON has")
        return go.number(number)
    boolean = go.parse_bool(text)
    return text if boolean is None else boolean


def _utf8(text: str) -> str:
    return go.text(text.encode("latin-1"))


def _node(root: _Value, path: str) -> _Value | None:
    current: _Value | None = root
    for key in re.split(r"[.\"]", path):
        if key:
            found = current.object() if current is not None else None
            current = found.items.get(key) if found is not None else None
            if current is None:
                return None
    return current


class _Reader:
    """Reads one text from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._budget = _Budget()
        self._substitutions: list[_Substitution] = []

    def read(self) -> _Value:
        root = _Value(self._budget)
        self._object(root, "", many=True)
        for substitution in self._substitutions:
            substitution.resolved = _node(root, substitution.path)
            if substitution.resolved is None:
                value = os.environ.get(_utf8(substitution.path))
                if value is not None:
                    substitution.resolved = _Value(self._budget)
                    substitution.resolved.parts.append(value.encode(errors="replace").decode("latin-1"))
                elif not substitution.optional:
                    raise ParseError(f"${{{_utf8(substitution.path)}}} is not defined")
        return root

    def _error(self, message: str) -> ParseError:
        return ParseError(f"line {self._text.count(chr(10), 0, self._at) + 1}: {message}")

    def _ended(self) -> bool:
        return self._at >= len(self._text)

    def _is(self, wanted: str) -> bool:
        return self._text.startswith(wanted, self._at)

    def _is_before_end(self, wanted: str) -> bool:
        """Whether `wanted` is next, and not the end of the file: some things are seen only then."""
        return self._is(wanted) and self._at + len(wanted) < len(self._text)

    def _is_comment(self) -> bool:
        return self._is_before_end("#") or self._is_before_end("//")

    def _skip(self) -> None:
        while not self._ended():
            if self._text[self._at] in _BLANKS:
                self._at += 1
            elif self._is_comment():
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end + 1
            else:
                return

    def _is_text(self) -> bool:
        return not self._ended() and self._text[self._at] not in _BLANKS + _NOT_IN_TEXT and not self._is_comment()

    def _run(self) -> str:
        start = self._at
        while self._is_text():
            self._at += 1
        return self._text[start : self._at]

    def _quoted(self) -> str:
        self._at += 1
        read = []
        while not self._ended() and not self._is('"'):
            character = self._text[self._at]
            self._at += 1
            read.append(self._escape() if character == "\\" else character)
        self._at += 1
        return "".join(read)

    def _escape(self) -> str:
        character = self._text[self._at : self._at + 1]
        self._at += 1
        if character == "u":
            digits = self._text[self._at : self._at + 4]
            digits = digits.lower() if len(digits) == 4 else ""
            self._at += len(digits)
            # It stays as it is written, up to a blank.
            return f"\\u{digits}".split(" ")[0]
        if character not in _ESCAPES:
            raise self._error(f"\\{character} is no escape of HOCON")
        return _ESCAPES[character]

    def _token(self) -> tuple[str, str]:
        """The next symbol or key; nothing at the end."""
        self._skip()
        if self._ended():
            return "", ""
        character = self._text[self._at]
        if character in ".{}" or (character in "=:" and self._is_before_end(character)):
            self._at += 1
            return ("=" if character == ":" else character), ""
        if self._is("+="):
            self._at += 2
            return "+=", ""
        if re.compile(r'include[\s#/]+"').match(self._text, self._at):
            raise self._error("include is not supported")
        if character == '"':
            return "key", self._quoted()
        if character not in _NOT_IN_KEY:
            start = self._at
            while not self._ended() and self._text[self._at] not in _NOT_IN_KEY and not self._is_comment():
                self._at += 1
            return "key", self._text[start : self._at].strip(go.SPACE)
        if character in "[]":
            self._at += 1
            return character, ""
        raise self._error(f"{character!r} cannot stand here")

    def _object(self, owner: _Value, path: str, *, many: bool) -> None:
        """Keys for the object of `owner`: one, or `many` up to the closing brace."""
        if owner.object() is None:
            owner.parts = [_Object(self._budget)]
        value = owner
        while value.old is not None:
            new, old = value.object(), value.old.object()
            if new is None or old is None:
                break
            if new is not old:
                new.merge(old)
            value = value.old
        current = cast(_Object, owner.object())
        while not self._ended():
            kind, key = self._token()
            if kind == "}":
                return
            if kind == "key":
                self._key_content(current.create(key), f"{path}.{key}" if path else key)
                if not many:
                    return

    def _key_content(self, value: _Value, path: str) -> None:
        while not self._ended():
            kind, _ = self._token()
            match kind:
                case ".":
                    return self._object(value, path, many=False)
                case "{":
                    return self._object(value, path, many=True)
                case "=" | "+=":
                    if value.object() is None:
                        value.parts = []
                    return self._value(value, path, appends=kind == "+=")
        return None

    def _value(self, owner: _Value, path: str, *, appends: bool) -> None:
        if self._ended():
            raise self._error("a value is missing")
        self._skip()
        while True:
            if appends and (self._is_text() or (not self._ended() and self._text[self._at] in '[{"$')):
                self._substitute(owner, path, optional=False)
            if self._is("{"):
                self._at += 1
                self._object(owner, path, many=True)
            elif self._is('"') or self._is_text():
                if owner.object() is not None:
                    owner.parts = []
                owner.parts.append(self._literal())
            elif self._is("["):
                self._at += 1
                owner.parts.append(self._list(path))
            elif self._is_before_end("${"):
                self._at += 2
                optional = self._is("?")
                self._at += optional
                self._substitute(owner, self._run(), optional=optional)
                self._at += 1
            else:
                break
            blanks = self._blanks()
            if blanks:
                owner.parts.append(blanks)
        if self._is(","):
            self._at += 1
        if self._is("\\n"):
            self._at += 2

    def _literal(self) -> str:
        if not self._is('"""'):
            return self._quoted() if self._is('"') else self._run()
        end = self._text.find('"""', self._at + 3)
        end = len(self._text) if end < 0 else end
        text = self._text[self._at + 3 : end]
        self._at = end + 3
        return text

    def _blanks(self) -> str:
        start = self._at
        while self._is_before_end(" ") or self._is_before_end("\t"):
            self._at += 1
        return self._text[start : self._at]

    def _substitute(self, owner: _Value, path: str, *, optional: bool) -> None:
        substitution = _Substitution(path, optional=optional)
        self._substitutions.append(substitution)
        owner.parts.append(substitution)

    def _list(self, path: str) -> list[_Value]:
        items: list[_Value] = []
        while not self._ended() and not self._is("]"):
            start = self._at
            item = _Value(self._budget)
            self._value(item, path, appends=False)
            items.append(item)
            self._skip()
            if self._at == start:
                raise self._error(f"{self._text[self._at]!r} cannot be in a list")
        self._at += 1
        return items
