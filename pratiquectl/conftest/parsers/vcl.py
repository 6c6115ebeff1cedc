"""VCL, Varnish's language: blocks by kind and name, with the values that are assigned in them.

What conditions, calls and sums do is not in the document. As in conftest, units of numbers are left out (`60s` is 60),
of several values the last counts, and an assignment of anything but a plain value is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.limits import MAX_DEPTH
from pratiquectl.conftest.parsers.source import Source

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.")
_DIGITS = frozenset("0123456789")
_BLANKS = " \t\n\r"
_BLOCKS = frozenset({"sub", "table", "acl", "backend", "director"})
_KEYWORDS = _BLOCKS | {"call", "true", "false", "if", "else", "return", "import"}
_SYMBOLS = frozenset("=:~,;(){}!+")
_END = ""
_BEGINS = _BLOCKS | {"name", "number", "percentage", "text", "address", "true", "false", "!", "(", "if", "{"}
"""What an expression can begin with."""
_PRECEDENCES = {"==": 2, "~": 2, "&&": 2, "||": 2, "+": 4}
_LOWEST, _PREFIX = 1, 6


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """`name`, `number`, `percentage`, `text`, `address`, `comment`, `/*`, `*/`, `?`, a keyword or a symbol."""
    text: str
    line: int


@dataclass(slots=True)
class _Body:
    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: list[_Block] = field(default_factory=list)
    flats: list[Any] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def by_kind(self) -> dict[str, list[_Block]]:
        found: dict[str, list[_Block]] = {}
        for block in self.blocks:
            found.setdefault(block.kind, []).append(block)
        return found


@dataclass(slots=True)
class _Block:
    kind: str
    labels: list[str]
    body: _Body


@dataclass(frozen=True, slots=True)
class _Value:
    """A plain value; by itself, a name or a percentage is in no document."""

    value: Any
    stands_alone: bool = True


@dataclass(frozen=True, slots=True)
class _Other:
    """An expression that is in no document."""


_Expression = _Value | _Block | _Other | None


def documents(source: Source) -> list[Any]:
    """One document: the blocks of the file by kind, then by name."""
    body = _Reader(go.text(source.content)).program()
    if not body.attributes and not body.blocks:
        raise ParseError("there is no block")
    found: dict[str, Any] = _known(body.attributes)
    for kind, blocks in body.by_kind().items():
        found[kind] = dict(_top_level(block) for block in blocks)
    return [found]


def _top_level(block: _Block) -> tuple[str, Any]:
    value: Any
    if block.body.attributes or block.body.blocks:
        value = _plain(block)
        for label in block.labels[1:]:
            value = {label: value}
    else:
        value = [_flat(item) for item in block.body.flats]
    return (block.labels[0] if block.labels else ""), value


def _known(attributes: dict[str, Any]) -> dict[str, Any]:
    """`attributes` without those of a table whose values are no texts."""
    return {name: value for name, value in attributes.items() if value is not None}


def _flat(item: Any) -> Any:
    if not isinstance(item, _Block):
        return item
    body = item.body
    return {
        "Type": item.kind,
        "Labels": item.labels or None,
        "Body": {
            "Attributes": {name: {"Name": name, "Value": value} for name, value in body.attributes.items()},
            "Blocks": [_flat(block) for block in body.blocks] or None,
            "Flats": [_flat(inner) for inner in body.flats],
            "Comments": body.comments,
        },
    }


def _plain(block: _Block) -> dict[str, Any]:
    found = {name.strip("."): value for name, value in _known(block.body.attributes).items()}
    for kind, blocks in block.body.by_kind().items():
        found[kind] = _plain(blocks[0]) if len(blocks) == 1 else [_labelled(inner) for inner in blocks]
    return found


def _labelled(block: _Block) -> dict[str, Any]:
    value = _plain(block)
    for label in block.labels:
        value = {label: value}
    return value


class _Reader:
    """Reads the tokens of one text, looking one ahead."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._token = next(self._tokens)
        self._next = next(self._tokens)
        self._depth = 0
        self._conditions = 0

    def _advance(self) -> None:
        self._token = self._next
        if self._next.kind != _END:
            self._next = next(self._tokens)

    def _error(self, message: str) -> ParseError:
        return ParseError(f"line {self._token.line}: {message}")

    def program(self) -> _Body:
        body = _Body()
        while self._token.kind != _END:
            self._statement(body)
            self._advance()
        return body

    def _body(self) -> _Body:
        """The statements up to the brace that closes the block, on which the reader then stands."""
        self._depth += 1
        if self._depth > MAX_DEPTH // 4:
            raise self._error(f"blocks are nested more than {MAX_DEPTH // 4} levels deep")
        body = _Body()
        self._advance()
        while self._token.kind not in ("}", _END):
            self._statement(body)
            self._advance()
        self._depth -= 1
        return body

    def _statement(self, body: _Body) -> None:
        match self._token.kind, self._next.kind:
            case "name", "=":
                self._assignment(body)
            case "text", ":":
                self._field(body)
            case "/*", _:
                body.comments.append(self._token.text)
                while self._token.kind not in ("*/", _END):
                    self._advance()
            case "comment", _:
                body.comments.append(self._token.text)
            case "return", _:
                self._return()
            case "call", _:
                self._advance()
                self._expression(_LOWEST)
                self._take_if(";")
            case _:
                self._flat_statement(body)

    def _take_if(self, kind: str) -> None:
        if self._next.kind == kind:
            self._advance()

    def _assignment(self, body: _Body) -> None:
        name = self._token.text
        self._advance()
        self._advance()
        value = self._expression(_LOWEST)
        match value:
            case _Block(body=inner):
                body.blocks.append(_Block(name, [], inner))
            case _Value(value=plain):
                body.attributes[name] = plain
            case _ if not self._conditions:
                raise self._error(f"what is assigned to {name[:80]} is no plain value")
        self._take_if(";")

    def _field(self, body: _Body) -> None:
        name = self._token.text
        self._advance()
        self._advance()
        is_text = self._token.kind == "text"
        value = self._expression(_LOWEST)
        body.attributes[name] = value.value if isinstance(value, _Value) and is_text else None
        self._take_if(",")

    def _return(self) -> None:
        if self._next.kind == "(":
            self._advance()
            self._advance()
            self._expression(_LOWEST)
            if self._next.kind == ")":
                self._advance()
                self._take_if(";")

    def _flat_statement(self, body: _Body) -> None:
        match self._expression(_LOWEST):
            case _Block(kind="{") as block:
                body.flats.append(block)
            case _Block() as block:
                body.blocks.append(block)
            case _Value(value=value, stands_alone=True):
                body.flats.append(value)
        self._take_if(";")

    def _expression(self, precedence: int) -> _Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH // 4:
            raise self._error(f"nested more than {MAX_DEPTH // 4} levels deep")
        begins = self._token.kind in _BEGINS
        left = self._prefix()
        if begins:
            while self._next.kind != ";" and precedence < _PRECEDENCES.get(self._next.kind, _LOWEST):
                if self._next.kind not in ("~", "+"):
                    break
                self._advance()
                own = _PRECEDENCES[self._token.kind]
                self._advance()
                self._expression(own)
                left = _Other()
        self._depth -= 1
        return left

    def _prefix(self) -> _Expression:
        token = self._token
        match token.kind:
            case "name":
                return _Value(token.text, stands_alone=False)
            case "number":
                return self._number(token)
            case "percentage":
                return _Value(token.text, stands_alone=False)
            case "text" | "address":
                return _Value(token.text)
            case "true" | "false":
                return _Value(token.kind == "true")
            case "!":
                self._advance()
                self._expression(_PREFIX)
                return _Other()
            case "(":
                self._advance()
                inner = self._expression(_LOWEST)
                if self._next.kind != ")":
                    return None
                self._advance()
                return inner
            case "if":
                return self._if()
            case "{":
                if self._next.kind == ";":
                    raise self._error("a block has no content")
                return _Block("{", [], self._body())
            case kind if kind in _BLOCKS:
                return self._block(kind)
        return None

    def _number(self, token: _Token) -> _Value:
        octal = len(token.text) > 1 and token.text.startswith("0")
        try:
            value = int(token.text, 8 if octal else 10)
        except ValueError:
            return _Value(None)
        return _Value(go.number(float(value)))

    def _if(self) -> _Expression:
        if self._next.kind != "(":
            return None
        self._advance()
        self._advance()
        self._expression(_LOWEST)
        for kind in (")", "{"):
            if self._next.kind != kind:
                return None
            self._advance()
        self._conditional_body()
        if self._next.kind == "else":
            self._advance()
            if self._next.kind != "{":
                return None
            self._advance()
            self._conditional_body()
        return _Other()

    def _conditional_body(self) -> None:
        """A block that is in no document, whatever is assigned in it."""
        self._conditions += 1
        self._body()
        self._conditions -= 1

    def _block(self, kind: str) -> _Expression:
        labels = []
        while self._next.kind not in ("{", ";"):
            if self._next.kind == _END:
                raise self._error(f"{kind} has no block")
            self._advance()
            labels.append(self._token.text)
        if self._next.kind == ";":
            raise self._error(f"{kind} has no block")
        self._advance()
        return _Block(kind, labels, self._body())


