"""`.proto` files, as far as messages in text form need them: messages, enums and extensions. Services are skipped."""

from __future__ import annotations

import re
from typing import Any

from google.protobuf import descriptor_pb2

from pratiquectl.conftest.parsers.errors import ParseError

_TOKEN = re.compile(
    r"(?:\s|//[^\n]*|/\*[\s\S]*?\*/)*(\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[A-Za-z_.][\w.]*|-?[0-9][\w.]*|[\s\S]|\Z)"
)
_NAME = re.compile(r"\.?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")

_LABELS = {"optional": 1, "required": 2, "repeated": 3}
_SCALARS = {
    "double": 1,
    "float": 2,
    "int64": 3,
    "uint64": 4,
    "int32": 5,
    "fixed64": 6,
    "fixed32": 7,
    "bool": 8,
    "string": 9,
    "bytes": 12,
    "uint32": 13,
    "sfixed32": 15,
    "sfixed64": 16,
    "sint32": 17,
    "sint64": 18,
}
_MESSAGE = 11


def parse_proto(text: str, name: str) -> descriptor_pb2.FileDescriptorProto:
    """The descriptor of one file; what types mean is left to the pool that it is put in.

    Raises:
        ParseError: it is not such a file, or holds what is not read here (groups, editions).
    """
    return _Reader(text, name).file()


