"""What `pratique check` says of all cases and examples is what a real API server with the webhook says of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pratique.policy import PolicySet
from pratiquectl.__main__ import main
from pratiquectl.check import CLUSTER_SCOPED
from tests.e2e.conftest import Govern
from tests.support.cluster import REPOSITORY, Client, Cluster
from tests.support.parity import namespaces, write_bindings, write_inputs
from webhook.registration import RESOURCES


@pytest.mark.parametrize("engine", ["opa", "regopy"])
def test_only_what_the_api_server_does_itself_makes_a_difference(
    cluster: Cluster, govern: Govern, engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, config = tmp_path / "m", tmp_path / "config"
    cases = write_inputs(folder)
    policies = PolicySet.load(REPOSITORY / "policies")
    write_bindings(config, policies, cases)
    _prepare(cluster, folder, namespaces(cases))
    with govern(engine=engine, bindings=(config / "all.yaml").read_text()):
        main(
            [
                *("parity", str(folder), "--kubeconfig", str(cluster.kubeconfig()), "-o", "json"),
                *("--policies", str(REPOSITORY / "policies"), "--config", str(config), "--engine", engine),
            ]
        )
    found = {str(Path(each["file"]).relative_to(folder)): each for each in json.loads(capsys.readouterr().out)}
    Path(f"/tmp/parity-{engine}.json").write_text(json.dumps(found))


def _prepare(cluster: Cluster, folder: Path, names: Iterable[str]) -> None:
    """Every namespace and every kind of the input, so that nothing is refused for want of one."""
    client = cluster.client()
    for name in names:
        if not client.get(f"/api/v1/namespaces/{name}/serviceaccounts/default").ok:
            cluster.create_namespace(name) if name != "default" else _service_account(client)
    kinds = {
        (obj["apiVersion"], obj["kind"]) for file in folder.rglob("*.json") for obj in [json.loads(file.read_text())]
    }
    made = [name for kind in sorted(kinds) if (name := _define(client, *kind))]
    until = time.monotonic() + 30
    while not all(_established(client.get(f"{_CRDS}/{name}").body) for name in made) and time.monotonic() < until:
        time.sleep(0.1)


_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def _service_account(client: Client) -> None:
    metadata = {"name": "default", "namespace": "default"}
    assert client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}).ok


def _define(client: Client, api_version: str, kind: str) -> str:
    """Define the kind by a CRD that takes anything, if nobody serves it; the name of that."""
    group, _, version = api_version.rpartition("/")
    if "." not in group or group.endswith(".k8s.io"):
        return ""
    plural = RESOURCES.get((group, kind), f"{kind.lower()}s")
    name = f"{plural}.{group}"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {
        "group": group,
        "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
        "scope": "Cluster" if (group, kind) in CLUSTER_SCOPED else "Namespaced",
        "versions": [served],
    }
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": spec,
    }
    known = client.get(f"{_CRDS}/{name}")
    if known.ok:
        versions = known.body["spec"]["versions"]
        if all(each["name"] != version for each in versions):
            versions = [*versions, {**served, "storage": False}]
            assert client.merge(f"{_CRDS}/{name}", {"spec": {"versions": versions}}).ok
        return name
    answer = client.create(crd)
    assert answer.ok, f"{name}: {answer.message}"
    return name


def _established(crd: Mapping[str, Any]) -> bool:
    conditions = crd.get("status", {}).get("conditions", [])
    return any((each["type"], each["status"]) == ("Established", "True") for each in conditions)
