"""Kinds that are in no table: pod specs found by their shape, so that a new CRD is never invisible.

A pod spec is an object with a list `containers` of which an element has an `image`. How many pods it makes is the
product of the counts (`replicas`, `size`, `parallelism` ...) of the objects around it: too many rather than too few.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pratique.kinds.table import Kind, Place, PodTemplate
from pratique.pointer import escape
from pratique.shape import Object
from pratique.subject import Replicas

_PLAIN_GROUPS = frozenset({"kueue.x-k8s.io", "pratique.dev"})
"""Groups whose objects only repeat the pods of others (a Kueue Workload holds the templates of the job it admits)."""

_NOW = ("replicas", "parallelism", "size", "minReplicas")
_MOST = ("replicas", "maxReplicas", "maxReplicaCount", "parallelism", "size")
_LISTS = ("containers", "initContainers", "ephemeralContainers")


def infer_kind(group: str, kind: str, obj: Object) -> Kind | None:
    """An entry for an object of a kind that is in no table; None if there is no pod spec in it, or none is looked for
    (the groups of Kubernetes itself are all known)."""
    if "." not in group or group.endswith(".k8s.io") or group in _PLAIN_GROUPS:
        return None
    templates = tuple(
        _template(path, counts)
        for name, value in obj.items()
        if name not in ("metadata", "status")
        for path, counts in _pod_specs(value, f"/{escape(name)}", ())
    )
    return Kind(group, kind, templates, scale="/spec/replicas") if templates else None


def _pod_specs(value: Any, path: str, around: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The pointer of each pod spec, and those of the objects around it."""
    if isinstance(value, dict):
        containers = value.get("containers")
        if isinstance(containers, list) and any(
            isinstance(item, dict) and isinstance(item.get("image"), str) for item in containers
        ):
            yield path, around
        around = (*around, path)
        for name, child in value.items():
            if name not in _LISTS and isinstance(child, dict | list):
                yield from _pod_specs(child, f"{path}/{escape(name)}", around)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _pod_specs(child, f"{path}/{index}", around)


def _template(path: str, around: tuple[str, ...]) -> PodTemplate:
    def replicas(place: Place) -> Replicas:
        least = most = 1
        for parent in around:
            fields = place.mapping(parent)
            now = [count for name in _NOW if (count := _count(fields.get(name))) is not None]
            top = [count for name in _MOST if (count := _count(fields.get(name))) is not None]
            least *= now[0] if now else 1
            most *= max([*top, now[0] if now else 1])
        return Replicas(least, max(least, most))

    head, _, last = path.rpartition("/")
    return PodTemplate(path, f"{head}/metadata" if last == "spec" else f"{path}/metadata", replicas, partial=True)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
