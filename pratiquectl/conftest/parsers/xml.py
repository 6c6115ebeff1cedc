"""XML: elements become objects, attributes keys with `-` before their names, text beside them `#content`.

Like conftest, reading ends where the text is no longer XML, and what was complete by then is the document. Of several
pieces of text in one element the last counts.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.limits import MAX_DEPTH
from pratiquectl.conftest.parsers.source import Source

_BLANK = " \t\r\n"
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "apos": "'", "quot": '"'}
_NAME = re.compile(r"[^\x00-\x2c\x2f\x3b-\x40\x5b-\x5e\x60\x7b-\x7f]+")
_NAME_START = re.compile(r"[A-Za-z_:\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0131\u0134-\uffff]")
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([A-Za-z_:][A-Za-z0-9_:.\-]*));")
_NOT_A_CHARACTER = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DECLARATION = re.compile(rb"\s*<\?xml\s(.*?)\?>", re.DOTALL)
_WINDOWS_1252 = {"iso-8859-1", "iso8859-1", "latin1", "l1", "us-ascii", "ascii", "windows-1252", "cp1252"}
"""Labels that the web's standard, which conftest goes by, reads as windows-1252."""


class _End(Exception):
    """The text is not XML from here on."""


@dataclass(slots=True)
class _Element:
    label: str
    text: str = ""
    children: dict[str, list[_Element]] = field(default_factory=dict)

    def add(self, label: str, child: _Element) -> None:
        self.children.setdefault(label, []).append(child)

    def value(self) -> Any:
        if not self.children:
            return self.text
        found: dict[str, Any] = {"#content": self.text} if self.text else {}
        for label, children in self.children.items():
            values = [child.value() for child in children]
            found[label] = values if len(values) > 1 else values[0]
        return found


def documents(source: Source) -> list[Any]:
    """One document: an object with the root element, or an empty text."""
    root = _Element("")
    open_elements = [(root, "")]
    reader = _Reader(_decode(source.content))
    try:
        for kind, name, payload in reader.tokens():
            if kind == "text":
                open_elements[-1][0].text = _trimmed(payload)
            elif kind == "start":
                if len(open_elements) > MAX_DEPTH:
                    raise ParseError(f"the XML is nested more than {MAX_DEPTH} levels deep")
                element = _Element(_local(name))
                for attribute, value in payload:
                    element.add(f"-{_local(attribute)}", _Element("", value))
                open_elements.append((element, name))
            elif open_elements[-1][1] != name or len(open_elements) == 1:
                break
            else:
                element, _ = open_elements.pop()
                open_elements[-1][0].add(element.label, element)
    except _End:
        pass  # see above: what was complete counts
    return [root.value()]


def _decode(content: bytes) -> str:
    declaration = _DECLARATION.match(content)
    label = re.search(rb"encoding\s*=\s*[\"']([^\"']*)[\"']", declaration[1]) if declaration else None
    name = label[1].decode("ascii", errors="replace").strip().lower() if label else "utf-8"
    try:
        codec = codecs.lookup("cp1252" if name in _WINDOWS_1252 else name).name
    except LookupError:
        codec = "utf-8"
    if codec != "utf-8":
        return content.decode(codec, errors="replace")
    # A lone surrogate, which no character of XML is, ends the reading there.
    return content.decode("utf-8", errors="surrogateescape")


def _local(name: str) -> str:
    space, colon, local = name.partition(":")
    return local if colon and space and local else name


def _trimmed(text: str) -> str:
    """`text` without what cannot be seen at its ends."""
    start, end = 0, len(text)
    while start < end and not _graphic(text[start]):
        start += 1
    while end > start and not _graphic(text[end - 1]):
        end -= 1
    return text[start:end]


