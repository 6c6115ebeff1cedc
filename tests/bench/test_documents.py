"""The documents of the benchmark are what their readers take, and of the size that is said. Nothing is timed here."""

from __future__ import annotations

from typing import Any

import pytest

from attestations.sbom import sbom_fact
from attestations.scanners import read_report
from bench.documents import (
    AIM_SECONDS,
    COMPONENTS,
    DOCUMENTS,
    FINDINGS,
    Measured,
    are_right,
    cyclonedx,
    main,
    measure,
    spdx,
    table_of,
    trivy,
)


@pytest.mark.parametrize("document", [cyclonedx(), spdx()])
def test_sboms_have_as_many_components_as_is_said(document: Any) -> None:
    fact = sbom_fact(document)
    assert (fact["components"], len(fact["licences"]), fact["truncated"]) == (COMPONENTS, 5, [])
    assert all(licence["read"] for licence in fact["licences"])


def test_the_report_has_as_many_findings_as_is_said() -> None:
    scan = read_report(trivy())
    assert (len(scan.vulnerabilities), len(scan.packages or ())) == (FINDINGS, COMPONENTS)


def test_every_document_is_measured() -> None:
    measured = measure(1)
    assert [len(entry.seconds["digest"]) for entry in measured] == [1, 1, 1]
    assert all(entry.fact < entry.size / 5 for entry in measured)
    assert are_right(measured)
    measured[1].counted -= 1
    assert not are_right(measured)


def taken(parse: float, digest: float) -> Measured:
    return Measured("CycloneDX", 4_200_000, 140_000, {"parse": [parse] * 3, "digest": [digest, 1.0, 0.001]})


def test_an_aim_that_is_missed_is_said_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Aim: CycloneDX in less than 50 ms: met." in table_of([taken(AIM_SECONDS / 2, AIM_SECONDS / 3)], 3)
    monkeypatch.setattr("bench.documents.AIM_SECONDS", 0.0)
    assert main(["--rounds", "1"]) == 0
    assert "**missed** on this machine" in capsys.readouterr().out


def test_a_fact_that_is_wrong_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.documents.measure", lambda rounds: [taken(0.01, 0.01)])
    monkeypatch.setitem(DOCUMENTS, "CycloneDX", (cyclonedx, sbom_fact, COMPONENTS))
    assert main([]) == 1


def test_the_table() -> None:
    assert "| CycloneDX | 4.2 | 20 (20 to 20) | 15 (1 to 1000) | 35 | 140 |" in table_of([taken(0.02, 0.015)], 3)
