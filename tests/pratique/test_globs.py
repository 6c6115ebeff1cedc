"""Globs: the whole text, any character, and never more than a moment."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.selector import glob_matches

TEXTS = st.text("ab-\n*?", max_size=12)


@given(TEXTS, TEXTS)
def test_as_the_shell_matches(pattern: str, text: str) -> None:
    assert glob_matches(pattern, text) == (pattern == text or fnmatch.fnmatchcase(text, pattern))


@given(st.text("ab*?[]\\.^$", max_size=10), st.text("ab[]\\.^$", max_size=10))
def test_nothing_else_is_special(pattern: str, text: str) -> None:
    def matches(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(matches(pattern[1:], text[at:]) for at in range(len(text) + 1))
        return bool(text) and pattern[0] in ("?", text[0]) and matches(pattern[1:], text[1:])

    assert glob_matches(pattern, text) == (pattern == text or matches(pattern, text))


@pytest.mark.timeout(60)
def test_many_stars_take_no_time() -> None:
    assert not glob_matches("*a" * 400, "a" * 399 + "b" * 3000)
    assert not glob_matches("*a?" * 300 + "c", "ab" * 5000)
