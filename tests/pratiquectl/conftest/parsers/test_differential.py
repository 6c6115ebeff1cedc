"""Texts that nobody thought of, read by conftest and by us: both refuse them, or both make the same document.

One process of conftest reads many texts; only where it refuses one of them is each read by itself.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratiquectl.conftest.parsers import ParseError, configuration, parse
from tests.pratiquectl.conftest.parsers.oracle import Refused, canonical, conftest_parse, conftest_parse_all

pytestmark = pytest.mark.slow

TEXTS_AT_ONCE = 10

REFUSED = "refused"


def theirs(paths: list[Path], parser: str) -> list[str]:
    try:
        found = conftest_parse_all(paths, parser)
    except Refused:
        return [one_of_theirs(path, parser) for path in paths]
    return [canonical(found[str(path)]) for path in paths]


def one_of_theirs(path: Path, parser: str) -> str:
    try:
        return canonical(conftest_parse(path, parser))
    except Refused:
        return REFUSED


def ours(path: Path, parser: str) -> str:
    try:
        return canonical(configuration(parse(path.read_bytes(), parser=parser, path=str(path))))
    except ParseError:
        return REFUSED


def assert_same(texts: list[str], parser: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for index, text in enumerate(texts):
            paths.append(Path(folder) / f"{index}.txt")
            paths[-1].write_bytes(text.encode())
        for text, path, expected in zip(texts, paths, theirs(paths, parser), strict=True):
            assert ours(path, parser) == expected, text


Test = Callable[[list[str]], None]


def differential(text: st.SearchStrategy[str]) -> Callable[[Test], Callable[[], None]]:
    """A test that gets lists of such texts."""

    def decorate(test: Test) -> Callable[[], None]:
        limited = settings(max_examples=3, suppress_health_check=list(HealthCheck))
        return limited(given(st.lists(text, min_size=1, max_size=TEXTS_AT_ONCE))(test))

    return decorate


def pieces(*words: str, most: int = 8) -> st.SearchStrategy[str]:
    """Texts that are put together from `words`."""
    return st.lists(st.sampled_from(words), max_size=most).map("".join)


YAML_SCALARS = pieces(
    *"0123456789", "+", "-", ".", "_", "e", "E", "0x", "0o", "0b", "y", "no", "~", "inf", "nan", "T", " 1", most=7
)


@differential(
    st.lists(YAML_SCALARS.filter(lambda word: not word.startswith("- ")), max_size=8).map(json.dumps).map(str)
)
def test_yaml_quoted(texts: list[str]) -> None:
    assert_same(texts, "yaml")


@differential(YAML_SCALARS.map(lambda word: f"a: {word}\n{word.strip() or 'b'}: c\n"))
def test_yaml_scalars_and_keys(texts: list[str]) -> None:
    assert_same(texts, "yaml")


@differential(
    pieces(
        "a: ",
        "b: ",
        "- ",
        "\n",
        "  ",
        "x",
        "1",
        "---\n",
        "...\n",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "# c",
        "|\n",
        ">-\n",
        '"',
        "'",
        "? ",
        "!!str ",
        "<<: ",
        "é",
        most=14,
    )
)
def test_yaml_structure(texts: list[str]) -> None:
    assert_same(texts, "yaml")


NUMBERS = pieces(*"0123456789", ".", "e", "E", "-", "+", most=6)


@differential(
    st.one_of(
        NUMBERS,
        pieces(
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            '"a"',
            '"b"',
            "1",
            "true",
            "null",
            " ",
            '"\\u00e9"',
            '"\\ud83d"',
            "1e5",
            "\n",
            most=12,
        ),
    )
)
def test_json(texts: list[str]) -> None:
    assert_same(texts, "json")


@differential(pieces('{"a":', "}", "1", "//", "/*", "*/", "\n", "#", '"', "\\", " ", "/", "*", ",", '"b":2', most=12))
def test_jsonc(texts: list[str]) -> None:
    assert_same(texts, "jsonc")


@differential(
    st.one_of(
        NUMBERS.map(lambda word: f"[a]\nb = {word}\n"),
        pieces(
            "[a]",
            "[",
            "]",
            "\n",
            "b",
            "=",
            ":",
            " ",
            '"',
            '"""',
            "'",
            "`",
            "#",
            ";",
            "\\",
            "1",
            "true",
            "-",
            "é",
            most=14,
        ),
    )
)
def test_ini(texts: list[str]) -> None:
    assert_same(texts, "ini")


@differential(
    pieces(
        "A",
        "B_1",
        "=",
        ":",
        " ",
        "\n",
        '"',
        "'",
        "$A",
        "${A}",
        "\\",
        "#",
        "x",
        "export ",
        "\r",
        "n",
        "é",
        "$",
        "{",
        most=12,
    )
)
def test_dotenv(texts: list[str]) -> None:
    assert_same(texts, "dotenv")


IGNORED = pieces("a", "*", "/", "!", "#", "\\\\", "\\a", " ", "\n", "é", "\t", most=12)


# A line that ends with a backslash ends conftest with a crash.
@differential(IGNORED.filter(lambda text: not any(line.endswith("\\") for line in text.split("\n"))))
def test_ignore(texts: list[str]) -> None:
    assert_same(texts, "ignore")


