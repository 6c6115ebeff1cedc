"""The language of the rules in a ModelRegistry: `model.metadata.evaluation_score > 0.85` (ADR 15).

A part of the Common Expression Language (cel-spec, doc/langdef.md), so that a rule means the same to both, and smaller
where that would let a rule be true by mistake:

    condition  = both {"||" both}
    both       = comparison {"&&" comparison}
    comparison = operand [("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") operand]
    operand    = "!" operand | "(" condition ")" | field | list | literal
    field      = name {"." name | "[" text "]"}
    list       = "[" [literal {"," literal}] "]"
    literal    = "true" | "false" | text | ["-"] number

A rule is true only if what it reads is there and makes it true: a field without a value, and values that cannot be
compared, are errors, which `&&` and `||` pass on unless the other side settles the matter alone. Reading takes time
in proportion to the text; nothing is ever executed.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pratique.errors import EvaluationError, ExpressionError, FieldMissing, NotComparable
from pratique.shape import json_type

MAX_LENGTH = 1024
"""Characters of one rule: protects those who read it in a message, and the time to read it here."""
MAX_DEPTH = 16
"""Parentheses and negations inside each other: protects the stack."""
MAX_ITEMS = 64
"""Literals in one list: protects the time of each evaluation."""
MAX_INTEGER = 2**63 - 1
"""The largest whole number: what CEL and JSON readers agree on."""

Scalar = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Literal:
    position: int
    value: Scalar


@dataclass(frozen=True, slots=True)
class Items:
    """A list of literals."""

    position: int
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A value of what is judged: `path` are the names on the way to it, the first that of a document."""

    position: int
    path: tuple[str, ...]

    def __str__(self) -> str:
        first, *rest = self.path
        return first + "".join(f".{name}" if _NAME.fullmatch(name) else f"[{name!r}]" for name in rest)


@dataclass(frozen=True, slots=True)
class Comparison:
    position: int
    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Not:
    position: int
    part: Node


@dataclass(frozen=True, slots=True)
class Junction:
    """`&&` or `||` of all `parts`."""

    position: int
    sign: str
    parts: tuple[Node, ...]


Node = Literal | Items | Field | Comparison | Not | Junction


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition that was read. `fields` are those that it reads, as it names them, each once and in order."""

    text: str
    root: Node
    fields: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Expression:
        """The expression that `text` is.

        Raises:
            ExpressionError: it is none, or not a condition.
        """
        if len(text) > MAX_LENGTH:
            raise ExpressionError(f"a rule has at most {MAX_LENGTH} characters", MAX_LENGTH + 1)
        parser = _Parser(text)
        root = parser.whole()
        return cls(text, root, tuple(dict.fromkeys(parser.fields)))

    def evaluate(self, documents: Mapping[str, Any]) -> bool:
        """Whether the condition holds for `documents`, which are JSON values by the first name of a field.

        Raises:
            FieldMissing: it depends on a field that has no value.
            NotComparable: it depends on values that cannot be compared.
        """
        return _truth(self.root, documents)


# Reading.

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOKEN: Final = re.compile(
    r"""
      (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<text>'(?:[^'\\\r\n]|\\.)*'|"(?:[^"\\\r\n]|\\.)*")
    | (?P<sign>&&|\|\||[=!<>]=|[<>!().,\[\]-])
    """,
    re.VERBOSE,
)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPES: Final = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t"}
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MISTAKEN: Final = {"&": "write &&", "|": "write ||", "=": "write == to compare"}
"""What is written in the place of something else, and what to say of it."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int

    def __str__(self) -> str:
        return f"`{self.text}`" if self.text else "the end"


def _tokens(text: str) -> Iterator[_Token]:
    index = 0
    while True:
        index = _end_of_space(text, index)
        if index == len(text):
            yield _Token("end", "", index + 1)
            return
        match = _TOKEN.match(text, index)
        if match is None:
            found = text[index]
            if found in "'\"":
                raise ExpressionError(f"the text that begins with {found} does not end", index + 1)
            hint = _MISTAKEN.get(found)
            raise ExpressionError(f"`{found}` means nothing here" + (f"; {hint}" if hint else ""), index + 1)
        yield _Token(str(match.lastgroup), match.group(), index + 1)
        index = match.end()


def _end_of_space(text: str, index: int) -> int:
    match = _SPACE.match(text, index)
    return match.end() if match else index


