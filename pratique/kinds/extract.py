"""What a table entry finds in an object: pods, images, models, accelerators, each with a pointer into the object."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from pratique.errors import InputError, Problem
from pratique.gpu import RESOURCE_FIELDS, Claims, count_gpus, gpus_of_pod
from pratique.identity import IDENTITY_ANNOTATIONS, IDENTITY_LABELS, without
from pratique.image import parse_image
from pratique.kinds.table import (
    CONTAINER_LISTS,
    Embedded,
    Kind,
    Place,
    PodTemplate,
    image_reference,
    places,
    unnamed_image,
)
from pratique.models.containers import serving_of
from pratique.pointer import escape, split
from pratique.shape import Object, list_at, lookup, mapping_at
from pratique.subject import Container, Content, Gpus, ImageRef, ModelRef, Pod, Replicas, Role, Server

CONTAINER_FIELDS = frozenset(
    {
        "args", "command", "computeResources", "env", "envFrom", "image", "imagePullPolicy", "lifecycle",
        "livenessProbe", "name", "ports", "readinessProbe", "resizePolicy", "resources", "resourcesPerNode",
        "restartPolicyRules", "securityContext", "startupProbe", "stdin", "stdinOnce", "terminationMessagePath",
        "terminationMessagePolicy", "tty", "volumeDevices", "volumeMounts", "workingDir",
    }
)  # fmt: skip
"""A container's fields (core/v1 Container, Kubernetes 1.35): of a spec that is pod and container in one, those that
are the container's."""

POD_FIELDS = frozenset(
    {
        "activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "dnsConfig", "dnsPolicy",
        "enableServiceLinks", "hostAliases", "hostIPC", "hostNetwork", "hostPID", "hostUsers", "hostname",
        "imagePullSecrets", "nodeName", "nodeSelector", "os", "overhead", "preemptionPolicy", "priority",
        "priorityClassName", "readinessGates", "resourceClaims", "runtimeClassName", "schedulerName",
        "schedulingGates", "serviceAccount", "serviceAccountName", "setHostnameAsFQDN", "shareProcessNamespace",
        "subdomain", "terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints", "volumes",
    }
)  # fmt: skip
"""A pod spec's own fields (core/v1 PodSpec, Kubernetes 1.35), likewise."""

MAX_EMBEDDED_DEPTH = 5
"""Objects in objects in objects: protects against a document that is made of nothing else."""

FindKind = Callable[[Object], Kind | None]
"""Which entry an embedded object is read by."""


@dataclass(slots=True)
class _Found:
    pods: list[Pod] = field(default_factory=list)
    images: list[ImageRef] = field(default_factory=list)
    models: list[ModelRef] = field(default_factory=list)
    servers: list[Server] = field(default_factory=list)
    bounds: list[tuple[Fraction, Fraction]] = field(default_factory=list)
    """For parts whose pods run one after another: what they add up to, and what of it runs at one time."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known beside the object: the namespace that it is in, the accelerators of the claims that are known,
    how many replicas an autoscaler may set, and how the kinds of embedded objects are found."""

    namespace: str
    claims: Claims
    max_replicas: int | None
    find_kind: FindKind


def content_of(obj: Object, kind: Kind, around: Surroundings) -> Content:
    """What ends in pods or is a model inside `obj`.

    Raises:
        InputError: a part of it has the wrong type; the message names the place.
    """
    found = _Found()
    _read(obj, kind, "", around, found, depth=0)
    if "." in kind.group:
        known = {image.path for image in found.images}
        body = {name: value for name, value in obj.items() if name not in ("metadata", "status")}
        found.images.extend(image for image in _other_images(body, "") if image.path not in known)
    gpus = count_gpus(found.pods, claims=around.claims, namespace=around.namespace)
    for total, bound in found.bounds:
        if bound < total:
            peak = gpus.peak - total + bound
            gpus = Gpus(now=min(gpus.now, peak), peak=peak, by_resource=gpus.by_resource)
    return Content(
        pods=tuple(found.pods),
        images=tuple(found.images),
        models=tuple({(model.path, model.uri, model.role): model for model in found.models}.values()),
        gpus=gpus,
        servers=_merged(found.servers),
    )


