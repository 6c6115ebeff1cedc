"""A manifest and all that has to be found in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import yaml

from pratique.kinds import subject_of
from pratique.pointer import tokens_of
from pratique.subject import Content, ModelRef, Workload

PodSeen = tuple[str, int, int]
"""Path, least and most pods."""

ModelSeen = tuple[str, str, str, str, bool, str]
"""Path, scheme, name, version, pinned, role; of an unresolved one the name is why."""


@dataclass(frozen=True)
class Case:
    """`gpus` are now and peak; a model of the role `model` can leave that out; `trusts` are pointers."""

    name: str
    manifest: str
    pods: tuple[PodSeen, ...]
    gpus: tuple[Fraction | int, Fraction | int] = (0, 0)
    images: tuple[tuple[str, str], ...] = ()
    models: tuple[tuple[Any, ...], ...] = ()
    trusts: tuple[str, ...] = ()

    @property
    def object(self) -> dict[str, Any]:
        loaded = yaml.safe_load(self.manifest)
        assert isinstance(loaded, dict)
        return loaded


def seen_pods(content: Content) -> list[PodSeen]:
    return [(pod.path, pod.replicas.min, pod.replicas.max) for pod in content.pods]


def seen_model(model: ModelRef) -> ModelSeen:
    return (model.path, model.scheme, model.name or model.unresolved, model.version, model.pinned, model.role)


def check(case: Case) -> None:
    """The whole of what is found, and that every pointer leads there."""
    subject = subject_of(case.object)
    assert isinstance(subject, Workload)
    content = subject.content
    assert seen_pods(content) == list(case.pods)
    assert (content.gpus.now, content.gpus.peak) == case.gpus
    assert [(image.path, image.reference) for image in content.images] == list(case.images)
    expected = [model if len(model) == 6 else (*model, "model") for model in case.models]
    assert [seen_model(model) for model in content.models] == expected
    assert tuple(server.trust_remote_code for server in content.servers if server.trust_remote_code) == case.trusts
    for path in pointers(content):
        assert at(case.object, path) is not None, path


def pointers(content: Content) -> Iterator[str]:
    """Every pointer in `content` that is of something that is there."""
    for pod in content.pods:
        yield pod.path
        for container in pod.containers:
            yield container.path
    yield from (image.path for image in content.images)
    yield from (model.path for model in content.models)
    yield from (server.path for server in content.servers)


def at(obj: object, path: str) -> Any:
    def step(value: Any, token: str) -> Any:
        return value[int(token)] if isinstance(value, list) else value[token]

    return reduce(step, tokens_of(path), obj)
