"""From runs to medians, aims, JSON and the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import table
from bench.loadgen import Load
from bench.machine import slug
from bench.results import Aim, Cell, Figure, Results, Run


def run(rate: float, *, p99: float = 10.0, errors: int = 0, wrong: int = 0, cpu: float = 1.0) -> Run:
    load = Load(
        requests=1000,
        errors=errors,
        wrong_verdicts=wrong,
        seconds=2.0,
        requests_per_second=rate,
        p50_ms=5.0,
        p90_ms=7.0,
        p99_ms=p99,
        max_ms=20.0,
        own_cpu_seconds=0.2,
        examples=("HTTP status 500",) if errors else (),
    )
    return Run(load, cpu)


def results(*rates: tuple[str, str, float]) -> Results:
    made = Results(cores=2)
    for peer, reviews, rate in rates:
        made.add(Cell(peer, reviews, 50), run(rate))
    return made


MACHINE = {
    "cpu": "Some CPU",
    "cores": 2,
    "memory_gb": 8,
    "python": "3.11.7",
    "opa": "1.22.0",
    "regopy": "1.5.2",
    "fsync_ms": 0.2,
}
SETTINGS = {
    "runs": 3,
    "seconds": 4.0,
    "tls": False,
    "clients": [50],
    "reviews": {"distinct-compliant": 12000},
    "objects": {"distinct-compliant": 7000},
}


def test_a_figure_is_the_median_with_its_spread() -> None:
    assert Figure.of([3, 1, 10]) == Figure(3, 1, 10)
    assert Figure.of([1, 2]) == Figure(1.5, 1, 2)


def test_cpu_is_for_a_thousand_requests() -> None:
    assert run(500, cpu=0.7).cpu_seconds_per_1000 == pytest.approx(0.7)


def test_an_aim_is_a_ratio_of_medians() -> None:
    measured = results(
        ("raw-opa", "storm-compliant", 1000),
        ("pratique-opa", "storm-compliant", 2400),
        ("pratique-opa", "storm-compliant", 2600),
        ("pratique-opa", "storm-compliant", 9000),
    )
    aims = {aim.what: aim for aim in measured.aims()}
    assert aims["storm, compliant: rate with OPA over raw OPA's, 50 clients"] == Aim(
        "storm, compliant: rate with OPA over raw OPA's, 50 clients", ">= 2.5", 2.6, True
    )
    assert aims["storm, compliant: p99 with OPA over raw OPA's, 50 clients"].met is True
    assert aims["distinct, compliant: rate with OPA over raw OPA's, 50 clients"].met is None


def test_the_aims_for_memory_and_regopy() -> None:
    measured = results(("pratique-regopy", "distinct-compliant", 280))
    measured.memory_bytes["pratique-opa"] = [200_000_000, 310_000_000]
    aims = {aim.what: (aim.measured, aim.met) for aim in measured.aims()}
    assert aims["pratique-opa: peak memory of all processes, MB"] == (310.0, False)
    assert aims["distinct, compliant: decisions/s with regopy for each core of the machine"] == (140.0, False)


def test_errors_and_wrong_verdicts_are_faults() -> None:
    measured = results(("raw-opa", "distinct-compliant", 1000))
    assert measured.faults == []
    measured.add(Cell("raw-opa", "distinct-compliant", 50), run(1000, errors=2, wrong=1))
    assert measured.faults == [
        "raw-opa, distinct-compliant, 50 clients: 2 errors, 1 wrong verdicts; such as: HTTP status 500"
    ]


def test_the_document() -> None:
    measured = results(("raw-opa", "distinct-compliant", 1000), ("raw-opa", "distinct-compliant", 1100))
    measured.memory_bytes["raw-opa"] = [60_000_000]
    document = measured.document(machine=MACHINE, settings=SETTINGS, date="2026-11-21")
    assert json.loads(json.dumps(document)) == document
    assert document["format"] == 1
    assert document["cells"] == [
        {
            "peer": "raw-opa",
            "reviews": "distinct-compliant",
            "clients": 50,
            "requests_per_second": {"median": 1050.0, "low": 1000.0, "high": 1100.0},
            "p50_ms": {"median": 5.0, "low": 5.0, "high": 5.0},
            "p90_ms": {"median": 7.0, "low": 7.0, "high": 7.0},
            "p99_ms": {"median": 10.0, "low": 10.0, "high": 10.0},
            "max_ms": {"median": 20.0, "low": 20.0, "high": 20.0},
            "cpu_seconds_per_1000": {"median": 1.0, "low": 1.0, "high": 1.0},
            "requests": [1000, 1000],
            "errors": 0,
            "wrong_verdicts": 0,
            "load_generator_share_of_machine": 0.05,
        }
    ]
    assert document["peak_memory_bytes"] == {"raw-opa": {"median": 6e7, "low": 6e7, "high": 6e7}}


def test_the_table_names_every_peer_and_its_ratio() -> None:
    measured = results(("raw-opa", "distinct-compliant", 1000), ("pratique-opa", "distinct-compliant", 900))
    measured.memory_bytes["pratique-opa"] = [150_000_000]
    document = measured.document(machine=MACHINE, settings=SETTINGS, date="2026-11-21")
    text = table.markdown(document, {"raw-opa": "raw OPA", "pratique-opa": "Pratique, OPA"}, {})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    assert ["distinct-compliant", "50", "raw OPA", "1,000 (1,000 to 1,000)", "5.00", "10.0 (10.0 to 10.0)", "1.00",
            "1.00"] in rows  # fmt: skip
    assert ["distinct, compliant: rate with OPA over raw OPA's, 50 clients", ">= 0.8", "0.9", "yes"] in rows
    assert ["Pratique, OPA", "150 (150 to 150)"] in rows


def test_what_bindings_cost_is_an_aim_and_a_table_of_its_own() -> None:
    measured = Results(cores=2)
    for peer, cpu in (("others-5", 2.0), ("others-1000", 3.0), ("library-45", 4.0)):
        measured.add(Cell(peer, "distinct-compliant", 1), run(100, cpu=cpu))
    measured.memory_bytes["others-5"] = [200_000_000]
    aims = {aim.what: (aim.measured, aim.met) for aim in measured.aims() if aim.met is not None}
    assert aims == {
        "distinct: CPU with 1,000 bindings that do not match over that with 5, 1 client": (1.5, True),
        "distinct: p50 with 1,000 bindings that do not match over that with 5, 1 client": (1.0, True),
        "distinct: p50 with 45 policies on each pod, 1 client, ms": (5.0, False),
    }
    document = measured.document(machine=MACHINE, settings=SETTINGS, date="2026-11-21")
    text = table.markdown(document, {}, {"others-5": "5 match, 5 do not", "library-45": "45 policies match"})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    figures = ["5.00 (5.00 to 5.00)", "10.0 (10.0 to 10.0)"]
    assert rows[:4] == [
        ["reviews", "object, bytes", "bindings", "p50 ms", "p99 ms", "CPU s / 1,000"],
        ["distinct-compliant", "7,000", "5 match, 5 do not", *figures, "2.00 (2.00 to 2.00)"],
        ["distinct-compliant", "7,000", "45 policies match", *figures, "4.00 (4.00 to 4.00)"],
        ["peer", "peak memory of all its processes (PSS), MB"],
    ]
    assert rows[4] == ["Pratique, OPA: 5 match, 5 do not", "200 (200 to 200)"]


def test_a_busy_machine_is_named() -> None:
    measured = results(("raw-opa", "distinct-compliant", 1000))
    for load, said in ((0.4, False), (0.6, True)):
        document = measured.document(machine=MACHINE | {"load_before": load}, settings=SETTINGS, date="2026-11-21")
        assert ("The machine was busy" in table.markdown(document, {"raw-opa": "raw OPA"}, {})) is said


def test_only_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    text = "before\n<!-- begin {0}: written by `it` -->\n{1}\n<!-- end {0} -->\nafter\n"
    path.write_text(text.format("other", "kept") + text.format("results", "old"))
    table.write_between_marks(path, "new\n", "results")
    assert path.read_text() == text.format("other", "kept") + text.format("results", "\nnew\n")
    for broken in ("no marks", "<!-- begin results: written by `it` -->", "<!-- begin results: <!-- end results"):
        path.write_text(broken)
        with pytest.raises(ValueError, match="lacks the marks that begin and end results"):
            table.write_between_marks(path, "new", "results")
        assert path.read_text() == broken


def test_the_file_is_named_after_the_kind_of_machine() -> None:
    assert slug({"cpu": "AMD EPYC 7R13 (Milan)", "cores": 2}) == "amd-epyc-7r13-milan-2-cores"
