"""Reports of scanners: each format, told from its content, and the predicates that they are attested in."""

from __future__ import annotations

from typing import Any

import pytest

from attestations.scan import Scan, Vulnerability
from attestations.scanners import is_report, read_cosign_vuln, read_in_toto_vulns, read_report, severity_of
from pratique.errors import InputError
from tests.support.documents import (
    NOW,
    cosign_vuln,
    grype,
    grype_match,
    in_toto_vulns,
    sarif,
    trivy,
    trivy_found,
)

TORCH = {"pkg:pypi/torch": ["2.9.1"]}


def test_trivy() -> None:
    assert read_report(trivy(trivy_found(VendorIDs=["RHSA-2026:1"]))) == Scan(
        format="trivy",
        scanner="trivy",
        scanner_version="0.68.1",
        database_version="",
        database_updated="",
        scanned=NOW,
        vulnerabilities=[
            Vulnerability(
                id="CVE-2026-1000",
                severity="high",
                package="pkg:pypi/torch",
                version="2.9.1",
                purl="pkg:pypi/torch@2.9.1",
                fixed="2.9.2",
                published="2026-10-01T00:00:00Z",
            )
        ],
        packages=TORCH,
        ai_packages=TORCH,
    )


def test_trivy_without_its_list_of_packages() -> None:
    report = trivy(trivy_found())
    del report["Results"][0]["Packages"]
    scan = read_report(report)
    # That torch was looked at shows in what was found.
    assert (scan.packages, scan.ai_packages) == (None, TORCH)


OS_PACKAGES = {"Target": "x", "Class": "os-pkgs", "Vulnerabilities": None, "Packages": None}


@pytest.mark.parametrize(
    "results", [None, [], [OS_PACKAGES], [OS_PACKAGES, {"Target": "Dockerfile", "Class": "config"}]]
)
def test_trivy_that_found_nothing(results: Any) -> None:
    scan = read_report(trivy(Results=results))
    assert (list(scan.vulnerabilities), scan.packages) == ([], None)


@pytest.mark.parametrize(
    "report",
    [
        trivy(Results=[{"Target": "Dockerfile", "Class": "config", "Misconfigurations": []}]),
        trivy(Results=[{"Target": "/etc/key", "Class": "secret"}]),
        trivy(Results=None, ArtifactType="filesystem"),
        trivy(Results=[], ArtifactType="repository"),
    ],
)
def test_trivy_that_looked_for_something_else_is_no_clean_scan(report: Any) -> None:
    with pytest.raises(InputError, match="is not of a scan for vulnerabilities"):
        read_report(report)


def test_what_trivy_was_told_to_leave_out_is_counted() -> None:
    report = trivy()
    report["Results"][0]["ExperimentalModifiedFindings"] = [{"Type": "vulnerability", "Status": "ignored"}]
    assert read_report(report).ignored == 1


def test_grype() -> None:
    assert read_report(grype(grype_match(), ignoredMatches=[{}])) == Scan(
        format="grype",
        scanner="grype",
        scanner_version="0.104.0",
        database_version="v6.1.3",
        database_updated="2026-11-20T06:00:00Z",
        scanned=NOW,
        vulnerabilities=[
            Vulnerability(
                id="GHSA-aaaa-bbbb-cccc",
                severity="high",
                package="pkg:pypi/torch",
                version="2.9.1",
                purl="pkg:pypi/torch@2.9.1",
                fixed="2.9.2",
                published="",
                aliases=("CVE-2026-1000",),
            )
        ],
        packages=None,
        ai_packages=TORCH,
        ignored=1,
    )


def test_an_advisory_about_several_vulnerabilities_is_another_name_of_none() -> None:
    match = grype_match("ELSA-2026-1")
    match["relatedVulnerabilities"] = [{"id": "CVE-2026-1000"}, {"id": "CVE-2026-2000"}]
    assert [found.aliases for found in read_report(grype(match)).vulnerabilities] == [()]


def test_the_database_of_an_older_grype() -> None:
    report = grype()
    report["descriptor"]["db"] = {"built": "2025-01-01T00:00:00Z", "checksum": "sha256:ab"}
    scan = read_report(report)
    assert (scan.database_version, scan.database_updated) == ("sha256:ab", "2025-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("result", "identifier", "severity", "package"),
    [
        ({"ruleId": "CVE-2026-1000", "level": "note"}, "CVE-2026-1000", "high", ""),
        ({"ruleIndex": 0}, "CVE-2026-1000", "high", ""),
        ({"rule": {"id": "CVE-2026-1000", "index": 0}}, "CVE-2026-1000", "high", ""),
        ({"ruleId": "CVE-2026-2000-torch", "level": "error"}, "CVE-2026-2000", "high", "torch"),
        ({"ruleId": "GHSA-aaaa-bbbb-cccc-flash-attn"}, "GHSA-aaaa-bbbb-cccc", "medium", "flash-attn"),
        ({"ruleId": "SNYK-1", "level": "note"}, "SNYK-1", "low", ""),
        ({"ruleId": "SNYK-1", "level": "loud"}, "SNYK-1", "unknown", ""),
        ({"ruleIndex": 7}, "", "medium", ""),
        ({"ruleIndex": 0.0}, "CVE-2026-1000", "high", ""),
    ],
)
def test_sarif(result: dict[str, Any], identifier: str, severity: str, package: str) -> None:
    scan = read_report(sarif(result))
    (found,) = scan.vulnerabilities
    assert (found.id, found.severity, found.package, found.fixed) == (identifier, severity, package, None)
    assert (scan.scanner, scan.scanner_version) == ("Trivy", "0.68.1")


