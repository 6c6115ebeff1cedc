"""OpenVEX: applied to exactly what a statement names, the latest of them, and only what it may take away."""

from __future__ import annotations

from typing import Any

import pytest

from attestations.scan import Vulnerability
from attestations.vex import Statements, read_vex
from pratique.errors import InputError
from tests.support.documents import COVERS, INDEX, openvex, vex_statement

FOUND = Vulnerability(
    id="CVE-2026-1000",
    severity="high",
    package="pkg:deb/debian/libc6",
    version="2.36",
    purl="pkg:deb/debian/libc6@2.36?arch=amd64&distro=debian-12",
    fixed="",
    published="",
    aliases=("GHSA-aaaa-bbbb-cccc",),
)
IMAGE = {"@id": f"pkg:oci/vllm@{COVERS}"}


def takes_away(*statements: dict[str, Any], found: Vulnerability = FOUND, subject: str = COVERS, **fields: Any) -> bool:
    read = read_vex(openvex(*statements, **fields), subject=subject, signers=["security"])
    return Statements(read).taking_away(found, frozenset({COVERS, INDEX})) is not None


@pytest.mark.parametrize(
    "products",
    [
        [IMAGE],
        [{"@id": f"pkg:oci/vllm@{COVERS.replace(':', '%3A')}?repository_url=registry.internal"}],
        [{"@id": "https://example.com/vllm", "hashes": {"sha-256": COVERS.removeprefix("sha256:").upper()}}],
        [{"@id": f"registry.internal/serving/vllm@{INDEX}"}],
        [{"identifiers": {"purl": f"pkg:oci/vllm@{COVERS}"}}],
        [f"pkg:oci/vllm@{COVERS}"],
        [{"@id": "pkg:deb/debian/libc6@2.36"}],
        [{"@id": "pkg:deb/debian/libc6@2.36?arch=amd64"}],
        [{"@id": "pkg:oci/other@sha256:00"}, IMAGE],
        [{**IMAGE, "subcomponents": [{"@id": "pkg:deb/debian/libc6@2.36"}]}],
    ],
)
def test_what_names_the_image_or_the_package(products: Any) -> None:
    assert takes_away(vex_statement(products=products))


@pytest.mark.parametrize(
    "products",
    [
        [],
        [{"@id": "pkg:oci/vllm?tag=1"}],
        [{"@id": "pkg:oci/vllm@sha256:" + "00" * 32}],
        [{"@id": "registry.internal/serving/vllm:1"}],
        [{"@id": "pkg:deb/debian/libc6"}],
        [{"@id": "pkg:deb/debian/libc6@2.37"}],
        [{"@id": "pkg:deb/ubuntu/libc6@2.36"}],
        [{"@id": "pkg:deb/debian/libc6@2.36?arch=arm64"}],
        [{"@id": "pkg:deb/debian/libc6@2.36?epoch=1"}],
        [{"@id": "pkg:deb/debian/libc6@2.36#usr/lib"}],
        [{**IMAGE, "subcomponents": [{"@id": "pkg:deb/debian/libc6@2.37"}]}],
        [{**IMAGE, "subcomponents": [{"@id": "pkg:deb/debian/libc6"}]}],
        [{**IMAGE, "subcomponents": []}],
        [{"hashes": {"md5": "00"}}],
    ],
)
def test_what_names_something_else(products: Any) -> None:
    assert not takes_away(vex_statement(products=products))


def test_without_products_it_is_about_what_was_signed() -> None:
    statement = vex_statement()
    del statement["products"]
    assert takes_away(statement)
    assert not takes_away(statement, subject="sha256:" + "00" * 32)


def test_without_products_its_subcomponents_are_those_of_what_was_signed() -> None:
    statement = vex_statement(subcomponents=["pkg:deb/debian/zlib@1"])
    del statement["products"]
    assert not takes_away(statement)
    assert takes_away({**statement, "subcomponents": ["pkg:deb/debian/libc6@2.36"]})


def test_a_finding_without_a_purl_is_taken_away_with_the_whole_image_only() -> None:
    bare = FOUND._replace(purl="")
    assert takes_away(vex_statement(), found=bare)
    assert not takes_away(vex_statement(products=[{"@id": "pkg:deb/debian/libc6@2.36"}]), found=bare)


@pytest.mark.parametrize(
    "vulnerability",
    [
        {"name": "cve-2026-1000"},
        {"@id": "https://nvd.nist.gov/vuln/detail/CVE-2026-1000"},
        {"name": "X", "aliases": ["CVE-2026-1000"]},
        {"name": "GHSA-aaaa-bbbb-cccc"},
        "CVE-2026-1000",
    ],
)
def test_names_of_the_vulnerability(vulnerability: Any) -> None:
    assert takes_away(vex_statement(vulnerability=vulnerability))


def test_another_vulnerability() -> None:
    assert not takes_away(vex_statement(vulnerability={"name": "CVE-2026-10001"}))


@pytest.mark.parametrize(
    ("status", "away"), [("not_affected", True), ("fixed", True), ("affected", False), ("under_investigation", False)]
)
def test_statuses(status: str, away: bool) -> None:
    assert takes_away(vex_statement(status)) is away


def test_the_latest_statement_counts() -> None:
    early, late = "2026-11-01T00:00:00Z", "2026-11-02T00:00:00+00:00"
    assert takes_away(vex_statement("affected", timestamp=early), vex_statement("fixed", timestamp=late))
    assert not takes_away(vex_statement("affected", timestamp=late), vex_statement("fixed", timestamp=early))
    assert not takes_away(vex_statement("affected"), vex_statement("fixed")), "of one time, the finding stays"


@pytest.mark.parametrize(
    "product", [{"@id": "pkg:deb/debian/libc6"}, {**IMAGE, "subcomponents": ["pkg:deb/debian/libc6"]}]
)
@pytest.mark.parametrize("status", ["affected", "under_investigation"])
def test_what_is_said_of_every_version_is_enough_for_a_finding_to_stay(product: Any, status: str) -> None:
    late = vex_statement(status, products=[product], timestamp="2026-11-30T00:00:00Z")
    assert not takes_away(vex_statement(), late)
    other = {"@id": "pkg:deb/debian/zlib"}
    assert takes_away(vex_statement(), {**late, "products": [other]})


def test_a_later_statement_about_something_else_changes_nothing() -> None:
    other = vex_statement("affected", products=[{"@id": "pkg:deb/debian/libc6@2.37"}], timestamp="2026-11-30T00:00:00Z")
    assert takes_away(vex_statement(), other)


def test_subcomponents_of_the_first_version_stand_beside_the_products() -> None:
    assert takes_away(vex_statement(subcomponents=["pkg:deb/debian/libc6@2.36"]))
    assert not takes_away(vex_statement(subcomponents=["pkg:deb/debian/zlib@1"]))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (openvex(vex_statement(justification="")), "gives no justification"),
        (openvex(vex_statement(), timestamp="soon"), "no vulnerability or no time"),
        (openvex(vex_statement(vulnerability={})), "no vulnerability or no time"),
        (openvex(vex_statement("ok")), "malformed at /statements/0/status"),
        ({**openvex(), "@context": "https://example.com"}, "is no OpenVEX"),
    ],
)
def test_refusals(document: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_vex(document, subject=COVERS, signers=["security"])


def test_an_impact_statement_is_a_justification() -> None:
    assert takes_away(vex_statement(justification="", impact_statement="the code is not built in"))
