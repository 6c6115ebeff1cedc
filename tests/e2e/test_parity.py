"""What `pratique check` says of all cases and examples is what a real API server with the webhook says of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pratique.policy import PolicySet
from pratiquectl.__main__ import main
from pratiquectl.cases import Case
from pratiquectl.check import CLUSTER_SCOPED
from tests.e2e.conftest import Govern
from tests.support.cluster import REPOSITORY, Client, Cluster
from tests.support.parity import (
    PROBED,
    all_cases,
    namespaces,
    parts,
    some_cases,
    write_bindings,
    write_cases,
    write_examples,
)
from tests.support.processes import wait_until
from tests.support.small_bundle import copy_policies
from webhook.registration import RESOURCES

EXPLAINED: Mapping[str, tuple[str, frozenset[str]]] = {
    "DEFAULT-002": ("into a Pod that says nothing, the ServiceAccount plugin mounts a token: so it says", frozenset()),
    "DEFAULT-008": (
        "lists that are empty are dropped",
        frozenset(
            {
                "defaults/topology-spread/allow_affinity_to_nodes",
                "defaults/topology-spread/allow_no_constraints_by_the_author",
                "workload/topology-spread/deny_empty",
            }
        ),
    ),
    "IMAGE-005": ("imagePullPolicy is filled in: as policies want it, or told in other words", frozenset()),
    "LABELS-001": (
        "a label that is null becomes empty text",
        frozenset({"defaults/namespace-labels/deny_labels_null", "labels/cost-attribution/deny_label_null"}),
    ),
    "WORKLOAD-001": (
        'a limit that is null or 0 becomes "0"',
        frozenset(
            {
                "workload/resource-limits/deny_cpu_limit_null",
                "workload/resource-limits/deny_cpu_limit_zero",
                "workload/resource-limits/deny_memory_limit_zero",
            }
        ),
    ),
    "WORKLOAD-107": (
        "annotations of AppArmor are copied into their fields",
        frozenset({"workload/apparmor/deny_annotation"}),
    ),
    "NETWORK-001": (
        "what has a generateName has a name by then, which is named too",
        frozenset({"network/exposed-services/deny_generated_name"}),
    ),
    "WORKLOAD-121": (
        "a volume without a type, or with one that the API does not know, becomes an emptyDir",
        frozenset(
            {
                "workload/host-path-volumes/allow_hostpath_of_the_wrong_type",
                *(f"workload/volume-types/deny_type_{name}" for name in ("configmap", "csi", "downwardapi")),
                *(f"workload/volume-types/deny_type_{name}" for name in ("ephemeral", "image", "projected", "secret")),
                "workload/volume-types/deny_unknown_type",
            }
        ),
    ),
}
"""The policies that find something else in what the API server makes of an object, why, and in which cases. No case is
named where that is so for every object of a kind; `_unexplained` says of which."""

_NEVER_ASKED_ABOUT = ("ValidatingWebhookConfiguration ", "MutatingWebhookConfiguration ")
"""Kinds that the API server asks no webhook about, so that none can keep itself from being mended
(k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules). What is wrong with one, only the CI door says."""

_REFUSED_BY_ITSELF = re.compile(
    r"the API server refuses it for another reason "
    r"\(HTTP (400\): .* cannot be handled as a .*|422\): .* is invalid: .*"
    r"|403\): .*error looking up service account .*)|the API server serves no \S+ of (extensions|\S+\.k8s\.io)/v1beta1",
    re.DOTALL,
)
"""What never comes to a webhook: values of a wrong type, objects that are not valid, a service account that there is
not, versions of Kubernetes' own kinds that are served no more."""


@pytest.fixture
def definitions(cluster: Cluster) -> Iterator[None]:
    """What is defined meanwhile is gone afterwards: other tests define the same kinds in their own ways."""
    client = cluster.client()
    before = _defined(client)
    yield
    for name in _defined(client) - before:
        client.delete(f"{_CRDS}/{name}")
    wait_until(lambda: _defined(client) <= before, what="the kinds of this test are gone")


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize("engine", ["opa", "regopy"])
def test_only_what_the_api_server_does_itself_makes_a_difference(compare: Compare, engine: str, folder: Path) -> None:
    """All policies at once, on the examples and the cases; the embedded engine has some of them here, for time."""
    cases = all_cases() if engine == "opa" else some_cases()
    write_examples(folder)
    assert_only_explained(compare(cases, engine, REPOSITORY / "policies"))


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize("part", parts())
def test_so_it_is_with_every_case_on_the_embedded_engine(compare: Compare, part: str, tmp_path: Path) -> None:
    """The policies of one part at a time, on all cases of theirs."""
    policies = parts()[part]
    copy_policies(tmp_path / "policies", {*policies, PROBED})
    cases = {name: case for name, case in all_cases().items() if case.policy in policies}
    found = compare(cases, "regopy", tmp_path / "policies")
    assert found.keys() == cases.keys()
    assert_only_explained(found)