class _Parser:
    """Reads one text from left to right; `fields` are those that it has come by."""

    def __init__(self, text: str) -> None:
        self.fields: list[str] = []
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._condition()
        if self._token.kind != "end":
            raise self._unexpected(_continuations(self._tokens[self._next - 1], self._token))
        return self._boolean(node)

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *texts: str) -> _Token | None:
        """The next token if it is one of `texts`, and on to the one after it."""
        token = self._token
        if token.kind in ("sign", "name") and token.text in texts:
            self._next += 1
            return token
        return None

    def _require(self, text: str) -> None:
        if self._take(text) is None:
            raise self._unexpected(f"`{text}`")

    def _unexpected(self, wanted: str) -> ExpressionError:
        return ExpressionError(f"{self._token} stands where {wanted} is expected", self._token.position)

    def _condition(self) -> Node:
        return self._junction("||", lambda: self._junction("&&", self._comparison))

    def _junction(self, sign: str, part: Callable[[], Node]) -> Node:
        first = part()
        parts = [first]
        while self._take(sign):
            parts.append(part())
        if len(parts) == 1:
            return first
        return Junction(first.position, sign, tuple(self._boolean(each) for each in parts))

    def _comparison(self) -> Node:
        left = self._operand()
        sign = self._take(*_COMPARISONS)
        if sign is None:
            return left
        right = self._operand()
        if self._token.text in _COMPARISONS and self._token.kind in ("sign", "name"):
            message = "only two values can be compared at a time; join comparisons by &&"
            raise ExpressionError(message, self._token.position)
        _check_types(sign, left, right)
        return Comparison(sign.position, sign.text, left, right)

    def _operand(self) -> Node:
        token = self._token
        if self._take("!"):
            self._nest(token)
            part = self._boolean(self._operand())
            self._depth -= 1
            return Not(token.position, part)
        if self._take("("):
            self._nest(token)
            node = self._condition()
            self._require(")")
            self._depth -= 1
            return node
        if self._take("["):
            return self._items(token)
        if token.kind == "name" and token.text not in _RESERVED:
            return self._field()
        return self._literal()

    def _nest(self, token: _Token) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH}", token.position)

    def _items(self, opening: _Token) -> Items:
        found: list[Scalar] = []
        while not self._take("]"):
            if found:
                self._require(",")
            if len(found) == MAX_ITEMS:
                raise ExpressionError(f"a list has at most {MAX_ITEMS} values", self._token.position)
            found.append(self._literal().value)
        return Items(opening.position, tuple(found))

    def _literal(self) -> Literal:
        token = self._token
        if self._take("true", "false"):
            return Literal(token.position, token.text == "true")
        negative = self._take("-") is not None
        if self._token.kind == "number":
            value = _number(self._token)
            self._next += 1
            return Literal(token.position, -value if negative else value)
        if self._token.kind == "text" and not negative:
            self._next += 1
            return Literal(token.position, _unquoted(token))
        if self._token.text == "null" and self._token.kind == "name":
            raise ExpressionError(
                "nothing can be compared with null; what has no value decides no rule", token.position
            )
        raise self._unexpected("a number" if negative else "a value")

    def _field(self) -> Field:
        position = self._token.position
        path = [self._name()]
        while opening := self._take(".", "["):
            if opening.text == ".":
                path.append(self._name())
                continue
            if self._token.kind != "text":
                raise self._unexpected("a name in quotes")
            path.append(_unquoted(self._token))
            self._next += 1
            self._require("]")
        if self._token.text == "(":
            raise ExpressionError("there are no functions", self._token.position)
        field = Field(position, tuple(path))
        self.fields.append(str(field))
        return field

    def _name(self) -> str:
        token = self._token
        if token.kind != "name" or token.text in _RESERVED:
            raise self._unexpected("a name")
        self._next += 1
        return token.text

    def _boolean(self, node: Node) -> Node:
        """`node`, if it can be true or false."""
        if _type(node) not in ("a boolean", _ANY):
            raise ExpressionError(f"{_type(node)} stands where a condition is expected", node.position)
        return node


_RESERVED: Final = frozenset({"true", "false", "null", "in"})
_ANY: Final = "anything"


def _continuations(before: _Token, token: _Token) -> str:
    if token.text == "-" and before.kind == "name":
        return 'an operator (a name with a hyphen is written ["a-b"])'
    return "an operator (such as == or &&) or the end"


def _number(token: _Token) -> int | float:
    if token.text.isdigit():
        if len(token.text) > 1 and token.text.startswith("0"):
            raise ExpressionError("a number begins with no 0 that means nothing", token.position)
        if len(token.text) > len(str(MAX_INTEGER)) or int(token.text) > MAX_INTEGER:
            raise ExpressionError(f"a whole number is at most {MAX_INTEGER}", token.position)
        return int(token.text)
    value = float(token.text)
    if not math.isfinite(value):
        raise ExpressionError("the number is too large", token.position)
    return value


def _unquoted(token: _Token) -> str:
    def meaning(match: re.Match[str]) -> str:
        meant = _ESCAPES.get(match[1])
        if meant is None:
            raise ExpressionError(f"`\\{match[1]}` means nothing in a text", token.position + 1 + match.start())
        return meant

    return _ESCAPE.sub(meaning, token.text[1:-1])


