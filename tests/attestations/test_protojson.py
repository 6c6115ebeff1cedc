"""Messages of Sigstore in JSON: each accessor gives its type or one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestations.evidence import Reason
from attestations.protojson import (
    child,
    children,
    hexadecimal,
    number,
    octets,
    optional_child,
    read_object,
    text,
)
from attestations.refusal import Refusal

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([child, children, optional_child, number, octets, text]), ANYTHING)
def test_an_accessor_takes_anything(accessor: Any, value: Any) -> None:
    for document in ({"field": value}, {}):
        refusal = refusal_of(accessor, document)
        if refusal is not None:
            assert refusal.reason in (Reason.MALFORMED, Reason.TOO_LARGE)
            assert "field" in str(refusal)


def refusal_of(accessor: Any, document: dict[str, Any]) -> Refusal | None:
    try:
        accessor(document, "field")
    except Refusal as refusal:
        return refusal
    return None


@pytest.mark.parametrize("value", ["12", 12])
def test_numbers_are_texts_or_numbers(value: object) -> None:
    assert number({"n": value}, "n") == 12
    assert number({}, "n") == 0


@pytest.mark.parametrize(
    "value", ["", "-1", "+1", "1.0", "0x1", "\u0661", "1" * 30, "9223372036854775808", -1, 1.5, True, None, []]
)
def test_what_is_no_number(value: object) -> None:
    with pytest.raises(Refusal, match="the field n is not a natural number below 2\\^63"):
        number({"n": value}, "n")


@pytest.mark.parametrize("value", ["", "a", "zz", "ab cd", "AB\n", "0xab"])
def test_what_is_not_hexadecimal(value: str) -> None:
    with pytest.raises(Refusal, match="not hexadecimal"):
        hexadecimal(value, "n")


@pytest.mark.parametrize("value", ["", "A", "AAA", "A A=", "AAAA\n", "\u00e9AAA"])
def test_what_is_not_base64(value: str) -> None:
    with pytest.raises(Refusal, match=r"the field n is (not base64|empty)"):
        octets({"n": value}, "n")


def test_lists_have_an_end() -> None:
    with pytest.raises(Refusal, match="the list n has 3 entries; at most 2 are read") as raised:
        children({"n": [{}] * 3}, "n", limit=2)
    assert raised.value.reason is Reason.TOO_LARGE


def test_a_text_has_an_end() -> None:
    with pytest.raises(Refusal, match="it has 3 bytes; at most 2 are read") as raised:
        read_object(b"{ }", "it", 2)
    assert raised.value.reason is Reason.TOO_LARGE
