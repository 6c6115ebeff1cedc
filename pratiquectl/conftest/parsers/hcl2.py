"""HCL 2, the language of Terraform, as the JSON of hcl2json: what is not a plain value becomes the text `${source}`.

A block becomes a list under its type, or under its labels, one object for each. Nothing is evaluated.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from pratiquectl.conftest.parsers import go
from pratiquectl.conftest.parsers.errors import ParseError
from pratiquectl.conftest.parsers.source import Source

_MAX_NESTING = 120
"""Protects Python's stack: one level of an expression takes several calls."""

_BLANK = r"[ \t]|/\*[\s\S]*?\*/"
_LEXEME = (
    r"(?P<newline>\r?\n|(?:#|//)[^\n]*\n)"
    r"|(?P<number>[0-9](?:(?:[0-9.]|[eE][+-]?[0-9])*(?:[0-9]|[eE][+-]?[0-9]))?)"
    r"|(?P<name>[^\W\d][\w\-]*)"
    r"|(?P<heredoc><<-?[^\W\d][\w\-]*\r?\n)"
    r"|(?P<symbol>\.\.\.|==|!=|>=|<=|&&|\|\||::|=>|~\}|[\[\](){}.,*/%+\-=<>!?:\"])"
    r"|(?P<end>\Z)"
)
_TOKENS = {
    True: re.compile(rf"(?:{_BLANK}|(?:#|//)[^\n]*\Z)*(?:{_LEXEME})"),
    False: re.compile(rf"(?:{_BLANK}|(?:#|//)[^\n]*(?:\n|\Z)|\r?\n)*(?:{_LEXEME})"),
}
"""By whether a line's end counts."""

