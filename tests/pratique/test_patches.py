"""RFC 6902 as its appendix A shows it, and that what is compared can be applied."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.decision import Patch
from pratique.errors import PatchError
from pratique.patches import MISSING, apply, difference, find, same, tokens, with_parents

NAMES = st.sampled_from(["a", "b", "a/b", "a~b", "~1", "", "0", "-", "ü"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, 1.0]) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        ({"foo": "bar"}, Patch("add", "/baz", "qux"), {"foo": "bar", "baz": "qux"}),  # A.1
        ({"foo": ["bar", "baz"]}, Patch("add", "/foo/1", "qux"), {"foo": ["bar", "qux", "baz"]}),  # A.2
        ({"baz": "qux", "foo": "bar"}, Patch("remove", "/baz"), {"foo": "bar"}),  # A.3
        ({"foo": ["bar", "qux", "baz"]}, Patch("remove", "/foo/1"), {"foo": ["bar", "baz"]}),  # A.4
        ({"baz": "qux"}, Patch("replace", "/baz", "boo"), {"baz": "boo"}),  # A.5
        ({"baz": "qux", "foo": ["a", 2, "c"]}, Patch("test", "/foo/1", 2), {"baz": "qux", "foo": ["a", 2, "c"]}),  # A.8
        (
            {"foo": "bar"},
            Patch("add", "/child", {"grandchild": {}}),
            {"foo": "bar", "child": {"grandchild": {}}},
        ),  # A.10
        ({"/": 9, "~1": 10}, Patch("test", "/~01", 10), {"/": 9, "~1": 10}),  # A.14
        ({"foo": ["bar"]}, Patch("add", "/foo/-", ["abc"]), {"foo": ["bar", ["abc"]]}),  # A.16
        ({"a": 1}, Patch("replace", "", {"b": 2}), {"b": 2}),
        ({"a": {"b/c": 1}}, Patch("replace", "/a/b~1c", 2), {"a": {"b/c": 2}}),
        ([{"a": 1}], Patch("remove", "/0/a"), [{}]),
    ],
)
def test_the_examples_of_the_rfc(document: Any, patch: Patch, expected: Any) -> None:
    before = copy.deepcopy(document)
    assert apply(document, [patch]) == expected
    assert document == before


@pytest.mark.parametrize(
    ("document", "patch"),
    [
        ({"foo": "bar"}, Patch("add", "/baz/bat", "qux")),  # A.12
        ({"baz": "qux"}, Patch("test", "/baz", "bar")),  # A.9
        ({"/": 9, "~1": 10}, Patch("test", "/~01", "10")),  # A.15
        ({"a": 1}, Patch("test", "/a", True)),
        ({}, Patch("remove", "/a")),
        ({}, Patch("replace", "/a", 1)),
        ({"a": []}, Patch("add", "/a/1", 1)),
        ({"a": [1, 2]}, Patch("replace", "/a/01", 1)),
        ({"a": [1]}, Patch("replace", "/a/-", 1)),
        ({"a": [1]}, Patch("remove", "/a/1")),
        ({"a": "text"}, Patch("add", "/a/b", 1)),
        ({"a": None}, Patch("add", "/a/b", 1)),
        ({"a": 1}, Patch("remove", "")),
    ],
)
def test_what_has_no_target_or_fails_its_test_is_an_error(document: Any, patch: Patch) -> None:
    with pytest.raises(PatchError):
        apply(document, [patch])


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        ({}, "/a", Patch("add", "/a", 1)),
        ({}, "/a/b~1c/d", Patch("add", "/a", {"b/c": {"d": 1}})),
        ({"a": {}}, "/a/b/d", Patch("add", "/a/b", {"d": 1})),
        ({"a": None}, "/a/b", Patch("add", "/a", {"b": 1})),
        ({}, "/a/-", Patch("add", "/a", [1])),
        ({"a": [2]}, "/a/-", Patch("add", "/a/-", 1)),
        ({"a": [{}]}, "/a/0/b/c", Patch("add", "/a/0/b", {"c": 1})),
        ({"a": [{}]}, "/a/1/b", None),
        ({"a": "text"}, "/a/b", None),
        ({"a": [None]}, "/a/0/b", None),
    ],
)
def test_missing_parents_are_added_with_the_value(document: Any, path: str, expected: Patch | None) -> None:
    assert with_parents(document, tokens(path), 1) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"a": {"b": 1, "c": 2}}, [Patch("add", "/a", {"b": 1, "c": 2})]),
        ({"a": [1]}, {"a": [1, 2]}, [Patch("add", "/a/1", 2)]),
        ({"a": [1, 2]}, {"a": [0, 1, 2]}, [Patch("add", "/a/0", 0)]),
        ({"a": [1, 2, 3]}, {"a": [1, 3]}, [Patch("remove", "/a/1")]),
        ({"a": [{"x": 1}, {"y": 1}]}, {"a": [{"x": 2}, {"y": 1}]}, [Patch("replace", "/a/0/x", 2)]),
        ({"a": 1}, {"a": True}, [Patch("replace", "/a", True)]),
        ({"b": 1, "a~/": 1}, {"c": 1}, [Patch("remove", "/a~0~1"), Patch("remove", "/b"), Patch("add", "/c", 1)]),
        ({"a": 1}, {"a": 1}, []),
    ],
)
def test_a_difference_is_minimal_and_in_order(before: Any, after: Any, expected: list[Patch]) -> None:
    assert list(difference(before, after)) == expected


@given(VALUES, VALUES)
def test_a_difference_applies(before: Any, after: Any) -> None:
    assert same(apply(before, difference(before, after)), after)


@given(VALUES, st.lists(NAMES, min_size=1, max_size=4), VALUES)
def test_what_is_added_with_its_parents_can_be_found(document: Any, path: list[str], value: Any) -> None:
    patch = with_parents(document, tuple(path), value)
    if patch is not None and "-" not in path:
        assert same(find(apply(document, [patch]), tuple(path)), value)


@given(VALUES)
def test_equality_is_that_of_json(value: Any) -> None:
    assert same(value, copy.deepcopy(value))
    assert not same(1, True)
    assert not same(0, False)
    assert same(1, 1.0)


def test_null_is_something() -> None:
    assert find({"a": None}, ("a",)) is None
    assert find({"a": None}, ("b",)) is MISSING
    assert find({"a": [1]}, ("a", "-")) is MISSING
