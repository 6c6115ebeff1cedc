"""WWW-Authenticate: what a server asks for, however it writes it."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from attestations.challenges import Challenge, parse_challenges

TOKEN = st.text(alphabet=string.ascii_letters + string.digits + "!#$%&'*+.^_`|~-", min_size=1, max_size=12)
TEXT = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
CHALLENGES = st.lists(
    st.builds(
        Challenge,
        scheme=TOKEN.map(str.lower),
        parameters=st.dictionaries(TOKEN.map(str.lower), TEXT, min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=3,
)


def written(challenge: Challenge) -> str:
    quoted = (
        '{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"'))
        for name, value in challenge.parameters.items()
    )
    return f"{challenge.scheme} {', '.join(quoted)}"


def test_bearer_as_docker_hub_writes_it() -> None:
    field = (
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
        'scope="repository:library/nginx:pull,push"'
    )
    assert parse_challenges([field]) == (
        Challenge(
            "bearer",
            {
                "realm": "https://auth.docker.io/token",
                "service": "registry.docker.io",
                "scope": "repository:library/nginx:pull,push",
            },
        ),
    )


@pytest.mark.parametrize(
    ("fields", "schemes"),
    [
        (['Basic realm="it"'], ["basic"]),
        (["BASIC"], ["basic"]),
        (['Negotiate, Basic realm="it"'], ["negotiate", "basic"]),
        (['Negotiate YII=, Basic realm="it"'], ["negotiate", "basic"]),
        (['Bearer realm="a", Basic realm="b"'], ["bearer", "basic"]),
        (["Negotiate", 'Basic realm="b"'], ["negotiate", "basic"]),
        ([", ,Basic realm=it , "], ["basic"]),
        ([""], []),
        (["="], []),
        (['"Basic"'], []),
        ([], []),
    ],
)
def test_several_challenges(fields: list[str], schemes: list[str]) -> None:
    assert [challenge.scheme for challenge in parse_challenges(fields)] == schemes


def test_quotes_may_have_commas_quotes_and_other_schemes_in_them() -> None:
    field = r'Bearer realm="https://a.example/?x=1, Basic realm=\"evil\"", service = "s"'
    (challenge,) = parse_challenges([field])
    assert challenge.parameters == {"realm": 'https://a.example/?x=1, Basic realm="evil"', "service": "s"}


def test_first_of_two_values_counts() -> None:
    (challenge,) = parse_challenges(['Bearer realm="https://first.example", realm="https://second.example"'])
    assert challenge.parameters == {"realm": "https://first.example"}


@given(CHALLENGES)
def test_what_was_written_is_read(challenges: list[Challenge]) -> None:
    assert parse_challenges([", ".join(map(written, challenges))]) == tuple(challenges)
    assert parse_challenges([written(each) for each in challenges]) == tuple(challenges)


@given(st.lists(st.text(), max_size=3))
@example(["Bearer " + 'a="' * 10_000])
@example(["a, " * 10_000])
def test_nothing_makes_it_raise(fields: list[str]) -> None:
    parse_challenges(fields)