@differential(
    pieces("a", "b", "=", ":", " ", "\\", "\n", "\r\n", "#", "!", "${a}", "${b}", "\\u0041", "u00", "é", "\t", most=12)
)
def test_properties(texts: list[str]) -> None:
    assert_same(texts, "properties")


@differential(
    pieces(
        "<a>",
        "</a>",
        "<b x='1'>",
        "</b>",
        "<c/>",
        "text",
        " ",
        "\n",
        "&amp;",
        "&#65;",
        "<!-- c -->",
        "<![CDATA[d]]>",
        "é",
        "<?p q?>",
        "<",
        ">",
        "&",
        "]]>",
        most=12,
    )
)
def test_xml(texts: list[str]) -> None:
    assert_same(texts, "xml")


@differential(pieces("* ", "/a ", "@o ", "@o/t ", "a@b.co ", "\n", "#", " ", "\\ ", "x", "**", "/", most=10))
def test_codeowners(texts: list[str]) -> None:
    assert_same(texts, "codeowners")


EXPRESSIONS = pieces(
    "a",
    "1",
    "1.5",
    '"x"',
    '"${b}"',
    '"y ${c} z"',
    " + ",
    " == ",
    " ? ",
    " : ",
    "(",
    ")",
    "[",
    "]",
    ".d",
    "[0]",
    "[*]",
    "-",
    "!",
    ", ",
    "{ e = 1 }",
    "f(",
    "null",
    "true",
    "for x in ",
    "\n",
    " ",
    most=9,
)


@differential(
    st.one_of(
        EXPRESSIONS.map(lambda text: f"v = {text}\n"),
        pieces(
            "${",
            "}",
            "%{ if a }",
            "%{ else }",
            "%{ endif }",
            "%{ for x in y }",
            "%{ endfor }",
            "b",
            " ",
            "~",
            "$",
            "%",
            "\\n",
            "é",
            "\\",
            most=9,
        ).map(lambda text: f'v = "{text}"\n'),
        pieces("a ", '"l" ', "{", "}", "\n", "b = 1", "# c\n", "=", " ", "<<E\n", "E\n", "<<-E\n", "  x\n", most=12),
    )
)
def test_hcl2(texts: list[str]) -> None:
    assert_same(texts, "hcl2")


@differential(
    st.one_of(
        pieces(
            "a",
            " ",
            "=",
            "{",
            "}",
            "[",
            "]",
            ",",
            "1",
            "1.5",
            "true",
            '"x"',
            '"${b}"',
            "\n",
            "# c\n",
            "-",
            "<<E\nx\nE\n",
            "0x1",
            "b",
            most=12,
        ),
        pieces(
            '"a":',
            '"b":',
            '"A" "b":',
            ',"a":',
            '{"c":',
            "{",
            "}",
            "[",
            "]",
            ",",
            "1",
            "1.5",
            ".5",
            "1e",
            "0",
            "true",
            "null",
            '"5"',
            '"${b}"',
            '"\\777"',
            " ",
            "\0",
            most=12,
        ).map(lambda text: "{" + text),
    )
)
def test_hcl1(texts: list[str]) -> None:
    assert_same(texts, "hcl1")


def hcl1_objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    keys = st.sampled_from(('"a"', '"b"', '"A"', '"a" "b"'))
    items = st.builds("{}:{}".format, keys, values)
    return st.lists(items, max_size=3).map(lambda found: f"{{{','.join(found)}}}")


HCL1_VALUES = st.recursive(
    st.sampled_from(("1", "1.5", "2.0", '"x"', '"5"', "true", "null")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: f"[{','.join(values)}]"),
        hcl1_objects(inner),
    ),
    max_leaves=8,
)


@differential(hcl1_objects(HCL1_VALUES))
def test_hcl1_written_as_json(texts: list[str]) -> None:
    assert_same(texts, "hcl1")


@differential(
    pieces(
        "RUN ",
        "COPY ",
        "ENV ",
        "LABEL ",
        "ONBUILD ",
        "CMD ",
        "a",
        "b=c",
        " ",
        '"',
        "'",
        "\\",
        "\\\n",
        "\n",
        "# d\n",
        '["x"]',
        "--from=y ",
        "--",
        "<<E",
        "E\n",
        "é",
        "\t",
        most=12,
    ).map(lambda text: f"FROM x\n{text}\n")
)
def test_dockerfile(texts: list[str]) -> None:
    assert_same(texts, "dockerfile")


@differential(
    pieces("user", "http", " ", "{", "}", ";", "a", '"b"', "$c", "${d}", "\n", "# e\n", "server", "map", "\\", most=12)
)
def test_nginx(texts: list[str]) -> None:
    assert_same(texts, "nginx")


@differential(
    pieces(
        ":a",
        "b",
        " ",
        "1",
        "-2",
        "1.5",
        "2N",
        '"c"',
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "\\d",
        "nil",
        "#_",
        ",",
        " ; e\n",
        "/",
        "+",
        most=10,
    )
)
def test_edn(texts: list[str]) -> None:
    assert_same(texts, "edn")
