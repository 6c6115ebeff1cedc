"""Patches written into texts: only the lines that they are about change."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.decision import Patch
from pratique.errors import Problem
from pratique.patches import apply, difference, same
from pratique.yamlfile import load_documents
from pratiquectl.rewrite import RewriteError, parts, rewritten_json, rewritten_yaml
from tests.pratique.test_patches import VALUES


def rewritten(text: str, *patches: Patch) -> str:
    return rewritten_yaml(dedent(text), patches)


def test_a_new_member_stands_before_the_comments_that_belong_to_what_follows() -> None:
    text = """\
        # At the top.
        metadata:
          name: x  # the name
          labels:
            team: 'search'   # who


        # What it runs.
        spec:
          # One container.
          containers:
          - name: "a"
            args: [ "--x",   "--y" ]
          # The end of the list.

        # The end.
        """
    assert rewritten(
        text,
        Patch("add", "/metadata/labels/cost-center", "4711"),
        Patch("add", "/metadata/annotations", {"a/b": "yes"}),
        Patch("add", "/spec/containers/0/securityContext", {"runAsNonRoot": True}),
        Patch("add", "/spec/containers/1", {"name": "b"}),
        Patch("add", "/spec/tolerations", [{"key": "a", "operator": "Exists"}]),
    ) == dedent("""\
        # At the top.
        metadata:
          name: x  # the name
          labels:
            team: 'search'   # who
            cost-center: "4711"
          annotations:
            a/b: "yes"


        # What it runs.
        spec:
          # One container.
          containers:
          - name: "a"
            args: [ "--x",   "--y" ]
            securityContext:
              runAsNonRoot: true
          - name: b
          tolerations:
          - key: a
            operator: Exists
          # The end of the list.

        # The end.
        """)


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ("a: true # why\nb: 2\n", Patch("replace", "/a", False), "a: false # why\nb: 2\n"),
        ("a: {x: 1}  # c\n", Patch("add", "/a/z", 2), "a: {x: 1, z: 2} # c\n"),
        ("a: {}\nb: 1\n", Patch("add", "/a/z", "v"), "a:\n  z: v\nb: 1\n"),
        ("a:\nb: 1\n", Patch("replace", "/a", {"x": 1}), "a:\n  x: 1\nb: 1\n"),
        ("a: []\n", Patch("add", "/a/-", 1), "a:\n- 1\n"),
        ("a:\n    - 1\n    - 3\nb: 2\n", Patch("add", "/a/1", 2), "a:\n    - 1\n    - 2\n    - 3\nb: 2\n"),
        ("a:\n- 1\n- 2\n", Patch("remove", "/a/0"), "a:\n- 2\n"),
        ("a: 1\nb: 2\n", Patch("remove", "/a"), "b: 2\n"),
        ("a: |\n  text\n  more\n\nb: 1\n", Patch("add", "/c", 3), "a: |\n  text\n  more\n\nb: 1\nc: 3\n"),
        ("'on': x\nold: 012\n", Patch("add", "/y", "0x1f"), "'on': x\nold: 012\n\"y\": \"0x1f\"\n"),
        ("---\na: 1\n", Patch("add", "/b", "text: with # signs"), '---\na: 1\nb: "text: with # signs"\n'),
        ("a: 1", Patch("add", "/b", 2), "a: 1\nb: 2\n"),
        ("--- # first\na: 1\n", Patch("add", "/b", ""), "--- # first\na: 1\nb: \"\"\n"),
        ("a:    1\nb:   {x:   1}\n", Patch("add", "/c", 1), "a:    1\nb:   {x:   1}\nc: 1\n"),
        ("a: >-\n  folded\n  text\n# end\n", Patch("add", "/b", 1), "a: >-\n  folded\n  text\nb: 1\n# end\n"),
    ],
)  # fmt: skip
def test_one_change_is_one_change(before: str, patch: Patch, after: str) -> None:
    assert rewritten_yaml(before, [patch]) == after


def test_what_an_anchor_stands_for_elsewhere_is_not_changed_too() -> None:
    text = "one: &it\n  a: 1\ntwo: *it\n"
    with pytest.raises(RewriteError, match="anchor"):
        rewritten_yaml(text, [Patch("add", "/two/b", 2)])
    assert rewritten_yaml(text, [Patch("add", "/c", 2)]) == f"{text}c: 2\n"


def test_a_member_can_hide_one_that_is_merged_in() -> None:
    text = "base: &b\n  a: 1\none:\n  <<: *b\n  x: 1\n"
    assert rewritten_yaml(text, [Patch("replace", "/one/a", 2)]) == f"{text}  a: 2\n"


def test_parts_are_the_whole_text() -> None:
    text = "# first\n---\na: 1\n---\nb: |\n  ---\n  text\n--- # third\nc: 1\n---\n"
    found = list(parts(text))
    assert "".join(part.text for part in found) == text
    assert [part.line for part in found] == [1, 2, 4, 8, 10]


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ('{"a": 1, "c": 2}\n', Patch("add", "/b", "ü"), '{"a": 1, "c": 2, "b": "ü"}\n'),
        ('{"a":1,"b":2}', Patch("replace", "/b", 3), '{"a":1,"b":3}'),
        (
            '{\n    "n": 0.10,\n    "a": [1, 2],\n    "b": {\n        "c": 1\n    },\n    "d": 1\n}\n',
            Patch("add", "/b/a~0", {}),
            '{\n    "n": 0.10,\n    "a": [1, 2],\n    "b": {\n        "c": 1,\n        "a~": {}'
            '\n    },\n    "d": 1\n}\n',
        ),
        ('{\n\t"a": 1\n}', Patch("remove", "/a"), "{}"),
    ],
)  # fmt: skip
def test_json_keeps_its_layout(before: str, patch: Patch, after: str) -> None:
    assert rewritten_json(before, [patch]) == after


OBJECTS = st.dictionaries(st.text("ab/~: #-'\"", min_size=1, max_size=3), VALUES, min_size=1, max_size=4)


@given(OBJECTS, OBJECTS, st.sampled_from(["yaml", "flow", "json"]))
def test_whatever_is_written_is_what_was_meant(before: dict[str, Any], after: dict[str, Any], form: str) -> None:
    import yaml

    text = json.dumps(before) if form == "json" else yaml.safe_dump(before, default_flow_style=form == "flow")
    patches = difference(before, after)
    try:
        result = (rewritten_json if form == "json" else rewritten_yaml)(text, patches)
    except RewriteError:
        assert form != "json"
        return
    (document,) = load_documents(result, "")
    assert not isinstance(document, Problem)
    assert same(document.value, apply(before, patches))
