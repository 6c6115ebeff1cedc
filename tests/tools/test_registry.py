"""tools/registry from the outside: who may do what, and that it never outlives who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.oci_registry import PASSWORD, PROGRAM, USER, serve
from tests.support.processes import is_running, wait_until

ROOT = Path(__file__).resolve().parents[2]
LOGIN = (USER, PASSWORD)


def test_version_is_that_of_the_library() -> None:
    pinned = tomllib.loads((ROOT / "tools" / "versions.toml").read_text())["tools"]["registry"]["version"]
    done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == f"registry {pinned}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["extra"], 'unknown argument "extra"'),
        (["-htpasswd=ada"], "-htpasswd is user:password"),
        (["-token=5s"], "-token needs -htpasswd"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (1, f"registry: {message}\n")


def test_ends_with_who_started_it() -> None:
    script = f"""
import subprocess, sys, time
child = subprocess.Popen([{str(PROGRAM)!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        registry = int(parent.stdout.readline())
        assert is_running(registry)
        os.kill(parent.pid, signal.SIGKILL)
        wait_until(lambda: not is_running(registry), what="the registry ends with its parent")


@pytest.mark.slow
def test_token_is_for_its_scope_and_its_time() -> None:
    with serve(login=LOGIN, token_seconds=1) as running:
        repository = running.repository("team/app")
        repository.image("v1")
        scope = {"scope": "repository:team/app:pull"}
        assert running.client.get("/token", params=scope).status_code == 401

        def token() -> dict[str, str]:
            given = running.client.get("/token", params=scope, auth=LOGIN).json()
            assert given["expires_in"] == 1
            return {"Authorization": f"Bearer {given['token']}"}

        def status(name: str, headers: dict[str, str]) -> int:
            return running.client.get(f"/v2/{name}/manifests/v1", headers=headers).status_code

        other = running.client.get("/v2/team/other/manifests/v1", headers=token())
        assert other.status_code == 401
        assert 'scope="repository:team/other:pull"' in other.headers["WWW-Authenticate"]
        held = token()
        wait_until(lambda: status("team/app", held) == 401, what="the token expires")
        wait_until(lambda: status("team/app", token()) == 200, what="a new one is good")


def test_referrers_can_be_left_out() -> None:
    path = f"/v2/team/app/referrers/sha256:{'0' * 64}"
    for referrers, status in ((True, 200), (False, 404)):
        with serve(referrers=referrers) as running:
            running.repository("team/app").image()
            assert running.client.get(path).status_code == status


def test_delay_is_at_least_so_long() -> None:
    with serve(delay_milliseconds=50) as running:
        assert running.client.get("/v2/").elapsed.total_seconds() >= 0.05
