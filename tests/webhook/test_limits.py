from __future__ import annotations

import pytest

from webhook.limits import timeout_seconds


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        (b"timeout=5s", 5.0),
        (b"timeout=1m0s", 30.0),
        (b"timeout=1.5s", 1.5),
        (b"timeout=500ms", 0.5),
        (b"timeout=.5s", 0.5),
        (b"timeout=1s500ms", 1.5),
        (b"timeout=100%C2%B5s", 0.0001),
        (b"dry=1&timeout=2s", 2.0),
        (b"", 10.0),
        (b"timeou=5s", 10.0),
        (b"timeout=30h", 30.0),
    ],
)
def test_the_timeout_of_the_api_server_is_read_as_go_writes_it(query: bytes, seconds: float) -> None:
    assert timeout_seconds(query) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "query",
    [
        b"timeout=",
        b"timeout=5",
        b"timeout=s",
        b"timeout=-5s",
        b"timeout=0s",
        b"timeout=5 s",
        b"timeout=5sx",
        b"timeout=1.2.3s",
        b"timeout=1e9s",
        b"timeout=infs",
        b"timeout=nans",
        b"timeout=" + b"9" * 400 + b"s",
        b"timeout=\xff",
    ],
)
def test_a_bad_timeout_is_none(query: bytes) -> None:
    assert timeout_seconds(query) is None
