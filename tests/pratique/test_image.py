"""Image references, as github.com/distribution/reference reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.image import parse_image
from pratique.subject import ImageRef

SHA256 = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("reference", "registry", "repository", "tag", "digest"),
    [
        ("nginx", "docker.io", "library/nginx", "latest", ""),
        ("nginx:1.27", "docker.io", "library/nginx", "1.27", ""),
        ("team/app", "docker.io", "team/app", "latest", ""),
        ("docker.io/nginx", "docker.io", "library/nginx", "latest", ""),
        ("index.docker.io/nginx", "docker.io", "library/nginx", "latest", ""),
        ("localhost/app", "localhost", "app", "latest", ""),
        ("localhost:5000/app:v1", "localhost:5000", "app", "v1", ""),
        ("registry.internal/a/b:v1", "registry.internal", "a/b", "v1", ""),
        (f"registry.internal/a/b@{SHA256}", "registry.internal", "a/b", "", SHA256),
        (f"registry.internal:8443/a/b:v1@{SHA256}", "registry.internal:8443", "a/b", "v1", SHA256),
        ("Registry/app", "Registry", "app", "latest", ""),
        ("[2001:db8::1]:5000/app", "[2001:db8::1]:5000", "app", "latest", ""),
        ("registry:5000", "docker.io", "library/registry", "5000", ""),
        ("a__b/c-d.e", "docker.io", "a__b/c-d.e", "latest", ""),
    ],
)
def test_parts(reference: str, registry: str, repository: str, tag: str, digest: str) -> None:
    assert parse_image(reference, "/image") == ImageRef(
        path="/image", reference=reference, registry=registry, repository=repository, tag=tag, digest=digest
    )


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        (None, "the image is missing"),
        (7, "the image is a number, not text"),
        ("", "the image is empty"),
        ("App", "the repository must be lower case"),
        ("registry.internal/App", "the repository must be lower case"),
        ("nginx:", "the tag '' is not valid"),
        ("nginx:" + "t" * 129, "is not valid"),
        ("nginx@sha256:abc", "the digest 'sha256:abc' is not valid"),
        ("nginx@", "the digest '' is not valid"),
        (f"nginx@{SHA256}0", "is not valid"),
        ("a//b", "is not a valid name"),
        ("/nginx", "is not a valid name"),
        ("\uff4eginx", "is not a valid name"),
        ("ng\u0131nx", "is not a valid name"),
        ("nginx\n", "is not a valid name"),
        ("nginx:1\n", "is not valid"),
        (" nginx", "is not a valid name"),
        ("a" * 64, "bare 64-digit hexadecimal id"),
        ("registry.internal/" + "a" * 250, "longer than 255"),
        ("x" * 5000, "too long"),
        ("bad_host.example/app", "is not a host name"),
    ],
)
def test_what_does_not_parse_says_why(reference: object, error: str) -> None:
    image = parse_image(reference, "/image")
    assert error in image.error
    assert (image.registry, image.repository, image.tag, image.digest) == ("", "", "", "")


@given(st.one_of(st.text(max_size=200), st.from_regex(r"\A[a-zA-Z0-9./:@_-]{0,80}\Z")))
def test_any_text_parses_or_says_why(text: str) -> None:
    image = parse_image(text, "/image")
    assert image.reference == text
    assert bool(image.error) != bool(image.repository)
