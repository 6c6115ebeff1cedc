"""`make cluster`: a real API server with Pratique registered, to try `kubectl` on until Ctrl-C."""

from __future__ import annotations

import argparse
import fcntl
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pratique import platform_crd
from tests.support import workloads
from tests.support.cluster import REPOSITORY, Cluster, ToolMissingError, tool
from tests.support.definitions import serve_definitions
from tests.support.examples import expected_verdicts, namespaces_of_examples
from tests.support.webhook import Webhook, prepare

FOLDER = REPOSITORY / ".cache" / "cluster"
_NAMESPACE = "team-a"
_AT_ONCE = ("--shutdown-delay-seconds", "0")
"""No Service has to learn that this webhook ends."""


def main() -> int:
    """Serve until Ctrl-C. Exit 0, 1 when the webhook ended by itself, 2 when it cannot start."""
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    parser.add_argument("--engine", default="auto", help="auto, opa or regopy (default: %(default)s)")
    parser.add_argument("--config", type=Path, default=REPOSITORY / "policies" / "bindings")
    parser.add_argument("--policies", type=Path, default=REPOSITORY / "policies")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background job would ignore it
        signal.signal(number, _leave)
    try:
        with _alone(FOLDER):
            return _serve(arguments.config, arguments.policies, engine=arguments.engine)
    except KeyboardInterrupt:
        _say("stopped; no process is left")
        return 0
    except (ToolMissingError, BlockingIOError, RuntimeError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 2


def _serve(config: Path, policies: Path, *, engine: str) -> int:
    started = time.monotonic()
    _say("starting etcd and kube-apiserver ...")
    with Cluster(FOLDER / "kubernetes") as cluster:
        _say("starting the webhook ...")
        for namespace in {_NAMESPACE, *namespaces_of_examples()}:
            cluster.create_namespace(namespace)
        with cluster.client() as admin:
            serve_definitions(admin, platform_crd.definitions().values())
        kubeconfig = prepare(cluster)
        webhook = Webhook(
            FOLDER / "pratique",
            config=config,
            policies=policies,
            engine=engine,
            kubeconfig=kubeconfig,
            arguments=_AT_ONCE,
        )
        with webhook:
            _say("registering the webhook ...")
            bad = workloads.pod(
                "probe",
                namespace=_NAMESPACE,
                faults=(workloads.Fault.TAG, workloads.Fault.PRIVILEGED, workloads.Fault.GPUS),
            )
            webhook.register(cluster, probe=bad)
            _say(f"ready after {time.monotonic() - started:.1f} s: the API server asks Pratique about every workload\n")
            _invite(cluster, webhook)
            while webhook.process.poll() is None:
                time.sleep(0.2)
            print(f"the webhook has ended by itself; its log ends with\n{webhook.process.tail()}", file=sys.stderr)
            return 1


def _invite(cluster: Cluster, webhook: Webhook) -> None:
    kubeconfig = FOLDER / "kubeconfig"
    shutil.copyfile(cluster.kubeconfig(), kubeconfig)
    kubeconfig.chmod(0o600)
    kubectl = shlex.join([_shown(tool("kubectl")), "--kubeconfig", _shown(kubeconfig)])
    _say("In another terminal, try:")
    for file, outcome in _to_try():
        _say(f"  {kubectl} apply -f {shlex.quote(_shown(file))}   # {outcome}")
    _say("and see what was decided:")
    listing = [_shown(Path(sys.executable)), "-m", "pratiquectl", "decisions", "list", "--state", _shown(webhook.state)]
    _say(f"  {shlex.join(listing)}")
    _say(f"\nThe webhook's log is {_shown(webhook.log)}. Ctrl-C stops everything.")


def _to_try() -> Iterator[tuple[Path, str]]:
    """One example of each sort: accepted, accepted with a warning, refused, refused for more reasons than any other."""
    verdicts = expected_verdicts()

    def first(outcome: str, *, least: int, most: int) -> Iterator[tuple[Path, str]]:
        for file, objects in verdicts.items():
            if all(verdict.outcome == outcome and least <= len(verdict.failed) <= most for verdict in objects):
                yield file, f"{outcome} {', '.join(objects[0].failed)}".strip()
                return

    yield from first("allowed", least=0, most=0)
    yield from first("allowed", least=1, most=99)
    yield from first("denied", least=1, most=1)
    most = max((len(verdict.failed) for objects in verdicts.values() for verdict in objects), default=0)
    yield from first("denied", least=max(2, most), most=most)


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _say(line: str) -> None:
    print(line, flush=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """An empty `folder` that no other run uses.

    Raises:
        BlockingIOError: another run uses it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError("`make cluster` already runs in another terminal") from None
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield


def _leave(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
