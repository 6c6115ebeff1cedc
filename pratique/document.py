"""The input document: what policies see of a subject (design, section 6; `policies/schemas/input.json`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pratique.fields import Reads
from pratique.quantity import json_number
from pratique.subject import Container, Gpus, ImageRef, ModelCall, Pod, Resource, Subject, Workload

_CONTAINER_LISTS = frozenset({"containers", "initContainers", "ephemeralContainers"})


def subject_document(subject: Subject, *, identity: bool, reads: Reads | None = None) -> dict[str, Any]:
    """`input.subject`; with `identity`, also its name, generateName, uid, resourceVersion and owners.

    Of Kubernetes' own fields of pods and containers it has those that `reads` names, or all without it.
    """
    if isinstance(subject, ModelCall):
        return {"type": subject.type, "namespace": subject.namespace, **subject.fields}
    document: dict[str, Any] = {
        "type": subject.type,
        "apiVersion": subject.gvk.api_version,
        "kind": subject.gvk.kind,
        "namespace": subject.namespace,
        "labels": subject.labels,
        "annotations": subject.annotations,
    }
    if isinstance(subject, Workload):
        content = subject.content
        document["pods"] = [_pod(pod, reads) for pod in content.pods]
        document["images"] = [_image(image) for image in content.images]
        document["models"] = content.models
        document["gpus"] = _gpus(content.gpus)
    if identity:
        document["identity"] = _identity(subject)
    return document


def object_document(subject: Resource, *, identity: bool) -> dict[str, Any]:
    """`input.object`: the submitted object without its status, and without what is identity unless that is asked
    for."""
    document = dict(subject.body)
    metadata: Mapping[str, Any]
    if identity:
        metadata = subject.object.get("metadata") or {}
    else:
        metadata = {"namespace": subject.namespace, "labels": subject.labels, "annotations": subject.annotations}
    document["metadata"] = metadata
    return document


def _identity(subject: Resource) -> dict[str, Any]:
    metadata = subject.object.get("metadata") or {}
    return {
        "name": subject.identity.name,
        "generateName": subject.identity.generate_name,
        "uid": subject.identity.uid,
        "resourceVersion": subject.identity.resource_version,
        "labels": metadata.get("labels") or {},
        "annotations": metadata.get("annotations") or {},
        "ownerReferences": metadata.get("ownerReferences") or [],
    }


def _pod(pod: Pod, reads: Reads | None) -> dict[str, Any]:
    document = {
        name: value
        for name, value in pod.fields.items()
        if name not in _CONTAINER_LISTS and (reads is None or reads.sends_of_pod(name))
    }
    document["path"] = pod.path
    document["replicas"] = {"min": pod.replicas.min, "max": pod.replicas.max}
    document["labels"] = pod.labels
    document["annotations"] = pod.annotations
    document["containers"] = [_container(container, reads) for container in pod.containers]
    return document


def _container(container: Container, reads: Reads | None) -> dict[str, Any]:
    fields = container.fields
    if reads is not None:
        fields = {name: value for name, value in fields.items() if reads.sends_of_container(name)}
    return {
        **fields,
        "path": container.path,
        "role": container.role,
        "name": container.name,
        "image": _image(container.image),
    }


def _image(image: ImageRef) -> dict[str, str]:
    return {
        "path": image.path,
        "reference": image.reference,
        "registry": image.registry,
        "repository": image.repository,
        "tag": image.tag,
        "digest": image.digest,
        "error": image.error,
    }


def _gpus(gpus: Gpus) -> dict[str, Any]:
    return {
        "now": json_number(gpus.now),
        "peak": json_number(gpus.peak),
        "by_resource": {name: json_number(amount) for name, amount in gpus.by_resource.items()},
    }
