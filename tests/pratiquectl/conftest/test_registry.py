"""Artifacts of policies in a real registry; what users of conftest see of it is in tests/conftest_compat."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from attestations.manifest import digest_of
from pratiquectl.conftest import registry
from pratiquectl.conftest.errors import ConftestError
from pratiquectl.conftest.registry import TITLE, Registry, parse_reference
from tests.support.oci_registry import PASSWORD, USER, Running, serve

FILES = {"policy/a.rego": b"package a\n", "policy/b.rego": b"package b\n"}


@pytest.fixture
def running() -> Iterator[Running]:
    with serve() as running:
        yield running


def artifact(host: str, reference: str = "v1", environ: Mapping[str, str] = {}) -> Registry:
    return Registry(parse_reference(f"{host}/team/policies:{reference}"), tls=None, environ=environ)


def push(to: Registry) -> None:
    layers = [
        {"mediaType": "a/b", "digest": digest_of(content), "size": len(content), "annotations": {TITLE: title}}
        for title, content in FILES.items()
    ]
    config = {"mediaType": "a/b", "digest": digest_of(b"{}"), "size": 2}
    manifest = json.dumps({"schemaVersion": 2, "config": config, "layers": [*layers, config]}).encode()
    to.push([*FILES.values(), b"{}"], manifest, [digest_of(manifest), "v1"])


def test_what_is_pushed_with_a_token_is_pulled(tmp_path: Path) -> None:
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    with serve(login=(USER, PASSWORD), token_seconds=300) as locked:
        (tmp_path / "config.json").write_text(json.dumps({"auths": {locked.host: {"auth": login}}}))
        there = artifact(locked.host, environ={"DOCKER_CONFIG": str(tmp_path)})
        push(there)
        assert there.pull() == list(FILES.items())
        with pytest.raises(ConftestError, match=f"^fetching the manifest: {locked.host} answers 401: .*UNAUTHORIZED"):
            artifact(locked.host).pull()


def test_what_is_not_there(running: Running) -> None:
    with pytest.raises(ConftestError, match=f"^{running.host}/team/policies:v2: not found$"):
        artifact(running.host, "v2").pull()


def test_index_is_no_artifact(running: Running) -> None:
    running.repository("team/policies").index([], tag="v1")
    with pytest.raises(ConftestError, match=f"^{running.host}/team/policies:v1 is an index of several artifacts: name"):
        artifact(running.host).pull()


def test_artifact_is_limited_as_a_whole(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    push(artifact(running.host))
    monkeypatch.setattr(registry, "MAX_BYTES", sum(map(len, FILES.values())) - 1)
    with pytest.raises(ConftestError, match=f"^{running.host}/team/policies:v1 comes to more than 19 bytes$"):
        artifact(running.host).pull()


def test_registry_with_tls_that_has_none(running: Running) -> None:
    secure = Registry(parse_reference(f"{running.host}/team/policies:v1"), tls=True, environ={})
    with pytest.raises(ConftestError, match=r"^fetching the manifest: there is no TLS with 127\.0\.0\.1"):
        secure.pull()
