"""Licence expressions: the choices that they leave (SPDX 2.3, annex D)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestations.licences import MAX_CHOICES, MAX_TOKENS, Licence, read_licence


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("MIT", (("MIT",),)),
        ("GPL-2.0+", (("GPL-2.0+",),)),
        ("LicenseRef-Acme", (("LicenseRef-Acme",),)),
        ("DocumentRef-x:LicenseRef-Acme", (("DocumentRef-x:LicenseRef-Acme",),)),
        ("MIT OR GPL-2.0-only", (("GPL-2.0-only",), ("MIT",))),
        ("MIT AND Zlib", (("MIT", "Zlib"),)),
        ("MIT OR Zlib AND ISC", (("ISC", "Zlib"), ("MIT",))),
        ("(MIT OR Zlib) AND ISC", (("ISC", "MIT"), ("ISC", "Zlib"))),
        ("(MIT or Zlib) and ISC", (("ISC", "MIT"), ("ISC", "Zlib"))),
        ("GPL-2.0-only WITH Classpath-exception-2.0", (("GPL-2.0-only WITH Classpath-exception-2.0",),)),
        ("MIT OR MIT AND Zlib", (("MIT",),)),
        ("((MIT))", (("MIT",),)),
        (" MIT ", (("MIT",),)),
        ("AGPL-3.0-only OR NOASSERTION", (("AGPL-3.0-only",),)),
        ("AGPL-3.0-only OR (MIT AND NONE)", (("AGPL-3.0-only",),)),
        ("MIT AND NOASSERTION", (("MIT", "NOASSERTION"),)),
    ],
)
def test_what_may_be_chosen(text: str, choices: tuple[tuple[str, ...], ...]) -> None:
    assert read_licence(text) == Licence(choices, read=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("BSD License", ("BSD", "BSD License", "License")),
        ("MIT OR", ("MIT", "MIT OR")),
        ("(MIT OR AGPL-3.0-only", ("(MIT OR AGPL-3.0-only", "AGPL-3.0-only", "MIT")),
        ("MIT Or Zlib", ("MIT", "MIT Or Zlib", "Or", "Zlib")),
        ("OR", ("OR",)),
        ("", ("",)),
        ("MIT WITH (Zlib)", ("MIT", "MIT WITH (Zlib)", "Zlib")),
    ],
)
def test_what_is_no_expression_is_one_choice_of_all_its_words(text: str, words: tuple[str, ...]) -> None:
    assert read_licence(text) == Licence((words,), read=False)


@pytest.mark.parametrize(
    "text",
    [
        " AND ".join(f"(A{index} OR B{index})" for index in range(6)),
        " OR ".join(f"L{index}" for index in range(MAX_CHOICES + 1)),
        "(" * MAX_TOKENS + "MIT" + ")" * MAX_TOKENS,
        "MIT AND " * 100_000 + "MIT",
    ],
)
def test_beyond_the_limits_it_is_no_expression(text: str) -> None:
    licence = read_licence(text)
    assert (licence.read, len(licence.choices)) == (False, 1)


@pytest.mark.parametrize(
    "text",
    [
        " AND ".join([*(f"L{index}" for index in range(MAX_TOKENS)), "AGPL-3.0-only"]),
        " AND ".join(f"(LicenseRef-{index} OR AGPL-3.0-only)" for index in range(MAX_TOKENS)),
        " OR ".join([*(f"A{index} WITH E" for index in range(400)), "AGPL-3.0-only"]),
    ],
)
def test_no_licence_of_a_long_expression_is_lost(text: str) -> None:
    licence = read_licence(text)
    assert (licence.read, licence.known, "AGPL-3.0-only" in licence.choices[0]) == (False, True, True)


@pytest.mark.parametrize(
    ("text", "known"),
    [("All rights reserved. " * 10, True), ("All rights reserved. " * 200, False), ("a " * 101, False)],
)
def test_prose_that_is_not_read_to_its_end_is_no_licence_that_is_known(text: str, known: bool) -> None:
    licence = read_licence(text)
    assert (licence.read, licence.known, len(licence.choices)) == (False, known, 1)
    assert len(licence.choices[0]) < MAX_TOKENS


_NAMES = st.sampled_from(["MIT", "Zlib", "ISC", "GPL-2.0-only", "LicenseRef-x"])
_EXPRESSIONS = st.recursive(
    _NAMES,
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR"]), inner),
    max_leaves=6,
)


@given(_EXPRESSIONS)
def test_choices_are_those_in_which_the_expression_is_true(text: str) -> None:
    """The second opinion: an expression is true of a set of licences as Python's `and` and `or` are."""
    licence = read_licence(text)
    names = ["MIT", "Zlib", "ISC", "GPL-2.0-only", "LicenseRef-x"]
    for bits in range(2 ** len(names)):
        held = {name for index, name in enumerate(names) if bits >> index & 1}
        python = " ".join(
            {"AND": "and", "OR": "or", "(": "(", ")": ")"}.get(word, str(word in held))
            for word in text.replace("(", "( ").replace(")", " )").split()
        )
        expected = eval(python)  # noqa: S307 - of True, False, and, or and brackets
        assert any(held.issuperset(choice) for choice in licence.choices) == expected


@given(st.text(alphabet="()ANDORWITH MIT+-.:", max_size=60) | st.text(max_size=40))
def test_any_text_is_read(text: str) -> None:
    assert read_licence(text).choices
