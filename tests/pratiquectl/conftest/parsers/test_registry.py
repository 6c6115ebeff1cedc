"""Which parser reads which file, and what the registry says where there is none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pratiquectl.conftest.parsers import PARSERS, ParseError, configuration, parse, parser_for, supported_extension
from tests.pratiquectl.conftest.parsers.oracle import CONFTEST, Refused, conftest_parse

NAMES = {
    "-": "yaml",
    "deployment.yaml": "yaml",
    "deployment.YML": "yaml",
    "Dockerfile": "dockerfile",
    "dockerfile": "dockerfile",
    "Dockerfile.debug": "dockerfile",
    "Dockerfile.yaml": "dockerfile",
    "dev.Dockerfile": "dockerfile",
    "main.tf": "hcl2",
    "prod.tfvars": "hcl2",
    "app.hcl": "hcl2",
    "old.hcl1": "hcl1",
    ".gitignore": "ignore",
    ".dockerignore": "ignore",
    ".env": "dotenv",
    ".env.prod": "dotenv",
    ".env.json": "dotenv",
    ".env.textpb": "dotenv",
    ".env.yaml": "yaml",
    "prod.env": "dotenv",
    "nginx.conf": "nginx",
    "site.nginx": "nginx",
    "Jenkinsfile": "groovy",
    "Jenkinsfile.prod": "groovy",
    "Jenkinsfile.yml": "yaml",
    "jenkinsfile.env": "dotenv",
    "CODEOWNERS": "codeowners",
    "a.textproto": "textproto",
    "a.textpb": "textproto",
    "a.json": "json",
    "a.jsonc": "jsonc",
    "a.jsonnet": "jsonnet",
    "a.toml": "toml",
    "a.ini": "ini",
    "a.properties": "properties",
    "a.xml": "xml",
    "a.vcl": "vcl",
    "a.edn": "edn",
    "a.spdx": "spdx",
    "a.cue": "cue",
    "a.hocon": "hocon",
    "a.cyclonedx": "cyclonedx",
    "folder.yaml/a.json": "json",
}


@pytest.mark.parametrize(("path", "parser"), NAMES.items(), ids=NAMES)
def test_the_name_of_a_file_says_its_parser(path: str, parser: str) -> None:
    assert parser_for(path) == parser
    assert supported_extension(path)


@pytest.mark.parametrize("path", ["README.md", "Makefile", "a.conf", "a.", "a", "a.tar.gz", "folder.json/a"])
def test_other_files_have_none(path: str, tmp_path: Path) -> None:
    assert not supported_extension(path)
    with pytest.raises(ParseError, match="name one with --parser"):
        parser_for(path)
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text("{}")
    with pytest.raises(Refused, match="unknown parser"):
        conftest_parse(file)


def test_our_parsers_are_conftests() -> None:
    help_text = subprocess.run([CONFTEST, "parse", "--help"], capture_output=True, text=True, check=True).stdout
    listed = re.search(r"Valid parsers: \[([^\]]*)\]", help_text)
    assert listed
    # conftest has one that its help does not name.
    assert set(PARSERS) == {*listed[1].split(), "jsonc"}


@pytest.mark.parametrize("parser", ["cue", "groovy", "spdx"])
def test_a_parser_that_is_not_here_says_why(parser: str) -> None:
    with pytest.raises(ParseError, match=f"^the file: {parser}: not supported: "):
        parse(b"", parser=parser, path="the file")


def test_an_unknown_parser_is_an_error() -> None:
    with pytest.raises(ParseError, match=r"^a: nope: this is no parser; there are codeowners, cue, "):
        parse(b"{}", parser="nope", path="a")


def test_several_documents_are_one_configuration() -> None:
    assert configuration(parse(b"a: 1\n---\n- b\n", parser="yaml", path="-")) == [{"a": 1}, ["b"]]
    assert configuration(parse(b"- b\n", parser="yaml", path="-")) == ["b"]


def test_a_parser_is_imported_when_it_is_used() -> None:
    program = (
        "import sys, pratiquectl.conftest.parsers as p; p.parse(b'{}', parser='json', path='a');"
        "print(*sorted(m for m in sys.modules if m.startswith(('pratiquectl.conftest.parsers.', 'yaml', 'tomli', "
        "'google', '_gojsonnet'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    ours = [f"pratiquectl.conftest.parsers.{name}" for name in ("errors", "go", "json", "limits", "source")]
    assert done.stdout.split() == ours


@pytest.mark.parametrize(("parser", "module"), [("jsonnet", "_gojsonnet"), ("textproto", "google.protobuf")])
def test_a_format_whose_library_is_missing_says_so(parser: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ParseError, match=r"install pratique\[conftest\]"):
        parse(b"1", parser=parser, path="a")
