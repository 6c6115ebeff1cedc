"""Scans as facts: counted after VEX, the worst first, bounded."""

from __future__ import annotations

import pytest

from attestations import vulnerabilities
from attestations.scanners import read_report
from attestations.vex import Statements, read_vex
from attestations.vulnerabilities import vulnerability_fact
from tests.support.documents import COVERS, NOW, openvex, sarif, trivy, trivy_found, vex_statement

SHOWN = {
    "id": "CVE-2026-1000",
    "aliases": [],
    "severity": "high",
    "package": "pkg:pypi/torch",
    "version": "2.9.1",
    "fixed": "2.9.2",
    "published": "2026-10-01T00:00:00Z",
}
NO_VEX = Statements([])
NONE = dict.fromkeys(("critical", "high", "medium", "low", "negligible", "unknown"), 0)


def test_a_scan() -> None:
    scan = read_report(
        trivy(trivy_found(), trivy_found("CVE-2020-1", "CRITICAL", PublishedDate="2020-01-01T00:00:00Z"))
    )
    worse = SHOWN | {"id": "CVE-2020-1", "severity": "critical", "published": "2020-01-01T00:00:00Z"}
    assert vulnerability_fact(scan, NO_VEX, digests=frozenset({COVERS})) == {
        "format": "trivy",
        "scanner": {"name": "trivy", "version": "0.68.1"},
        "database": {"version": "", "updated": ""},
        "scanned": NOW,
        "counts": NONE | {"critical": 1, "high": 1},
        "vulnerabilities": [worse, SHOWN],
        "suppressed": [],
        "oldest": {"id": "CVE-2020-1", "published": "2020-01-01T00:00:00Z"},
        "ignored": 0,
        "packages": {"listed": True, "count": 1},
        "ai_packages": {"pkg:pypi/torch": ["2.9.1"]},
        "truncated": [],
    }


def test_vex_takes_away_and_says_so() -> None:
    scan = read_report(trivy(trivy_found(), trivy_found("CVE-2026-2000", "LOW", PublishedDate="")))
    vex = read_vex(openvex(vex_statement()), subject=COVERS, signers=["security"])
    fact = vulnerability_fact(scan, Statements(vex), digests=frozenset({COVERS}))
    assert fact["counts"] == NONE | {"low": 1}
    assert [found["id"] for found in fact["vulnerabilities"]] == ["CVE-2026-2000"]
    assert fact["suppressed"] == [
        SHOWN
        | {
            "status": "not_affected",
            "justification": "vulnerable_code_not_in_execute_path",
            "signers": ["security"],
        }
    ]
    assert fact["oldest"] is None


def test_the_same_finding_of_two_targets_counts_once_at_its_worst() -> None:
    scan = read_report(trivy(trivy_found(severity="LOW"), trivy_found(), trivy_found(InstalledVersion="2.8.0")))
    fact = vulnerability_fact(scan, NO_VEX, digests=frozenset({COVERS}))
    assert fact["counts"] == NONE | {"high": 2}


def test_where_one_target_has_a_fix_there_is_one() -> None:
    scan = read_report(trivy(trivy_found(FixedVersion=""), trivy_found()))
    (found,) = vulnerability_fact(scan, NO_VEX, digests=frozenset({COVERS}))["vulnerabilities"]
    assert found == SHOWN


def test_a_report_that_does_not_say_what_has_a_fix() -> None:
    scan = read_report(sarif({"ruleId": "CVE-2026-1000"}))
    (found,) = vulnerability_fact(scan, NO_VEX, digests=frozenset({COVERS}))["vulnerabilities"]
    assert "fixed" not in found


def test_the_list_is_cut_and_the_counts_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vulnerabilities, "MAX_LISTED", 2)
    found = [trivy_found(f"CVE-2026-{number}", "CRITICAL" if number == 3 else "LOW") for number in range(1, 5)]
    fact = vulnerability_fact(read_report(trivy(*found)), NO_VEX, digests=frozenset({COVERS}))
    assert (fact["counts"], fact["truncated"]) == (NONE | {"critical": 1, "low": 3}, ["vulnerabilities"])
    assert [each["id"] for each in fact["vulnerabilities"]] == ["CVE-2026-3", "CVE-2026-1"]
