"""Objects made of nothing but the tables: whatever pod specs are put where an entry says that pods are, all is found.

`test_cases.py` varies manifests that people wrote; here nobody chose the fields, and counts are thrown in everywhere.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import InputError
from pratique.kinds import KINDS, subject_of
from pratique.kinds.table import Kind, PodTemplate
from pratique.pointer import pointer, tokens_of
from pratique.subject import Workload
from tests.pratique.kinds.case import at
from tests.pratique.kinds.test_cases import CASES

pytestmark = pytest.mark.slow

_ROOT = ""
_images = st.builds("{}.io/app:v{}".format, st.sampled_from(["a", "b", "registry"]), st.integers(0, 99))
_container: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": st.sampled_from(["main", "proxy", "init"]), "image": _images},
    optional={
        "resources": st.just({"limits": {"nvidia.com/gpu": 1}}),
        "env": st.just([{"name": "image", "value": "x"}]),
    },
)
_containers = st.lists(_container, min_size=1, max_size=3)
_volumes = st.lists(
    st.fixed_dictionaries({"name": st.just("v"), "image": st.fixed_dictionaries({"reference": _images})}), max_size=2
)


@st.composite
def _pod_spec(draw: st.DrawFn, template: PodTemplate) -> dict[str, Any]:
    """What an entry takes for a pod spec: its lists of containers, or the single containers that stand for one."""
    spec: dict[str, Any] = {}
    for name, role in template.lists:
        if role == "main" or draw(st.booleans()):
            _put(spec, name.split("/"), draw(_containers))
    for name in template.inline:
        if name == _ROOT:
            spec |= draw(_container)
        else:
            _put(spec, name.split("/"), draw(_container))
    if draw(st.booleans()):
        spec["volumes"] = draw(_volumes)
    return spec


def _put(target: dict[str, Any], tokens: list[str], value: Any) -> None:
    for token in tokens[:-1]:
        target = target.setdefault(token, {})
    target[tokens[-1]] = value


@st.composite
def _filled(draw: st.DrawFn, kind: Kind, lists: st.SearchStrategy[bool]) -> dict[str, Any]:
    """An object of `kind` with a pod spec at every place, each star one or two elements of a list (or of an object)."""
    obj: dict[str, Any] = {"apiVersion": f"{kind.group}/v1" if kind.group else "v1", "kind": kind.kind}
    obj["metadata"] = {"name": "x"}
    for template in kind.templates:
        if template.anchor:
            _fill(draw, obj, tuple(tokens_of(template.anchor)), st.just({}), lists)
        _fill(draw, obj, tuple(tokens_of(template.spec)), _pod_spec(template), lists)
    for path in kind.images:
        _fill(draw, obj, tuple(tokens_of(path)), _images, lists)
    return obj


def _fill(
    draw: st.DrawFn, target: Any, tokens: tuple[str, ...], value: st.SearchStrategy[Any], lists: st.SearchStrategy[bool]
) -> None:
    first, rest = tokens[0], tokens[1:]
    if first != "*":
        if not isinstance(target, dict):
            return
        if not rest:
            found = draw(value)
            if isinstance(target.get(first), dict) and isinstance(found, dict):
                target[first].update(found)  # two entries for one place
            else:
                target[first] = found
            return
        if first not in target:
            target[first] = [] if rest[0] == "*" and draw(lists) else {}
        _fill(draw, target[first], rest, value, lists)
        return
    if not target:
        count = draw(st.integers(1, 2))
        if isinstance(target, list):
            target.extend({} for _ in range(count))
        else:
            target.update({name: {} for name in ("one", "two")[:count]})
    children = list(range(len(target))) if isinstance(target, list) else list(target)
    for child in children:
        if rest:
            _fill(draw, target[child], rest, value, lists)
        else:
            target[child] = draw(value)


def _walk(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every image anywhere, found without knowing any kind: a text called `image`, and an image volume's reference."""
    if isinstance(value, dict):
        for name, child in value.items():
            if name == "image" and isinstance(child, str):
                yield pointer(*path, name), child
            if name == "image" and isinstance(child, dict) and isinstance(child.get("reference"), str):
                yield pointer(*path, name, "reference"), child["reference"]
            yield from _walk(child, (*path, name))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _walk(child, (*path, index))


