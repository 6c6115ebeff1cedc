"""HCL 1 written as JSON, which its own reader takes far more loosely than JSON is.

It reads up to where the outermost brace is closed, or up to something unexpected: whatever stands behind is not looked
at, so a file that breaks off is the part that is there. Tokens are wrong wherever they are read.
"""

from __future__ import annotations

import re

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.hcl1_tree import ESCAPE, Budget, Item, List, Node, Object, Scalar, unescaped
from pratiquectl.conftest.parsers.limits import MAX_DEPTH

_NOT_UTF8 = "\udc80-\udcff"
"""What `surrogateescape` makes of bytes that are no UTF-8."""

_PLAIN = rf'[^"\\\n\0{_NOT_UTF8}]*'
# NUL is what the reader takes for the end of the text: behind digits it is swallowed. An exponent swallows one
# character that is no digit, and behind `.5` the letter alone.
_EXPONENT = r"[eE][+-]?(?:[0-9]+\0?|[\s\S]?)"
_TOKEN = re.compile(
    rf"""
    (?P<string>"{_PLAIN}(?:{ESCAPE.pattern}{_PLAIN})*")
    | (?P<float>-?[0-9]+\0?(?:{_EXPONENT}|\.(?:[0-9]+\0|[0-9]*(?:{_EXPONENT})?))|\.[0-9]+[\0eE]?)
    | (?P<number>-?[0-9]+\0?)
    | (?P<bool>(?:true|false)(?![\w\-\0]))
    | (?P<null>null(?![\w\-\0]))
    | (?P<sign>[{{}}\[\],:.])
    | (?P<end>\0|\Z)
    """,
    re.VERBOSE,
)
_BLANK = re.compile(r"[ \t\r\n]*")
_LEADING_ZERO = re.compile(r"-?0[0-9\0]")


class _EndOfFileError(Exception):
    """The text ends where something should be."""


class _UnexpectedError(Exception):
    """A token stands where another should be; what is read by then counts if the token is a closing brace."""


def is_json(content: bytes) -> bool:
    """Whether HCL 1 in the file `content` is taken for JSON."""
    return content.decode("utf-8", errors="surrogateescape").lstrip(go.SPACE).startswith("{")


def read(content: bytes, budget: Budget) -> Object:
    """The tree of a text, objects in objects and lists of objects being written as blocks with labels.

    Raises:
        ParseError: the text is wrong before its end, nested too deep, or stands for too much.
    """
    reader = _Reader(content.decode("utf-8", errors="surrogateescape"))
    try:
        root = reader.root()
    except _UnexpectedError as error:
        raise ParseError(f"line {reader.line}: {error}") from error
    return Object(_Flattener(budget).items(root.items))


class _Reader:
    """Reads one text token by token; `_kind` and `_token` are the last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._kind = ""
        self._token = ""

    @property
    def line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1

    def root(self) -> Object:
        if self._next() != "{":
            raise _UnexpectedError("an object should be here")
        return self._object(0)

    def _next(self) -> str:
        """The kind of the next token; of a sign, the sign."""
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise ParseError(
                f"line {self.line}: {self._text[self._at : self._at + 10]!r} is neither a name nor a value"
            )
        self._at = match.end()
        self._token = match[0]
        self._kind = self._token if match.lastgroup == "sign" else str(match.lastgroup)
        self._check_token()
        return self._kind

    def _check_token(self) -> None:
        number = self._kind == "number"
        ends = self._at == len(self._text)
        if number and (_LEADING_ZERO.match(self._token) or (ends and self._token in ("0", "-0"))):
            raise ParseError(f"line {self.line}: a number cannot start with 0")
        if self._kind == "float" and not self._token.isascii() and re.search(f"[{_NOT_UTF8}]", self._token):
            raise ParseError(f"line {self.line}: JSON is UTF-8 text, and this is not")

    def _object(self, depth: int) -> Object:
        if depth > MAX_DEPTH:
            raise ParseError(f"line {self.line}: nested more than {MAX_DEPTH} levels deep")
        items: list[Item] = []
        try:
            items.append(self._item(depth))
            while self._next() == ",":
                items.append(self._item(depth))
        except _EndOfFileError:
            pass
        except _UnexpectedError:
            if self._kind != "}":
                raise
        return Object(tuple(items))

    def _item(self, depth: int) -> Item:
        keys = []
        while self._next() != ":":
            self._expect("string", "a key")
            keys.append(_unquoted(self._token))
        if not keys:
            raise _UnexpectedError("a key should be here")
        self._next()
        return Item(tuple(keys), self._value(depth))

    def _expect(self, kind: str, name: str) -> None:
        if self._kind == "end":
            raise _EndOfFileError
        if self._kind != kind:
            raise _UnexpectedError(f"{name} should be here")

    def _value(self, depth: int) -> Node:
        match self._kind:
            case "{":
                return self._object(depth + 1)
            case "[":
                return self._list(depth + 1)
            case "bool":
                return Scalar("bool", self._token)
            case "null":
                return Scalar("string", "")
        return self._scalar()

    def _scalar(self) -> Scalar:
        match self._kind:
            case "number":
                return Scalar("number", self._token)
            case "float":
                return Scalar("float", self._token)
        self._expect("string", "a value")
        return Scalar("string", _unquoted(self._token))

    def _list(self, depth: int) -> List:
        """What is up to the first closing bracket; opening ones, and true and false, are passed over."""
        items: list[Node] = []
        while self._next() != "]":
            if self._kind == "{":
                items.append(self._object(depth + 1))
            elif self._kind == "end":
                raise _UnexpectedError("] is missing")
            elif self._kind not in (",", "[", "bool"):
                items.append(self._scalar())
        return List(tuple(items))


def _unquoted(quoted: str) -> str | None:
    """What a quoted text stands for; None if one of its escapes is no byte and no character."""
    raw = quoted[1:-1]
    if "\\" not in raw:
        return raw
    content = bytearray()
    at = 0
    for match in ESCAPE.finditer(raw):
        meant = unescaped(match, half=None)
        if meant is None:
            return None
        content += raw[at : match.start()].encode() + meant
        at = match.end()
    return go.text(bytes(content + raw[at:].encode()))


class _Flattener:
    """Writes objects in objects, and lists of objects, as blocks with labels."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def items(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """`items`, with those for which other items can stand replaced by these, on all levels."""
        expanded: list[Item] = []
        for item in items:
            self._expand(item, expanded)
        return tuple(Item(item.keys, self._node(item.value)) for item in expanded)

    def _node(self, node: Node) -> Node:
        match node:
            case Object(items=items):
                return Object(self.items(items))
            case List(items=nodes):
                return List(tuple(self._node(each) for each in nodes))
        return node

    def _expand(self, item: Item, expanded: list[Item]) -> None:
        """Add what stands for `item`: an item for each object in it, if there is nothing but objects in it."""
        match item.value:
            case Object(items=inner) if inner and all(isinstance(each.value, Object) for each in inner):
                for each in inner:
                    self._expand(Item(item.keys + each.keys, each.value), expanded)
            case List(items=nodes) if nodes and all(isinstance(node, Object) for node in nodes):
                for node in nodes:
                    self._expand(Item(item.keys, node), expanded)
            case _:
                self._budget.take(len(item.keys))
                expanded.append(item)
