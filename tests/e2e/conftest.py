"""One cluster for all end-to-end tests, and one registered webhook at a time; each test has its own namespaces."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from pratique import platform_crd
from tests.support import workloads
from tests.support.cluster import REPOSITORY, Client, Cluster
from tests.support.definitions import serve_definitions
from tests.support.webhook import OWN_NAMESPACE, Webhook, prepare, unregister

_HERE = Path(__file__).parent
FAST = ("--poll-seconds", "0.2", "--shutdown-delay-seconds", "0.5")
"""Do not wait longer for changes than needed, and not for clients of a Service that there is not."""
_numbers = itertools.count(1)


def deny_and_warn(*, max_gpus: int = 4, match: Mapping[str, Any] | None = None) -> str:
    """What the tests enforce: three policies that deny, and one that warns, everywhere but at home."""
    where = {"kinds": ["workload"], "namespaces": {"exclude": ["kube-system", OWN_NAMESPACE]}} | dict(match or {})
    specs: dict[str, dict[str, Any]] = {
        "gpu-limit": {"policy": "gpu/limit", "parameters": {"max_gpus": max_gpus}},
        "image-digest": {"policy": "image/digest"},
        "privileged": {"policy": "workload/privileged"},
        "health-checks": {"policy": "workload/health-checks", "enforcement": "warn", "onUndecided": "warn"},
    }
    head = {"apiVersion": "pratique.dev/v1alpha1", "kind": "PolicyBinding"}
    return "---\n".join(
        yaml.safe_dump(head | {"metadata": {"name": name}, "spec": spec | {"match": where}})
        for name, spec in specs.items()
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder `e2e`."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running API server."""
    with Cluster(tmp_path_factory.mktemp("cluster"), audit=True) as running:
        yield running


@pytest.fixture(scope="session")
def admin(cluster: Cluster) -> Client:
    """Up to 64 connections as a cluster administrator."""
    return cluster.client()


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """A new, governed namespace."""
    return make_namespace(cluster)


def make_namespace(cluster: Cluster, **labels: str) -> str:
    name = f"team-{next(_numbers)}"
    cluster.create_namespace(name, labels)
    return name


@pytest.fixture(scope="session")
def platform_kinds(admin: Client) -> None:
    """The platform's own kinds, served."""
    serve_definitions(admin, platform_crd.definitions().values())


Govern = Callable[..., AbstractContextManager[Webhook]]


@pytest.fixture(scope="session")
def govern(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Govern:
    """`with govern(engine="opa") as webhook`: a webhook with state, bindings and policies of its own, registered."""

    @contextmanager
    def governed(
        *,
        engine: str,
        bindings: str = "",
        arguments: Sequence[str] = (),
        library: Path = REPOSITORY / "policies",
    ) -> Iterator[Webhook]:
        folder = tmp_path_factory.mktemp("webhook")
        config, policies = folder / "config", folder / "policies"
        config.mkdir()
        (config / "bindings.yaml").write_text(bindings or deny_and_warn())
        shutil.copytree(library, policies, ignore=shutil.ignore_patterns("bindings"))
        kubeconfig = prepare(cluster)
        namespace = make_namespace(cluster, tier="production")
        probe = workloads.pod("probe", namespace=namespace, faults=(workloads.Fault.TAG,))
        with Webhook(
            folder,
            config=config,
            policies=policies,
            engine=engine,
            kubeconfig=kubeconfig,
            arguments=(*FAST, *arguments),
        ) as webhook:
            webhook.register(cluster, probe=probe, patient=True)
            try:
                yield webhook
            finally:
                unregister(cluster.client())

    return governed


@pytest.fixture(scope="module", params=["opa", "regopy"])
def webhook(request: pytest.FixtureRequest, govern: Govern) -> Iterator[Webhook]:
    """A registered webhook for all tests of a module, once with each engine. Tests leave it as they found it."""
    with govern(engine=request.param) as running:
        yield running


@pytest.fixture
def own_webhook(govern: Govern) -> Iterator[Webhook]:
    """A registered webhook that the test may break."""
    with govern(engine="opa") as running:
        yield running
