"""JSON pointers (RFC 6901)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pratique.pointer import pointer, tokens_of


def test_escapes() -> None:
    assert pointer("metadata", "labels", "a/b~c", 0) == "/metadata/labels/a~1b~0c/0"


@given(st.lists(st.text()))
def test_tokens_come_back(tokens: list[str]) -> None:
    assert list(tokens_of(pointer(*tokens))) == tokens
