"""YAML as kubectl reads it, with the line of everything that is wrong."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pratique.errors import Problem
from pratique.yamlfile import MAX_EXPANDED_NODES, Document, load_documents

_KUBECTL = Path(__file__).resolve().parents[2] / ".cache" / "tools" / "kubectl"


def read(text: str | bytes) -> list[object]:
    return [item.value if isinstance(item, Document) else str(item) for item in load_documents(text, "f.yaml")]


def test_scalars_are_those_of_kubectl() -> None:
    text = (
        "time: 2026-11-21\nport: 1:30\nyes: yes\noctal: 0o17\nold: 017\nhex: 0x1F\nsplit: 1_000\nfloat: 1e3\n1: one\n"
    )
    assert read(text) == [
        {
            "time": "2026-11-21",
            "port": "1:30",
            "yes": True,
            "octal": 15,
            "old": 15,
            "hex": 31,
            "split": 1000,
            "float": 1000,
            "1": "one",
        }
    ]


_SCALARS = (
    *("y", "n", "Y", "N", "yes", "no", "on", "OFF", "True", "tRue", "~", "null", "Null", "''"),
    *("017", "0o17", "08", "0b11", "0x1F", "1_000", "+1", "-0", "-0x1F", "+017", "1__0", "0755.5", "1:30"),
    *("0.10", "1.0", "5.", "+.5", "-.5", "1e3", "1E3", "1e+3", "1.5e3", "e3", "2001-01-01", "'1'", "!!int '3'"),
)


def test_kubectl_itself_reads_the_same() -> None:
    """Else CI judges another object than the cluster: `privileged: y` is true there."""
    text = "apiVersion: v1\nkind: ConfigMap\ndata:\n" + "".join(f"- {scalar}\n" for scalar in _SCALARS)
    command = [str(_KUBECTL), "label", "--local", "-f", "-", "a=b", "-o", "json", "--kubeconfig", "/dev/null"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)["data"]
    (ours,) = read(text)
    assert isinstance(ours, dict)
    assert [(scalar, type(value), value) for scalar, value in zip(_SCALARS, ours["data"], strict=True)] == [
        (scalar, type(value), value) for scalar, value in zip(_SCALARS, theirs, strict=True)
    ]


def test_documents_have_lines_and_empty_ones_are_left_out() -> None:
    documents = list(load_documents("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n", "f.yaml"))
    assert [(item.index, item.line, item.value) for item in documents if isinstance(item, Document)] == [
        (1, 3, {"a": 1}),
        (3, 7, {"b": 2}),
    ]


def test_a_bad_document_does_not_hide_the_next() -> None:
    assert read("a: 1\nb: 2\na: 3\n---\nok: 1\n") == [
        "f.yaml: line 3: the key 'a' is there twice, first at line 1; keep one",
        {"ok": 1},
    ]


def test_merge_keys() -> None:
    assert read("base: &base {a: 1, b: 1}\nuse: {<<: *base, b: 2}\n") == [
        {"base": {"a": 1, "b": 1}, "use": {"a": 1, "b": 2}}
    ]


def _billion_laughs() -> str:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:\n\tb: 1\n", "f.yaml: line 2: found character that cannot start any token"),
        (_billion_laughs(), f"stands for more than {MAX_EXPANDED_NODES} values; use fewer aliases"),
        ("a: &a [*a]\n", "f.yaml: line 1: an alias refers to what it is part of"),
        ("[" * 300 + "]" * 300, "nested more than 200 levels deep"),
        ("[" * 10_000, "f.yaml: line"),
        ("[" * 100_000, "f.yaml: line 1: the document is nested more than 200 levels deep"),
        ("a: 1\nb: " + "{a: " * 100_000, "f.yaml: line 2: the document is nested more than 200 levels deep"),
        ("- " * 100_000, "f.yaml: line 1: the document is nested more than 200 levels deep"),
        ("? " * 100_000, "f.yaml: line 1: the document is nested more than 200 levels deep"),
        (b"\x00\x01\x02", "not a text file"),
        (b"a: 1\nb: \xff\n", "f.yaml: line 2: this is not UTF-8 text"),
        ("a: !!python/object/apply:os.system [id]\n", "could not determine a constructor"),
        ("a: *nowhere\n", "found undefined alias"),
        ("? [a]\n: b\n", "a key must be text"),
        ("a: .inf\n", "f.yaml: line 1: .inf is not a number that JSON has"),
        ("a: .nan\n", ".nan is not a number that JSON has"),
        ("a: 1e999\n", "1e999 is not a number that JSON has"),
        ("{a: 1", "f.yaml: line"),
        ("a: !!bool maybe\n", "f.yaml: line 1: 'maybe' is neither true nor false"),
        ("a: !!bool x\n", "f.yaml: line 1: 'x' is neither true nor false"),
        ("a: !!bool [x]\n", "f.yaml: line 1: expected a scalar node"),
        ("a: !!int [1]\n", "f.yaml: line 1: expected a scalar node"),
        ("a: !!int one\n", "f.yaml: line 1: 'one' is not a whole number"),
        ("a: !!float {}\n", "f.yaml: line 1: expected a scalar node"),
        ("a: !!map [1]\n", "f.yaml: line 1: expected a mapping node"),
        ("a: !!map x\n", "f.yaml: line 1: expected a mapping node"),
        ("a: !!timestamp soon\n", "could not determine a constructor for the tag"),
        ("a: !!binary aGVsbG8=\n", "could not determine a constructor for the tag"),
        ("a: !!set {b, c}\n", "could not determine a constructor for the tag"),
        ("a: !!omap [b: 1]\n", "could not determine a constructor for the tag"),
        ("a: !!pairs [b: 1]\n", "could not determine a constructor for the tag"),
    ],
)
def test_what_cannot_be_read_is_one_problem_with_its_place(text: str | bytes, problem: str) -> None:
    (found,) = load_documents(text, "f.yaml")
    assert isinstance(found, Problem)
    assert problem in str(found)


def test_a_thousand_documents() -> None:
    text = "---\n".join(f"n: {number}\n" for number in range(1000))
    assert read(text) == [{"n": number} for number in range(1000)]


def test_many_lists_side_by_side_are_not_deep() -> None:
    assert read(f"a: [{'[], ' * 10_000}]") == [{"a": [[]] * 10_000}]


def test_nothing_is_no_document() -> None:
    assert read("") == []
    assert read("# only a comment\n") == []
