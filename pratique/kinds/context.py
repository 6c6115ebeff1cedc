"""What other objects say of one: how far an autoscaler lets it grow, what the claims of its pods hold.

Pure: the caller says which objects there are (all of a CI run, or what is known to the cluster).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

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

_CLAIMS: Mapping[tuple[str, str], str] = {
    ("resource.k8s.io", "ResourceClaim"): "/spec",
    ("resource.k8s.io", "ResourceClaimTemplate"): "/spec/spec",
}

AUTOSCALERS: dict[tuple[str, str], str] = {key: f"{key[1].lower()}s" for key in _SCALERS}
"""The kinds that let others grow, and the resource of each."""
RESOURCE_CLAIMS: dict[tuple[str, str], str] = {key: f"{key[1].lower()}s" for key in _CLAIMS}

_NAME = re.compile("[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
"""What a claim can be called (a DNS subdomain)."""
_NAME_BYTES = b"abcdefghijklmnopqrstuvwxyz0123456789.-"
_WORDS = bytes(byte if byte in _NAME_BYTES else ord(" ") for byte in range(256))
"""Makes words of bytes: every such name is one, wherever it stands, in YAML that is embedded as text as well."""


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """An autoscaler lets `target` grow to `most` replicas."""

    target: Target
    most: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The accelerators that a resource claim asks for, by device class; `key` is its kind, namespace and name."""

    key: tuple[str, str, str]
    devices: Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class Context:
    """`max_replicas` is how far autoscalers go; `claims` are the accelerators of resource claims.

    Both may be kept up to date by another thread: each is looked up once for one subject.
    """

    max_replicas: Mapping[Target, int] = field(default_factory=dict)
    claims: Claims = field(default_factory=dict)

    @classmethod
    def of(cls, said: Iterable[Autoscaler | Claim]) -> Context:
        """What all of them say together; of several autoscalers of one target the furthest counts."""
        max_replicas: dict[Target, int] = {}
        claims: dict[tuple[str, str, str], Mapping[str, Fraction]] = {}
        for each in said:
            if isinstance(each, Autoscaler):
                max_replicas[each.target] = max(each.most, max_replicas.get(each.target, 0))
            else:
                claims[each.key] = each.devices
        return cls(max_replicas, claims)

    def claims_named_in(self, canonical: bytes, namespace: str) -> dict[tuple[str, str, str], Mapping[str, Fraction]]:
        """The claims of `namespace` that an object can refer to, by its canonical JSON.

        Not all claims of the namespace: what others are there must not part the pods of one template.
        """
        if not self.claims or b"esourceClaim" not in canonical:
            return {}
        claims = self.claims
        found: dict[tuple[str, str, str], Mapping[str, Fraction]] = {}
        for name in set(canonical.translate(_WORDS).decode().split()):
            for _, kind in _CLAIMS:
                devices = claims.get((kind, namespace, name))
                if devices is not None:
                    found[kind, namespace, name] = devices
        return found


NOTHING_KNOWN = Context()


def context_of(objects: Iterable[object], *, namespace: str = "") -> Context:
    """What `objects` say of each other; `namespace` is used for those that do not name theirs."""
    said: list[Autoscaler | Claim | None] = []
    for obj in objects:
        if isinstance(obj, dict):
            group, kind = str(obj.get("apiVersion")).rpartition("/")[0], str(obj.get("kind"))
            said.append(autoscaler_of(obj, group, kind, namespace=namespace))
            said.append(claim_of(obj, group, kind, namespace=namespace))
    return Context.of(each for each in said if each is not None)


def autoscaler_of(obj: Mapping[str, Any], group: str, kind: str, *, namespace: str = "") -> Autoscaler | None:
    """What the object lets grow; None where it is no autoscaler.

    One that is malformed lets nothing grow: it takes no effect in a cluster either.
    """
    if (group, kind) not in _SCALERS:
        return None
    path, default = _SCALERS[group, kind]
    try:
        reference = mapping_at(lookup(obj, "/spec/scaleTargetRef"), "/spec/scaleTargetRef")
        most = count_at(obj, path, default=default or 0)
        place = lookup(obj, "/metadata/namespace") or namespace
    except InputError:
        return None
    target_group = str(reference.get("apiVersion") or "apps/v1").rpartition("/")[0]
    target_kind = str(reference.get("kind") or "Deployment")
    return Autoscaler((target_group, target_kind, str(place), str(reference.get("name"))), most)


def claim_of(obj: Mapping[str, Any], group: str, kind: str, *, namespace: str = "") -> Claim | None:
    """What the object asks for; None where it is no resource claim, or one that no cluster would take."""
    if (group, kind) not in _CLAIMS:
        return None
    try:
        name, place = lookup(obj, "/metadata/name"), lookup(obj, "/metadata/namespace") or namespace
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return None
        spec: Object = mapping_at(lookup(obj, _CLAIMS[group, kind]), "/spec")
        return Claim((kind, str(place), name), devices_of_claim(spec))
    except InputError:
        return None
