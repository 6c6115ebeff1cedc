"""push, pull and --update: artifacts that the real conftest reads, and its own."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest_compat.compare import CONFTEST, Case, Outcome, conftest, pratique, tree, write
from tests.support.registry import PASSWORD, USER, Registry

pytestmark = pytest.mark.slow

FILES = {
    "policy/main.rego": 'package main\n\nimport rego.v1\n\ndeny contains "x"\n',
    "policy/sub/lib.rego": "package lib\n\nt := 1\n",
    "policy/sub/data.yaml": "a: 1\n",
    "pod.yaml": "kind: Pod\n",
}


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "here"
    place.mkdir()
    write(place, FILES)
    return place


def ours(folder: Path, arguments: str, environment: Mapping[str, str] = {}) -> Outcome:
    return pratique(folder, Case("", arguments, {}, environment=environment))


def theirs(folder: Path, arguments: str) -> Outcome:
    return conftest(folder, Case("", arguments, {}))


def test_what_we_push_is_what_conftest_pushes(registry: Registry, folder: Path) -> None:
    assert ours(folder, f"push {registry.host}/p:ours").code == 0
    assert theirs(folder, f"push {registry.host}/p:theirs").code == 0
    assert registry.layers("ours") == registry.layers("theirs")
    pushed, expected = json.loads(registry.manifests["ours"]), json.loads(registry.manifests["theirs"])
    for manifest in (pushed, expected):
        manifest["layers"].sort(key=lambda layer: layer["digest"])
    assert pushed == expected


def test_push_says_where_and_which_digest(registry: Registry, folder: Path) -> None:
    done = ours(folder, f"push {registry.host}/a/p")
    first, second = done.stdout.splitlines()
    assert first.endswith(f" pushing bundle to: {registry.host}/a/p:latest")
    digest = second.rpartition(" ")[2]
    assert registry.manifests[digest] == registry.manifests["latest"]


def test_conftest_pulls_what_we_pushed(registry: Registry, folder: Path, tmp_path: Path) -> None:
    ours(folder, f"push {registry.host}/p:v1")
    (tmp_path / "there").mkdir()
    assert theirs(tmp_path / "there", f"pull -p got oci://{registry.host}/p:v1").code == 0
    assert tree(tmp_path / "there" / "got" / "policy") == tree(folder / "policy")


@pytest.mark.parametrize("address", ["oci://{}/p:v1", "{}/p:v1"])
def test_we_pull_what_conftest_pushed(registry: Registry, folder: Path, tmp_path: Path, address: str) -> None:
    assert theirs(folder, f"push {registry.host}/p:v1").code == 0
    (tmp_path / "there").mkdir()
    assert ours(tmp_path / "there", f"pull -p got {address.format(registry.host)}") == Outcome(0, "", "")
    assert tree(tmp_path / "there" / "got" / "policy") == tree(folder / "policy")


def test_a_file_with_other_content_is_not_overwritten(registry: Registry, folder: Path) -> None:
    ours(folder, f"push {registry.host}/p:v1")
    assert ours(folder, f"pull -p . {registry.host}/p:v1").code == 0, "the same content is no conflict"
    (folder / "policy" / "main.rego").write_text("package mine\n")
    done = ours(folder, f"pull -p . {registry.host}/p:v1")
    expected = "Error: download policies: policy file already exists at policy/main.rego, refusing to overwrite\n"
    assert done == Outcome(1, "", expected)
    assert (folder / "policy" / "main.rego").read_text() == "package mine\n"


def test_update_fetches_before_the_policies_are_loaded(registry: Registry, folder: Path, tmp_path: Path) -> None:
    ours(folder, f"push {registry.host}/p:v1")
    there = tmp_path / "there"
    write(there, {"pod.yaml": "kind: Pod\n", "got/policy/main.rego": "package old\n"})
    done = ours(there, f"test --no-color -p got -u {registry.host}/p:v1 pod.yaml")
    assert (done.code, done.stdout.splitlines()[0]) == (1, "FAIL - pod.yaml - main - x")


@pytest.mark.parametrize("kind", ["basic", "bearer"])
@pytest.mark.parametrize("store", ["auths", "helper", "store"])
def test_credentials_are_those_of_docker(registry: Registry, folder: Path, kind: str, store: str) -> None:
    registry.auth = kind
    docker = folder / "docker"
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    settings = {
        "auths": {"auths": {registry.host: {"auth": secret}}},
        "helper": {"credHelpers": {registry.host: "mine"}},
        "store": {"credsStore": "mine"},
    }[store]
    answer = json.dumps({"Username": USER, "Secret": PASSWORD})
    script = f"#!/bin/sh\nread host\ntest \"$1 $host\" = 'get {registry.host}' && echo '{answer}'\n"
    write(docker, {"config.json": json.dumps(settings), "docker-credential-mine": script})
    (docker / "docker-credential-mine").chmod(0o755)
    environment = {"DOCKER_CONFIG": str(docker), "PATH": f"{docker}:/usr/bin:/bin"}
    pushed = ours(folder, f"push {registry.host}/p:v1", environment)
    assert pushed.code == 0, pushed.stderr
    pulled = ours(folder, f"pull -p got {registry.host}/p:v1", environment)
    assert pulled == Outcome(0, "", "")


def test_without_credentials_the_refusal_is_said(registry: Registry, folder: Path) -> None:
    registry.auth = "basic"
    done = ours(folder, f"pull -p got {registry.host}/p:v1")
    assert done == Outcome(1, "", f"Error: download policies: fetching the manifest: {registry.host} answers 401\n")


def test_a_helper_that_is_not_there_is_named(registry: Registry, folder: Path) -> None:
    registry.auth = "basic"
    write(folder, {"docker/config.json": '{"credsStore": "nope"}'})
    done = ours(folder, f"pull -p got {registry.host}/p:v1", {"DOCKER_CONFIG": str(folder / "docker")})
    assert (done.code, "docker-credential-nope" in done.stderr) == (1, True)


def test_a_layer_whose_digest_lies_is_refused_and_nothing_is_written(registry: Registry, folder: Path) -> None:
    ours(folder, f"push {registry.host}/p:v1")
    registry.lies = {registry.put(b"a: 1\n")}
    done = ours(folder, f"pull -p got {registry.host}/p:v1")
    assert (done.code, "it was changed on the way" in done.stderr) == (1, True)
    assert not (folder / "got").exists()


@pytest.mark.parametrize("title", ["../outside.rego", "/tmp/outside.rego", "a/../../outside.rego", ".", "policy/.."])
def test_a_layer_that_leads_out_of_the_folder_is_refused(registry: Registry, folder: Path, title: str) -> None:
    content = b"package x\n"
    layer = {
        "mediaType": "application/vnd.cncf.openpolicyagent.policy.layer.v1+rego",
        "digest": registry.put(content),
        "size": len(content),
        "annotations": {"org.opencontainers.image.title": title},
    }
    registry.manifests["v1"] = json.dumps({"schemaVersion": 2, "layers": [layer]}).encode()
    done = ours(folder, f"pull -p got {registry.host}/p:v1")
    assert (done.code, "would be written outside of got" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize("status", [403, 500])
def test_a_registry_that_refuses(registry: Registry, folder: Path, status: int) -> None:
    registry.status = status
    for arguments in (f"push {registry.host}/p:v1", f"pull -p got {registry.host}/p:v1"):
        done = ours(folder, arguments)
        assert (done.code, f"answers {status}" in done.stderr) == (1, True), done.stderr


def test_a_registry_out_of_reach(folder: Path) -> None:
    for arguments in ("push 127.0.0.1:1/p:v1", "pull -p got 127.0.0.1:1/p:v1"):
        done = ours(folder, arguments)
        assert (done.code, "Connection refused" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize("manifest", [b"", b"[]", b'{"layers": {}}', b'{"layers": [1]}'])
def test_a_manifest_that_is_none(registry: Registry, folder: Path, manifest: bytes) -> None:
    registry.manifests["v1"] = manifest
    done = ours(folder, f"pull -p got {registry.host}/p:v1")
    assert (done.code, "manifest" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize(
    "arguments",
    ["push", "pull", "push nowhere", "push 127.0.0.1:1/UPPER", "pull git::https://127.0.0.1:1/x", "pull example.com/x"],
)
def test_what_cannot_be_an_address(folder: Path, arguments: str) -> None:
    assert ours(folder, arguments).code == 1
    assert CONFTEST.exists()


def test_policies_that_do_not_compile_are_not_pushed(registry: Registry, folder: Path) -> None:
    write(folder, {"policy/bad.rego": "package bad\nx := nope(1)\n"})
    done = ours(folder, f"push {registry.host}/p:v1")
    assert (done.code, "undefined function nope" in done.stderr) == (1, True)
    assert registry.manifests == {}
