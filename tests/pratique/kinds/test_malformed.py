"""Malformed parts of objects of any kind are an InputError that names the place, never another exception."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import InputError
from pratique.kinds import subject_of
from tests.pratique.kinds.test_cases import CASES

ARGO = "an Argo Workflow: fan-out counts, what runs one after another does not add up"
RAY = "a RayService: the models are in a text of YAML"
WRAPPED = "an AppWrapper holds whole objects"
MANIFEST: list[str | int] = ["spec", "templates", 4, "resource", "manifest"]
BY_NAME = {case.name: case.object for case in CASES}


def broken(name: str, path: list[str | int], value: Any) -> dict[str, Any]:
    obj = copy.deepcopy(BY_NAME[name])
    place: Any = obj
    for token in path[:-1]:
        place = place[token]
    place[path[-1]] = value
    return obj


@pytest.mark.parametrize(
    ("name", "path", "value", "message"),
    [
        ("a Volcano Job", ["spec", "tasks"], "x", "/spec/tasks is text where an object is expected"),
        ("a Volcano Job", ["spec", "tasks", 0, "replicas"], "2", "/spec/tasks/0/replicas is text"),
        ("a Volcano Job", ["spec", "tasks", 0, "template"], {}, "/spec/tasks/0/template/spec is missing"),
        (
            "a Volcano Job",
            ["spec", "tasks", 0, "template", "spec"],
            {"containers": []},
            "/spec/tasks/0/template/spec/containers is missing or empty",
        ),
        (
            "an InferenceService with a legacy framework key",
            ["spec", "predictor", "sklearn"],
            "x",
            "/spec/predictor/sklearn is text where an object is expected",
        ),
        (
            "an InferenceService over several nodes",
            ["spec", "predictor", "workerSpec", "tensorParallelSize"],
            "8",
            "/spec/predictor/workerSpec/tensorParallelSize is text where a count is expected",
        ),
        (ARGO, MANIFEST, "a: [", "/spec/templates/4/resource/manifest cannot be read"),
        (ARGO, MANIFEST, {}, "/spec/templates/4/resource/manifest is not text"),
        (RAY, ["spec", "serveConfigV2"], "model: [", "/spec/serveConfigV2 cannot"),
        (RAY, ["spec", "rayClusterConfig"], {}, "/spec/rayClusterConfig/headGroupSpec/template/spec is missing"),
        (
            "an AppWrapper holds whole objects",
            ["spec", "components", 1, "template", "spec", "pytorchReplicaSpecs", "Worker", "replicas"],
            -1,
            "/spec/components/1/template/spec/pytorchReplicaSpecs/Worker/replicas is a number (-1)",
        ),
        (WRAPPED, ["spec", "components", 0, "template"], {"kind": "x"}, "no apiVersion and kind"),
        (
            "a Knative Service says how far it goes in annotations",
            ["spec", "template", "metadata", "annotations", "autoscaling.knative.dev/max-scale"],
            "many",
            "/spec/template/metadata/annotations (autoscaling.knative.dev/max-scale) is text",
        ),
        (
            "a DynamoGraphDeployment of v1alpha1",
            ["spec", "services", "Decode", "resources", "limits", "gpu"],
            "-8",
            "/spec/services/Decode/resources/limits/gpu: '-8' is negative",
        ),
    ],
)  # fmt: skip
def test_the_place_is_named(name: str, path: list[str | int], value: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        subject_of(broken(name, path, value))
    assert message in str(caught.value)


_junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5),
    st.text(max_size=4),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["name", "image", "spec", "*", "a/b"]), st.text(max_size=3), max_size=2),
)


@st.composite
def _broken(draw: Any) -> Any:
    """A manifest with one or two values replaced by something else."""
    obj = copy.deepcopy(draw(st.sampled_from(CASES)).object)
    for _ in range(draw(st.integers(1, 2))):
        place: Any = obj
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and draw(st.integers(0, 9)):
                place = place[key]
                continue
            place[key] = draw(_junk)
            break
    return obj


@settings(max_examples=5 * settings().max_examples)
@given(_broken())
def test_nothing_else_is_raised(obj: dict[str, Any]) -> None:
    with suppress(InputError):
        subject_of(obj)
