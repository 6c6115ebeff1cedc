"""The webhook configurations that make the API server ask us: for what the bindings judge, and for nothing else.

Narrowing must never lose anything: where the resource of a kind is not known for certain, all resources of its group
are named, and a note says so.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pratique import platform_crd
from pratique.binding import Binding
from pratique.decision import Door, Enforcement
from pratique.errors import ConfigError, Problem
from pratique.kinds import KINDS
from pratique.kinds.context import AUTOSCALERS
from pratique.matching import WORKLOAD_KIND

TIMEOUT_SECONDS = 5
VALIDATE_PATH, MUTATE_PATH = "/validate", "/mutate"
EVERYTHING = "*"
OWN_GROUP = "pratique.dev"

RESOURCES: Mapping[tuple[str, str], str] = {
    ("", "ConfigMap"): "configmaps",
    ("", "Endpoints"): "endpoints",
    ("", "LimitRange"): "limitranges",
    ("", "Namespace"): "namespaces",
    ("", "Node"): "nodes",
    ("", "PersistentVolume"): "persistentvolumes",
    ("", "PersistentVolumeClaim"): "persistentvolumeclaims",
    ("", "Pod"): "pods",
    ("", "PodTemplate"): "podtemplates",
    ("", "ReplicationController"): "replicationcontrollers",
    ("", "ResourceQuota"): "resourcequotas",
    ("", "Secret"): "secrets",
    ("", "Service"): "services",
    ("", "ServiceAccount"): "serviceaccounts",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "customresourcedefinitions",
    ("apiregistration.k8s.io", "APIService"): "apiservices",
    ("apps", "ControllerRevision"): "controllerrevisions",
    ("apps", "DaemonSet"): "daemonsets",
    ("apps", "Deployment"): "deployments",
    ("apps", "ReplicaSet"): "replicasets",
    ("apps", "StatefulSet"): "statefulsets",
    ("autoscaling", "HorizontalPodAutoscaler"): "horizontalpodautoscalers",
    ("batch", "CronJob"): "cronjobs",
    ("batch", "Job"): "jobs",
    ("certificates.k8s.io", "CertificateSigningRequest"): "certificatesigningrequests",
    ("discovery.k8s.io", "EndpointSlice"): "endpointslices",
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): "flowschemas",
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): "prioritylevelconfigurations",
    ("networking.k8s.io", "Ingress"): "ingresses",
    ("networking.k8s.io", "IngressClass"): "ingressclasses",
    ("networking.k8s.io", "NetworkPolicy"): "networkpolicies",
    ("node.k8s.io", "RuntimeClass"): "runtimeclasses",
    ("policy", "PodDisruptionBudget"): "poddisruptionbudgets",
    ("rbac.authorization.k8s.io", "ClusterRole"): "clusterroles",
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): "clusterrolebindings",
    ("rbac.authorization.k8s.io", "Role"): "roles",
    ("rbac.authorization.k8s.io", "RoleBinding"): "rolebindings",
    ("resource.k8s.io", "DeviceClass"): "deviceclasses",
    ("resource.k8s.io", "ResourceClaim"): "resourceclaims",
    ("resource.k8s.io", "ResourceClaimTemplate"): "resourceclaimtemplates",
    ("resource.k8s.io", "ResourceSlice"): "resourceslices",
    ("scheduling.k8s.io", "PriorityClass"): "priorityclasses",
    ("storage.k8s.io", "CSIDriver"): "csidrivers",
    ("storage.k8s.io", "StorageClass"): "storageclasses",
    ("storage.k8s.io", "VolumeAttachment"): "volumeattachments",
}
"""The resource of each kind of Kubernetes itself (`kubectl api-resources`, 1.35)."""

CONNECT_RESOURCES: Mapping[tuple[str, str], str] = {
    ("", "NodeProxyOptions"): "nodes/proxy",
    ("", "PodAttachOptions"): "pods/attach",
    ("", "PodExecOptions"): "pods/exec",
    ("", "PodPortForwardOptions"): "pods/portforward",
    ("", "PodProxyOptions"): "pods/proxy",
    ("", "ServiceProxyOptions"): "services/proxy",
}
"""What a CONNECT request carries, and the subresource that it is sent to."""

_SCALABLE = frozenset({"deployments", "replicasets", "replicationcontrollers", "statefulsets"})
"""Resources of Kubernetes itself that have a `scale`."""

MATCH_CONDITIONS: Sequence[Mapping[str, str]] = (
    {
        "name": "not-leases",
        "expression": '!(request.resource.group == "coordination.k8s.io" && request.resource.resource == "leases")',
    },
    {
        "name": "not-events",
        "expression": '!(request.resource.group in ["", "events.k8s.io"] && request.resource.resource == "events")',
    },
    {
        "name": "not-node-status",
        "expression": '!(request.resource.group == "" && request.resource.resource == "nodes"'
        ' && request.subResource == "status")',
    },
    {
        "name": "not-access-reviews",
        "expression": '!(request.resource.group in ["authentication.k8s.io", "authorization.k8s.io"])',
    },
)
"""What keeps a cluster alive while a webhook is down: heartbeats of nodes and controllers, and the questions who may
do what."""


@dataclass(frozen=True, slots=True)
class ServiceReference:
    """A Service in the cluster that leads to the webhook. `path` comes before ours."""

    namespace: str
    name: str
    port: int = 443
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How and for whom the API server is to ask. `endpoint` is a base URL, or a Service."""

    endpoint: str | ServiceReference
    ca_bundle: bytes
    name: str = "pratique"
    excluded_namespaces: tuple[str, ...] = ("kube-system",)
    own_kinds: bool = False
    """Whether to ask about Waiver and PolicyBinding objects too (`webhook.own_kinds`)."""

    def __post_init__(self) -> None:
        """Raises: ConfigError: the API server would not take the URL."""
        if isinstance(self.endpoint, str):
            parts = urlsplit(self.endpoint)
            if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment:
                message = (
                    f"{self.endpoint!r} is not of the form https://HOST[:PORT][/PATH], which is all that is allowed"
                )
                raise ConfigError(Problem("url", "", message))


