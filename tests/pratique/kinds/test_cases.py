"""Every kind of the tables: the whole of what is found in a real-looking manifest."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.document import subject_document
from pratique.kinds import KINDS, subject_of
from pratique.pointer import pointer
from pratique.subject import ImageRef, Workload
from tests.pratique.kinds import batch_cases, serving_cases
from tests.pratique.kinds.case import Case, at, check, pointers

CASES = (*batch_cases.CASES, *serving_cases.CASES)
SCHEMA = Path(__file__).parents[3] / "policies" / "schemas" / "input.json"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_all_of_a_manifest_is_found(case: Case) -> None:
    check(case)


def test_every_kind_has_a_case() -> None:
    seen = {(case.object["apiVersion"].rpartition("/")[0], case.object["kind"]) for case in CASES}
    assert seen == set(KINDS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_document_is_as_its_schema_says(case: Case) -> None:
    validator = jsonschema_rs.Draft7Validator(orjson.loads(SCHEMA.read_bytes()))
    document = {"subject": subject_document(subject_of(case.object), identity=True), "parameters": {}}
    errors = [str(error) for error in validator.iter_errors(orjson.loads(orjson.dumps(document)))]
    assert errors == []


# --- what is found in anything that such a manifest can become

_images = st.from_regex(r"\A[a-z]{1,6}\.io/[a-z]{1,6}:v[0-9]\Z")
_counts = st.integers(0, 5)
_containers = st.lists(
    st.fixed_dictionaries(
        {"name": st.text("abc", min_size=1, max_size=3), "image": _images},
        optional={"resources": st.just({"limits": {"nvidia.com/gpu": 1}}), "args": st.just(["--model", "a/b"])},
    ),
    min_size=1,
    max_size=3,
)
_LISTS = ("containers", "initContainers", "ephemeralContainers", "sidecars", "steps")
_COUNTS = ("replicas", "minReplicas", "maxReplicas", "parallelism", "size", "numOfHosts", "numNodes", "min", "max")


def _changed(draw: Any, value: Any, key: str = "") -> Any:
    """`value` with other containers, images and counts wherever it has some."""
    if isinstance(value, dict):
        changed = {name: _changed(draw, child, name) for name, child in value.items()}
        if "containers" in value and draw(st.booleans()):
            changed["initContainers"] = draw(_containers)
        return changed
    if isinstance(value, list):
        if key in _LISTS and value and all(isinstance(item, dict) for item in value):
            return draw(_containers)
        return [_changed(draw, child) for child in value]
    if key == "image" and isinstance(value, str):
        return draw(_images)
    if key in _COUNTS and isinstance(value, int):
        return draw(_counts)
    return value


@st.composite
def _manifests(draw: Any) -> Any:
    return _changed(draw, copy.deepcopy(draw(st.sampled_from(CASES)).object))


def _walk(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every image string anywhere, found without knowing any kind."""
    if isinstance(value, dict):
        for name, child in value.items():
            if isinstance(child, str) and name == "image":
                yield pointer(*path, name), child
            yield from _walk(child, (*path, name))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _walk(child, (*path, index))


def _is_said_at(obj: object, image: ImageRef) -> bool:
    """Whether the reference is what the pointer leads to: as it is, in parts, or inside a text."""
    value = at(obj, image.path)
    if isinstance(value, dict):
        return image.reference == f"{value['repository']}:{value['tag']}"
    return isinstance(value, str) and image.reference in value


@settings(max_examples=3 * settings().max_examples)
@given(_manifests())
def test_every_image_is_found_and_every_pointer_leads_to_it(obj: dict[str, Any]) -> None:
    subject = subject_of(obj)
    assert isinstance(subject, Workload)
    content = subject.content
    found = {(image.path, image.reference) for image in content.images}
    assert set(_walk(obj)) <= found
    assert len(found) == len(content.images)
    assert all(at(obj, path) is not None for path in pointers(content))
    assert all(_is_said_at(obj, image) for image in content.images)
    assert content.gpus.now <= content.gpus.peak
    assert all(pod.replicas.min <= pod.replicas.max for pod in content.pods)
