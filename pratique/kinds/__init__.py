"""From a submitted object to a Subject: where pods, replicas and images live in each kind.

A new kind is one entry in one of the tables that `KINDS` collects.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

from pratique.canonical import canonical_json, sha256
from pratique.errors import InputError
from pratique.gpu import Claims
from pratique.identity import IDENTITY_ANNOTATIONS, IDENTITY_LABELS, pod_spec_without_identity, without
from pratique.kinds import (
    aibrix,
    argo,
    batch,
    core,
    kaito,
    kserve,
    kubeflow,
    lws,
    nvidia,
    platform,
    ray,
    seldon,
    serving,
)
from pratique.kinds.context import NOTHING_KNOWN, Autoscaler, Context, autoscaler_of, context_of
from pratique.kinds.extract import Surroundings, content_of
from pratique.kinds.inferred import infer_kind
from pratique.kinds.table import Kind
from pratique.pointer import pointer
from pratique.shape import Object, json_type, mapping_at
from pratique.subject import Content, GroupVersionKind, Identity, Resource, Workload

__all__ = [
    "KINDS",
    "NOTHING_KNOWN",
    "Autoscaler",
    "ContentCache",
    "Context",
    "autoscaler_of",
    "context_of",
    "is_workload",
    "subject_of",
]

KINDS: dict[tuple[str, str], Kind] = {
    (kind.group, kind.kind): kind
    for table in (core, kserve, ray, kubeflow, lws, batch, argo, serving, nvidia, kaito, seldon, aibrix, platform)
    for kind in table.KINDS
}


class ContentCache:
    """The parsed content of recent workloads, by key: the pods of one template are parsed once. Not thread-safe.

    What was asked for only once goes soon: to keep it would hold the parsed objects themselves in memory, which with
    objects that are all different costs more time (in the processor's caches) than it ever saves.
    """

    def __init__(self, *, max_entries: int = 512, max_new_entries: int = 64) -> None:
        self._max_entries = max_entries
        self._max_new_entries = max_new_entries
        self._entries: OrderedDict[bytes, Content] = OrderedDict()
        self._new_entries: OrderedDict[bytes, Content] = OrderedDict()

    def get(self, key: bytes) -> Content | None:
        content = self._entries.get(key)
        if content is not None:
            self._entries.move_to_end(key)
            return content
        content = self._new_entries.pop(key, None)
        if content is not None:
            self._entries[key] = content
            if len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)
        return content

    def put(self, key: bytes, content: Content) -> None:
        self._new_entries[key] = content
        if len(self._new_entries) > self._max_new_entries:
            self._new_entries.popitem(last=False)


def is_workload(group: str, kind: str) -> bool:
    """Whether objects of this kind end in pods."""
    return (group, kind) in KINDS


def subject_of(
    obj: object, *, namespace: str = "", cache: ContentCache | None = None, context: Context = NOTHING_KNOWN
) -> Resource:
    """The Subject that a Kubernetes object is; a `Workload` if its kind ends in pods or loads models, or if pod specs
    are found in it by their shape.

    `namespace` is used where the object does not say its own (on its way to the API server it may not). `context` is
    what other objects of the same input say of it (`context_of`): how far autoscalers go, what claims hold.

    Raises:
        InputError: not an object of the Kubernetes API, or one whose parts have the wrong types.
    """
    if not isinstance(obj, dict):
        raise InputError(f"the object is {json_type(obj)}, not a JSON object; submit a Kubernetes manifest")
    gvk = _gvk(obj)
    metadata = mapping_at(obj.get("metadata"), "/metadata")
    labels = _texts(metadata.get("labels"), "/metadata/labels")
    annotations = _texts(metadata.get("annotations"), "/metadata/annotations")
    identity = Identity(
        name=_text(metadata, "name"),
        generate_name=_text(metadata, "generateName"),
        uid=_text(metadata, "uid"),
        resource_version=_text(metadata, "resourceVersion"),
    )
    namespace = _text(metadata, "namespace") or namespace
    labels = without(labels, IDENTITY_LABELS)
    annotations = without(annotations, IDENTITY_ANNOTATIONS)
    digest = sha256(canonical_json(obj))
    body = {name: value for name, value in obj.items() if name not in ("metadata", "status")}
    kind = KINDS.get((gvk.group, gvk.kind))
    if kind is not None and gvk.kind == "Pod" and obj.get("spec") is not None:
        body["spec"] = pod_spec_without_identity(mapping_at(obj.get("spec"), "/spec"), metadata)
    canonical = canonical_json([namespace, labels, annotations, body])
    key = hashlib.sha256(canonical).digest()
    max_replicas: int | None = None
    claims: Claims = {}
    if context is not NOTHING_KNOWN:
        max_replicas = context.max_replicas.get((gvk.group, gvk.kind, namespace, identity.name))
        claims = context.claims_named_in(canonical, namespace)
        if max_replicas is not None or claims:  # else it is the same to every policy as without a context
            key = hashlib.sha256(key + canonical_json([max_replicas, _written(claims)])).digest()
    being_deleted = metadata.get("deletionTimestamp") is not None
    inferred = False
    if "managedFields" in metadata:  # half of the object, and of no use to any policy: let its memory go
        own = {name: value for name, value in metadata.items() if name != "managedFields"}
        obj = {**obj, "metadata": own}
    if kind is None:
        kind = infer_kind(gvk.group, gvk.kind, body)
        if kind is None:
            return Resource(gvk, namespace, identity, labels, annotations, obj, body, digest, key, being_deleted)
        inferred = True
    content = cache.get(key) if cache is not None else None
    if content is None:
        around = Surroundings(namespace, claims, max_replicas, _kind_of)
        content = content_of({**body, "metadata": metadata}, kind, around)
        if cache is not None:
            cache.put(key, content)
    return Workload(
        gvk, namespace, identity, labels, annotations, obj, body, digest, key, being_deleted, content, inferred
    )


def _written(claims: Claims) -> list[Any]:
    """Claims in a form that can be part of a key."""
    return [
        (*key, sorted((device, str(amount)) for device, amount in devices.items()))
        for key, devices in sorted(claims.items(), key=lambda item: item[0])
    ]


def _kind_of(obj: Object) -> Kind | None:
    """The entry that an embedded object is read by."""
    gvk = _gvk(obj)
    return KINDS.get((gvk.group, gvk.kind)) or infer_kind(gvk.group, gvk.kind, obj)


def _gvk(obj: Object) -> GroupVersionKind:
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    if not isinstance(api_version, str) or not api_version or not isinstance(kind, str) or not kind:
        raise InputError("the object has no apiVersion and kind; submit a Kubernetes manifest")
    group, slash, version = api_version.rpartition("/")
    if "/" in group or (slash and not group) or not version:
        raise InputError(f"the apiVersion {api_version[:80]!r} is not of the form group/version; correct the manifest")
    return GroupVersionKind(group, version, kind)


def _text(metadata: Object, name: str) -> str:
    value = metadata.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"{pointer('metadata', name)} is {json_type(value)}, not text; correct the manifest")
    return value


def _texts(value: Any, path: str) -> Object:
    """Labels or annotations. Values of other types are kept for policies to see: the API server refuses them, a file
    may hold them."""
    return mapping_at(value, path)
