"""Which login is for which image: the kubelet's rules, Docker's files and helpers, and that no secret is ever shown."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from attestations.credentials import (
    MAX_CONFIGURATION_BYTES,
    MAX_HELPER_BYTES,
    Anonymous,
    Candidates,
    Credential,
    CredentialSource,
    DockerConfiguration,
    Keyring,
    Several,
    pull_secret,
)
from pratique.errors import ConfigError
from tests.support.processes import is_running, wait_until

SECRET = "hunter2-very-secret"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def login(user: str) -> dict[str, str]:
    return {"auth": b64(f"{user}:{SECRET}")}


def found(source: CredentialSource, image: str, *, seconds: float = 20.0) -> Candidates:
    registry, _, repository = image.partition("/")
    return asyncio.run(source.candidates(registry, repository, seconds=seconds))


def users(source: CredentialSource, image: str) -> list[str]:
    return [credential.user for credential in found(source, image).credentials]


def keyring(*patterns: str) -> Keyring:
    return Keyring((pattern, Credential(pattern, SECRET)) for pattern in patterns)


# The kubelet's matching.


@pytest.mark.parametrize(
    ("patterns", "image", "expected"),
    [
        (["quay.io", "quay.io/coreos"], "quay.io/coreos/etcd", ["quay.io/coreos", "quay.io"]),
        (["quay.io", "quay.io/coreos"], "quay.io/other", ["quay.io"]),
        (["*.internal", "registry.internal"], "registry.internal/app", ["registry.internal", "*.internal"]),
        (["https://registry.internal/v2/"], "registry.internal/app", ["https://registry.internal/v2/"]),
        (["http://registry.internal/team"], "registry.internal/team/app", ["http://registry.internal/team"]),
        (["registry.internal/v1/team"], "registry.internal/team/app", ["registry.internal/v1/team"]),
        (["registry.internal:5000"], "registry.internal/app", []),
        (["registry.internal/team"], "registry.internal/app", []),
        (["*.internal"], "a.b.internal/app", []),
        (["https://index.docker.io/v1/"], "docker.io/library/nginx", ["https://index.docker.io/v1/"]),
        (["index.docker.io"], "docker.io/library/nginx", ["index.docker.io"]),
        (["docker.io", "index.docker.io"], "docker.io/library/nginx", ["docker.io"]),
        (["index.docker.io"], "quay.io/library/nginx", []),
    ],
)
def test_kubelet_order(patterns: list[str], image: str, expected: list[str]) -> None:
    assert users(keyring(*patterns), image) == expected


def test_one_pattern_may_have_several_logins() -> None:
    ring = Keyring([("quay.io", Credential("old", SECRET)), ("https://quay.io/v1/", Credential("new", SECRET))])
    assert users(ring, "quay.io/app") == ["old", "new"]


def test_sources_are_asked_in_turn_and_each_login_comes_once() -> None:
    same = Keyring([("quay.io", Credential("quay.io", SECRET, origin="elsewhere"))])
    assert users(Several(keyring("*.io", "quay.io"), Anonymous(), same), "quay.io/app") == ["quay.io", "*.io"]


# Pull secrets.


def secret(kind: str, content: Any, *, field: str = "") -> dict[str, Any]:
    text = content if isinstance(content, str) else json.dumps(content)
    name = field or ("." + kind.removeprefix("kubernetes.io/"))
    return {"metadata": {"namespace": "team-a", "name": "regcred"}, "type": kind, "data": {name: b64(text)}}


def test_pull_secret_of_either_type() -> None:
    auths = {"registry.internal": login("ada")}
    newer = pull_secret(secret("kubernetes.io/dockerconfigjson", {"auths": auths}))
    older = pull_secret(secret("kubernetes.io/dockercfg", auths))
    expected = Credential("ada", SECRET, origin="the pull secret team-a/regcred")
    for ring in (newer, older):
        assert found(ring, "registry.internal/app") == Candidates((expected,))


@pytest.mark.parametrize(
    ("given_secret", "message"),
    [
        ({"type": "Opaque"}, "'Opaque' is not a type of pull secrets"),
        ({}, "None is not a type of pull secrets"),
        ({"type": "kubernetes.io/dockercfg", "data": {".dockercfg": "%%"}}, "it is not base64"),
        ({"type": "kubernetes.io/dockercfg", "data": {".dockercfg": 1}}, "it is not base64"),
        ({"type": "kubernetes.io/dockercfg"}, "it is not JSON"),
        (secret("kubernetes.io/dockercfg", "[]"), "it is not a JSON object"),
        (secret("kubernetes.io/dockercfg", "[" * 100_000), "it is not JSON"),
        (secret("kubernetes.io/dockercfg", " " * (MAX_CONFIGURATION_BYTES + 1)), "more than 1048576 bytes"),
        (secret("kubernetes.io/dockerconfigjson", {"auths": []}), "auths: it is not an object"),
        (secret("kubernetes.io/dockercfg", {"a.b": 1}), r"auths\['a.b'\]: it is not an object"),
        (secret("kubernetes.io/dockercfg", {"a.b": {"auth": 1}}), "a login is not text"),
        (secret("kubernetes.io/dockercfg", '{"a.b": {"password": "\\ud800"}}'), "a login is not text"),
        (secret("kubernetes.io/dockercfg", {"a.b": {"auth": "%"}}), "auth is not base64"),
        (secret("kubernetes.io/dockercfg", {"a.b": {"auth": b64("ada")}}), "not base64 of user:password"),
    ],
)
def test_what_is_no_pull_secret_is_refused(given_secret: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        pull_secret(given_secret)


@pytest.mark.parametrize(
    ("entry", "user", "password"),
    [
        ({"auth": b64("ada:s3:cret")}, "ada", "s3:cret"),
        ({"auth": b64("ada:s3cre").rstrip("=")}, "ada", "s3cre"),
        ({"auth": b64("ada:s3cret\0\0")}, "ada", "s3cret"),
        ({"auth": b64("ada:new"), "username": "old", "password": "old"}, "ada", "new"),
        ({"username": "ada", "password": "s3cret"}, "ada", "s3cret"),
    ],
)
def test_login_in_each_form(entry: dict[str, str], user: str, password: str) -> None:
    (credential,) = found(pull_secret(secret("kubernetes.io/dockercfg", {"a.b": entry})), "a.b/c").credentials
    assert (credential.user, credential.secret, credential.is_identity_token) == (user, password, False)


def test_identity_token() -> None:
    entry = {"auth": b64("ada:"), "identitytoken": SECRET}
    (credential,) = found(pull_secret(secret("kubernetes.io/dockercfg", {"a.b": entry})), "a.b/c").credentials
    assert (credential.secret, credential.is_identity_token) == (SECRET, True)


# Docker's configuration and its helpers.


class Docker:
    """A folder with a config.json and helper programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"DOCKER_CONFIG": str(folder), "PATH": f"{folder}:{os.environ['PATH']}"}

    def write(self, document: object) -> DockerConfiguration:
        text = document if isinstance(document, str) else json.dumps(document)
        (self.folder / "config.json").write_text(text)
        return DockerConfiguration.of_environment(self.environ)

    def helper(self, name: str, script: str) -> None:
        program = self.folder / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