class _Reader:
    """Reads the tokens of one file in order."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._at = 0
        self._file = descriptor_pb2.FileDescriptorProto(name=name)

    def _peek(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        return match[1] if match else ""

    def _read(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[1]

    def _take(self, wanted: str) -> None:
        found = self._read()
        if found != wanted:
            raise self._error(f"found {found!r} where {wanted!r} should be")

    def _name(self) -> str:
        found = self._read()
        if not _NAME.fullmatch(found):
            raise self._error(f"found {found!r} where a name should be")
        return found

    def _number(self) -> int:
        found = self._read()
        try:
            octal = len(found) > 1 and found[0] == "0" and found[1].isdigit()
            return int(found, 8) if octal else int(found, 0)
        except ValueError as error:
            raise self._error(f"found {found!r} where a number should be") from error

    def _error(self, message: str) -> ParseError:
        line = self._text.count("\n", 0, self._at) + 1
        return ParseError(f"{self._file.name}: line {line}: {message}")

    def file(self) -> descriptor_pb2.FileDescriptorProto:
        while word := self._read():
            match word:
                case "syntax":
                    self._take("=")
                    self._file.syntax = self._read()[1:-1]
                    self._take(";")
                case "package":
                    self._file.package = self._name()
                    self._take(";")
                case "import":
                    if self._peek() in ("public", "weak"):
                        self._read()
                    self._file.dependency.append(self._read()[1:-1])
                    self._take(";")
                case "option":
                    self._skip_statement()
                case "message":
                    self._message(self._file.message_type.add())
                case "enum":
                    self._enum(self._file.enum_type.add())
                case "extend":
                    self._extend(self._file.extension)
                case "service":
                    self._read()
                    self._skip_block()
                case ";":
                    pass
                case _:
                    raise self._error(f"found {word!r}, which is not read here")
        return self._file

    def _skip_statement(self) -> None:
        depth = 0
        while word := self._read():
            depth += {"{": 1, "}": -1}.get(word, 0)
            if word == ";" and depth == 0:
                return
        raise self._error("; is missing")

    def _skip_block(self) -> None:
        self._take("{")
        depth = 1
        while depth:
            word = self._read()
            if not word:
                raise self._error("} is missing")
            depth += {"{": 1, "}": -1}.get(word, 0)

    def _message(self, message: Any) -> None:
        message.name = self._name()
        self._take("{")
        while (word := self._read()) != "}":
            match word:
                case "message":
                    self._message(message.nested_type.add())
                case "enum":
                    self._enum(message.enum_type.add())
                case "extend":
                    self._extend(message.extension)
                case "option" | "reserved":
                    self._skip_statement()
                case "extensions":
                    self._extensions(message)
                case "oneof":
                    self._oneof(message)
                case "map" if self._peek() == "<":
                    self._map(message)
                case ";":
                    pass
                case "":
                    raise self._error("} is missing")
                case _:
                    self._field(message.field.add(), word, message)

    def _extensions(self, message: Any) -> None:
        while True:
            extent = message.extension_range.add(start=self._number())
            extent.end = extent.start + 1
            if self._peek() == "to":
                self._read()
                if self._peek() == "max":
                    self._read()
                    extent.end = 2**29
                else:
                    extent.end = self._number() + 1
            if self._peek() == "[":
                self._options()
            if self._read() == ";":
                return

    def _oneof(self, message: Any) -> None:
        index = len(message.oneof_decl)
        message.oneof_decl.add(name=self._name())
        self._take("{")
        while (word := self._read()) != "}":
            if word == "option":
                self._skip_statement()
            elif not word:
                raise self._error("} is missing")
            elif word != ";":
                field = message.field.add(oneof_index=index, label=1)
                self._field(field, word, None)

    def _map(self, message: Any) -> None:
        self._take("<")
        key_type = self._name()
        self._take(",")
        value_type = self._name()
        self._take(">")
        name = self._name()
        entry = message.nested_type.add(name=f"{''.join(part[:1].upper() + part[1:] for part in name.split('_'))}Entry")
        entry.options.map_entry = True
        _set_type(entry.field.add(name="key", number=1, label=1), key_type)
        _set_type(entry.field.add(name="value", number=2, label=1), value_type)
        self._take("=")
        message.field.add(name=name, number=self._number(), label=3, type=_MESSAGE, type_name=entry.name)
        self._end_of_field(None)

    def _field(self, field: Any, word: str, message: Any) -> None:
        explicit = word in _LABELS
        field.label = _LABELS.get(word, 1)
        kind = self._name() if explicit else word
        if kind == "group" or not _NAME.fullmatch(kind):
            raise self._error(f"found {kind!r}, which is not read here")
        _set_type(field, kind)
        field.name = self._name()
        self._take("=")
        field.number = self._number()
        self._end_of_field(field)
        if word == "optional" and self._file.syntax == "proto3" and message is not None:
            field.proto3_optional = True
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")

    def _end_of_field(self, field: Any) -> None:
        if self._peek() == "[":
            options = self._options()
            if field is not None and "default" in options:
                field.default_value = options["default"].strip("\"'")
        self._take(";")

    def _options(self) -> dict[str, str]:
        self._take("[")
        found: dict[str, str] = {}
        words: list[str] = []
        depth = 0
        while True:
            word = self._read()
            if not word:
                raise self._error("] is missing")
            if depth == 0 and word in ",]":
                if len(words) > 2 and words[1] == "=":
                    found[words[0]] = "".join(words[2:])
                words = []
                if word == "]":
                    return found
                continue
            depth += {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}.get(word, 0)
            words.append(word)

    def _enum(self, enum: Any) -> None:
        enum.name = self._name()
        self._take("{")
        while (word := self._read()) != "}":
            if word == "option":
                start = self._at
                self._skip_statement()
                if re.search(r"allow_alias\s*=\s*true", self._text[start : self._at]):
                    enum.options.allow_alias = True
            elif word == "reserved":
                self._skip_statement()
            elif not word:
                raise self._error("} is missing")
            elif word != ";":
                self._take("=")
                sign = -1 if self._peek() == "-" else 1
                if sign < 0:
                    self._read()
                enum.value.add(name=word, number=sign * self._number())
                if self._peek() == "[":
                    self._options()
                self._take(";")

    def _extend(self, extensions: Any) -> None:
        extended = self._name()
        self._take("{")
        while (word := self._read()) != "}":
            if not word:
                raise self._error("} is missing")
            if word != ";":
                self._field(extensions.add(extendee=extended), word, None)


def _set_type(field: Any, kind: str) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type_name = kind
