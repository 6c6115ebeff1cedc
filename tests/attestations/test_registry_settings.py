"""What an operator says of hosts, and what of it makes no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attestations.registry_settings import HostSettings, RegistrySettings
from pratique.errors import ConfigError
from tests.support.pki import Authority


def test_first_pattern_that_means_a_host_counts() -> None:
    exact = HostSettings("registry.internal", plain_http=True)
    glob = HostSettings("*.internal", mirrors=("mirror.internal",))
    settings = RegistrySettings((exact, glob))
    assert settings.of("registry.internal") is exact
    assert settings.of("other.internal") is glob


@pytest.mark.parametrize("host", ["docker.io", "registry-1.docker.io"])
def test_docker_hub_has_several_names(host: str) -> None:
    hub = HostSettings("docker.io", mirrors=("mirror.internal/hub",))
    assert RegistrySettings((hub,)).of(host) is hub


def test_a_host_without_settings_has_https_and_no_mirrors() -> None:
    assert RegistrySettings().of("quay.io") == HostSettings("quay.io")
    assert not HostSettings("quay.io").plain_http


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"only_mirrors": True}, "only_mirrors is set and there are no mirrors: name one"),
        ({"ca_file": Path("ca.pem"), "plain_http": True}, "plain_http is set and certificates are given"),
        ({"mirrors": ("https://mirror.internal",)}, r"is not host\[:port\]\[/path\]"),
        ({"mirrors": ("mirror.internal/Upper",)}, r"is not host\[:port\]\[/path\]"),
        ({"mirrors": ("mirror",)}, r"is not host\[:port\]\[/path\]"),
        ({"mirrors": ("",)}, r"is not host\[:port\]\[/path\]"),
    ],
)
def test_contradictions_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        HostSettings("registry.internal", **fields)


def test_given_certificates_are_trusted_instead_of_the_systems(tmp_path: Path) -> None:
    authority = Authority(tmp_path).certificate
    assert HostSettings("a", ca_file=authority).trust().cert_store_stats()["x509_ca"] == 1


def test_certificates_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    for file in (tmp_path / "nowhere.pem", empty):
        with pytest.raises(ConfigError, match="its certificates cannot be read"):
            HostSettings("registry.internal", ca_file=file).trust()
