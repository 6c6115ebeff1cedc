"""Which pattern means which host: the table of the kubelet's own tests (keyring_test.go, TestURLsMatch), for hosts."""

from __future__ import annotations

import pytest

from attestations.hosts import endpoint_of, matches_host


@pytest.mark.parametrize(
    ("pattern", "host"),
    [
        ("*.kubernetes.io", "prefix.kubernetes.io"),
        ("prefix.*.io", "prefix.kubernetes.io"),
        ("prefix.kubernetes.*", "prefix.kubernetes.io"),
        ("*-good.kubernetes.io", "prefix-good.kubernetes.io"),
        ("*.*.kubernetes.io", "prefix.prefix.kubernetes.io"),
        ("registry.internal:5000", "registry.internal:5000"),
        ("*.internal:5000", "registry.internal:5000"),
        ("Registry.Internal", "registry.internal"),
        ("[::1]:5000", "[::1]:5000"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
    ],
)
def test_means(pattern: str, host: str) -> None:
    assert matches_host(pattern, host)


@pytest.mark.parametrize(
    ("pattern", "host"),
    [
        ("*.kubernetes.io", "kubernetes.io"),
        ("*.kubernetes.io", "prefix.prefix.kubernetes.io"),
        ("*.io", "prefix.kubernetes.io"),
        ("*kubernetes.io", "a.kubernetes.io"),
        ("kubernetes.io", "evilkubernetes.io"),
        ("registry.internal", "registry.internal:5000"),
        ("registry.internal:5000", "registry.internal"),
        ("registry.internal:5000", "registry.internal:5001"),
        ("registry.internal:*", "registry.internal:5000"),
        ("[::1]:5000", "[::2]:5000"),
    ],
)
def test_does_not_mean(pattern: str, host: str) -> None:
    assert not matches_host(pattern, host)


@pytest.mark.parametrize("name", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_docker_hub_answers_at_another_name(name: str) -> None:
    assert endpoint_of(name) == "registry-1.docker.io"


def test_others_answer_at_their_own() -> None:
    assert endpoint_of("registry.internal:5000") == "registry.internal:5000"
