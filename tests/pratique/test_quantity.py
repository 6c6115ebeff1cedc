"""Quantities against the grammar of k8s.io/apimachinery/pkg/api/resource, and exactly."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError
from pratique.quantity import json_number, parse_quantity

_SUFFIXES = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(1024),
    "Mi": Fraction(1024**2),
    "Gi": Fraction(1024**3),
    "Ti": Fraction(1024**4),
    "Pi": Fraction(1024**5),
    "Ei": Fraction(1024**6),
}


@st.composite
def quantities(draw: st.DrawFn) -> tuple[str, Fraction]:
    """A quantity made from the grammar's productions, and its value computed apart from the parser."""
    sign = draw(st.sampled_from(["", "+", "-"]))
    whole = draw(st.text("0123456789", max_size=8))
    point = draw(st.booleans())
    decimals = draw(st.text("0123456789", max_size=8)) if point else ""
    if not whole and not decimals:
        whole = "0"
    number = Fraction(int(whole or "0")) + (Fraction(int(decimals), 10 ** len(decimals)) if decimals else 0)
    if draw(st.booleans()):
        suffix, scale = draw(st.sampled_from(sorted(_SUFFIXES.items())))
    else:
        exponent = draw(st.integers(-20, 20))
        suffix, scale = f"{draw(st.sampled_from('eE'))}{exponent}", Fraction(10) ** exponent
    value = number * scale
    return f"{sign}{whole}{'.' if point else ''}{decimals}{suffix}", -value if sign == "-" else value


@given(quantities())
def test_every_quantity_of_the_grammar_has_its_exact_value(case: tuple[str, Fraction]) -> None:
    text, value = case
    assert parse_quantity(text) == value


@given(st.text(max_size=80))
def test_any_text_is_a_quantity_or_an_input_error(text: str) -> None:
    try:
        value: object = parse_quantity(text)
    except InputError as error:
        value = str(error)
    assert isinstance(value, Fraction) or "is not a quantity" in str(value) or "out of range" in str(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1.2.3",
        "1KB",
        "1ki",
        "0x10",
        "1e",
        "e3",
        "--1",
        "1Gi ",
        "\u0661",
        "1e999",
        "1" * 65,
        ".",
        "1_000",
    ],
)
def test_what_is_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_quantity(text)


@pytest.mark.parametrize("value", [None, True, [1], {"a": 1}])
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(InputError, match="is not a quantity"):
        parse_quantity(value)


def test_numbers_are_taken_as_they_were_written() -> None:
    assert [parse_quantity(2), parse_quantity(0.5), parse_quantity(Decimal("0.1"))] == [
        Fraction(2),
        Fraction(1, 2),
        Fraction(1, 10),
    ]


def test_json_numbers_are_integers_wherever_they_are_whole() -> None:
    assert [json_number(Fraction(4)), json_number(Fraction(1, 2))] == [4, 0.5]
    assert isinstance(json_number(Fraction(4)), int)
