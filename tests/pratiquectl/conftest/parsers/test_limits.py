"""Input that is meant to do harm is refused, with a sentence: no crash, and what would take for ever ends at once."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

import pytest

from pratiquectl.conftest.parsers import PARSERS, ParseError, parse
from pratiquectl.conftest.parsers.limits import MAX_BYTES, MAX_DEPTH

pytestmark = pytest.mark.slow

DEEP = 100_000


class Hostile(NamedTuple):
    parser: str
    name: str
    content: bytes


def nested(opening: str, closing: str, middle: str = "") -> bytes:
    return (opening * DEEP + middle + closing * DEEP).encode()


def doubled(line: str, last: str, count: int = 70) -> bytes:
    """Lines of which each stands for the next, twice."""
    return ("".join(line.format(index, index + 1) for index in range(count)) + last.format(count)).encode()


IN_MANY_LETTERS = [
    ["".join(letter.upper() if index >> bit & 1 else letter for bit, letter in enumerate("labels"))] * 10
    for index in range(64)
]
"""Names that are different and stand for each other, ten on a line."""

HOSTILE = [
    Hostile("json", "lists", nested("[", "]")),
    Hostile("json", "objects", nested('{"a":', "}", "1")),
    Hostile("jsonc", "lists", nested("[", "]")),
    Hostile("yaml", "flow", nested("[", "]")),
    Hostile("yaml", "flow objects", nested("{a: ", "}")),
    Hostile("yaml", "block", nested("- ", "")),
    Hostile("yaml", "indented", "".join(f"{' ' * depth}a:\n" for depth in range(3000)).encode()),
    Hostile("yaml", "open flow", b"[" * DEEP),
    Hostile("yaml", "laughs", doubled("a{0}: &a{0} [*a{1}, *a{1}]\n", "a{0}: &a{0} x\n")),
    Hostile(
        "yaml",
        "laughs in order",
        ("a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 70))).encode(),
    ),
    Hostile(
        "yaml",
        "laughs by merging",
        ("a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 70))).encode(),
    ),
    Hostile("yaml", "itself", b"a: &a {b: *a}"),
    Hostile("yaml", "merges itself", b"a: &a {<<: *a}"),
    Hostile("toml", "lists", b"a = " + nested("[", "]")),
    Hostile("toml", "objects", b"a = " + nested("{a = ", "}", "1")),
    Hostile("toml", "digits", b"a = " + b"9" * DEEP),
    Hostile("properties", "laughs", doubled("a{0}=${{a{1}}}${{a{1}}}\n", "a{0}=x\n", 60)),
    Hostile(
        "hocon",
        "laughs",
        b"a { a0 = x, " + b"".join(b"a%d = ${a.a%d}${a.a%d}, " % (n, n - 1, n - 1) for n in range(1, 70)) + b"}",
    ),
    Hostile("hocon", "itself", b"a { b = ${a.c}, c = ${a.b} }"),
    Hostile("hocon", "lists", b"a { b = " + nested("[", "]") + b"}"),
    Hostile("hocon", "objects", nested("a {", "}")),
    Hostile("hocon", "no list", b"a { b = [ = ] }"),
    Hostile("xml", "elements", nested("<a>", "</a>")),
    Hostile("edn", "vectors", nested("[", "]")),
    Hostile("edn", "tags", nested("#a ", "", "1")),
    Hostile("edn", "discards", nested("#_ ", "", "1")),
    Hostile("hcl1", "lists", b"a = " + nested("[", "]")),
    Hostile("hcl1", "blocks", nested("a {\n", "}\n")),
    Hostile("hcl1", "objects of JSON", nested('{"a":', "}", "1")),
    Hostile("hcl1", "lists of JSON", b'{"a":' + nested("[{", "}]")),
    Hostile("hcl1", "names of JSON", ('{"a":' * 150 + "{" + '"b":{},' * DEEP + "}" * 151).encode()),
    Hostile(
        "hcl1", "names in many letters", "".join(f"{' '.join(names)} {{}}\n" for names in IN_MANY_LETTERS).encode()
    ),
    Hostile("hcl1", "digits", b'a = "x"\nb = ' + b"9" * DEEP),
    Hostile("hcl1", "empty lines", b"a = <<E\n" + b"\n" * DEEP),
    Hostile("hcl1", "labels", b"a " + b'"b" ' * DEEP + b"{}"),
    Hostile("hcl2", "lists", b"a = " + nested("[", "]")),
    Hostile("hcl2", "blocks", nested("a {\n", "}\n")),
    Hostile("hcl2", "signs", b"a = " + b"-" * DEEP + b"1"),
    Hostile("hcl2", "conditions", b"a = " + b"b ? c : " * DEEP + b"d"),
    Hostile("hcl2", "templates", b"a = " + nested('"${', '}"', "b")),
    Hostile("hcl2", "exponent", b"a = 1e999999999999"),
    Hostile("nginx", "blocks", nested("http {", "}")),
    Hostile("vcl", "blocks", nested("sub a {", "}")),
    Hostile("vcl", "brackets", nested("(", ")")),
    Hostile("vcl", "no block", b"backend a"),
    Hostile("jsonnet", "lists", nested("[", "]")),
    Hostile("jsonnet", "recursion", b"local f(x) = f(x) + 1; f(1)"),
    Hostile("dockerfile", "onbuild", b"FROM a\nONBUILD " + b"ONBUILD " * 5000 + b"RUN x\n"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda each: f"{each.parser}: {each.name}")
def test_it_is_refused(hostile: Hostile) -> None:
    with pytest.raises(ParseError):
        parse(hostile.content, parser=hostile.parser, path="hostile")


@pytest.mark.parametrize("parser", PARSERS)
def test_no_bytes_crash_a_parser(parser: str) -> None:
    for content in (b"\0", b"\xff\xfe", b"\xef\xbb\xbf", os.urandom(4096), bytes(range(256)), b"\x80" * 100):
        with contextlib.suppress(ParseError):
            parse(content, parser=parser, path="noise")


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(ParseError, match="larger than"):
        parse(bytes(MAX_BYTES + 1), parser="json", path="large")


def test_depth_up_to_the_limit_is_taken() -> None:
    content = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    for parser in ("json", "yaml"):
        assert parse(content, parser=parser, path="deep")
        with pytest.raises(ParseError, match="nested"):
            parse(b"[" + content + b"]", parser=parser, path="deeper")