def test_every_case_is_in_a_part() -> None:
    assert Counter(policy for part in parts().values() for policy in part) == Counter(
        {case.policy for case in all_cases().values()}
    )


Compared = Mapping[str, Mapping[str, Any]]
Compare = Callable[[Mapping[str, Case], str, Path], Compared]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where what is compared is."""
    return tmp_path / "m"


@pytest.fixture
def compare(
    cluster: Cluster, govern: Govern, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Compare:
    """What `parity` says of each file, by the policies of a folder: here OPA judges, there the engine."""

    def compared(cases: Mapping[str, Case], engine: str, policies: Path) -> Compared:
        config = tmp_path / "config"
        write_cases(folder, cases)
        write_bindings(config, PolicySet.load(policies), cases)
        _prepare(cluster, folder, namespaces(cases))
        with govern(engine=engine, bindings=(config / "all.yaml").read_text(), library=policies):
            main(
                [
                    *("parity", str(folder), "--kubeconfig", str(cluster.kubeconfig()), "-o", "json"),
                    *("--policies", str(policies), "--config", str(config), "--engine", "opa"),
                ]
            )
        return {
            Path(each["file"]).relative_to(folder).with_suffix("").as_posix(): each
            for each in json.loads(capsys.readouterr().out)
        }

    return compared


def assert_only_explained(found: Compared) -> None:
    other = {name: (each["here"], each["there"]) for name, each in found.items() if each["here"] != each["there"]}
    assert other == {}
    assert {name: unexplained for name, each in found.items() if (unexplained := _unexplained(name, each))} == {}
    refused = {name: each["problem"] for name, each in found.items() if each["problem"]}
    assert {name: why for name, why in refused.items() if not _REFUSED_BY_ITSELF.fullmatch(why)} == {}
    assert len(found) - len(refused) > len(found) / 2


def _unexplained(name: str, compared: Mapping[str, Any]) -> list[str]:
    """What is said of an object at one door only, without a reason in `EXPLAINED`."""
    here, there = (compared[side] for side in ("only_here", "only_there"))
    if compared["subject"].startswith(_NEVER_ASKED_ABOUT):
        return list(there)
    left = []
    for saying in (*here, *there):
        policy_id, _, place = saying.removeprefix("warning: ").partition(" ")
        _, names = EXPLAINED.get(policy_id, ("", None))
        match policy_id:
            case "DEFAULT-002":
                explained = compared["subject"].startswith("Pod ") and saying in here
            case "IMAGE-005":
                explained = "/imagePullPolicy: " in place
            case "WORKLOAD-121" if " has no type" in place:
                explained = saying in here
            case _:
                explained = names is not None and name in names
        if not explained:
            left.append(saying)
    return left


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
    wait_until(
        lambda: all(_established(client.get(f"{_CRDS}/{name}").body) for name in made),
        what="the kinds of the input are established",
        every=0.1,
    )


_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def _defined(client: Client) -> set[str]:
    return {item["metadata"]["name"] for item in client.get(_CRDS).body["items"]}


def _service_account(client: Client) -> None:
    metadata = {"name": "default", "namespace": "default"}
    assert client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}).ok


def _define(client: Client, api_version: str, kind: str) -> str:
    """Define the kind by a CRD that takes anything, if nobody serves it; the name of that."""
    group, _, version = api_version.rpartition("/")
    if "." not in group or (group.endswith(".k8s.io") and client.get(f"/apis/{group}").ok):
        return ""
    resources = client.get(f"/apis/{group}/{version}").body.get("resources", [])
    if any(each["kind"] == kind for each in resources):  # by whatever name: `modelregistries` of the chart
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
        # Groups of Kubernetes' own are for kinds that it approved.
        "metadata": {"name": name, "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
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
    conditions = (crd.get("status") or {}).get("conditions") or []
    return any((each["type"], each["status"]) == ("Established", "True") for each in conditions)
