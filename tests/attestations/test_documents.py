"""From what hangs on an image to the values of three facts."""

from __future__ import annotations

import dataclasses
from typing import Any

import jsonschema_rs
import orjson
import pytest

from attestations import documents
from attestations.documents import MAX_DOCUMENTS, Digest, Kind, digested, document_kind, image_facts
from attestations.evidence import Layout, Piece, Reason, Refused, Verified
from attestations.provenance import SLSA_V02, SLSA_V1, SVR, VSA_V02, VSA_V1, TrustedBuilder
from pratiquectl.cases import load_one
from tests.support.cluster import REPOSITORY
from tests.support.documents import (
    COVERS,
    INDEX,
    component,
    cosign_vuln,
    cyclonedx,
    grype,
    grype_match,
    in_toto_vulns,
    openvex,
    piece,
    sarif,
    slsa_v02,
    slsa_v1,
    spdx,
    spdx3,
    svr,
    trivy,
    trivy_found,
    verified,
    vex_statement,
    vsa,
)

PLATFORMS = {COVERS: "linux/amd64"}
CYCLONEDX = "https://cyclonedx.org/bom"
VULN = "https://cosign.sigstore.dev/attestation/vuln/v1"
VULNS = "https://in-toto.io/attestation/vulns/v0.2"
VEX = "https://openvex.dev/ns/v0.2.0"


def facts(*evidence: Verified | Piece, refused: tuple[Refused, ...] = (), builders: Any = ()) -> dict[str, Any]:
    found = [digested(each) for each in evidence]
    return image_facts(
        [each for each in found if isinstance(each, Digest)],
        [*refused, *(each for each in found if isinstance(each, Refused))],
        digest=INDEX,
        platforms=PLATFORMS,
        builders=builders,
    )


@pytest.mark.parametrize(
    ("media_type", "predicate_type", "content", "kind"),
    [
        ("", CYCLONEDX, {}, Kind.SBOM),
        ("", "https://cyclonedx.org/bom/v1.6", {}, Kind.SBOM),
        ("", "https://cyclonedx.org/bombast", {}, None),
        ("", "https://spdx.dev/Document", {}, Kind.SBOM),
        ("", "https://spdx.dev/Document/v2.3", {}, Kind.SBOM),
        ("", VULN, {}, Kind.VULNERABILITIES),
        ("", "https://in-toto.io/attestation/vulns/v0.1", {}, Kind.VULNERABILITIES),
        ("", "https://in-toto.io/attestation/vulns/v0.2", {}, Kind.VULNERABILITIES),
        ("", "https://openvex.dev/ns", {}, Kind.VEX),
        ("", VEX, {}, Kind.VEX),
        ("", SLSA_V1, {}, Kind.PROVENANCE),
        ("", "https://in-toto.io/attestation/svr/v0.1", {}, Kind.PROVENANCE),
        ("", "https://slsa.dev/verification_summary/v1", {}, Kind.PROVENANCE),
        ("", "https://sigstore.dev/cosign/sign/v1", {}, None),
        ("", "https://example.com/scan", trivy(), Kind.VULNERABILITIES),
        ("", "https://example.com/scan", grype(), Kind.VULNERABILITIES),
        ("", "https://example.com/scan", sarif(), Kind.VULNERABILITIES),
        ("application/vnd.cyclonedx+json; version=1.6", "", {}, Kind.SBOM),
        ("application/spdx+json", "", {}, Kind.SBOM),
        ("application/octet-stream", "", cyclonedx(), Kind.SBOM),
        ("application/octet-stream", "", spdx(), Kind.SBOM),
        ("application/octet-stream", "", spdx3(), Kind.SBOM),
        ("application/json", "", openvex(), Kind.VEX),
        ("application/json", "", {"hello": "world"}, None),
        ("application/json", "", [], None),
    ],
)
def test_what_a_document_is(media_type: str, predicate_type: str, content: Any, kind: Kind | None) -> None:
    assert document_kind(media_type, predicate_type, content) is kind


def test_a_signed_sbom() -> None:
    found = facts(verified(CYCLONEDX, cyclonedx(), "release", "ci"))
    assert {name: found["sbom"][name] for name in ("digest", "platforms", "refused", "refused_count", "truncated")} == {
        "digest": INDEX,
        "platforms": PLATFORMS,
        "refused": [],
        "refused_count": 0,
        "truncated": False,
    }
    (document,) = found["sbom"]["documents"]
    assert {name: document[name] for name in ("covers", "platform", "signed", "signers", "format", "components")} == {
        "covers": COVERS,
        "platform": "linux/amd64",
        "signed": True,
        "signers": ["ci", "release"],
        "format": "CycloneDX",
        "components": 1,
    }
    assert (found["vulnerabilities"], found["provenance"]) == (None, None)


