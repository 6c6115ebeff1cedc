"""What a table entry says of a kind, and the small readers that entries are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pratique.shape import Object, count_at, lookup
from pratique.subject import Replicas


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """Where one pod template is in an object.

    `spec` and `metadata` are JSON pointers; `replicas` reads how many pods the template makes.
    """

    spec: str
    metadata: str
    replicas: Callable[[Object], Replicas]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind that ends in pods. Any version of `group` is read alike."""

    group: str
    kind: str
    templates: tuple[PodTemplate, ...]


def fixed(count: int) -> Callable[[Object], Replicas]:
    """Always `count` pods."""
    return lambda _: Replicas(count, count)


def scaled(path: str, *, default: int = 1) -> Callable[[Object], Replicas]:
    """As many pods as the field at `path` says."""

    def read(obj: Object) -> Replicas:
        count = count_at(obj, path, default=default)
        return Replicas(count, count)

    return read


def parallel(job_spec: str) -> Callable[[Object], Replicas]:
    """A Job's pods at one time: `parallelism`, and no more than its `completions` (batch/v1 JobSpec)."""

    def read(obj: Object) -> Replicas:
        count = count_at(obj, f"{job_spec}/parallelism", default=1)
        completions = lookup(obj, f"{job_spec}/completions")
        if completions is not None:
            count = min(count, count_at(obj, f"{job_spec}/completions", default=1))
        return Replicas(count, count)

    return read