def _merged(servers: list[Server]) -> tuple[Server, ...]:
    """One server for each path: what the kind says of it and what its arguments say, together."""
    found: dict[str, Server] = {}
    for server in servers:
        known = found.get(server.path)
        found[server.path] = (
            server
            if known is None
            else Server(
                server.path,
                known.framework or server.framework,
                known.runtime or server.runtime,
                known.trust_remote_code or server.trust_remote_code,
                known.load_format or server.load_format,
            )
        )
    return tuple(found.values())


def _read(obj: Object, kind: Kind, base: str, around: Surroundings, found: _Found, *, depth: int) -> None:
    grown = obj
    if around.max_replicas is not None and kind.scale and depth == 0:
        grown = _with(obj, split(kind.scale), around.max_replicas)
    first = len(found.pods)
    for template in kind.templates:
        for place in _places(obj, template, base):
            pod = _pod(place, template, grown)
            if pod is None:
                continue
            found.pods.append(pod)
            for container in pod.containers:
                image = container.image
                if image.reference or image.error:
                    found.images.append(image)
                models, server = serving_of(container, pod)
                if models:
                    found.models.extend(models)
                if server is not None:
                    found.servers.append(server)
            if "volumes" in pod.fields:
                found.images.extend(_volume_images(pod))
    for path in kind.images:
        for place in places(obj, path, base=base):
            reference = image_reference(place.value(path))
            if reference is not None:
                found.images.append(parse_image(reference, place.at(path)))
    if kind.serving is not None:
        serving = kind.serving(Place(obj, (), base))
        found.models.extend(serving.models)
        found.servers.extend(serving.servers)
    if kind.at_once is not None:
        pods = found.pods[first:]
        each = {pod.path: gpus_of_pod(pod, claims=around.claims, namespace=around.namespace) for pod in pods}
        total = sum((each[pod.path] * pod.replicas.max for pod in pods), Fraction(0))
        found.bounds.append((total, kind.at_once(Place(obj, (), base), each)))
    for embedded in kind.embedded:
        for place in places(obj, embedded.path, base=base):
            _read_embedded(place, embedded, around, found, depth=depth)


# Pods


def _places(obj: Object, template: PodTemplate, base: str) -> Iterator[Place]:
    """Where there are pods of `template`."""
    if template.anchor:
        for place in places(obj, template.anchor, base=base):
            if place.value(template.anchor) is not None:
                yield place
            elif template.required:
                raise InputError(f"{place.at(template.anchor)} is missing: there is nothing to judge; add it")
    elif template.required or "*" in template.spec:
        yield from places(obj, template.spec, base=base)
    elif lookup(obj, template.spec, base=base) is not None:
        yield Place(obj, (), base)


def _pod(place: Place, template: PodTemplate, grown: Object) -> Pod | None:
    path = place.at(template.spec)
    value = place.value(template.spec)
    if value is None:
        if template.empty == "skip":
            return None
        if not template.anchor or template.empty == "refuse":
            raise InputError(f"{path} is missing: there is no pod to judge; add the pod spec")
        path, value = place.at(template.anchor), {}
    spec = mapping_at(value, path)
    containers: list[Container] = []
    for name, role in template.lists:
        listed = spec.get(name) if "/" not in name else lookup(spec, f"/{name}", base=path)
        if listed is not None:
            _add_containers(listed, f"{path}/{name}", role, template, containers)
    for name in template.inline:
        inline = _inline(spec, path, name)
        if inline is not None:
            containers.append(inline)
    if template.empty != "keep" and not any(container.role == "main" for container in containers):
        if template.empty == "skip":
            return None
        raise InputError(f"{path}/containers is missing or empty: there is nothing to judge; add a container")
    metadata = place.mapping(template.metadata)
    labels, annotations = metadata.get("labels"), metadata.get("annotations")
    replicas = template.replicas(place)
    if grown is not place.root:
        most = template.replicas(replace(place, root=grown)).max
        replicas = Replicas(replicas.min, max(replicas.max, most))
    return Pod(
        path=path,
        replicas=replicas,
        containers=tuple(containers),
        labels=_texts(labels, place, template, "labels", IDENTITY_LABELS),
        annotations=_texts(annotations, place, template, "annotations", IDENTITY_ANNOTATIONS),
        fields=_pod_fields(spec, template),
        partial=template.partial,
        devices=template.devices(place) if template.devices is not None else None,
    )