def test_a_plain_sbom_is_a_fact_that_nobody_signed() -> None:
    found = facts(piece(orjson.dumps(spdx()), "application/spdx+json"))
    (document,) = found["sbom"]["documents"]
    assert (document["signed"], document["signers"], document["format"]) == (False, [], "SPDX")


@pytest.mark.parametrize("layout", [Layout.BUILDKIT, Layout.DOCUMENT])
def test_a_statement_of_buildkit(layout: Layout) -> None:
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": SLSA_V1,
        "subject": [{"name": "pkg:docker/x", "digest": {"sha256": COVERS.removeprefix("sha256:")}}],
        "predicate": slsa_v1(),
    }
    found = facts(piece(orjson.dumps(statement), "application/vnd.in-toto+json", layout))
    (element,) = found["provenance"]["statements"]
    assert (element["signed"], element["type"], element["trusted_builder"]) == (False, "slsa-provenance-v1", "")


def test_a_builder_is_trusted_through_its_signer() -> None:
    builders = [TrustedBuilder("github", ("https://github.com/example/*",), frozenset({"ci"}))]
    for signer, name in (("ci", "github"), ("somebody", "")):
        found = facts(verified(SLSA_V1, slsa_v1(), signer), builders=builders)
        assert found["provenance"]["statements"][0]["trusted_builder"] == name


def test_signed_vex_takes_away_of_the_scans_of_its_image() -> None:
    scan, vex = verified(VULN, cosign_vuln(trivy(trivy_found()))), openvex(vex_statement())
    assert facts(scan)["vulnerabilities"]["scans"][0]["counts"]["high"] == 1
    found = facts(scan, verified(VEX, vex, "security"))["vulnerabilities"]
    assert found["scans"][0]["counts"]["high"] == 0
    assert found["scans"][0]["suppressed"][0]["signers"] == ["security"]


def test_vex_of_another_platform_takes_nothing_away() -> None:
    other = "sha256:" + "77" * 32
    vex = openvex(vex_statement(products=[{"@id": f"pkg:oci/vllm@{other}"}]))
    found = facts(verified(VULN, cosign_vuln(trivy(trivy_found()))), verified(VEX, vex, subject=other))
    assert found["vulnerabilities"]["scans"][0]["counts"]["high"] == 1


def test_a_document_of_whom_too_few_signed_is_refused() -> None:
    found = facts(dataclasses.replace(verified(CYCLONEDX, cyclonedx()), signed_by=()))["sbom"]
    assert (found["documents"], [each["reason"] for each in found["refused"]]) == ([], ["unsigned"])


def test_a_document_is_of_the_platform_that_it_is_about() -> None:
    attestation = verified(CYCLONEDX, cyclonedx())
    beside = dataclasses.replace(attestation, piece=dataclasses.replace(attestation.piece, platform="linux/arm64"))
    assert [each["platform"] for each in facts(beside)["sbom"]["documents"]] == ["linux/amd64"]


def daily(day: int) -> Verified:
    """The scan of a day, of another image's digest each second time."""
    report = trivy(CreatedAt=f"2026-{1 + day // 28:02}-{1 + day % 28:02}T00:00:00Z")
    return verified("https://example.com/trivy", report, subject=(COVERS, INDEX)[day % 2])


def test_of_more_scans_than_a_fact_holds_the_latest_are_told() -> None:
    found = facts(*(daily(day) for day in reversed(range(MAX_DOCUMENTS + 2))))["vulnerabilities"]
    assert [(each["covers"], each["scanned"]) for each in found["scans"]] == [
        (INDEX, "2026-04-18T00:00:00Z"),
        (COVERS, "2026-04-17T00:00:00Z"),
    ]
    assert not found["truncated"]


def test_what_nobody_signed_crowds_nothing_out() -> None:
    content = orjson.dumps(cyclonedx())
    plain = [piece(content, "application/vnd.cyclonedx+json") for _ in range(MAX_DOCUMENTS)]
    found = facts(*plain, verified(CYCLONEDX, cyclonedx(), subject=INDEX))["sbom"]
    assert (found["documents"][0]["signed"], found["truncated"]) == (True, True)


def test_all_documents_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    sbom = verified(CYCLONEDX, cyclonedx())
    size = len(orjson.dumps(facts(sbom)["sbom"]["documents"][0]))
    monkeypatch.setattr(documents, "MAX_FACT_BYTES", 2 * size)
    plain = piece(orjson.dumps(cyclonedx()), "application/vnd.cyclonedx+json")
    found = facts(plain, sbom, sbom)["sbom"]
    assert ([each["signed"] for each in found["documents"]], found["truncated"]) == ([True, True], True)


