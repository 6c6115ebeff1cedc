"""Capture AdmissionReviews from the real API server: the fixtures of the unit tests, and sets for the benchmark.

    python -m tests.support.capture fixtures                      # remakes tests/fixtures/reviews/
    python -m tests.support.capture bench --out DIR --count 500   # {storm,distinct}-{compliant,violating}.jsonl.gz

A fixture is the exact body of one webhook call. A bench set has one body a line.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tests.support import workloads
from tests.support.cluster import REPOSITORY, Client, Cluster, Response, ToolMissingError, location
from tests.support.recorder import Recorder

FIXTURES = REPOSITORY / "tests" / "fixtures" / "reviews"
_NAMESPACE = "team-a"
_BENCH_FAULTS: tuple[workloads.Fault, ...] = (
    workloads.Fault.TAG,
    workloads.Fault.PRIVILEGED,
    workloads.Fault.NO_LIMITS,
)
_BENCH_THREADS = 8


def capture_fixtures(cluster: Cluster, folder: Path) -> dict[str, bytes]:
    """Submit everything that the fixtures show to `cluster`: file name to the body that its webhook received."""
    with Recorder(cluster, folder) as recorder:
        recorder.namespace(_NAMESPACE)
        _prerequisites(cluster.client())
        recorder.take()
        captured: dict[str, bytes] = {}
        for name, what, act in _scenes(cluster):
            answer = act()
            taken = [recorded for recorded in recorder.take() if recorded.what == what]
            if not taken:
                raise RuntimeError(f"{name}: no review of {what}; the API server said {answer}")
            captured[f"{name}.json"] = taken[-1].body  # a graceful DELETE is asked twice
    return captured


def capture_bench(cluster: Cluster, folder: Path, *, count: int) -> dict[str, list[bytes]]:
    """`count` bodies for each set: pods of one template (*storm*) or all of their own (*distinct*), 0 or 3 violations.

    The violations: an image by tag, a privileged container, a container without limits. The objects are really
    created (their reviews are not dry-run) and are gone with the cluster.
    """
    sets: dict[str, list[bytes]] = {}
    with Recorder(cluster, folder) as recorder, ThreadPoolExecutor(_BENCH_THREADS) as pool:
        recorder.namespace(_NAMESPACE)
        _prerequisites(cluster.client())
        controller = cluster.service_account("replicaset-controller")
        human = cluster.client()
        for verdict, faults in (("compliant", ()), ("violating", _BENCH_FAULTS)):
            template = workloads.deployment(f"storm-{verdict}", namespace=_NAMESPACE, faults=faults)
            recorder.take()

            def one_of_a_template(_: int, template: dict[str, Any] = template) -> Response:
                return controller.create(workloads.replica(template), manager="kube-controller-manager")

            def one_of_its_own(
                number: int, verdict: str = verdict, faults: tuple[workloads.Fault, ...] = faults
            ) -> Response:
                name = f"distinct-{verdict}-{number}"
                return human.apply(
                    workloads.pod(name, namespace=_NAMESPACE, faults=faults, variant=number + 1), manager="kubectl"
                )

            for shape, submit in (("storm", one_of_a_template), ("distinct", one_of_its_own)):
                refused = [answer for answer in pool.map(submit, range(count)) if not answer.ok]
                if refused:
                    raise RuntimeError(f"{shape}: {refused[0].status} {refused[0].message}")
                sets[f"{shape}-{verdict}"] = [
                    recorded.body for recorded in recorder.take() if recorded.what == ("CREATE", "pods", "")
                ]
    return sets


def _prerequisites(client: Client) -> None:
    """The node to which a scene binds a pod: there is no kubelet that would have made it."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "gpu-node-1"}}
    _must(client.create(node))