def _texts(value: Any, place: Place, template: PodTemplate, name: str, identity: frozenset[str]) -> Object:
    """Labels or annotations. Values of other types are kept for policies to see: the API server refuses them, a file
    may hold them."""
    if value is None:
        return {}
    return without(mapping_at(value, f"{place.at(template.metadata)}/{name}"), identity)


def _pod_fields(spec: Object, template: PodTemplate) -> Object:
    if "" in template.inline:
        fields = {name: value for name, value in spec.items() if name in POD_FIELDS}
        if "draResources" in spec:  # NIMService
            fields["resourceClaims"] = spec["draResources"]
        return fields
    if not template.inline and template.lists is CONTAINER_LISTS:
        return spec
    taken = {name.partition("/")[0] for name in (*template.inline, *(name for name, _ in template.lists))}
    return {name: value for name, value in spec.items() if name not in taken}


def _add_containers(listed: Any, path: str, role: Role, template: PodTemplate, containers: list[Container]) -> None:
    for index, value in enumerate(list_at(listed, path)):
        place = f"{path}/{index}"
        fields = mapping_at(value, place)
        if template.lists is not CONTAINER_LISTS:
            fields = _as_in_kubernetes(fields)
        name = fields.get("name")
        image = fields.get("image")
        containers.append(
            Container(
                path=place,
                role=role,
                name=name if isinstance(name, str) else "",
                image=unnamed_image(f"{place}/image")
                if image is None and template.partial
                else parse_image(image, f"{place}/image"),
                fields=fields,
            )
        )


def _inline(spec: Object, path: str, name: str) -> Container | None:
    place = f"{path}/{name}" if name else path
    value = lookup(spec, f"/{name}", base=path) if name else spec
    if value is None:
        return None
    fields = mapping_at(value, place)
    if not name:
        fields = {field_name: value for field_name, value in fields.items() if field_name in CONTAINER_FIELDS}
    fields = _as_in_kubernetes(fields)
    image, own_name = fields.get("image"), fields.get("name")
    return Container(
        path=place,
        role="main",
        name=own_name if isinstance(own_name, str) else name.rpartition("/")[2],
        image=unnamed_image(f"{place}/image")
        if image is None
        else parse_image(image_reference(image), f"{place}/image"),
        fields=fields,
    )


def _as_in_kubernetes(fields: Object) -> Object:
    """`fields` with the resources under Kubernetes' name too (computeResources of Tekton, resourcesPerNode of a
    TrainJob)."""
    for name in RESOURCE_FIELDS:
        if name in fields and "resources" not in fields:
            return {**fields, "resources": fields[name]}
    return fields


def _with(obj: Object, tokens: tuple[str, ...], value: int) -> Object:
    """`obj` with `value` at a pointer through objects."""
    head, *rest = tokens
    if not rest:
        return {**obj, head: value}
    return {**obj, head: _with(mapping_at(obj.get(head), f"/{head}"), tuple(rest), value)}


# Images that are in no container


def _volume_images(pod: Pod) -> Iterator[ImageRef]:
    for index, value in enumerate(list_at(pod.fields.get("volumes"), f"{pod.path}/volumes")):
        place = f"{pod.path}/volumes/{index}"
        source = mapping_at(value, place).get("image")
        if source is not None:
            reference = mapping_at(source, f"{place}/image").get("reference")
            yield parse_image(reference, f"{place}/image/reference")


