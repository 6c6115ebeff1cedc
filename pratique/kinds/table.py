"""What a table entry says of a kind, and the small readers that entries are made of.

Paths are JSON pointers in which `*` stands for every element of a list or every value of an object. Where one entry
names several paths, their stars stand for the same elements, from the left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

from pratique.errors import InputError
from pratique.pointer import escape
from pratique.shape import Object, count_at, json_type, lookup, mapping_at
from pratique.subject import ImageRef, ModelRef, Replicas, Role, Server

UNLIMITED = 2**31 - 1
"""Stands for "as many as it likes": what Kubernetes and its operators mean by an int32 that nobody set a bound to."""

CONTAINER_LISTS: tuple[tuple[str, Role], ...] = (
    ("initContainers", "init"),
    ("containers", "main"),
    ("ephemeralContainers", "ephemeral"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """One match of an entry in an object: the object, and the (escaped) tokens that the stars stand for.

    `base` is the pointer of the object itself, where it is part of another; it is in what `at` returns, not in what
    is read.
    """

    root: Object
    stars: tuple[str, ...] = ()
    base: str = ""

    def at(self, path: str) -> str:
        """The pointer, from the submitted object on, that `path` stands for here."""
        return self.base + self._filled(path)

    def value(self, path: str) -> Any:
        """The value there; None where it is missing."""
        return lookup(self.root, self._filled(path), base=self.base)

    def mapping(self, path: str) -> Object:
        """The object there; empty where it is missing."""
        return mapping_at(self.value(path), self.at(path))

    def text(self, path: str) -> str:
        """The text there; empty where there is none."""
        value = self.value(path)
        return value if isinstance(value, str) else ""

    def count(self, path: str, *, default: int) -> int:
        """The non-negative integer there."""
        return count_at(self.root, self._filled(path), default=default, base=self.base)

    def _filled(self, path: str) -> str:
        return _fill(path, self.stars) if self.stars else path


@lru_cache(maxsize=4096)
def _fill(path: str, stars: tuple[str, ...]) -> str:
    first, *rest = path.split("*")
    return first + "".join(star + part for star, part in zip(stars, rest, strict=False))


ReadReplicas = Callable[[Place], Replicas]
ReadDevices = Callable[[Place], Mapping[str, Fraction]]


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """Where one pod template is in an object, and how many pods it makes.

    `anchor` is what makes the pods, where that is more than the pod spec: they exist with it even if no spec does.
    `lists` and `inline` are where a container list or a single container is in the spec (`""`: the spec itself is
    one, under a container's field names). `empty` says what a spec without any container means. A `partial` spec is
    completed by a controller: what is missing in it may be there in the end. `devices` are the accelerators of one pod
    that are written elsewhere than in containers; they count if those ask for fewer.
    """

    spec: str
    metadata: str
    replicas: ReadReplicas
    anchor: str = ""
    required: bool = False
    empty: Literal["refuse", "keep", "skip"] = "refuse"
    partial: bool = False
    lists: tuple[tuple[str, Role], ...] = CONTAINER_LISTS
    inline: tuple[str, ...] = ()
    devices: ReadDevices | None = None


@dataclass(frozen=True, slots=True)
class Serving:
    """What a kind says of models itself, outside its containers."""

    models: tuple[ModelRef, ...] = ()
    servers: tuple[Server, ...] = ()


@dataclass(frozen=True, slots=True)
class Embedded:
    """Where whole objects of other kinds are in an object; as YAML text, if `text`."""

    path: str
    text: bool = False
    copies: ReadReplicas | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind that ends in pods, or loads models into those of others. Any version of `group` is read alike.

    `images` are the paths of image references that are not called `image`. `scale` is the path of the number that an
    autoscaler sets (the scale subresource), empty where there is none. `at_once` bounds the accelerators that are in
    use at one time, for kinds whose pods run one after another: from those of each pod, by its path.
    """

    group: str
    kind: str
    templates: tuple[PodTemplate, ...] = ()
    images: tuple[str, ...] = ()
    serving: Callable[[Place], Serving] | None = None
    embedded: tuple[Embedded, ...] = ()
    scale: str = ""
    at_once: Callable[[Place, Mapping[str, Fraction]], Fraction] | None = None
    plural: str = ""

    @property
    def resource(self) -> str:
        """The name of its resource: as kubebuilder makes it of the kind, where `plural` does not say otherwise."""
        return self.plural or f"{self.kind.lower()}s"


def places(root: Object, path: str, *, base: str = "") -> Iterator[Place]:
    """A place for each way to fill the stars of `path` up to the last one.

    Raises:
        InputError: something on the way is neither a list nor an object.
    """
    if "*" not in path:
        yield Place(root, (), base)
        return
    for stars in _stars(root, path.split("/*")[:-1], "", base):
        yield Place(root, stars, base)


def _stars(value: Any, steps: list[str], walked: str, base: str) -> Iterator[tuple[str, ...]]:
    if not steps:
        yield ()
        return
    found = lookup(value, steps[0], base=base + walked)
    place = walked + steps[0]
    if isinstance(found, list):
        children: Iterator[tuple[str, Any]] = ((str(index), child) for index, child in enumerate(found))
    else:
        children = iter([(escape(name), child) for name, child in mapping_at(found, base + place).items()])
    for token, child in children:
        for rest in _stars(child, steps[1:], f"{place}/{token}", base):
            yield (token, *rest)


def fixed(count: int) -> ReadReplicas:
    """Always `count` pods."""
    return lambda _: Replicas(count, count)


def scaled(path: str, *, default: int = 1) -> ReadReplicas:
    """As many pods as the field at `path` says."""

    def read(place: Place) -> Replicas:
        count = place.count(path, default=default)
        return Replicas(count, count)

    return read


def ranged(now: tuple[str, ...], most: str, *, default: int = 1) -> ReadReplicas:
    """At first as many pods as the largest field of `now` says (`default`, where none is set), later up to `most`.

    `most` counts even where nothing scales, because that is switched on without anybody asking again.
    """

    def read(place: Place) -> Replicas:
        given = [place.count(path, default=0) for path in now if place.value(path) is not None]
        count = max(given, default=default)
        return Replicas(count, max(count, default, place.count(most, default=0)))

    return read


def parallel(job_spec: str) -> ReadReplicas:
    """A Job's pods at one time: `parallelism`, and no more than its `completions` (batch/v1 JobSpec)."""

    def read(place: Place) -> Replicas:
        count = place.count(f"{job_spec}/parallelism", default=1)
        completions = place.value(f"{job_spec}/completions")
        if completions is not None:
            count = min(count, place.count(f"{job_spec}/completions", default=1))
        return Replicas(count, count)

    return read


def times(*readers: ReadReplicas) -> ReadReplicas:
    """The product of all `readers`: groups of pods."""

    def read(place: Place) -> Replicas:
        least = most = 1
        for reader in readers:
            replicas = reader(place)
            least, most = least * replicas.min, most * replicas.max
        return Replicas(least, most)

    return read


def image_reference(value: object) -> object:
    """The reference that an image field stands for: itself, or what a split one (`repository`, `tag`, `digest`) makes
    (for example `Image` in NVIDIA/k8s-nim-operator api/apps/v1alpha1/common_types.go)."""
    if not isinstance(value, dict):
        return value
    repository = value.get("repository") or value.get("name")
    if not isinstance(repository, str) or not repository:
        return None
    registry, tag, digest = value.get("registry"), value.get("tag"), value.get("digest") or value.get("sha")
    if isinstance(registry, str) and registry:
        repository = f"{registry}/{repository}"
    if isinstance(tag, int | float) and not isinstance(tag, bool):
        tag = str(tag)
    if isinstance(tag, str) and tag:
        repository = f"{repository}:{tag}"
    return f"{repository}@{digest}" if isinstance(digest, str) and digest else repository


def unnamed_image(path: str) -> ImageRef:
    """The image of a container that a controller chooses one for: nothing is wrong with it, and nothing is known."""
    return ImageRef(path=path, reference="")


def whole(value: object, path: str) -> int:
    """A count that may be written as text; 0 for what is neither."""
    if isinstance(value, bool) or value is None:
        return 0
    if isinstance(value, int):
        return max(value, 0)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    raise InputError(f"{path} is {json_type(value)} where a count is expected; correct the manifest")
