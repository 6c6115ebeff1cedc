"""What is judged: bytes are parsed once into one of these frozen dataclasses, and everything below the edge reads
those.

What policies see of it is made in `pratique.document`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal

Role = Literal["main", "init", "ephemeral"]
ModelRole = Literal["model", "tokenizer", "lora", "draft", "dataset"]


@dataclass(frozen=True, slots=True)
class GroupVersionKind:
    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image reference as the container ecosystem reads it (distribution/reference), with the defaults filled in.

    A reference that does not parse keeps its text in `reference` and says why in `error`; the other fields are empty
    then. `digest` is `algorithm:hex` or empty; `tag` is empty when only a digest is given and `latest` when neither is.
    """

    path: str
    reference: str
    registry: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model that a workload loads, or (role `dataset`) data that it reads, wherever it is named; `path` leads to the
    text that names it.

    `uri` is as it was written. `scheme` is that of the URI (`hf`, `s3`, `oci`, `pvc`, `models` ...), `file` for a path
    in the container, `hostpath`, `nfs` or `csi` where such a volume is mounted there. `version` is a revision, tag,
    digest, version or alias, `pinned` whether it can only ever mean the same bytes. What is known to be named elsewhere
    (a Secret, a ConfigMap), or not at all, says so in `unresolved`.
    """

    path: str
    uri: str
    scheme: str
    name: str
    version: str
    pinned: bool
    role: ModelRole = "model"
    framework: str = ""
    unresolved: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """Something that loads models: a container, or the field of a kind that stands for one.

    `framework` is what it runs (`vllm`, `tgi`, `triton` ...), `runtime` the runtime object that it names.
    `trust_remote_code` and `load_format` are the pointers and values of what was set (each format once, with
    commas, where a script starts several servers); empty where that is not.
    """

    path: str
    framework: str
    runtime: str = ""
    trust_remote_code: str = ""
    load_format: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod. `fields` are the container's own fields, under Kubernetes' names."""

    path: str
    role: Role
    name: str
    image: ImageRef
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many pods of one template there are at the least and at the most; `max` counts everything it can grow to."""

    min: int
    max: int


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod template (or the pod itself) in an object. `fields` are the pod spec's own fields; `path` points at the
    spec.

    A `partial` spec is completed by a controller: what is missing in it may be there in the end. `devices` are the
    accelerators of one pod that are not asked for by its containers, in whole ones.
    """

    path: str
    replicas: Replicas
    containers: tuple[Container, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    fields: Mapping[str, Any]
    partial: bool = False
    devices: Mapping[str, Fraction] | None = None


@dataclass(frozen=True, slots=True)
class Gpus:
    """Accelerators, in whole or exact parts of one: `now` for the pods that there are, `peak` for all that there can
    be.

    `by_resource` counts each extended resource as it is named (a MIG slice is one there), at the same size as `now`.
    """

    now: Fraction
    peak: Fraction
    by_resource: Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one copy of a template from another; policies see it only if they `need` it."""

    name: str
    generate_name: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class Content:
    """What ends in pods inside an object; the same for all copies of one template, hence shared between them."""

    pods: tuple[Pod, ...]
    images: tuple[ImageRef, ...]
    models: tuple[ModelRef, ...]
    gpus: Gpus
    servers: tuple[Server, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
    """An object of the Kubernetes API.

    `object` is the object as it was submitted, but for its managedFields; `body` its parts other than metadata and
    status, without identity; `labels` and `annotations` are without those that only tell one copy of a template from
    another. `digest` is `sha256:<hex>` over the canonical JSON of the whole object, `key` the SHA-256 of what remains
    of it without its identity: two subjects of one key are the same to every policy that does not need `identity`.
    """

    gvk: GroupVersionKind
    namespace: str
    identity: Identity
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    object: Mapping[str, Any]
    body: Mapping[str, Any]
    digest: str
    key: bytes
    being_deleted: bool

    type: ClassVar[str] = "resource"


@dataclass(frozen=True, slots=True)
class Workload(Resource):
    """Anything that ends in pods, or loads models. `inferred`: of a kind that is in no table, but holds pod specs."""

    content: Content
    inferred: bool = False

    type: ClassVar[str] = "workload"


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A call of a model through the AI gateway."""

    namespace: str
    digest: str
    key: bytes
    fields: Mapping[str, Any]

    type: ClassVar[str] = "call"


Subject = Resource | ModelCall