_FILLABLE = [kind for kind in KINDS.values() if kind.templates or kind.images]


@pytest.mark.parametrize("kind", _FILLABLE, ids=lambda kind: f"{kind.group}/{kind.kind}")
@settings(max_examples=6)
@given(data=st.data())
def test_every_image_of_every_place_is_found(kind: Kind, data: st.DataObject) -> None:
    only_lists = data.draw(st.booleans())
    obj = data.draw(_filled(kind, st.just(True) if only_lists else st.booleans()))
    try:
        subject = subject_of(obj)
    except InputError:
        if only_lists:
            raise
        return  # the kind has a list there, and says so
    assert isinstance(subject, Workload)
    assert not subject.inferred
    content = subject.content
    images = dict(_walk(obj))
    found = {image.path: image.reference for image in content.images}
    assert images.items() <= found.items()
    assert len(found) == len(content.images)
    assert all(at(obj, path) is not None for path in found)
    containers = {container.path: container for pod in content.pods for container in pod.containers}
    seen = {f"{path}/image" for path in containers} & images.keys()
    of_volumes = {path for path in images if path.endswith("/image/reference")}
    of_fields = {path for path in images if _is_named_by(kind, path)}
    assert images.keys() == seen | of_volumes | of_fields, "each is in a container that policies see"
    _check_counts(subject)


def _is_named_by(kind: Kind, path: str) -> bool:
    tokens = tuple(tokens_of(path))
    return any(
        len(tokens) == len(named) and all(there in ("*", token) for token, there in zip(tokens, named, strict=True))
        for named in (tuple(tokens_of(image)) for image in kind.images)
    )


def _check_counts(subject: Workload) -> None:
    content = subject.content
    assert 0 <= content.gpus.now <= content.gpus.peak
    assert all(0 <= pod.replicas.min <= pod.replicas.max for pod in content.pods)


# --- counts

_COUNTS = (
    *("completions", "count", "gpuCount", "initialReplicas", "max", "maxReplicaCount", "maxReplicas", "min"),
    *("minAvailable", "minReplicaCount", "minReplicas", "nodeCountLimit", "numNodes", "numOfHosts", "numProcPerNode"),
    *("numWorkers", "parallelism", "replicas", "scaleTarget", "shards", "size", "tensorParallelSize"),
    *(
        "pipelineParallelSize",
        "data",
        "dataLocal",
        "tensor",
        "pipeline",
        "nproc",
        "slots",
        "nodeCount",
        "groupReplicas",
    ),
)
_numbers = st.integers(0, 6) | st.sampled_from([0, 100, 2**31 - 1])


def _with_counts(draw: st.DrawFn, value: Any, chance: float) -> Any:
    """`value` with other counts, and with counts where there were none; what has another type stays."""
    if isinstance(value, list):
        return [_with_counts(draw, child, chance) for child in value]
    if not isinstance(value, dict):
        return value
    changed = {}
    for name, child in value.items():
        is_count = name in _COUNTS and isinstance(child, int) and not isinstance(child, bool)
        changed[name] = draw(_numbers) if is_count else _with_counts(draw, child, chance)
    if draw(st.floats(0, 1)) < chance:
        for name in draw(st.sets(st.sampled_from(_COUNTS), max_size=4)):
            changed.setdefault(name, draw(_numbers))
    return changed


@st.composite
def _counted(draw: st.DrawFn) -> dict[str, Any]:
    obj = copy.deepcopy(draw(st.sampled_from(CASES)).object)
    metadata = obj.pop("metadata", {})
    return {"metadata": metadata, **_with_counts(draw, obj, draw(st.sampled_from([0.0, 0.2, 1.0])))}


@settings(max_examples=300)
@given(_counted())
def test_the_peak_is_never_below_what_there_is_now(obj: dict[str, Any]) -> None:
    try:
        subject = subject_of(obj)
    except InputError:
        return  # a count where the kind has something else
    assert isinstance(subject, Workload)
    _check_counts(subject)