def _tokens(text: str) -> Iterator[_Token]:
    at, line = 0, 1
    while True:
        while at < len(text) and text[at] in _BLANKS:
            line += text[at] == "\n"
            at += 1
        if at >= len(text) or text[at] == "\0":
            break
        kind, value, end = _token(text, at)
        yield _Token(kind, value, line)
        line += text.count("\n", at, end)
        at = end
    while True:
        yield _Token(_END, "", line)


def _token(text: str, at: int) -> tuple[str, str, int]:
    """The kind, the text and the end of the token at `at`."""
    pair = text[at : at + 2]
    character = text[at]
    if pair in ("==", "||", "&&", "/*", "*/"):
        return pair, pair, at + 2
    if pair == "//" or character == "#":
        start = at + len(pair if pair == "//" else "#")
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        return "comment", text[start + 1 : end], min(end + 1, len(text))
    if character == '"':
        return _quoted(text, at)
    if character in _LETTERS:
        end = at
        while end < len(text) and (text[end] in _LETTERS or text[end] in _DIGITS):
            end += 1
        word = text[at:end]
        return (word if word in _KEYWORDS else "name"), word, end
    if character in _DIGITS:
        end = at
        while end < len(text) and text[end] in _DIGITS:
            end += 1
        if text.startswith("%", end):
            return "percentage", f"{text[at:end]}%", end + 1
        return "number", text[at:end], end
    return (character if character in _SYMBOLS else "?"), character, at + 1


def _quoted(text: str, at: int) -> tuple[str, str, int]:
    """A text, or an address with its mask: `"10.0.0.0"/8`, which goes up to the semicolon."""
    end = at
    while end < len(text) and text[end] != ";":
        end += 1
        if text[end : end + 1] == '"' and text[end + 1 : end + 2] != "/":
            break
    value = text[at + 1 : end]
    if "/" in value:
        return "address", f'"{value}', end + 1
    return "text", value, end + 1