_IMAGE_FIELDS = frozenset({"image", "storageInitializerImage"})
_NOT_CONTAINER_IMAGES = frozenset({"rbd"})
"""Volumes of block devices, whose `image` is a device's."""


def _other_images(value: Any, path: str) -> Iterable[ImageRef]:
    """Every other field that is called as images are and holds a reference: what a kind got a field for since its
    table was written is not overlooked."""
    if isinstance(value, dict):
        for name, child in value.items():
            if name in _NOT_CONTAINER_IMAGES:
                continue
            place = f"{path}/{escape(name)}"
            if name in _IMAGE_FIELDS:
                if isinstance(child, str) and child:
                    yield parse_image(child, place)
                    continue
                if isinstance(child, dict) and isinstance(child.get("repository"), str):
                    yield parse_image(image_reference(child), place)
                    continue
                if isinstance(child, dict) and isinstance(child.get("reference"), str):
                    yield parse_image(child["reference"], f"{place}/reference")
                    continue
            if isinstance(child, dict | list):
                yield from _other_images(child, place)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            if isinstance(child, dict | list):
                yield from _other_images(child, f"{path}/{index}")


# Objects in objects


def _read_embedded(place: Place, embedded: Embedded, around: Surroundings, found: _Found, *, depth: int) -> None:
    value, path = place.value(embedded.path), place.at(embedded.path)
    if value is None:
        return
    if depth >= MAX_EMBEDDED_DEPTH:
        raise InputError(f"{path} holds objects in objects more than {MAX_EMBEDDED_DEPTH} deep; submit them apart")
    objects = _documents(value, path) if embedded.text else [mapping_at(value, path)]
    copies = embedded.copies(place) if embedded.copies is not None else Replicas(1, 1)
    for obj in objects:
        kind = around.find_kind(obj)
        if kind is None:
            continue
        inner = _Found()
        _read(obj, kind, "" if embedded.text else path, around, inner, depth=depth + 1)
        for pod in inner.pods:
            replicas = Replicas(pod.replicas.min * copies.min, pod.replicas.max * copies.max)
            found.pods.append(replace(pod, replicas=replicas))
        found.images.extend(inner.images)
        found.models.extend(inner.models)
        found.servers.extend(inner.servers)
        found.bounds.extend(inner.bounds)
        if embedded.text:
            _point_at(path, found, inner)


def _point_at(path: str, found: _Found, inner: _Found) -> None:
    """Everything that was read from a text has the text's pointer: there is none into it."""
    if inner.pods:
        found.pods[-len(inner.pods) :] = [
            replace(
                pod,
                path=path,
                containers=tuple(
                    replace(container, path=path, image=replace(container.image, path=path))
                    for container in pod.containers
                ),
            )
            for pod in found.pods[-len(inner.pods) :]
        ]
    if inner.images:
        found.images[-len(inner.images) :] = [replace(image, path=path) for image in inner.images]
    if inner.models:
        found.models[-len(inner.models) :] = [replace(model, path=path) for model in inner.models]
    if inner.servers:
        found.servers[-len(inner.servers) :] = [
            replace(server, path=path, trust_remote_code=path if server.trust_remote_code else "")
            for server in inner.servers
        ]


_PARAMETER = re.compile(r"\{\{[^{}\n]*\}\}")


def _documents(text: Any, path: str) -> list[Object]:
    """The objects in a YAML text; parameters that are yet to be filled in (`{{...}}`) stand for `1`.

    Raises:
        InputError: it cannot be read.
    """
    from pratique.yamlfile import load_documents

    if not isinstance(text, str):
        raise InputError(f"{path} is not text; write the manifest as YAML text")
    objects: list[Object] = []
    for document in load_documents(_PARAMETER.sub("1", text), path):
        if isinstance(document, Problem):
            raise InputError(f"{path} cannot be read as YAML: {document.where}: {document.message}")
        if isinstance(document.value, dict):
            objects.append(document.value)
    return objects
