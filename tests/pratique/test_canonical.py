"""Strict JSON in, one canonical form out."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.canonical import canonical_json, compact_json, parse_json, sha256
from pratique.errors import InputError


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b"[1] x",
        b"[" * 10_000,
        b'{"a": 01}',
        b"{'a': 1}",
    ],
)
def test_what_is_not_strict_json_is_refused(text: bytes) -> None:
    with pytest.raises(InputError, match="the JSON cannot be read"):
        parse_json(text)


def test_fractions_stay_what_was_written() -> None:
    assert parse_json(b'{"cpu": 0.10}') == {"cpu": Decimal("0.10")}


@pytest.mark.parametrize("text", [b"1e999", b"-1e999", b"9223372036854775808000", b"[18446744073709551616]"])
def test_numbers_beyond_the_machine_are_refused_before_a_digest_is_taken(text: bytes) -> None:
    with pytest.raises(InputError, match="cannot carry safely"):
        canonical_json(parse_json(text))


def test_canonical_form_does_not_depend_on_order_or_space() -> None:
    assert canonical_json(parse_json(b'{"b": [1, 2.50], "a": "\\u00e9"}')) == '{"a":"é","b":[1,2.5]}'.encode()


def test_compact_form_keeps_the_order() -> None:
    assert compact_json({"b": 1, "a": Decimal("1.5")}) == b'{"b":1,"a":1.5}'


def test_a_type_that_json_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="a bytes is not a JSON value"):
        canonical_json({"a": b"x"})


def test_digest_form() -> None:
    assert sha256(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), children, max_size=4)
    ),
    max_leaves=20,
)


@given(_json)
def test_canonical_form_is_a_fixed_point(value: object) -> None:
    once = canonical_json(value)
    assert canonical_json(parse_json(once)) == once
