"""From a submitted object to a Subject: where pods, replicas and images live in each kind.

A new kind is one entry in one of the tables that `KINDS` collects.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

from pratique.canonical import canonical_json, sha256
from pratique.errors import InputError
from pratique.gpu import count_gpus
from pratique.identity import IDENTITY_ANNOTATIONS, IDENTITY_LABELS, pod_spec_without_identity, without
from pratique.image import parse_image
from pratique.kinds import core
from pratique.kinds.table import Kind, PodTemplate
from pratique.pointer import pointer
from pratique.shape import Object, json_type, list_at, lookup, mapping_at
from pratique.subject import (
    Container,
    Content,
    GroupVersionKind,
    Identity,
    ImageRef,
    Pod,
    Resource,
    Role,
    Workload,
)

KINDS: dict[tuple[str, str], Kind] = {(kind.group, kind.kind): kind for kind in core.KINDS}

_ROLES: tuple[tuple[str, Role], ...] = (
    ("initContainers", "init"),
    ("containers", "main"),
    ("ephemeralContainers", "ephemeral"),
)


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


def subject_of(obj: object, *, namespace: str = "", cache: ContentCache | None = None) -> Resource:
    """The Subject that a Kubernetes object is; a `Workload` if its kind ends in pods.

    `namespace` is used where the object does not say its own (on its way to the API server it may not).

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
    key = hashlib.sha256(canonical_json([namespace, labels, annotations, body])).digest()
    being_deleted = metadata.get("deletionTimestamp") is not None
    if "managedFields" in metadata:  # half of the object, and of no use to any policy: let its memory go
        own = {name: value for name, value in metadata.items() if name != "managedFields"}
        obj = {**obj, "metadata": own}
    if kind is None:
        return Resource(gvk, namespace, identity, labels, annotations, obj, body, digest, key, being_deleted)
    content = cache.get(key) if cache is not None else None
    if content is None:
        content = _content({**body, "metadata": metadata}, kind)
        if cache is not None:
            cache.put(key, content)
    return Workload(gvk, namespace, identity, labels, annotations, obj, body, digest, key, being_deleted, content)


def _content(obj: Object, kind: Kind) -> Content:
    pods = tuple(_pod(obj, template) for template in kind.templates)
    images = tuple(image for pod in pods for image in _images(pod))
    return Content(pods=pods, images=images, models=(), gpus=count_gpus(pods))


def _pod(obj: Object, template: PodTemplate) -> Pod:
    spec = lookup(obj, template.spec)
    if spec is None:
        raise InputError(f"{template.spec} is missing: there is no pod to judge; add the pod spec")
    spec = mapping_at(spec, template.spec)
    if not list_at(spec.get("containers"), f"{template.spec}/containers"):
        raise InputError(f"{template.spec}/containers is missing or empty: there is nothing to judge; add a container")
    metadata = mapping_at(lookup(obj, template.metadata), template.metadata)
    return Pod(
        path=template.spec,
        replicas=template.replicas(obj),
        containers=tuple(
            container for field, role in _ROLES for container in _containers(spec, template.spec, field, role)
        ),
        labels=without(_texts(metadata.get("labels"), f"{template.metadata}/labels"), IDENTITY_LABELS),
        annotations=without(
            _texts(metadata.get("annotations"), f"{template.metadata}/annotations"), IDENTITY_ANNOTATIONS
        ),
        fields=spec,
    )


def _containers(spec: Object, path: str, field: str, role: Role) -> list[Container]:
    containers = []
    for index, value in enumerate(list_at(spec.get(field), f"{path}/{field}")):
        place = f"{path}/{field}/{index}"
        fields = mapping_at(value, place)
        name = fields.get("name")
        containers.append(
            Container(
                path=place,
                role=role,
                name=name if isinstance(name, str) else "",
                image=parse_image(fields.get("image"), f"{place}/image"),
                fields=fields,
            )
        )
    return containers


def _images(pod: Pod) -> list[ImageRef]:
    images = [container.image for container in pod.containers]
    for index, value in enumerate(list_at(pod.fields.get("volumes"), f"{pod.path}/volumes")):
        place = f"{pod.path}/volumes/{index}"
        source = mapping_at(value, place).get("image")
        if source is not None:
            reference = mapping_at(source, f"{place}/image").get("reference")
            images.append(parse_image(reference, f"{place}/image/reference"))
    return images


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
