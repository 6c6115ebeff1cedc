"""The language of rules: what is read, what is true, and what is neither true nor false."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import EvaluationError, ExpressionError, FieldMissing, NotComparable
from pratique.expression import MAX_DEPTH, MAX_INTEGER, MAX_ITEMS, MAX_LENGTH, Expression

# The three rules of the platform, as they are written there.
EVALUATION = "model.metadata.evaluation_score > 0.85"
SCAN = "model.metadata.security_scan == 'passed'"
SIZE = "model.size_gb < 200"


def model(**fields: Any) -> dict[str, Any]:
    return {"model": fields}


def holds(rule: str, documents: Mapping[str, Any]) -> bool:
    return Expression.parse(rule).evaluate(documents)


@pytest.mark.parametrize(
    ("rule", "fields", "expected"),
    [
        (EVALUATION, {"metadata": {"evaluation_score": 0.9}}, True),
        (EVALUATION, {"metadata": {"evaluation_score": 1}}, True),
        (EVALUATION, {"metadata": {"evaluation_score": 0.85}}, False),
        (EVALUATION, {"metadata": {"evaluation_score": 0}}, False),
        (SCAN, {"metadata": {"security_scan": "passed"}}, True),
        (SCAN, {"metadata": {"security_scan": "Passed"}}, False),
        (SCAN, {"metadata": {"security_scan": ""}}, False),
        (SIZE, {"size_gb": 199.99}, True),
        (SIZE, {"size_gb": 14}, True),
        (SIZE, {"size_gb": 200}, False),
        (SIZE, {"size_gb": 2**53 + 1}, False),
    ],
)
def test_the_rules_of_the_platform(rule: str, fields: dict[str, Any], expected: bool) -> None:
    assert holds(rule, {"model": fields}) is expected


@pytest.mark.parametrize("rule", [EVALUATION, SCAN, SIZE])
@pytest.mark.parametrize("fields", [{}, {"metadata": {}}, {"metadata": None, "size_gb": None}, {"metadata": "x"}])
def test_a_missing_field_is_an_error_that_names_it(rule: str, fields: dict[str, Any]) -> None:
    with pytest.raises(FieldMissing) as caught:
        holds(rule, {"model": fields})
    assert caught.value.field == rule.split()[0]
    assert str(caught.value) == f"{rule.split()[0]} has no value"


@pytest.mark.parametrize(
    ("rule", "value", "message"),
    [
        ("model.x > 0.85", "0.9", "model.x > a number: text has no order"),
        ("model.x > 0.85", True, "model.x > a number: a boolean has no order"),
        ("model.x < 200", math.nan, "model.x < a number: nan is no number that can be compared"),
        ("model.x < 200", -math.inf, "model.x < a number: -inf is no number that can be compared"),
        ("model.x == 'passed'", True, "model.x == text: a boolean cannot be compared with text"),
        ("model.x != 'failed'", 1, "model.x != text: a number cannot be compared with text"),
        ("model.x == 1", True, "model.x == a number: a boolean cannot be compared with a number"),
        ("model.x == model.x", [], "model.x == model.x: a list cannot be compared with a list"),
        ("model.x == model.x", {}, "model.x == model.x: an object cannot be compared with an object"),
        ("model.x in ['a']", 1, "model.x in a list: a number cannot be compared with text"),
        ("'a' in model.x", "abc", "model.x is text where a list is expected"),
        ("'a' in model.x", ["b", 1], "text in model.x: text cannot be compared with a number"),
        ("model.x", "true", "model.x is text where true or false is expected"),
        ("!model.x", 0, "model.x is a number where true or false is expected"),
        ("model.x && true", 1, "model.x is a number where true or false is expected"),
    ],
)
def test_what_cannot_be_compared_is_an_error(rule: str, value: Any, message: str) -> None:
    with pytest.raises(NotComparable) as caught:
        holds(rule, model(x=value))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("true", True),
        ("!true", False),
        ("!!true", True),
        ("true || false && false", True),
        ("(true || false) && false", False),
        ("model.n >= 3 && model.n <= 3", True),
        ("model.n == 3.0", True),
        ("model.n != 3", False),
        ("-1 < model.n", True),
        ("model.n > -1.5e3", True),
        ('model.t == "it\'s"', True),
        (r"model.t == 'it\'s'", True),
        (r"'\"\\\n\r\t' == '\"\\\n\r\t'", True),
        ("model.t in ['x', \"it's\"]", True),
        ("model.t in []", False),
        ("'b' in model.tags", True),
        ("'c' in model.tags", False),
        ("!('c' in model.tags)", True),
        ("1 in [1.0]", True),
        ("model.yes", True),
        ("model.yes == true", True),
        ("!model.yes || model.n == 3", True),
        ("model['a-b'][\"c.d\"] == 1", True),
        ("model.in2 == 1 || model.n==3", True),
        (" ( model . n\n==\t3 ) ", True),
        ("policy.model == 'x'", True),
    ],
)
def test_the_language(rule: str, expected: bool) -> None:
    documents = model(n=3, t="it's", tags=["a", "b"], yes=True, **{"a-b": {"c.d": 1}}) | {"policy": {"model": "x"}}
    assert holds(rule, documents) is expected


@pytest.mark.parametrize(
    ("rule", "message", "position"),
    [
        ("", "the end stands where a value is expected", 1),
        ("  ", "the end stands where a value is expected", 3),
        ("model.size_gb <", "the end stands where a value is expected", 16),
        ("model.size_gb = 200", "`=` means nothing here; write == to compare", 15),
        ("a & b", "`&` means nothing here; write &&", 3),
        ("a | b", "`|` means nothing here; write ||", 3),
        ("model.size_gb < 200GB", "`GB` stands where an operator (such as == or &&) or the end is expected", 20),
        (
            "model.size-gb < 2",
            '`-` stands where an operator (a name with a hyphen is written ["a-b"]) is expected',
            11,
        ),
        ("model.scan == 'passed", "the text that begins with ' does not end", 15),
        ("model.scan == passed'", "the text that begins with ' does not end", 21),
        ("1 < model.x < 3", "only two values can be compared at a time; join comparisons by &&", 13),
        ("(model.x < 3", "the end stands where `)` is expected", 13),
        ("model.x < 3)", "`)` stands where an operator (such as == or &&) or the end is expected", 12),
        ("model. < 3", "`<` stands where a name is expected", 8),
        ("model.in < 3", "`in` stands where a name is expected", 7),
        ("model[0] < 3", "`0` stands where a name in quotes is expected", 7),
        ("model['a' < 3", "`<` stands where `]` is expected", 11),
        ("model.x == null", "nothing can be compared with null; what has no value decides no rule", 12),
        ("size(model.x) < 3", "there are no functions", 5),
        ("model.x.matches('a')", "there are no functions", 16),
        ("model.x + 1 < 3", "`+` means nothing here", 9),
        ("x ? y : z", "`?` means nothing here", 3),
        ("model.x < - 'a'", "`'a'` stands where a number is expected", 13),
        ("model.x < 007", "a number begins with no 0 that means nothing", 11),
        ("model.x < 9223372036854775808", f"a whole number is at most {MAX_INTEGER}", 11),
        ("model.x < 1e999", "the number is too large", 11),
        (r"model.x == 'a\d'", r"`\d` means nothing in a text", 14),
        ("'a'", "text stands where a condition is expected", 1),
        ("1 && true", "a number stands where a condition is expected", 1),
        ("!1", "a number stands where a condition is expected", 2),
        ("model.x < 'b'", "text cannot be compared by <: only numbers have an order", 11),
        ("true < model.x", "a boolean cannot be compared by <: only numbers have an order", 1),
        ("model.x == ['a']", "a list cannot be compared by ==: a list is looked into by `in`", 12),
        ("1 == 'a'", "a number cannot be compared with text", 3),
        ("(1 < 2) == 3", "a boolean cannot be compared with a number", 9),
        ("'a' in 'abc'", "text stands where a list is expected", 8),
        ("'a' in [1]", "text cannot be compared with what is in the list", 5),
        ("['a'] in ['a']", "a list cannot be compared with what is in the list", 7),
        ("model.x in [model.y]", "`model` stands where a value is expected", 13),
        ("model.x in [1 2]", "`2` stands where `,` is expected", 15),
        ("model.x in [1,", "the end stands where a value is expected", 15),
        ("ünicode == 1", "`ü` means nothing here", 1),
        ("a == 1; import os", "`;` means nothing here", 7),
        ("x == 1" + " " * MAX_LENGTH, f"a rule has at most {MAX_LENGTH} characters", MAX_LENGTH + 1),
        (f"x in [{'1,' * MAX_ITEMS}1]", f"a list has at most {MAX_ITEMS} values", 7 + 2 * MAX_ITEMS),
        (f"{'(' * (MAX_DEPTH + 1)}x", f"nested deeper than {MAX_DEPTH}", MAX_DEPTH + 1),
        (f"{'!' * (MAX_DEPTH + 1)}x", f"nested deeper than {MAX_DEPTH}", MAX_DEPTH + 1),
    ],
)
def test_what_is_no_expression(rule: str, message: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression.parse(rule)
    assert (caught.value.message, caught.value.position) == (message, position)
    assert str(caught.value) == f"{message} (at character {position})"


def test_the_bounds_themselves_are_allowed() -> None:
    assert holds(f"{'(' * MAX_DEPTH}model.x{')' * MAX_DEPTH} == 1", model(x=1))
    assert holds(f"{'(true) && ' * 10}true", {})
    assert holds(f"model.x in [{'1,' * (MAX_ITEMS - 1)}2]", model(x=2))
    assert holds("model.x == 1".ljust(MAX_LENGTH), model(x=1))
    assert holds(f"model.x == {MAX_INTEGER}", model(x=MAX_INTEGER))


def test_the_fields_that_are_read() -> None:
    read = Expression.parse("model.b == 1 && (model.a['x-y'] in [2] || !model.b) && true").fields
    assert read == ("model.b", "model.a['x-y']")
    assert Expression.parse("1 < 2").fields == ()


# --- properties: expressions made at random, beside an evaluation that was written apart

Truth = bool | None
"""None: neither true nor false."""

_NAMES = ("a", "b", "c")
_SCALARS = st.sampled_from([True, False, 0, 1, 2, 0.5, -3, "", "x", "y"])
_VALUES = _SCALARS | st.sampled_from([None, [], ["x", 1], {}, math.nan])
_DOCUMENTS = st.dictionaries(st.sampled_from(_NAMES), _VALUES)

Tree = tuple[Any, ...]
"""("field", name), ("is", value), (sign, left, right), ("!", part), ("&&", parts), ("||", parts)."""


def _comparisons() -> st.SearchStrategy[Tree]:
    field = st.sampled_from(_NAMES).map(lambda name: ("field", name))
    number = st.sampled_from([0, 1, 0.5, -3]).map(lambda value: ("is", value))
    scalar = _SCALARS.map(lambda value: ("is", value))
    return (
        st.tuples(st.sampled_from(["<", "<=", ">", ">="]), field, field | number)
        | st.tuples(st.sampled_from(["==", "!="]), field, field | scalar)
        | st.tuples(st.just("in"), field | scalar, field)
        | field
    )


_TREES: st.SearchStrategy[Tree] = st.recursive(
    _comparisons(),
    lambda part: (
        st.tuples(st.just("!"), part) | st.tuples(st.sampled_from(["&&", "||"]), st.lists(part, min_size=2, max_size=3))
    ),
    max_leaves=6,
)


def _written(tree: Tree) -> str:
    match tree:
        case ("field", name):
            return f"model.{name}"
        case ("is", bool(value)):
            return str(value).lower()
        case ("is", value):
            return repr(value)
        case ("!", part):
            return f"!({_written(part)})"
        case ("&&" | "||", parts):
            return f" {tree[0]} ".join(f"({_written(part)})" for part in parts)
    sign, left, right = tree
    return f"{_written(left)} {sign} {_written(right)}"


def _kind(value: Any) -> Literal["truth", "number", "text", ""]:
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number" if value == value else ""
    return "text" if isinstance(value, str) else ""


def _same(one: Any, other: Any) -> Truth:
    return one == other if _kind(one) and _kind(one) == _kind(other) else None


def _any(found: list[Truth]) -> Truth:
    return True if True in found else None if None in found else False


def _not(found: Truth) -> Truth:
    return None if found is None else not found


def _reference(tree: Tree, fields: Mapping[str, Any]) -> Truth:
    """What the expression comes to, in a logic of three values (Kleene's)."""

    def value(operand: Tree) -> Any:
        return fields.get(operand[1]) if operand[0] == "field" else operand[1]

    match tree:
        case ("field", name):
            found = fields.get(name)
            return found if isinstance(found, bool) else None
        case ("!", part):
            return _not(_reference(part, fields))
        case ("||", parts):
            return _any([_reference(part, fields) for part in parts])
        case ("&&", parts):
            return _not(_any([_not(_reference(part, fields)) for part in parts]))
    sign, one, other = tree[0], value(tree[1]), value(tree[2])
    if sign == "in":
        if not isinstance(other, list) or one is None:
            return None
        return _any([_same(one, item) for item in other])
    if sign in ("==", "!="):
        return _same(one, other) if sign == "==" else _not(_same(one, other))
    if (_kind(one), _kind(other)) != ("number", "number"):
        return None
    return bool({"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[sign])


def _outcome(expression: Expression, fields: Mapping[str, Any]) -> Truth:
    try:
        return expression.evaluate({"model": fields})
    except (FieldMissing, NotComparable):
        return None


@given(tree=_TREES, fields=_DOCUMENTS)
def test_an_expression_is_what_three_valued_logic_says(tree: Tree, fields: dict[str, Any]) -> None:
    assert _outcome(Expression.parse(_written(tree)), fields) is _reference(tree, fields)


@given(tree=_TREES, fields=_DOCUMENTS, lost=st.sampled_from(_NAMES))
def test_a_field_that_goes_missing_never_makes_a_rule_true(tree: Tree, fields: dict[str, Any], lost: str) -> None:
    expression = Expression.parse(_written(tree))
    before = _outcome(expression, fields)
    after = _outcome(expression, {name: value for name, value in fields.items() if name != lost})
    assert after is None or after is before


@given(tree=_TREES)
def test_nothing_is_true_of_nothing(tree: Tree) -> None:
    with pytest.raises(EvaluationError):
        Expression.parse(_written(tree)).evaluate({})


@given(text=st.text() | st.text("model.xy<>=!&|()[]'\"\\ 019eE+-,in\n", max_size=40))
def test_any_text_is_an_expression_or_an_error_in_it(text: str) -> None:
    try:
        expression = Expression.parse(text)
    except ExpressionError as caught:
        error = caught
    else:
        assert _outcome(expression, {"x": 1}) in (True, False, None)
        return
    assert 1 <= error.position <= len(text) + 1
