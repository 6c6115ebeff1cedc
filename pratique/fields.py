"""The fields of pod specs and containers: which there are, and which of them a policy reads (ADR 7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

POD_FIELDS = frozenset(
    {"activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "dnsConfig", "dnsPolicy"}
    | {"enableServiceLinks", "hostAliases", "hostIPC", "hostNetwork", "hostPID", "hostUsers", "hostname"}
    | {"hostnameOverride", "imagePullSecrets", "nodeName", "nodeSelector", "os", "overhead", "preemptionPolicy"}
    | {"priority", "priorityClassName", "readinessGates", "resourceClaims", "resources", "restartPolicy"}
    | {"runtimeClassName", "schedulerName", "schedulingGates", "securityContext", "serviceAccount"}
    | {"serviceAccountName", "setHostnameAsFQDN", "shareProcessNamespace", "subdomain"}
    | {"terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints", "volumes", "workloadRef"}
)
"""The fields of a PodSpec in Kubernetes 1.35 that a policy can go without: all but its lists of containers."""

CONTAINER_FIELDS = frozenset(
    {"args", "command", "env", "envFrom", "imagePullPolicy", "lifecycle", "livenessProbe", "ports", "readinessProbe"}
    | {"resizePolicy", "resources", "restartPolicy", "restartPolicyRules", "securityContext", "startupProbe", "stdin"}
    | {"stdinOnce", "targetContainerName", "terminationMessagePath", "terminationMessagePolicy", "tty"}
    | {"volumeDevices", "volumeMounts", "workingDir"}
)
"""The fields of a Container or EphemeralContainer in Kubernetes 1.35 but its name and image, which are always sent."""

_WORD = re.compile("[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Reads:
    """Fields of pod specs and containers, by name. Only those listed above are ever left out: what Kubernetes adds
    later, or what it does not know, is always sent."""

    pod: frozenset[str] = frozenset()
    container: frozenset[str] = frozenset()

    def sends_of_pod(self, name: str) -> bool:
        """Whether a field of a pod spec is among these, or one that is always sent."""
        return name in self.pod or name not in POD_FIELDS

    def sends_of_container(self, name: str) -> bool:
        """The same of a field of a container."""
        return name in self.container or name not in CONTAINER_FIELDS

    def __or__(self, other: Reads) -> Reads:
        return Reads(self.pod | other.pod, self.container | other.container)

    def __sub__(self, other: Reads) -> Reads:
        return Reads(self.pod - other.pod, self.container - other.container)

    def __bool__(self) -> bool:
        return bool(self.pod or self.container)


def union(every: Iterable[Reads | None]) -> Reads | None:
    """All fields that are read; None, which stands for all that there are, if one of `every` is None."""
    fields = Reads()
    for reads in every:
        if reads is None:
            return None
        fields |= reads
    return fields


def fields_named_in(value: object) -> Reads:
    """The fields whose names are words of the texts in a JSON value, keys included.

    `env`, `env/0/name` and `{"env": 1}` name the field `env`. One that pods and containers both have counts for both:
    a name does not say whose it is.
    """
    if isinstance(value, str):
        words = frozenset(_WORD.findall(value))
        return Reads(words & POD_FIELDS, words & CONTAINER_FIELDS)
    named = Reads()
    if isinstance(value, Mapping):
        for key, item in value.items():
            named |= fields_named_in(key) | fields_named_in(item)
    elif isinstance(value, Sequence):
        for item in value:
            named |= fields_named_in(item)
    return named
