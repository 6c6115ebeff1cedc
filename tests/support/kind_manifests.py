"""The manifests of all kinds (`tests/pratique/kinds`) as a real API server takes them, each as it is and with what the
ready-made bindings want of it; and the definitions of the kinds that Kubernetes itself does not have.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pratique.kinds import KINDS, subject_of
from pratique.pointer import tokens_of
from pratique.subject import Workload
from tests.pratique.kinds import batch_cases, serving_cases
from tests.support.cluster import REPOSITORY

CHART_CRDS: Path = REPOSITORY / "charts" / "pratique" / "crds"
READY_MADE = ("bindings/baseline.yaml", "levels/pod-security-baseline/*.yaml", "levels/recommended/*.yaml")
"""Which of the bindings under `policies` judge the manifests."""
EXPECTED: Path = REPOSITORY / "tests" / "e2e" / "kinds.yaml"
"""What each manifest comes to: written by `python -m tests.generate_kinds`."""
_CLUSTER_SCOPED = "Cluster"
"""What the names of all kinds of the tables begin with that are in no namespace."""
CASES = (*batch_cases.CASES, *serving_cases.CASES)
_KUBERNETES = ("", "apps", "batch")
_LABELS = {"app": "server"}
_FIELDS_OF_OTHERS = {
    **dict.fromkeys(("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"), ("parallelism",)),
    "DaemonSet": ("parallelism", "replicas"),
    "Job": ("replicas",),
}
"""What the manifests have besides, since one text serves many kinds."""


def verdict(outcome: str, found: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    """The outcome, and the ids of the policies that refuse and of those that only warn: of policy id, result and
    enforcement of each evaluation."""
    failed = {(enforcement == "deny", policy_id) for policy_id, result, enforcement in found if result == "fail"}
    return {
        "outcome": outcome,
        "refused": sorted(policy_id for refuses, policy_id in failed if refuses),
        "warned": sorted(policy_id for refuses, policy_id in failed if not refuses),
    }


def ready_made_bindings() -> str:
    """The bindings, without those that an earlier file has already, as the comments in these files ask for."""
    found: dict[str, Any] = {}
    for pattern in READY_MADE:
        for file in sorted((REPOSITORY / "policies").glob(pattern)):
            for document in yaml.safe_load_all(file.read_text()):
                if document is not None:
                    found.setdefault(document["metadata"]["name"], document)
    return yaml.safe_dump_all(found.values())


def definitions() -> Iterator[dict[str, Any]]:
    """A CustomResourceDefinition for each kind of the tables that neither Kubernetes nor the chart has, with all
    versions that the manifests have: any fields are taken."""
    served = {(each["spec"]["group"], each["spec"]["names"]["kind"]) for each in chart_definitions()}
    versions: dict[tuple[str, str], dict[str, None]] = {}
    for case in CASES:
        group, _, version = case.object["apiVersion"].rpartition("/")
        versions.setdefault((group, case.object["kind"]), {})[version] = None
    for (group, kind), found in sorted(versions.items()):
        if group not in _KUBERNETES and (group, kind) not in served:
            yield _definition(group, kind, list(found))


def chart_definitions() -> Iterator[dict[str, Any]]:
    """The CustomResourceDefinitions of the chart, as they are."""
    for file in sorted(CHART_CRDS.glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text())


def _definition(group: str, kind: str, versions: list[str]) -> dict[str, Any]:
    entry = KINDS[group, kind]
    subresources: dict[str, Any] = {}
    if entry.scale:
        path = entry.scale.replace("/", ".")
        subresources = {"subresources": {"scale": {"specReplicasPath": path, "statusReplicasPath": ".status.replicas"}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{entry.resource}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": entry.resource, "singular": kind.lower()},
            "scope": "Cluster" if is_cluster_scoped(kind) else "Namespaced",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": index == 0,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    **subresources,
                }
                for index, version in enumerate(versions)
            ],
        },
    }


def is_cluster_scoped(kind: str) -> bool:
    """Whether objects of this kind are in no namespace."""
    return kind.startswith(_CLUSTER_SCOPED)


def manifests(namespace: str) -> dict[str, dict[str, Any]]:
    """Each manifest by what the expectations call it: the case's name, and the same with `, put right`."""
    found: dict[str, dict[str, Any]] = {}
    for index, case in enumerate(CASES):
        for name, obj in ((case.name, _complete(case.object)), (f"{case.name}, put right", _put_right(case.object))):
            suffix = "" if name == case.name else "-right"
            metadata = {**obj.get("metadata", {}), "name": f"case-{index}{suffix}", "namespace": namespace}
            if is_cluster_scoped(obj["kind"]):
                del metadata["namespace"]
            found[name] = {**obj, "metadata": metadata}
    return found


def _complete(obj: Mapping[str, Any]) -> dict[str, Any]:
    """With what the API server itself asks of its own kinds, and no policy."""
    made: dict[str, Any] = copy.deepcopy(dict(obj))
    if made["apiVersion"].rpartition("/")[0] not in _KUBERNETES:
        return made
    kind, spec = made["kind"], made.get("spec", {})
    for field in _FIELDS_OF_OTHERS.get(kind, ()):
        spec.pop(field, None)
    if kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController"):
        spec["selector"] = _LABELS if kind == "ReplicationController" else {"matchLabels": _LABELS}
        spec["template"].setdefault("metadata", {}).setdefault("labels", {}).update(_LABELS)
    if kind == "CronJob":
        spec.setdefault("schedule", "0 3 * * *")
        spec["jobTemplate"]["spec"]["template"]["spec"].setdefault("restartPolicy", "Never")
    if kind == "Job":
        spec["template"]["spec"].setdefault("restartPolicy", "Never")
    return made


def _put_right(obj: Mapping[str, Any]) -> dict[str, Any]:
    """With images of the registry and pinned, limits, few accelerators, and the labels that are asked for."""
    made = _complete(obj)
    subject = subject_of(made)
    if not isinstance(subject, Workload):
        raise TypeError(f"{made['kind']} is no workload")
    labels = {"team": "search", "cost-center": "cc-4711", "environment": "development"}
    labels |= {"data-classification": "internal", "kueue.x-k8s.io/queue-name": "default"}
    metadata = made.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), "owner": "search@example.com"}
    for image in subject.content.images:
        holder, last = _holder(made, image.path)
        if isinstance(holder, dict) and isinstance(holder.get(last), str):
            holder[last] = f"registry.internal/{image.repository.rpartition('/')[2]}:v1@sha256:{'a' * 64}"
    for pod in subject.content.pods:
        for container in pod.containers:
            found = _at(made, container.path)
            if isinstance(found, dict) and isinstance(found.get("image"), str):
                found["resources"] = {
                    "limits": {"cpu": "1", "memory": "1Gi"},
                    "requests": {"cpu": "1", "memory": "1Gi"},
                }
    return made


def _holder(obj: Any, path: str) -> tuple[Any, str]:
    *way, last = tokens_of(path)
    for token in way:
        if isinstance(obj, dict):
            obj = obj.get(token)
        elif isinstance(obj, list) and token.isdecimal():
            obj = obj[int(token)]
        else:
            return None, last
    return obj, last


def _at(obj: Any, path: str) -> Any:
    holder, last = _holder(obj, path) if path else (obj, "")
    if isinstance(holder, list):
        return holder[int(last)]
    return holder.get(last) if isinstance(holder, dict) else None
