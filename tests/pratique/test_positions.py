"""Where JSON pointers lead in a text: every way that YAML and JSON have of writing a value."""

from __future__ import annotations

import pytest

from pratique.errors import Problem
from pratique.positions import Place, Position, Text
from pratique.yamlfile import load_documents

STREAM = """\
# é🚢 a comment
--- # of the first
a: &x
  é: 1
  list:
  - {p: 1,
     q: "ü🚢"}
  -   name: z
      block: |
        text
--- !!map
b:
  <<: &m {k: 1, j: 2}
  k: 3
  many:
    <<: [{one: 1, both: 1}, {both: 2, two: 2}]
c: [1, {d: 2}]
...
---
z: &q
  deep: [1]
y: *q
"""
JSON = '{\n\t"a": [1, true, null, {"b\\ud83d\\ude00": "x\\"}y", "c": -1.5e3}],\n\t"d": {}, "e/f": []\n}\n'


def place(text: str, number: int = 0) -> Place:
    found = list(load_documents(text, "f.yaml"))[number]
    assert not isinstance(found, Problem)
    return Place(Text(text), found.start, found.end)


@pytest.mark.parametrize(
    ("number", "path", "line", "column"),
    [
        (0, "", 3, 1),
        (0, "/a", 3, 1),
        (0, "/a/é", 4, 3),
        (0, "/a/list/0/q", 7, 6),
        (0, "/a/list/1", 8, 7),
        (0, "/a/list/1/block", 9, 7),
        (1, "/b/k", 14, 3),
        (1, "/b/j", 13, 17),
        (1, "/b/many/both", 16, 19),
        (1, "/b/many/two", 16, 39),
        (1, "/c/1/d", 17, 9),
        (2, "/y", 22, 1),
        (2, "/y/deep", 21, 3),
        (2, "/y/deep/0", 21, 10),
    ],
)
def test_a_part_of_yaml_is_where_it_was_written(number: int, path: str, line: int, column: int) -> None:
    assert place(STREAM, number).positions([path]) == {path: Position(line, column)}


@pytest.mark.parametrize(
    ("path", "same_as"),
    [
        ("/nothing", ""),
        ("/a/nothing/deeper", "/a"),
        ("/a/list/9/p", "/a/list"),
        ("/a/list/-", "/a/list"),
        ("/a/list/01", "/a/list"),
        ("/a/é/deeper", "/a/é"),
    ],
)
def test_what_is_missing_is_at_the_deepest_parent(path: str, same_as: str) -> None:
    found = place(STREAM).positions([path, same_as])
    assert found[path] == found[same_as]


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        ("", 1, 1),
        ("/a", 2, 2),
        ("/a/2", 2, 17),
        ("/a/3", 2, 23),
        ("/a/3/b😀", 2, 24),
        ("/a/3/c", 2, 50),
        ("/d", 3, 2),
        ("/d/x", 3, 2),
        ("/e~1f", 3, 11),
        ("/e~1f/0", 3, 11),
    ],
)
def test_a_part_of_json_is_where_it_was_written(path: str, line: int, column: int) -> None:
    whole = Place(Text(JSON), 0, len(JSON), is_json=True)
    assert whole.positions([path]) == {path: Position(line, column)}


def test_a_document_that_cannot_be_read_by_itself_is_where_it_begins() -> None:
    text = "a: 1\n---\n%TAG ! tag:example.com,2026:\n---\nb: 1\n"
    cut = Place(Text(text), text.index("b:"), text.index("b:"))
    assert cut.positions(["/b"]) == {"/b": Position(5, 1)}


def test_carriage_returns_end_no_columns() -> None:
    assert place("a:\r\n  b: 1\r\n").positions(["/a/b"]) == {"/a/b": Position(2, 3)}