@dataclass(frozen=True, slots=True)
class Registered:
    """The two documents, and a sentence for each binding that could not be narrowed to resources."""

    documents: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]


def registered(bindings: Sequence[Binding], registration: Registration) -> Registered:
    """A ValidatingWebhookConfiguration for all `bindings` that admission enforces, a MutatingWebhookConfiguration
    for those that mutate. The same input gives the same documents. Without any binding a configuration has no
    webhooks, which is legal.

    An autoscaler is asked about where what it scales is bound: it lets that grow after it was judged.
    """
    enforced = [binding for binding in bindings if binding.enforcement[Door.ADMISSION] is not Enforcement.OFF]
    notes: dict[str, None] = {}
    validating = _rules(enforced, notes, whole_objects_only=False)
    mutating = _rules([binding for binding in enforced if binding.mutate], notes, whole_objects_only=True)
    if registration.own_kinds:
        validating = [*validating, _own_rule("policybindings", "waivers")]
        mutating = [*mutating, _own_rule("waivers")]
    return Registered(
        (
            _document("ValidatingWebhookConfiguration", "validate", VALIDATE_PATH, validating, registration),
            _document("MutatingWebhookConfiguration", "mutate", MUTATE_PATH, mutating, registration),
        ),
        tuple(notes),
    )


def _document(
    kind: str, verb: str, path: str, rules: Sequence[Mapping[str, Any]], registration: Registration
) -> dict[str, Any]:
    webhook: dict[str, Any] = {
        "name": f"{verb}.pratique.dev",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            **_endpoint(registration.endpoint, path),
            "caBundle": b64encode(registration.ca_bundle).decode(),
        },
        "failurePolicy": "Fail",
        "matchConditions": [dict(condition) for condition in MATCH_CONDITIONS],
        "matchPolicy": "Equivalent",
        "namespaceSelector": {
            "matchExpressions": [
                {
                    "key": "kubernetes.io/metadata.name",
                    "operator": "NotIn",
                    "values": sorted(set(registration.excluded_namespaces)),
                }
            ]
        },
        "rules": list(rules),
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
    }
    if verb == "mutate":
        webhook["reinvocationPolicy"] = "IfNeeded"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": registration.name, "labels": {"app.kubernetes.io/name": "pratique"}},
        "webhooks": [webhook] if rules else [],
    }


def _endpoint(endpoint: str | ServiceReference, path: str) -> dict[str, Any]:
    if isinstance(endpoint, str):
        return {"url": endpoint.rstrip("/") + path}
    return {
        "service": {
            "namespace": endpoint.namespace,
            "name": endpoint.name,
            "port": endpoint.port,
            "path": endpoint.path.rstrip("/") + path,
        }
    }


# Rules: which operations on which resources


def _rules(bindings: Sequence[Binding], notes: dict[str, None], *, whole_objects_only: bool) -> list[dict[str, Any]]:
    """The fewest rules in a fixed order: resources of one group that are asked about for the same operations are one
    rule."""
    operations: dict[tuple[str, str], set[str]] = {}
    for binding in bindings:
        for group, resource in _resources(binding, notes):
            for operation, name in _asked(group, resource, binding.match.operations):
                if not whole_objects_only or (operation in ("CREATE", "UPDATE") and "/" not in name):
                    operations.setdefault((group, name), set()).add(operation)
        if not whole_objects_only and _judges_what_grows(binding):
            for (group, _), resource in AUTOSCALERS.items():
                operations.setdefault((group, resource), set()).update(("CREATE", "UPDATE"))
    rules: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, name), asked in sorted(operations.items()):
        asked = asked - _asked_anyway(group, name, operations)
        if asked:
            rules.setdefault((group, tuple(sorted(asked))), []).append(name)
    return [
        {
            "apiGroups": [group],
            "apiVersions": ["*"],
            "operations": list(asked),
            "resources": names,
            "scope": "*",
        }
        for (group, asked), names in sorted(rules.items())
    ]