_HEREDOC = re.compile(r"<<(-?)([^\W\d][\w\-]*)\r?\n")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))|([$%])\4\{")
_UNQUOTED_ESCAPE = re.compile(r"([$%])\1\{")
_SIMPLE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_QUOTED_LITERAL = re.compile(r'\$\$\{~?|%%\{~?|[$%](?=[^{])|(?:\\[^\r\n]|[^\r\n$%"\\])+')
_HEREDOC_LITERAL = re.compile(r"(?:\$\$\{~?|%%\{~?|[$%](?=[^{])|[^\r\n$%]*)(\r?\n)?")

_BINARY = frozenset({"==", "!=", ">=", "<=", "&&", "||", "<", ">", "+", "-", "*", "/", "%"})
_END = "end of file"


@dataclass(frozen=True, slots=True)
class _Node:
    """An expression, from `start` to `end` in the text; of this very class if only its text counts."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Traversal(_Node):
    """A name, with attributes and constant indexes behind it."""


@dataclass(frozen=True, slots=True)
class _Literal(_Node):
    value: Any
    """A `Decimal`, a text, a boolean or None."""


@dataclass(frozen=True, slots=True)
class _Unary(_Node):
    operator: str
    operand: _Node


@dataclass(frozen=True, slots=True)
class _Template(_Node):
    parts: tuple[_Node, ...]

    @property
    def is_text(self) -> bool:
        return len(self.parts) == 1 and isinstance(self.parts[0], _Literal)


@dataclass(frozen=True, slots=True)
class _Wrap(_Node):
    """A template that is one interpolation and nothing else."""

    wrapped: _Node


@dataclass(frozen=True, slots=True)
class _Tuple(_Node):
    items: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Object(_Node):
    items: tuple[tuple[_Node, _Node], ...]


@dataclass(frozen=True, slots=True)
class _Conditional(_Node):
    condition: _Node
    if_true: _Node
    if_false: _Node


@dataclass(frozen=True, slots=True)
class _TemplateFor(_Node):
    names: str
    collection: _Node
    body: _Node


@dataclass(frozen=True, slots=True)
class _Body:
    attributes: dict[str, _Node]
    blocks: list[_Block]


@dataclass(frozen=True, slots=True)
class _Block:
    kind: str
    labels: tuple[str, ...]
    body: _Body


@dataclass(slots=True)
class _Part:
    """A piece of a template: `literal`, `interpolation`, or the directives `if`, `else`, `endif`, `for`, `endfor`."""

    kind: str
    text: str = ""
    expression: _Node | None = None


class _Token(NamedTuple):
    kind: str
    """`name`, `number`, `newline`, `"`, `<<`, or the symbol itself."""
    text: str
    start: int
    end: int


def documents(source: Source) -> list[Any]:
    """One document: the attributes and blocks of the file."""
    try:
        text = source.content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError("HCL is UTF-8 text, and this is not") from error
    return [_Converter(text).body(_Parser(text).file())]


class _Parser:
    """Reads one text from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._end = 0
        self._newlines = [True]
        self._nesting = 0
        self._peeked: dict[tuple[int, bool], _Token] = {}

    def file(self) -> _Body:
        return self._body(_END)

    # Tokens

    def _peek(self) -> _Token:
        place = self._at, self._newlines[-1]
        token = self._peeked.get(place)
        if token is None:
            # Only the last is ever asked for again.
            token = self._token(self._at, newlines=self._newlines[-1])
            self._peeked = {place: token}
        return token

    def _token(self, at: int, *, newlines: bool) -> _Token:
        match = _TOKENS[newlines].match(self._text, at)
        if match is None:
            unknown = re.compile(rf"(?:{_BLANK})*").match(self._text, at)
            place = unknown.end() if unknown else at
            raise self._error(f"{self._text[place : place + 1]!r} is no character of HCL", place)
        kind = match.lastgroup or ""
        text = match[kind]
        kind = {"symbol": text, "heredoc": "<<", "end": _END}.get(kind, kind)
        return _Token(kind, text, match.start(match.lastgroup or ""), match.end())

    def _read(self) -> _Token:
        token = self._peek()
        self._at = self._end = token.end
        return token

    def _take(self, *kinds: str) -> _Token:
        token = self._read()
        if token.kind not in kinds:
            found = repr(token.text) if token.text.strip() else token.kind
            raise self._error(f"found {found} where {' or '.join(kinds)} should be", token.start)
        return token

    def _next_is(self, *kinds: str) -> bool:
        return self._peek().kind in kinds

    def _next_is_word(self, word: str) -> bool:
        token = self._peek()
        return token.kind == "name" and token.text == word

    def _error(self, message: str, at: int | None = None) -> ParseError:
        line = self._text.count("\n", 0, self._at if at is None else at) + 1
        return ParseError(f"line {line}: {message}")

    # Bodies

    def _body(self, end: str) -> _Body:
        body = _Body({}, [])
        self._enter()
        while True:
            token = self._read()
            if token.kind == end:
                break
            if token.kind == "newline":
                continue
            if token.kind != "name":
                raise self._error("an argument or a block should be here", token.start)
            if self._next_is("="):
                self._attribute(body, token)
                self._take("newline", _END)
            else:
                body.blocks.append(self._block(token))
                self._take("newline", _END)
        self._nesting -= 1
        return body

    def _attribute(self, body: _Body, name: _Token) -> None:
        self._take("=")
        if name.text in body.attributes:
            raise self._error(f"the argument {name.text!r} is set twice", name.start)
        body.attributes[name.text] = self._expression()

    def _block(self, kind: _Token) -> _Block:
        labels = []
        while not self._next_is("{"):
            token = self._take('"', "name", "{")
            labels.append(self._label() if token.kind == '"' else token.text)
        self._take("{")
        if self._next_is("newline", "}", _END):
            return _Block(kind.text, tuple(labels), self._body("}"))
        body = _Body({}, [])
        self._attribute(body, self._take("name"))
        self._take("}")
        return _Block(kind.text, tuple(labels), body)

    def _label(self) -> str:
        """A quoted text without templates, whose opening quote has been read."""
        text = "".join(part.text for part in self._quoted_parts(templates=False))
        self._end = self._at
        return text

    # Expressions

    def _enter(self) -> None:
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            raise self._error(f"nested more than {_MAX_NESTING} levels deep")

    def _expression(self) -> _Node:
        self._enter()
        start = self._peek().start
        node = self._operation()
        if self._next_is("?"):
            self._read()
            if_true = self._expression()
            self._take(":")
            if_false = self._expression()
            node = _Conditional(start, self._end, node, if_true, if_false)
        self._nesting -= 1
        return node

    def _operation(self) -> _Node:
        """Operands with operators between them; which binds more tightly does not show in the text."""
        node = self._operand()
        while self._peek().kind in _BINARY:
            self._read()
            self._operand()
            node = _Node(node.start, self._end)
        return node

    def _operand(self) -> _Node:
        token = self._peek()
        if token.kind in ("-", "!"):
            self._enter()
            self._read()
            operand = self._operand()
            self._nesting -= 1
            return _Unary(token.start, self._end, token.kind, operand)
        return self._traversals(self._term())

    def _term(self) -> _Node:
        token = self._read()
        match token.kind:
            case "(":
                self._newlines.append(False)
                self._expression()
                self._take(")")
                self._newlines.pop()
                return _Node(token.start, self._end)
            case "number":
                if token.text.count(".") > 1 or len(re.findall("[eE]", token.text)) > 1:
                    raise self._error(f"{token.text} is not a number", token.start)
                try:
                    return _Literal(token.start, self._end, Decimal(token.text))
                except ArithmeticError as error:
                    raise self._error(f"{token.text} is not a number", token.start) from error
            case "name":
                return self._name(token)
            case '"':
                return self._template(token, self._quoted_parts(templates=True))
            case "<<":
                return self._template(token, self._heredoc_parts(token))
            case "[":
                return self._tuple(token)
            case "{":
                return self._object(token)
        raise self._error("an expression should be here", token.start)

    def _name(self, token: _Token) -> _Node:
        if self._next_is("(", "::"):
            while self._take("(", "::").kind == "::":
                self._take("name")
            self._arguments()
            return _Node(token.start, self._end)
        constants = {"true": True, "false": False, "null": None}
        if token.text in constants:
            return _Literal(token.start, self._end, constants[token.text])
        return _Traversal(token.start, self._end)

    def _arguments(self) -> None:
        self._newlines.append(False)
        while not self._next_is(")"):
            self._expression()
            if self._next_is("..."):
                self._read()
                break
            if not self._next_is(")"):
                self._take(",", ")")
        self._take(")")
        self._newlines.pop()

    def _traversals(self, node: _Node) -> _Node:
        while self._next_is(".", "["):
            if self._read().kind == ".":
                token = self._take("name", "number", "*")
                constant = token.kind != "*"
                if token.kind == "number" and "." in token.text:
                    raise self._error("two indexes in a row are written [0][1]", token.start)
                if not constant:
                    self._attributes()
            elif self._next_is("*"):
                self._read()
                self._take("]")
                self._traversals(node)
                constant = False
            else:
                self._newlines.append(False)
                key = self._expression()
                self._take("]")
                self._newlines.pop()
                constant = isinstance(key, _Literal) or (isinstance(key, _Template) and key.is_text)
            keeps = constant and isinstance(node, _Traversal)
            node = _Traversal(node.start, self._end) if keeps else _Node(node.start, self._end)
        return node

    def _attributes(self) -> None:
        """What stands behind `.*`."""
        while self._next_is("."):
            self._read()
            token = self._take("name", "number")
            if token.kind == "number" and "." in token.text:
                raise self._error("two indexes in a row are written [0][1]", token.start)

    def _tuple(self, opening: _Token) -> _Node:
        self._newlines.append(False)
        if self._next_is_word("for"):
            node = self._for(opening, "]")
        else:
            items = []
            while not self._next_is("]"):
                items.append(self._expression())
                if not self._next_is("]"):
                    self._take(",", "]")
            self._take("]")
            node = _Tuple(opening.start, self._end, tuple(items))
        self._newlines.pop()
        return node

    def _object(self, opening: _Token) -> _Node:
        self._newlines.append(False)
        is_for = self._next_is_word("for")
        node: _Node
        if is_for:
            node = self._for(opening, "}")
        else:
            self._newlines[-1] = True
            items = []
            while not self._next_is("}"):
                if self._next_is("newline"):
                    self._read()
                    continue
                key = self._expression()
                self._take("=", ":")
                items.append((key, self._expression()))
                if not self._next_is("}"):
                    self._take(",", "newline", "}")
            self._take("}")
            node = _Object(opening.start, self._end, tuple(items))
        self._newlines.pop()
        return node

    def _for(self, opening: _Token, closing: str) -> _Node:
        self._take("name")
        self._for_names()
        self._expression()
        self._take(":")
        self._expression()
        if closing == "}":
            self._take("=>")
            self._expression()
            if self._next_is("..."):
                self._read()
        if self._next_is_word("if"):
            self._read()
            self._expression()
        self._take(closing)
        return _Node(opening.start, self._end)

    def _for_names(self) -> str:
        names = [self._take("name").text]
        if self._next_is(","):
            self._read()
            names.append(self._take("name").text)
        if not self._next_is_word("in"):
            raise self._error("for takes names, and then in")
        self._read()
        return ", ".join(names)

    # Templates

    def _template(self, opening: _Token, parts: list[_Part]) -> _Node:
        self._end = self._at
        parts = _melded(parts)
        if len(parts) == 1 and parts[0].kind == "interpolation" and parts[0].expression is not None:
            return _Wrap(opening.start, self._end, parts[0].expression)
        nodes = self._nodes(parts, ())
        if parts:
            raise self._error(f"%{{{parts[0].kind}}} has nothing that it belongs to")
        return _Template(opening.start, self._end, nodes or (self._literal(""),))

    def _literal(self, text: str) -> _Literal:
        return _Literal(self._end, self._end, unicodedata.normalize("NFC", text))

    def _nodes(self, parts: list[_Part], ends: tuple[str, ...]) -> tuple[_Node, ...]:
        """The nodes of the first of `parts`, up to a directive in `ends`; what was used is taken out of `parts`."""
        nodes: list[_Node] = []
        while parts and parts[0].kind not in ends:
            part = parts[0]
            if part.kind == "literal":
                nodes.append(self._literal(part.text))
            elif part.kind == "interpolation" and part.expression is not None:
                nodes.append(part.expression)
            elif part.kind not in ("if", "for"):
                break
            else:
                del parts[0]
                nodes.append(self._directive(part, parts))
                continue
            del parts[0]
        return tuple(nodes)

    def _directive(self, part: _Part, parts: list[_Part]) -> _Node:
        if part.expression is None:
            raise self._error(f"%{{{part.kind}}} lacks an expression")
        self._enter()
        body = self._sequence(parts, ("else", "endif") if part.kind == "if" else ("endfor",))
        other = self._sequence([], ())
        if part.kind == "if" and parts and parts[0].kind == "else":
            del parts[0]
            other = self._sequence(parts, ("endif",))
        wanted = f"end{part.kind}"
        if not parts or parts[0].kind != wanted:
            raise self._error(f"%{{{part.kind}}} is not closed with %{{{wanted}}}")
        del parts[0]
        self._nesting -= 1
        if part.kind == "if":
            return _Conditional(self._end, self._end, part.expression, body, other)
        return _TemplateFor(self._end, self._end, part.text, part.expression, body)

    def _sequence(self, parts: list[_Part], ends: tuple[str, ...]) -> _Template:
        return _Template(self._end, self._end, self._nodes(parts, ends) or (self._literal(""),))

    def _quoted_parts(self, *, templates: bool) -> list[_Part]:
        """The pieces of a quoted text whose opening quote has been read."""
        text = self._text
        parts: list[_Part] = []
        trim = False
        while True:
            if text.startswith('"', self._at):
                self._at += 1
                return parts
            if text.startswith(("${", "%{"), self._at):
                if not templates:
                    raise self._error("a label cannot hold a template")
                trim = self._sequence_part(parts)
                continue
            match = _QUOTED_LITERAL.match(text, self._at)
            if match is None:
                raise self._error("a quoted text is not closed on its line")
            literal = self._unescaped(match[0])
            parts.append(_Part("literal", literal.lstrip(go.SPACE) if trim else literal))
            trim = False
            self._at = match.end()

    def _heredoc_parts(self, opening: _Token) -> list[_Part]:
        match = _HEREDOC.match(opening.text)
        flush, marker = (match[1] == "-", match[2]) if match else (False, "")
        text = self._text
        parts: list[_Part] = []
        trim, line_start = False, True
        while True:
            if text.startswith(("${", "%{"), self._at):
                trim, line_start = self._sequence_part(parts), False
                continue
            match = _HEREDOC_LITERAL.match(text, self._at)
            if match is None or not match[0]:
                raise self._error(f"the text <<{marker} is not closed", opening.start)
            if line_start and match[1] and match[0].strip(go.SPACE) == marker:
                # The newline stays: it ends the argument.
                self._at = match.end() - len(match[1])
                return _flushed(parts) if flush else parts
            self._at = match.end()
            literal = _UNQUOTED_ESCAPE.sub(r"\1{", match[0])
            parts.append(_Part("literal", literal.lstrip(go.SPACE) if trim else literal))
            trim, line_start = False, bool(match[1])

    def _sequence_part(self, parts: list[_Part]) -> bool:
        """Read `${...}` or `%{...}` into `parts`; whether what follows is to lose its leading blanks."""
        self._enter()
        control = self._text[self._at] == "%"
        self._at += 2
        if self._text.startswith("~", self._at):
            self._at += 1
            if parts and parts[-1].kind == "literal":
                parts[-1].text = parts[-1].text.rstrip(go.SPACE)
        self._newlines.append(False)
        parts.append(self._control() if control else _Part("interpolation", expression=self._expression()))
        closing = self._take("}", "~}")
        self._newlines.pop()
        self._nesting -= 1
        return closing.kind == "~}"

    def _control(self) -> _Part:
        keyword = self._take("name")
        match keyword.text:
            case "if":
                return _Part("if", expression=self._expression())
            case "else" | "endif" | "endfor":
                return _Part(keyword.text)
            case "for":
                names = self._for_names()
                return _Part("for", names, self._expression())
        raise self._error(f"{keyword.text!r} is no directive of a template", keyword.start)

    def _unescaped(self, literal: str) -> str:
        if "\\" not in literal and "{" not in literal:
            return literal
        return _ESCAPE.sub(self._escape, literal)

    def _escape(self, match: re.Match[str]) -> str:
        digits = match[1] or match[2]
        if digits:
            code = int(digits, 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise self._error(f"{match[0]} is not a character")
            return chr(code)
        if match[3]:
            if match[3] not in _SIMPLE_ESCAPES:
                raise self._error(f"\\{match[3]} is no escape of HCL")
            return _SIMPLE_ESCAPES[match[3]]
        return f"{match[4]}{{"


def _melded(parts: list[_Part]) -> list[_Part]:
    """`parts` with neighbouring texts put together."""
    melded: list[_Part] = []
    for part in parts:
        if melded and part.kind == melded[-1].kind == "literal":
            melded[-1] = _Part("literal", melded[-1].text + part.text)
        else:
            melded.append(part)
    return melded


def _flushed(parts: list[_Part]) -> list[_Part]:
    """`parts` of `<<-` with the indentation taken away that all lines have; lines of blanks do not count."""
    indentations: list[int] = []
    leading: list[_Part] = []
    line_start = True
    for part in parts:
        if line_start:
            if part.kind != "literal":
                indentations.append(0)
            elif part.text.strip(go.SPACE) or not part.text.endswith("\n"):
                indentations.append(len(part.text) - len(part.text.lstrip(go.SPACE)))
                leading.append(part)
        line_start = part.kind == "literal" and part.text.endswith("\n")
    for part in leading:
        part.text = part.text[min(indentations) :]
    return parts


class _Converter:
    """Makes the JSON value of what was read from one text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def body(self, body: _Body) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for block in body.blocks:
            self._block(block, found)
        for name, expression in body.attributes.items():
            found[name] = self._value(expression)
        return found

    def _block(self, block: _Block, found: dict[str, Any]) -> None:
        key = block.kind
        for label in block.labels:
            found = found.setdefault(key, {})
            if not isinstance(found, dict):
                raise ParseError(f"there are blocks {block.kind!r} with and without the label {label!r}")
            key = label
        blocks = found.setdefault(key, [])
        if not isinstance(blocks, list):
            raise ParseError(f"there are blocks {block.kind!r} with and without labels")
        blocks.append(self.body(block.body))

    def _value(self, node: _Node) -> Any:
        match node:
            case _Literal(value=value):
                return self._number(value) if isinstance(value, Decimal) else value
            case _Unary(operator=operator, operand=_Literal(value=value)):
                if operator == "-" and isinstance(value, Decimal):
                    return self._number(value.copy_negate())
                if operator == "!" and isinstance(value, bool):
                    return not value
                raise ParseError(f"{self._source(node)} cannot be computed")
            case _Template():
                return self._template(node)
            case _Wrap(wrapped=wrapped):
                return self._value(wrapped)
            case _Tuple(items=items):
                return [self._value(item) for item in items]
            case _Object(items=pairs):
                return {self._key(key): self._value(value) for key, value in pairs}
        return self._wrapped(node)

    def _number(self, value: Decimal) -> int | float:
        number = float(value)
        if not math.isfinite(number):
            raise ParseError(f"the number {str(value)[:40]} is out of range")
        return go.number(number)

    def _key(self, node: _Node) -> str:
        return self._source(node) if isinstance(node, _Traversal) else self._text_of(node)

    def _template(self, template: _Template) -> str:
        return "".join(self._text_of(part) for part in template.parts)

    def _text_of(self, node: _Node) -> str:
        """`node` as part of a template."""
        match node:
            case _Literal(value=value):
                return _literal_text(value)
            case _Template():
                return self._template(node)
            case _Wrap(wrapped=wrapped):
                return self._text_of(wrapped)
            case _Conditional(condition=condition, if_true=if_true, if_false=if_false):
                other = self._text_of(if_false)
                other = f"%{{else}}{other}" if other else ""
                return f"%{{if {self._source(condition)}}}{self._text_of(if_true)}{other}%{{endif}}"
            case _TemplateFor(names=names, collection=collection, body=body):
                return f"%{{for {names} in {self._source(collection)}}}{self._text_of(body)}%{{endfor}}"
        return self._wrapped(node)

    def _wrapped(self, node: _Node) -> str:
        return f"${{{self._source(node)}}}"

    def _source(self, node: _Node) -> str:
        # hcl2json takes a closing bracket along that stands right behind.
        end = node.end + 1 if self._text.startswith(")", node.end) else node.end
        return self._text[node.start : end]


def _literal_text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value).replace("${", "$${").replace("%{", "%%{")