@pytest.mark.parametrize(("score", "severity"), [("0.0", "unknown"), (0.0, "unknown"), ("", "high"), (None, "high")])
def test_what_nobody_scored_is_of_no_known_severity(score: Any, severity: str) -> None:
    report = sarif({"ruleId": "CVE-2026-1000", "level": "error"})
    report["runs"][0]["tool"]["driver"]["rules"][0]["properties"]["security-severity"] = score
    assert [found.severity for found in read_report(report).vulnerabilities] == [severity]


def test_the_time_of_sarif_is_that_of_its_invocation() -> None:
    report = sarif()
    report["runs"][0]["invocations"] = [{"startTimeUtc": "2026-11-20T07:00:00Z", "endTimeUtc": NOW}]
    assert (read_report(sarif()).scanned, read_report(report).scanned) == ("", NOW)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([], "has 0 runs"),
        (sarif()["runs"] * 2, "has 2 runs"),
        ([{"tool": {"driver": {"name": "x"}}}], "has no results"),
        ([{"tool": {"driver": {"name": "x"}}, "results": None}], "has no results"),
        ([sarif()["runs"][0] | {"invocations": [{"executionSuccessful": False}]}], "did not come to an end"),
        ([{"tool": {"driver": {"name": "CodeQL"}}, "results": []}], "of CodeQL, not of a scanner that is known"),
    ],
)
def test_sarif_that_is_not_the_end_of_one_scan(runs: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_report({"version": "2.1.0", "runs": runs})


@pytest.mark.parametrize(
    "report", [{}, [], None, {"version": "2.0.0", "runs": []}, {"matches": []}, {"SchemaVersion": 2}]
)
def test_what_is_no_report(report: Any) -> None:
    assert not is_report(report)
    with pytest.raises(InputError, match="no report of a scan that is read"):
        read_report(report)


@pytest.mark.parametrize("report", [trivy(trivy_found()), grype(grype_match()), sarif({"ruleId": "CVE-2026-1000"})])
def test_the_predicate_of_cosign(report: Any) -> None:
    scan = read_cosign_vuln(cosign_vuln(report))
    inner = read_report(report)
    assert scan.vulnerabilities == inner.vulnerabilities
    assert (scan.format, scan.scanner, scan.scanner_version) == (f"cosign-vuln ({inner.format})", "trivy", "0.68.1")
    assert (scan.database_version, scan.database_updated) == ("2", "2026-11-20T06:00:00Z")
    assert scan.scanned == (inner.scanned or "2026-11-20T09:01:00Z")


def test_an_old_report_in_a_new_envelope_is_an_old_one() -> None:
    old = "2025-01-01T00:00:00Z"
    report = grype(descriptor={"name": "grype", "timestamp": old, "db": {"status": {"built": old}}})
    scan = read_cosign_vuln(cosign_vuln(report))
    assert (scan.scanned, scan.database_updated) == (old, old)


def test_the_predicate_of_cosign_as_its_specification_writes_it() -> None:
    predicate = cosign_vuln(trivy())
    predicate["scanners"] = [predicate.pop("scanner")]
    assert read_cosign_vuln(predicate).scanner == "trivy"
    predicate["scanners"] *= 2
    with pytest.raises(InputError, match="has 2 scanners"):
        read_cosign_vuln(predicate)
    with pytest.raises(InputError, match="has 0 scanners"):
        read_cosign_vuln({"metadata": {}})


@pytest.mark.parametrize("result", [None, {}, "found nothing", []])
def test_the_predicate_of_cosign_without_a_report_is_no_clean_scan(result: Any) -> None:
    with pytest.raises(InputError, match="no report of a scan that is read"):
        read_cosign_vuln(cosign_vuln(result))


@pytest.mark.parametrize("nested", [False, True])
def test_the_predicate_of_in_toto(nested: bool) -> None:
    said = {"id": "CVE-2026-1", "severity": [{"method": "nvd", "score": "medium"}, {"method": "cvss", "score": "9.1"}]}
    scan = read_in_toto_vulns(in_toto_vulns({"vulnerability": said} if nested else said))
    (found,) = scan.vulnerabilities
    assert (found.id, found.severity, found.package, found.fixed) == ("CVE-2026-1", "critical", "", None)
    assert (scan.scanner, scan.scanner_version, scan.packages) == ("trivy", "0.68.1", None)
    assert (scan.database_updated, scan.scanned) == ("2026-11-20T06:00:00Z", "2026-11-20T09:01:00Z")


def test_a_result_of_in_toto_without_an_id() -> None:
    with pytest.raises(InputError, match="a result without an id"):
        read_in_toto_vulns(in_toto_vulns({"severity": []}))


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("CRITICAL", "critical"),
        (" High ", "high"),
        ("moderate", "medium"),
        ("Negligible", "negligible"),
        ("9", "critical"),
        ("8.9", "high"),
        ("4.0", "medium"),
        ("0.1", "low"),
        ("0.0", "unknown"),
        ("none", "unknown"),
        ("-1", "unknown"),
        ("nan", "unknown"),
        ("CVSS:3.1/AV:N", "unknown"),
        ("", "unknown"),
    ],
)
def test_severities(text: str, severity: str) -> None:
    assert severity_of(text) == severity