ANSWER = f"""read server; echo "{{\\"Username\\": \\"for $server\\", \\"Secret\\": \\"{SECRET}\\"}}\""""


def test_no_file_is_no_login(docker: Docker) -> None:
    assert found(DockerConfiguration.of_environment(docker.environ), "quay.io/a") == Candidates()


def test_file_below_home(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {"quay.io": login("ada")}}))
    assert users(DockerConfiguration.of_environment({"HOME": str(tmp_path)}), "quay.io/a") == ["ada"]


def test_file_in_the_working_directory_is_never_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {"quay.io": login("ada")}}))
    monkeypatch.chdir(tmp_path)
    for environ in ({}, {"HOME": ""}):
        assert users(DockerConfiguration.of_environment(environ), "quay.io/a") == []


def test_file_is_read_anew(docker: Docker) -> None:
    source = docker.write({"auths": {"quay.io": login("ada")}})
    assert users(source, "quay.io/a") == ["ada"]
    docker.write({"auths": {"quay.io": login("bob")}})
    assert users(source, "quay.io/a") == ["bob"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("not json", "it is not JSON"),
        ('{"auths": {"quay.io": {"auth": "%"}}}', "auth is not base64"),
        ("[]", "it is not a JSON object"),
    ],
)
def test_file_that_cannot_be_read_is_a_problem(docker: Docker, content: str, problem: str) -> None:
    candidates = found(docker.write(content), "quay.io/a")
    assert candidates.credentials == ()
    assert problem in candidates.problems[0]


def test_folder_in_place_of_the_file_is_a_problem(docker: Docker) -> None:
    (docker.folder / "config.json").mkdir()
    (problem,) = found(DockerConfiguration.of_environment(docker.environ), "quay.io/a").problems
    assert problem == f"{docker.folder / 'config.json'} cannot be read: Is a directory"


def test_helper_of_the_host_comes_before_the_store_and_the_file(docker: Docker) -> None:
    docker.helper("one", ANSWER)
    docker.helper("store", "exit 1")
    source = docker.write(
        {"credHelpers": {"quay.io": "one"}, "credsStore": "store", "auths": {"quay.io": login("ada"), "other.io": {}}}
    )
    assert users(source, "quay.io/a") == ["for quay.io", "ada"]


def test_store_is_asked_for_docker_hub_under_dockers_name(docker: Docker) -> None:
    docker.helper("store", ANSWER)
    assert users(docker.write({"credsStore": "store"}), "docker.io/library/nginx") == [
        "for https://index.docker.io/v1/"
    ]