def test_vex_that_nobody_signed_takes_nothing_away() -> None:
    vex = piece(orjson.dumps(openvex(vex_statement())), "application/json")
    found = facts(verified(VULN, cosign_vuln(trivy(trivy_found()))), vex)["vulnerabilities"]
    assert found["scans"][0]["counts"]["high"] == 1
    assert found["refused"] == [
        {
            "reason": "unsigned",
            "message": "the OpenVEX document is not signed, so nothing is taken away by it",
            "covers": COVERS,
        }
    ]


@pytest.mark.parametrize("data", [trivy(trivy_found()), orjson.dumps(trivy(trivy_found())).decode()])
def test_what_cosign_wrapped_is_unwrapped(data: Any) -> None:
    wrapped = {"Data": data, "Timestamp": "2026-11-20T08:00:00Z"}
    found = facts(verified("https://cosign.sigstore.dev/attestation/v1", wrapped))
    assert found["vulnerabilities"]["scans"][0]["format"] == "trivy"


@pytest.mark.parametrize("data", ["no json", 7, None])
def test_what_cosign_wrapped_and_is_no_document_of_ours(data: Any) -> None:
    assert digested(verified("https://cosign.sigstore.dev/attestation/v1", {"Data": data, "Timestamp": ""})) is None


def test_a_broken_document_is_told_and_the_good_one_beside_it_counts() -> None:
    found = facts(verified(CYCLONEDX, {"bomFormat": "CycloneDX"}), verified(CYCLONEDX, cyclonedx()))["sbom"]
    assert (len(found["documents"]), found["refused_count"]) == (1, 1)
    assert found["refused"][0]["reason"] == "malformed"
    assert '"specVersion" is a required property' in found["refused"][0]["message"]


def test_what_verification_refused_is_told_where_it_could_belong() -> None:
    attestation = dataclasses.replace(
        piece(b"", layout=Layout.COSIGN_ATTESTATION), annotations={"predicateType": CYCLONEDX}
    )
    signature = piece(b"", layout=Layout.COSIGN_SIGNATURE)
    bundle = piece(b"", "application/vnd.dev.sigstore.bundle.v0.3+json", Layout.BUNDLE)
    refused = tuple(
        Refused(each, Reason.UNKNOWN_KEY, f"refused {each.layout.value}") for each in (attestation, signature, bundle)
    )
    found = facts(refused=refused)
    told = {name: [each["message"] for each in found[name]["refused"]] for name in found}
    assert told == {
        "sbom": ["refused cosign-attestation", "refused bundle"],
        "vulnerabilities": ["refused bundle"],
        "provenance": ["refused bundle"],
    }
    assert found["sbom"]["documents"] == []


SCHEMA = load_one(REPOSITORY / "policies" / "schemas" / "input.json")
STATEMENTS = {SLSA_V1: slsa_v1(), SLSA_V02: slsa_v02(), SVR: svr("A"), VSA_V1: vsa(), VSA_V02: vsa()}


@pytest.mark.parametrize("signed", [True, False])
def test_facts_are_what_the_schema_of_the_input_says(signed: bool) -> None:
    model = component("llama", type="machine-learning-model", modelCard={"considerations": {"useCases": ["chat"]}})
    sboms: list[Any] = [cyclonedx(component("torch"), model), spdx(), spdx3()]
    reports: list[Any] = [trivy(trivy_found()), grype(grype_match()), sarif({"ruleId": "CVE-2026-1000"})]
    evidence: list[Verified | Piece] = [verified(type_, predicate) for type_, predicate in STATEMENTS.items()]
    evidence += [verified(VULN, cosign_vuln(report)) for report in reports]
    evidence.append(verified(VULNS, in_toto_vulns({"id": "CVE-2026-1000", "severity": []})))
    evidence.append(verified(CYCLONEDX, {"bomFormat": "CycloneDX"}))
    if signed:
        evidence += [verified(CYCLONEDX, sbom) for sbom in sboms]
        evidence.append(verified(VEX, openvex(vex_statement())))
    else:
        evidence += [piece(orjson.dumps(document)) for document in (*sboms, *reports)]
    found = facts(*evidence)
    assert len(found["provenance"]["statements"]) == len(STATEMENTS)
    assert (len(found["sbom"]["documents"]), len(found["vulnerabilities"]["scans"])) == (3, 4 if signed else 7)
    for source, value in found.items():
        schema = {"$ref": f"#/definitions/{source}", "definitions": SCHEMA["definitions"]}
        validator = jsonschema_rs.Draft7Validator(schema)
        assert [error.message for error in validator.iter_errors({"status": "known", "value": value})] == []


def test_nothing_hangs_on_the_image() -> None:
    assert facts() == {"sbom": None, "vulnerabilities": None, "provenance": None}
