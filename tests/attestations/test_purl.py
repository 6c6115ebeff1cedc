"""Package URLs as facts have them: without version and qualifiers, decoded, and normalised where the type says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestations.purl import Purl, qualifiers_of, read_purl


@pytest.mark.parametrize(
    ("text", "purl"),
    [
        ("pkg:pypi/torch@2.9.1", Purl("pkg:pypi/torch", "2.9.1", "")),
        ("pkg:pypi/Flash_Attn@2.8", Purl("pkg:pypi/flash-attn", "2.8", "")),
        ("pkg:PyPI/torch", Purl("pkg:pypi/torch", "", "")),
        ("pkg:npm/%40angular/core@20.1.0", Purl("pkg:npm/@angular/core", "20.1.0", "")),
        ("pkg:npm/@angular/core@20.1.0", Purl("pkg:npm/@angular/core", "20.1.0", "")),
        ("pkg:npm/@angular", Purl("pkg:npm/@angular", "", "")),
        (
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64#usr",
            Purl("pkg:deb/debian/libc6", "2.36-9+deb12u4", "arch=amd64"),
        ),
        ("pkg:golang/GitHub.com/X/y@v1#sub/path", Purl("pkg:golang/github.com/x/y", "v1", "")),
        ("pkg:oci/vllm@sha256%3Aabc?tag=1", Purl("pkg:oci/vllm", "sha256:abc", "tag=1")),
        ("pkg:maven/org.x/Y@1?type=jar", Purl("pkg:maven/org.x/Y", "1", "type=jar")),
        ("pkg://pypi/torch@1", Purl("pkg:pypi/torch", "1", "")),
        ("pkg:pypi/torch/@1", Purl("pkg:pypi/torch", "1", "")),
    ],
)
def test_purls(text: str, purl: Purl) -> None:
    assert read_purl(text) == purl


@pytest.mark.parametrize(
    "text", ["", "torch", "pkg:", "pkg:pypi", "pkg:pypi/", "pkg:/torch", "pkg:1x/y", "PKG:pypi/torch"]
)
def test_what_is_none(text: str) -> None:
    assert read_purl(text) is None


def test_qualifiers() -> None:
    assert qualifiers_of(Purl("pkg:deb/debian/x", "1", "Arch=amd64&distro=debian%2D12&&x")) == {
        "arch": "amd64",
        "distro": "debian-12",
        "x": "",
    }


@given(st.text(alphabet="pkg:/@?#%-_.aA1", max_size=40) | st.text(max_size=30))
def test_the_quick_way_reads_as_the_long_one(text: str) -> None:
    """A qualifier that says nothing keeps a purl from the quick way, and changes nothing else."""
    quick, long = read_purl(f"pkg:pypi/{text}@1"), read_purl(f"pkg:PYPI/{text}@1")
    assert quick == long


@pytest.mark.parametrize("name", ["a--b", "a-", "-a", "a//b", "/a", "a/", "a+", "c++", "a_b", "a.b", "a-.b"])
def test_names_that_are_not_in_their_normal_form(name: str) -> None:
    assert read_purl(f"pkg:pypi/{name}@1") == read_purl(f"pkg:PYPI/{name}@1")