def test_helper_gives_an_identity_token(docker: Docker) -> None:
    docker.helper("store", f"""echo '{{"Username": "<token>", "Secret": "{SECRET}"}}'""")
    (credential,) = found(docker.write({"credsStore": "store"}), "quay.io/a").credentials
    assert credential.is_identity_token


def test_helper_that_knows_no_login_is_no_problem(docker: Docker) -> None:
    docker.helper("store", "echo credentials not found in native keychain; exit 1")
    assert found(docker.write({"credsStore": "store"}), "quay.io/a") == Candidates()


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (f"echo {SECRET}; exit 3", "docker-credential-store failed with status 3 for quay.io: run it by hand"),
        (f"echo {SECRET}", "docker-credential-store gives no login for quay.io"),
        (f"""echo '{{"Username": 1, "Secret": "{SECRET}"}}'""", "docker-credential-store gives no login for quay.io"),
        (f"""echo '["{SECRET}"]'""", "docker-credential-store gives no login for quay.io"),
        (
            f"head -c {MAX_HELPER_BYTES + 1} /dev/zero",
            f"docker-credential-store answers more than {MAX_HELPER_BYTES} bytes for quay.io",
        ),
    ],
)
def test_helper_that_fails_is_a_problem_and_the_file_still_counts(docker: Docker, script: str, problem: str) -> None:
    docker.helper("store", script)
    source = docker.write({"credsStore": "store", "auths": {"quay.io": login("ada")}})
    candidates = found(source, "quay.io/a")
    assert [credential.user for credential in candidates.credentials] == ["ada"]
    assert candidates.problems == (problem,)


@pytest.mark.slow
@pytest.mark.parametrize("then", ["wait", "exit"])
def test_helper_that_hangs_is_killed_with_its_children(docker: Docker, then: str) -> None:
    pid = docker.folder / "pid"
    docker.helper("store", f"sleep 600 & echo $! > {pid}; {then}")
    candidates = found(docker.write({"credsStore": "store"}), "quay.io/a", seconds=3.0)
    assert candidates.problems == ("docker-credential-store took longer than 3.0 s for quay.io",)
    child = int(pid.read_text())
    wait_until(lambda: not is_running(child), what="the helper's child is gone")


@pytest.mark.slow
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_helper_that_does_not_read_is_no_problem(docker: Docker, run: Callable[[Any], Candidates]) -> None:
    docker.helper("store", f"""echo '{{"Username": "ada", "Secret": "{SECRET}"}}'""")
    source = docker.write({"credsStore": "store"})
    for _ in range(20):
        candidates = run(source.candidates("quay.io", "a", seconds=20.0))
        assert [credential.user for credential in candidates.credentials] == ["ada"]


@pytest.mark.parametrize("name", ["../../bin/sh", "a b", "", "-x"])
def test_helper_cannot_be_another_program(docker: Docker, name: str) -> None:
    candidates = found(docker.write({"credHelpers": {"quay.io": name}}), "quay.io/a")
    assert candidates.credentials == ()
    assert name == "" or "is no name of a credential helper" in candidates.problems[0]


def test_helper_that_is_not_there_is_a_problem(docker: Docker) -> None:
    candidates = found(docker.write({"credsStore": "nowhere"}), "quay.io/a")
    assert candidates.problems == (
        "there is no docker-credential-nowhere on the PATH, which Docker's configuration names",
    )


def test_helper_that_cannot_be_run_is_a_problem(docker: Docker) -> None:
    docker.helper("store", "")
    (docker.folder / "docker-credential-store").write_text("#!/nowhere/interpreter\n")
    (problem,) = found(docker.write({"credsStore": "store"}), "quay.io/a").problems
    assert problem == "docker-credential-store cannot be run: No such file or directory"


# Secrets.


def test_no_secret_is_in_a_repr() -> None:
    assert SECRET not in repr(Candidates((Credential("ada", SECRET),)))


@given(st.binary(max_size=200).map(lambda some: some + SECRET.encode()))
def test_no_secret_is_in_an_error(content: bytes) -> None:
    encoded = base64.b64encode(content).decode()
    for kind, field in (("dockerconfigjson", ".dockerconfigjson"), ("dockercfg", ".dockercfg")):
        try:
            pull_secret({"type": f"kubernetes.io/{kind}", "data": {field: encoded}})
        except ConfigError as error:
            seen: BaseException | None = error
            while seen is not None:
                assert SECRET not in str(seen)
                seen = seen.__cause__


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=20), values, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["auths", "quay.io", "a"]), JSON, max_size=3))
def test_nothing_in_a_pull_secret_makes_it_raise_anything_else(document: dict[str, Any]) -> None:
    for kind in ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"):
        try:
            ring = pull_secret(secret(kind, document))
        except ConfigError:
            continue
        ring.lookup("quay.io", "team/app")