def _type(node: Node) -> str:
    """What the value of `node` is, in the words of `json_type`, so far as that is known before it is evaluated."""
    match node:
        case Literal(value=value):
            return json_type(value)
        case Items():
            return "a list"
        case Field():
            return _ANY
        case _:
            return "a boolean"


def _check_types(sign: _Token, left: Node, right: Node) -> None:
    """Raises: ExpressionError: the operands could not be compared, whatever the fields hold."""
    one, other = _type(left), _type(right)
    if sign.text == "in":
        if other not in ("a list", _ANY):
            raise ExpressionError(f"{other} stands where a list is expected", right.position)
        kinds = {json_type(value) for value in right.values} if isinstance(right, Items) else set()
        if one == "a list" or (one != _ANY and kinds - {one}):
            raise ExpressionError(f"{one} cannot be compared with what is in the list", sign.position)
        return
    allowed = {"a number", _ANY} if sign.text in _ORDERS else {"a number", "text", "a boolean", _ANY}
    for node, kind in ((left, one), (right, other)):
        if kind not in allowed:
            what = "only numbers have an order" if sign.text in _ORDERS else "a list is looked into by `in`"
            raise ExpressionError(f"{kind} cannot be compared by {sign.text}: {what}", node.position)
    if _ANY not in (one, other) and one != other:
        raise ExpressionError(f"{one} cannot be compared with {other}", sign.position)


# Evaluating.


def _truth(node: Node, documents: Mapping[str, Any]) -> bool:
    match node:
        case Junction(sign=sign, parts=parts):
            return _joined(sign, parts, documents)
        case Not(part=part):
            return not _truth(part, documents)
        case Comparison(sign=sign, left=left, right=right):
            return _compared(sign, left, right, documents)
        case _:
            value = _value(node, documents)
            if not isinstance(value, bool):
                raise NotComparable(f"{_shown(node)} is {json_type(value)} where true or false is expected")
            return value


def _joined(sign: str, parts: tuple[Node, ...], documents: Mapping[str, Any]) -> bool:
    """`&&` is false if one part is, `||` true if one part is, whatever became of the others."""
    settles = sign == "||"
    error: EvaluationError | None = None
    for part in parts:
        try:
            if _truth(part, documents) is settles:
                return settles
        except EvaluationError as failed:
            error = error or failed
    if error is not None:
        raise error
    return not settles


def _compared(sign: str, left: Node, right: Node, documents: Mapping[str, Any]) -> bool:
    one, other = _value(left, documents), _value(right, documents)
    if sign == "in":
        if not isinstance(other, list | tuple):
            raise NotComparable(f"{_shown(right)} is {json_type(other)} where a list is expected")
        return _contains(one, other, f"{_shown(left)} in {_shown(right)}")
    comparison = f"{_shown(left)} {sign} {_shown(right)}"
    if sign in _ORDERS:
        for value in (one, other):
            if json_type(value) != "a number":
                raise NotComparable(f"{comparison}: {json_type(value)} has no order")
        return _ORDERS[sign](_finite(one, comparison), _finite(other, comparison))
    return _equal(one, other, comparison) is (sign == "==")


def _contains(value: Any, items: list[Any] | tuple[Any, ...], comparison: str) -> bool:
    error: NotComparable | None = None
    for item in items:
        try:
            if _equal(value, item, comparison):
                return True
        except NotComparable as failed:
            error = error or failed
    if error is not None:
        raise error
    return False


def _equal(one: Any, other: Any, comparison: str) -> bool:
    kinds = json_type(one), json_type(other)
    if kinds[0] != kinds[1] or kinds[0] not in ("a boolean", "a number", "text"):
        raise NotComparable(f"{comparison}: {kinds[0]} cannot be compared with {kinds[1]}")
    return bool(_finite(one, comparison) == _finite(other, comparison))


def _finite(value: Any, comparison: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise NotComparable(f"{comparison}: {value} is no number that can be compared")
    return value


def _value(node: Node, documents: Mapping[str, Any]) -> Any:
    match node:
        case Literal(value=value):
            return value
        case Items(values=values):
            return values
        case Field():
            return _read(node, documents)
        case _:
            return _truth(node, documents)


def _read(field: Field, documents: Mapping[str, Any]) -> Any:
    value: Any = documents
    for name in field.path:
        if not isinstance(value, Mapping) or value.get(name) is None:
            raise FieldMissing(str(field), "has no value")
        value = value[name]
    return value


def _shown(node: Node) -> str:
    """The node in a message: a field by its name, anything else by what it is."""
    return str(node) if isinstance(node, Field) else _type(node)