def _judges_what_grows(binding: Binding) -> bool:
    """Whether `binding` judges something that an autoscaler can scale."""
    return (
        "workload" in binding.policy.subjects
        and "UPDATE" in binding.match.operations
        and any(
            kind.scale and binding.match.covers_kind(group, name, WORKLOAD_KIND)
            for (group, name), kind in KINDS.items()
        )
    )


def _own_rule(*resources: str) -> dict[str, Any]:
    """What nobody can leave out: the built-in rules are about these. A wider rule may ask about them as well; the API
    server asks once all the same."""
    return {
        "apiGroups": [OWN_GROUP],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": list(resources),
        "scope": "*",
    }


def _asked(group: str, resource: str, operations: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each operation with the resource or subresource that it comes with."""
    for operation in operations:
        if operation == "CONNECT":
            if "/" in resource:
                yield operation, resource
            elif resource == EVERYTHING:
                yield operation, "*/*"
        elif "/" not in resource:
            yield operation, resource
            if operation == "UPDATE":
                for subresource in _updated_through(group, resource):
                    yield operation, f"{resource}/{subresource}"


def _updated_through(group: str, resource: str) -> tuple[str, ...]:
    """The subresources through which what is judged can change as well."""
    if resource == EVERYTHING:
        return "ephemeralcontainers", "resize", "scale"
    if resource == "pods" and group in ("", EVERYTHING):
        return "ephemeralcontainers", "resize"
    of_kubernetes = group != EVERYTHING and ("." not in group or group.endswith(".k8s.io"))
    return () if of_kubernetes and resource not in _SCALABLE else ("scale",)  # any custom resource may have it


def _asked_anyway(group: str, name: str, operations: Mapping[tuple[str, str], set[str]]) -> set[str]:
    """The operations that a wider rule asks about already."""
    subresource = name.partition("/")[2]
    wider = f"*/{subresource}" if subresource else EVERYTHING
    found: set[str] = set()
    for candidate in ((group, wider), (EVERYTHING, wider), (EVERYTHING, name)):
        if candidate != (group, name):
            found |= operations.get(candidate, set())
    return found


def _resources(binding: Binding, notes: dict[str, None]) -> Iterator[tuple[str, str]]:
    """Group and resource of everything that `binding` can judge; `*` for all there are."""
    subjects = binding.policy.subjects
    if "workload" in subjects:
        # Only what ends in pods: all such kinds are known.
        for group, kind in sorted(KINDS):
            if binding.match.covers_kind(group, kind, WORKLOAD_KIND):
                yield group, _resource(group, kind, binding, notes)
    if "resource" in subjects:
        if not binding.match.kinds:
            notes[f"{binding.name} names no kinds: the API server asks about every resource"] = None
            yield EVERYTHING, EVERYTHING
        for pattern in binding.match.kinds:
            if pattern != WORKLOAD_KIND:
                yield from _of_pattern(pattern, binding, notes)


def _of_pattern(pattern: str, binding: Binding, notes: dict[str, None]) -> Iterator[tuple[str, str]]:
    """What a plain resource can be that `pattern` (`Kind`, `group/Kind`, or a glob of either) covers."""
    group, slash, kind = pattern.rpartition("/")
    if _is_glob(group):
        group = EVERYTHING
    if _is_glob(kind):
        place = f"group {group}" if slash and group != EVERYTHING else "every group"
        notes[f"{binding.name} names the kinds {pattern}: the API server asks about every resource of {place}"] = None
        yield (group if slash else EVERYTHING), EVERYTHING
    elif slash and group != EVERYTHING:
        yield group, _resource(group, kind, binding, notes)
    else:
        # A kind without its group is meant in whatever group it is. Groups name the resources of like kinds alike.
        named = {resource for (_, known), resource in _KNOWN.items() if known == kind}
        if named:
            yield from ((EVERYTHING, resource) for resource in sorted(named))
        else:
            notes[
                f"{binding.name} names the kind {kind}, whose resource is not known: the API server asks about every"
                f" resource; write group/{kind} to have it ask about that group only"
            ] = None
            yield EVERYTHING, EVERYTHING


def _resource(group: str, kind: str, binding: Binding, notes: dict[str, None]) -> str:
    """The resource of a kind; all of its group where it is not known: a plural that is guessed wrong is a hole."""
    resource = _KNOWN.get((group, kind))
    if resource is None:
        notes[
            f"{binding.name} judges {group}/{kind}, whose resource is not known: the API server asks about every"
            f" resource of group {group}"
        ] = None
        return EVERYTHING
    return resource


_OF_PLATFORM = {(platform_crd.GROUP, kind): plural for kind, plural in platform_crd.PLURALS.items()}

_KNOWN = {
    **{key: kind.resource for key, kind in KINDS.items()},
    **_OF_PLATFORM,
    **RESOURCES,
    **CONNECT_RESOURCES,
}


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")
