"""What other objects of the same input say of one: how far an autoscaler lets it grow, what the claims of its pods
hold.

Pure: the caller says which objects there are (all of a CI run, or what is known to the cluster).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from pratique.errors import InputError
from pratique.gpu import Claims, devices_of_claim
from pratique.shape import Object, count_at, lookup, mapping_at

Target = tuple[str, str, str, str]
"""Group, kind, namespace and name of what is scaled."""

KEDA_DEFAULT_MAX_REPLICAS = 100
"""kedacore/keda apis/keda/v1alpha1/scaledobject_types.go, `defaultHPAMaxReplicas` (v2.17)."""

_SCALERS: Mapping[tuple[str, str], tuple[str, int | None]] = {
    ("autoscaling", "HorizontalPodAutoscaler"): ("/spec/maxReplicas", None),
    ("keda.sh", "ScaledObject"): ("/spec/maxReplicaCount", KEDA_DEFAULT_MAX_REPLICAS),
    ("autoscaling.aibrix.ai", "PodAutoscaler"): ("/spec/maxReplicas", None),
}
"""Where each autoscaler says how far it goes, and how far it goes where it does not."""

_CLAIMS = {"ResourceClaim": "/spec", "ResourceClaimTemplate": "/spec/spec"}


@dataclass(frozen=True, slots=True)
class Context:
    """`max_replicas` is how far autoscalers go; `claims` are the accelerators of resource claims."""

    max_replicas: Mapping[Target, int] = field(default_factory=dict)
    claims: Claims = field(default_factory=dict)

    def claims_of(self, namespace: str) -> list[tuple[str, str, list[tuple[str, str]]]]:
        """The claims of `namespace` in a form that can be part of a cache key."""
        return [
            (kind, name, sorted((device, str(amount)) for device, amount in devices.items()))
            for (kind, place, name), devices in sorted(self.claims.items(), key=lambda item: item[0])
            if place == namespace
        ]


NOTHING_KNOWN = Context()


def context_of(objects: Iterable[object], *, namespace: str = "") -> Context:
    """What `objects` say of each other; `namespace` is used for those that do not name theirs.

    An autoscaler or a claim that is malformed says nothing: it takes no effect in a cluster either.
    """
    max_replicas: dict[Target, int] = {}
    claims: dict[tuple[str, str, str], Mapping[str, Fraction]] = {}
    for obj in objects:
        if not isinstance(obj, dict):
            continue
        group, kind = str(obj.get("apiVersion")).rpartition("/")[0], str(obj.get("kind"))
        try:
            place = lookup(obj, "/metadata/namespace") or namespace
            if (group, kind) in _SCALERS:
                target, count = _scaled(obj, place, *_SCALERS[group, kind])
                max_replicas[target] = max(count, max_replicas.get(target, 0))
            elif group == "resource.k8s.io" and kind in _CLAIMS:
                name = lookup(obj, "/metadata/name")
                claims[kind, str(place), str(name)] = devices_of_claim(mapping_at(lookup(obj, _CLAIMS[kind]), "/spec"))
        except InputError:
            continue
    return Context(max_replicas, claims)


def _scaled(obj: Object, namespace: object, path: str, default: int | None) -> tuple[Target, int]:
    reference = mapping_at(lookup(obj, "/spec/scaleTargetRef"), "/spec/scaleTargetRef")
    api_version = reference.get("apiVersion") or "apps/v1"
    kind = reference.get("kind") or "Deployment"
    count = count_at(obj, path, default=default or 0)
    group = str(api_version).rpartition("/")[0]
    return (group, str(kind), str(namespace), str(reference.get("name"))), count
