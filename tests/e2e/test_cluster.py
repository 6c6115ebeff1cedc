"""The harness itself: what the other end-to-end tests take for granted."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import workloads
from tests.support.cluster import REPOSITORY, Cluster, ToolMissingError
from tests.support.demo import FOLDER
from tests.support.processes import Process, is_running, wait_until


def test_a_pod_passes_the_real_service_account_admission(cluster: Cluster, namespace: str) -> None:
    pod = cluster.client().create(workloads.pod("server", namespace=namespace)).body

    assert pod["spec"]["serviceAccountName"] == "default"
    assert [volume["name"] for volume in pod["spec"]["volumes"]][-1].startswith("kube-api-access-")


def test_a_client_is_who_its_certificate_says(cluster: Cluster, namespace: str) -> None:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

    user = (
        cluster.client("jane@example.com", ("data-science",)).request("POST", path, review).body["status"]["userInfo"]
    )

    assert user["username"] == "jane@example.com"
    assert user["groups"] == ["data-science", "system:authenticated"]


def test_rbac_binds_those_who_are_not_admin(cluster: Cluster, namespace: str) -> None:
    done = cluster.kubectl("-n", namespace, "get", "pods", user="jane@example.com", groups=("data-science",))

    assert done.returncode == 1
    assert 'User "jane@example.com" cannot list resource "pods"' in done.stderr


def test_kubectl_applies_and_says_so(cluster: Cluster, namespace: str) -> None:
    manifest = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings, namespace: {namespace}}}\n"

    done = cluster.kubectl("apply", "-f", "-", input=manifest)

    assert (done.returncode, done.stdout, done.stderr) == (0, "configmap/settings created\n", "")


def test_a_missing_binary_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError) as missing:
        Cluster(tmp_path, tools=tmp_path)

    assert str(missing.value) == f"{tmp_path / 'etcd'} is missing: run `python tools/provision.py` to build it"


def test_stopping_leaves_no_process_and_starting_no_file_outside_the_folder(tmp_path: Path) -> None:
    with Cluster(tmp_path / "cluster") as cluster:
        cluster.kubectl("get", "namespaces")
        pids = cluster.pids

    assert [pid for pid in pids if is_running(pid)] == []
    assert list(tmp_path.iterdir()) == [tmp_path / "cluster"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_cluster_ends_with_its_owner_however_that_ends(tmp_path: Path, number: signal.Signals) -> None:
    """The thread that started it has ended long since, which `PR_SET_PDEATHSIG` alone would not survive."""
    program = (
        "import pathlib, sys, threading, time\n"
        "from tests.support.cluster import Cluster\n"
        "cluster = Cluster(pathlib.Path(sys.argv[1]))\n"
        "thread = threading.Thread(target=cluster.start)\n"
        "thread.start()\n"
        "thread.join()\n"
        "print(*cluster.pids, flush=True)\n"
        "time.sleep(60)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "cluster")],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 2
        owner.send_signal(number)
    wait_until(
        lambda: not any(is_running(pid) for pid in pids),
        what="etcd and kube-apiserver end",
    )


def test_make_cluster_says_what_to_try_and_leaves_no_process(tmp_path: Path) -> None:
    process = Process([sys.executable, "-m", "tests.support.cluster"], log=tmp_path / "log", cwd=REPOSITORY)
    try:
        wait_until(
            lambda: "Ctrl-C stops everything." in process.tail() or process.poll() == 2,
            what="it is ready",
            timeout_seconds=240,
        )
        if "already runs" in process.tail():
            pytest.skip("`make cluster` runs in another terminal")
        said = process.tail(30)
        process.send(signal.SIGINT)
        assert process.wait() == 0
    finally:
        process.stop()
    assert " apply -f examples/" in said
    assert "decisions list --state" in said
    assert process.tail().endswith("stopped; no process is left")
    assert _processes_of(FOLDER) == []


def _processes_of(folder: Path) -> list[str]:
    """The command lines that name something in `folder`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(file.read_text(errors="replace").replace("\0", " "))
    return [command for command in found if f"{folder}/" in command]


def test_a_process_that_ignores_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    script = f"trap '' TERM; sleep 60 & echo $! > {child}; echo ready; wait; sleep 60"
    process = Process(["sh", "-c", script], log=tmp_path / "log")
    wait_until(lambda: process.tail() == "ready", what="the script is ready", process=process)

    assert process.stop(grace_seconds=0.1) is None

    assert not is_running(process.pid)
    wait_until(lambda: not is_running(int(child.read_text())), what="its child ends")


def test_the_exit_status_of_a_process_is_its_own(tmp_path: Path) -> None:
    process = Process(["sh", "-c", "exit 3"], log=tmp_path / "log")

    assert process.wait() == 3
    assert process.stop() == 3


def test_a_command_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"no-such-command could not be started: .*No such file"):
        Process(["no-such-command"], log=tmp_path / "log")
