"""Formats of lists, and how tables look on a terminal."""

from __future__ import annotations

import io
import json

import pytest

from pratique.errors import ConfigError
from pratique.ledger import Record
from reports.columns import write_table
from reports.formats import CHECK_FORMATS, DECISION_FORMATS, writer
from tests.support.decisions import ID, decision, evaluation


def record() -> Record:
    made = decision(evaluation())
    return Record({"id": ID}, made)


def test_every_format_of_the_registry_has_a_writer() -> None:
    for formats in (DECISION_FORMATS, CHECK_FORMATS):
        assert all(callable(writer(formats, name)) for name in formats)


def test_unknown_format_is_an_error_and_not_another_one() -> None:
    with pytest.raises(ConfigError, match="'yaml' is unknown; use table, json, csv"):
        writer(DECISION_FORMATS, "yaml")


def test_json_on_a_terminal_is_indented_and_the_same() -> None:
    plain, indented = io.StringIO(), io.StringIO()
    write = writer(DECISION_FORMATS, "json")
    write([record(), record()], plain, terminal=None)
    write([record(), record()], indented, terminal=80)
    assert json.loads(plain.getvalue()) == json.loads(indented.getvalue()) == [{"id": ID}, {"id": ID}]
    assert len(indented.getvalue()) > len(plain.getvalue())


@pytest.mark.parametrize("width", [60, 100, 250])
def test_table_fits_the_terminal(width: int) -> None:
    stream = io.StringIO()
    writer(DECISION_FORMATS, "table")([record()], stream, terminal=width)
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert (ID in stream.getvalue()) == (width == 250)


def test_plain_columns_do_not_let_a_cell_fake_a_row() -> None:
    stream = io.StringIO()
    write_table([["a\nfake", "x\x1b[2J"]], stream, columns=("one", "two"), terminal=None)
    assert stream.getvalue() == "ONE      TWO\n" + r"a\nfake  x\x1b[2J" + "\n"


def test_markup_in_a_cell_is_text() -> None:
    stream = io.StringIO()
    write_table([["[red]x[/red]"]], stream, columns=("one",), terminal=80)
    assert "[red]x[/red]" in stream.getvalue()