def _graphic(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMNPS"


class _Reader:
    """Reads one text, strictly as `encoding/xml` does."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def tokens(self) -> Iterator[tuple[str, str, Any]]:
        """`text`, `start` and `end`, with the name of the element and the text or the attributes.

        Raises:
            _End: the text is not XML from here on.
        """
        text = self._text
        while self._at < len(text):
            if text[self._at] != "<":
                end = text.find("<", self._at)
                end = len(text) if end < 0 else end
                yield "text", "", self._characters(text[self._at : end])
                self._at = end
            elif text.startswith("<!--", self._at):
                end = self._find("--", self._at + 4)
                if not text.startswith("-->", end):
                    raise _End
                self._check(self._at, end)
                self._at = end + 3
            elif text.startswith("<![CDATA[", self._at):
                end = self._find("]]>", self._at + 9)
                self._check(self._at, end)
                yield "text", "", _lines(text[self._at + 9 : end])
                self._at = end + 3
            elif text.startswith("<!", self._at):
                self._directive()
            elif text.startswith("<?", self._at):
                self._instruction()
            elif text.startswith("</", self._at):
                self._at += 2
                name = self._name()
                self._skip()
                self._expect(">")
                yield "end", name, None
            else:
                self._at += 1
                name = self._name()
                attributes, closed = self._attributes()
                yield "start", name, attributes
                if closed:
                    yield "end", name, None

    def _find(self, wanted: str, start: int) -> int:
        found = self._text.find(wanted, start)
        if found < 0:
            raise _End
        return found

    def _check(self, start: int, end: int) -> None:
        if _NOT_A_CHARACTER.search(self._text, start, end):
            raise _End

    def _skip(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in _BLANK:
            self._at += 1

    def _expect(self, wanted: str) -> None:
        if not self._text.startswith(wanted, self._at):
            raise _End
        self._at += len(wanted)

    def _name(self) -> str:
        match = _NAME.match(self._text, self._at)
        if match is None or not _NAME_START.match(match[0]) or match[0].count(":") > 1:
            raise _End
        self._at = match.end()
        return match[0]

    def _attributes(self) -> tuple[list[tuple[str, str]], bool]:
        """The attributes up to the end of the start tag; whether it is the end of the element too."""
        found: list[tuple[str, str]] = []
        while True:
            self._skip()
            if self._text.startswith(">", self._at):
                self._at += 1
                return found, False
            if self._text.startswith("/", self._at):
                self._at += 1
                self._expect(">")
                return found, True
            name = self._name()
            self._skip()
            self._expect("=")
            self._skip()
            quote = self._text[self._at : self._at + 1]
            if quote not in ("'", '"'):
                raise _End
            end = self._find(quote, self._at + 1)
            value = self._text[self._at + 1 : end]
            if "<" in value:
                raise _End
            found.append((name, self._characters(value, attribute=True)))
            self._at = end + 1

    def _characters(self, raw: str, *, attribute: bool = False) -> str:
        """`raw` with its references replaced."""
        if _NOT_A_CHARACTER.search(raw) or (not attribute and "]]>" in raw):
            raise _End
        # Line ends are made one before references are looked at: `&#13;` stays.
        return _REFERENCE_OR_AMPERSAND.sub(_referenced, _lines(raw)) if "&" in raw else _lines(raw)

    def _instruction(self) -> None:
        end = self._find("?>", self._at + 2)
        start = self._at
        self._at += 2
        target = self._name()
        self._check(start, end)
        if target == "xml":
            version = re.search(r"version\s*=\s*[\"']([^\"']*)[\"']", self._text[self._at : end])
            if version is not None and version[1] not in ("", "1.0"):
                raise _End
        self._at = end + 2

    def _directive(self) -> None:
        """Skip `<!DOCTYPE ...>`: what it defines is not known afterwards."""
        self._at += 2
        depth, quote = 0, ""
        while True:
            if self._at >= len(self._text):
                raise _End
            character = self._text[self._at]
            if quote:
                quote = "" if character == quote else quote
            elif character in "\"'":
                quote = character
            elif self._text.startswith("<!--", self._at):
                self._at = self._find("-->", self._at + 4) + 2
            elif character == "<":
                depth += 1
            elif character == ">":
                if depth == 0:
                    self._at += 1
                    return
                depth -= 1
            self._at += 1


_REFERENCE_OR_AMPERSAND = re.compile(f"{_REFERENCE.pattern}|&")


def _referenced(match: re.Match[str]) -> str:
    if match[3] in _ENTITIES:
        return _ENTITIES[match[3]]
    digits, base = (match[1], 16) if match[1] else (match[2], 10)
    if not digits or len(digits) > 8:
        raise _End
    code = int(digits, base)
    if code > 0x10FFFF:
        raise _End
    character = "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)
    if _NOT_A_CHARACTER.search(character):
        raise _End
    return character


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
