"""Every file of the corpus is read by conftest and by us: both refuse it, or both make the same document of it.

Files whose names begin with `bad_` are refused; a test says so, so that none is compared by accident.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratiquectl.conftest.parsers import PARSERS, ParseError, configuration, parse
from tests.pratiquectl.conftest.parsers.oracle import CORPUS, Refused, as_printed, canonical, conftest_parse

pytestmark = pytest.mark.slow

NOT_HERE = {"cue", "groovy", "spdx"}
"""Parsers that end with a clear error; tests/pratiquectl/conftest/parsers/test_registry.py has it."""

PROTOS = CORPUS / "textproto" / "protos"


def files() -> Iterator[Path]:
    for folder in sorted(CORPUS.iterdir()):
        yield from sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("_"))


def test_each_parser_has_a_corpus() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(PARSERS) - NOT_HERE


@pytest.mark.parametrize("path", list(files()), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_document_is_conftests(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = path.parent.name
    # Variables of the environment take part in some formats, local time in others.
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("A", raising=False)
    # `conftest parse` has no flag for it, but reads the variable, and splits it at spaces, which our path may have.
    options = {"CONFTEST_PROTO_FILE_DIRS": str(PROTOS.relative_to(CORPUS))} if parser == "textproto" else {}
    if path.name.startswith("bad_"):
        with pytest.raises(Refused):
            conftest_parse(path, parser=parser, **options)
        with pytest.raises(ParseError, match=f"^{re.escape(str(path))}: {parser}: "):
            parse(path.read_bytes(), parser=parser, path=str(path), proto_file_dirs=[str(PROTOS)])
    else:
        expected = conftest_parse(path, parser=parser, **options)
        documents = parse(path.read_bytes(), parser=parser, path=str(path), proto_file_dirs=[str(PROTOS)])
        if parser == "toml":
            documents = as_printed(documents)
        assert canonical(configuration(documents)) == canonical(expected)