def _scenes(cluster: Cluster) -> Iterator[tuple[str, tuple[str, str, str], Callable[[], Response]]]:
    """The fixtures in the order in which they are made: name, (operation, resource, subresource), what to do."""
    human = cluster.client("jane@example.com", ("system:masters", "data-science"))
    replica_sets = cluster.service_account("replicaset-controller")
    stateful_sets = cluster.service_account("statefulset-controller")
    jobs = cluster.service_account("job-controller")
    deployments = cluster.service_account("deployment-controller")
    manager = "kube-controller-manager"
    create_pod = ("CREATE", "pods", "")
    server = workloads.deployment("llm-server", namespace=_NAMESPACE, replicas=2)
    server_at = location(server)
    pod = workloads.pod("notebook", namespace=_NAMESPACE)
    pod_at = location(pod)

    # Pods: applied by a person, and made by controllers.
    yield "pod-create", create_pod, lambda: human.apply(pod, manager="kubectl")
    for number in (1, 2, 3):
        storm = workloads.replica(server)
        yield f"pod-of-replicaset-{number}", create_pod, partial(replica_sets.create, storm, manager=manager)
    for index in (0, 1):
        member = workloads.ordinal("vector-db", index, namespace=_NAMESPACE)
        yield f"pod-of-statefulset-{index}", create_pod, partial(stateful_sets.create, member, manager=manager)
    for index in (0, 1):
        worker = workloads.job_pod("fine-tune", index, namespace=_NAMESPACE)
        yield f"pod-of-job-{index}", create_pod, partial(jobs.create, worker, manager=manager)
    for number in (1, 2):
        distinct = workloads.pod(f"distinct-{number}", namespace=_NAMESPACE, variant=number)
        yield f"pod-distinct-{number}", create_pod, partial(human.apply, distinct, manager="kubectl")
    bad = workloads.pod("bad", namespace=_NAMESPACE, faults=_BENCH_FAULTS)
    yield "pod-create-violating", create_pod, lambda: human.apply(bad, manager="kubectl")
    minimal = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "minimal", "namespace": _NAMESPACE},
        "spec": {"containers": [{"name": "shell", "image": "busybox"}]},
    }
    yield "pod-create-minimal", create_pod, lambda: human.create(minimal, manager="kubectl-create")
    dry = workloads.pod("dry", namespace=_NAMESPACE)
    yield "pod-create-dry-run", create_pod, lambda: human.create(dry, dry_run=True, manager="kubectl-create")

    # What happens to a pod later.
    label = {"metadata": {"labels": {"stage": "canary"}}}
    yield "pod-update", ("UPDATE", "pods", ""), lambda: human.merge(pod_at, label)
    debug = {
        "spec": {"ephemeralContainers": [{"name": "debugger", "image": "busybox", "targetContainerName": "server"}]}
    }
    yield (
        "pod-ephemeralcontainers",
        ("UPDATE", "pods", "ephemeralcontainers"),
        lambda: human.request(
            "PATCH",
            f"{pod_at}/ephemeralcontainers",
            debug,
            content_type="application/strategic-merge-patch+json",
            query={"fieldManager": "kubectl-debug"},
        ),
    )
    ready = {"status": {"phase": "Running", "podIP": "10.0.0.7"}}
    yield "pod-status", ("UPDATE", "pods", "status"), lambda: human.merge(f"{pod_at}/status", ready)
    target = {"apiVersion": "v1", "kind": "Node", "name": "gpu-node-1"}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "notebook"}, "target": target}
    yield "pod-binding", ("CREATE", "pods", "binding"), lambda: human.request("POST", f"{pod_at}/binding", binding)
    yield (
        "pod-exec",
        ("CONNECT", "pods", "exec"),
        lambda: human.request("POST", f"{pod_at}/exec", query={"command": "id", "container": "server"}),
    )
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "notebook", "namespace": _NAMESPACE},
    }
    yield "pod-eviction", ("CREATE", "pods", "eviction"), lambda: human.request("POST", f"{pod_at}/eviction", eviction)
    minimal_at = location(minimal)
    yield "pod-delete", ("DELETE", "pods", ""), lambda: human.delete(minimal_at)

    # Workloads.
    yield "deployment-create", ("CREATE", "deployments", ""), lambda: human.apply(server, manager="kubectl")
    more = {
        "spec": {
            "template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}
        }
    }
    yield "deployment-update", ("UPDATE", "deployments", ""), lambda: human.merge(server_at, more)
    scale = {"spec": {"replicas": 5}}
    yield "deployment-scale", ("UPDATE", "deployments", "scale"), lambda: human.merge(f"{server_at}/scale", scale)
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": "llm-server-7d9f8b6c5d",
            "namespace": _NAMESPACE,
            "labels": workloads.LABELS | {"pod-template-hash": "7d9f8b6c5d"},
            "ownerReferences": [workloads.owner("Deployment", "llm-server")],
        },
        "spec": server["spec"],
    }
    yield (
        "replicaset-create",
        ("CREATE", "replicasets", ""),
        lambda: deployments.create(replica_set, manager=manager),
    )
    yield "deployment-delete", ("DELETE", "deployments", ""), lambda: human.delete(server_at)
    tune = workloads.job("fine-tune", namespace=_NAMESPACE, gpus=4, parallelism=4)
    yield "job-create", ("CREATE", "jobs", ""), lambda: human.apply(tune, manager="kubectl")
    nightly = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "nightly", "namespace": _NAMESPACE, "labels": workloads.LABELS},
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": tune["spec"]}},
    }
    yield "cronjob-create", ("CREATE", "cronjobs", ""), lambda: human.create(nightly, manager="kubectl-create")

    # Plain resources.
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": _NAMESPACE}}
    yield "configmap-create", ("CREATE", "configmaps", ""), lambda: human.create(settings | {"data": {"a": "1"}})
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-b", "labels": {"recorded": "yes"}}}
    yield "namespace-create", ("CREATE", "namespaces", ""), lambda: human.create(space)


def _must(answer: Response) -> None:
    if not answer.ok:
        raise RuntimeError(f"{answer.status} {answer.message}")


def main() -> int:
    """Write the fixtures or the bench sets. Exit 0, or 2 when a tool is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.capture", description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    fixtures = modes.add_parser("fixtures", help="remake the fixtures of the unit tests")
    fixtures.add_argument("--out", type=Path, default=FIXTURES)
    bench = modes.add_parser("bench", help="make the four sets of the benchmark")
    bench.add_argument("--out", type=Path, required=True)
    bench.add_argument("--count", type=int, default=500)
    arguments = parser.parse_args()

    folder = Path(tempfile.mkdtemp(prefix="pratique-capture-"))
    try:
        print("starting etcd and kube-apiserver ...", file=sys.stderr, flush=True)
        with Cluster(folder / "cluster") as cluster:
            arguments.out.mkdir(parents=True, exist_ok=True)
            if arguments.mode == "fixtures":
                captured = capture_fixtures(cluster, folder / "recorder")
                for stale in arguments.out.glob("*.json"):
                    stale.unlink()
                for name, body in captured.items():
                    (arguments.out / name).write_bytes(body)
                print(f"{len(captured)} reviews in {arguments.out}")
            else:
                for name, bodies in capture_bench(cluster, folder / "recorder", count=arguments.count).items():
                    with gzip.open(arguments.out / f"{name}.jsonl.gz", "wb", compresslevel=3) as file:
                        file.writelines(body.rstrip(b"\n") + b"\n" for body in bodies)
                    size = sum(map(len, bodies)) // max(1, len(bodies))
                    print(f"{name}: {len(bodies)} reviews of {size} bytes on average")
    except ToolMissingError as missing:
        print(missing, file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
