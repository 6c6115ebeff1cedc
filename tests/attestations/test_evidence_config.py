"""The evidence configuration: what docs/evidence.md shows can be read, and everything wrong is named at its place."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from attestations import in_force
from attestations.evidence_config import NOBODY, read_evidence_config
from attestations.in_force import UNUSABLE, EvidenceInForce
from pratique.errors import ConfigError
from pratique.facts import Unavailable
from tests.support.signatures import Key

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "evidence.md"
HEAD = {"apiVersion": "pratique.dev/v1alpha1", "kind": "EvidenceConfig"}


def written(folder: Path, spec: Any, **more: Any) -> Path:
    file = folder / "evidence.yaml"
    file.write_text(yaml.safe_dump({**HEAD, "spec": spec, **more}))
    return file


def test_what_the_documentation_shows(tmp_path: Path) -> None:
    shown = re.search(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert shown is not None
    file = tmp_path / "evidence.yaml"
    file.write_text(shown[1])
    for name in ("release-2026.pub", "release-2025.pub"):
        (tmp_path / name).write_text(Key().pem)
    found = read_evidence_config(file)
    assert [signer.name for signer in found.trust.signers] == ["platform", "ci"]
    assert [key.revoked for key in found.trust.signers[0].keys] == [False, True]
    assert [builder.name for builder in found.builders] == ["github"]
    assert found.registries.of("registry.internal").mirrors == ("mirror.internal/hub",)
    assert found.registries.of("localhost:5001").plain_http
    assert found.docker_config == tmp_path / "config.json"
    assert set(found.files) >= {tmp_path / name for name in ("release-2026.pub", "ca.pem", "pull-secret.yaml")}


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"signer": []}, "/spec: .*signer"),
        ({"signers": [{"name": "a", "keys": [{"name": "k", "pem": "x"}]}]}, "/spec/signers/0/keys/0/pem: "),
        ({"signers": [{"name": "a", "keys": [{"name": "k", "file": "no.pub"}]}]}, "no.pub cannot be read"),
        ({"signers": [{"name": "a"}]}, "/spec/signers/0: .*threshold"),
        (
            {"builders": [{"name": "b", "ids": ["*"], "signers": ["x"]}]},
            "/spec/builders/0/signers: there is no signer x",
        ),
        ({"registries": [{"host": "r", "plainHTTP": True, "caFile": "a"}]}, "plain_http is set and certificates"),
        ({"registries": [{"host": "r", "tls": False}]}, "/spec/registries/0: .*tls"),
        ({"registries": [{"host": "https://r"}]}, "/spec/registries/0: 'https://r' means no host: write name"),
        ({"allowedRegistries": ["r", "r/team"]}, "/spec/allowedRegistries/1: 'r/team' means no host"),
        ({"allowedRegistries": ["r "]}, "/spec/allowedRegistries/0: 'r ' means no host"),
        ([], "/spec: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, spec: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_evidence_config(written(tmp_path, spec))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "there are 0 documents"),
        (b"a: 1\n---\nb: 2\n", "there are 2 documents"),
        (b"a: [", "line"),
        (b"\xff", "not UTF-8"),
        (b"kind: EvidenceConfig\n", "apiVersion"),
        (b"# " + b"x" * 5_000_000, "more than"),
    ],
)
def test_what_is_no_configuration(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "evidence.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=problem):
        read_evidence_config(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_evidence_config(tmp_path / "missing.yaml")


def test_the_digest_stands_for_who_is_trusted_and_for_nothing_else(tmp_path: Path) -> None:
    signers = [{"name": "a", "keys": [{"name": "k", "pem": Key().pem}]}]
    builders = [{"name": "b", "ids": ["https://ci/*"], "signers": ["a"]}]
    plain = read_evidence_config(written(tmp_path, {"signers": signers})).digest
    assert read_evidence_config(written(tmp_path, {"signers": signers, "registries": [{"host": "r"}]})).digest == plain
    with_builder = read_evidence_config(written(tmp_path, {"signers": signers, "builders": builders})).digest
    assert len({plain, with_builder, NOBODY.digest}) == 3


def test_a_server_starts_with_a_broken_one_and_says_so_of_every_image(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = written(tmp_path, {"signer": []})
    pinned, tagged = "r.example/app@sha256:" + "a" * 64, "r.example/app:1"

    async def test() -> None:
        with pytest.raises(ConfigError, match="signer"):
            EvidenceInForce(file, environ={})
        evidence = EvidenceInForce(file, environ={}, state=tmp_path, start_anyway=True)
        assert "signer" in evidence.problem
        for reference in (pinned, tagged):
            found = await evidence.sources["signatures"].gather([reference], deadline=time.monotonic() + 10)
            assert found == {reference: Unavailable(UNUSABLE)}
        written(tmp_path, {"signers": [{"name": "a", "keys": [{"name": "k", "pem": Key().pem}]}]})
        await evidence.poll()
        assert (evidence.problem, evidence.reloads) == ("", 1)
        await evidence.aclose()

    asyncio.run(test())
    assert "the evidence configuration is not in force" in caplog.text


@pytest.mark.parametrize(("wait", "is_tried_again"), [(0.0, True), (3600.0, False)])
def test_a_file_that_was_missing_is_looked_for_again_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait: float, is_tried_again: bool
) -> None:
    monkeypatch.setattr(in_force, "RETRY_SECONDS", wait)
    file = written(tmp_path, {"signers": []})

    async def test() -> None:
        evidence = EvidenceInForce(file, environ={})
        written(tmp_path, {"signers": [{"name": "a", "keys": [{"name": "k", "file": "late.pub"}]}]})
        await evidence.poll()
        assert "late.pub cannot be read" in evidence.problem
        (tmp_path / "late.pub").write_text(Key().pem)
        await evidence.poll()
        assert (evidence.problem == "") == is_tried_again
        await evidence.aclose()

    asyncio.run(test())
