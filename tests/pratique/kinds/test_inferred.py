"""Kinds that are in no table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pratique.document import subject_document
from pratique.kinds import subject_of
from pratique.matching import Match
from pratique.subject import Workload
from tests.pratique.kinds.case import seen_pods
from tests.pratique.test_matching import INPUTS

POD = {"containers": [{"name": "c", "image": "r.io/a:1", "resources": {"limits": {"nvidia.com/gpu": 2}}}]}


def custom(spec: Any, api_version: str = "sandbox.example.com/v1", kind: str = "Sandbox") -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "pods", "peak"),
    [
        ({"template": {"spec": POD}}, [("/spec/template/spec", 1, 1)], 2),
        ({"replicas": 3, "template": {"spec": POD}}, [("/spec/template/spec", 3, 3)], 6),
        ({"replicas": 1, "maxReplicas": 4, "podTemplate": POD}, [("/spec/podTemplate", 1, 4)], 8),
        (
            {"replicas": 2, "roles": [{"replicas": 3, "template": {"spec": POD}}]},
            [("/spec/roles/0/template/spec", 6, 6)],
            12,
        ),
        (
            {"a/b": {"podTemplate": {"spec": POD}}, "c~d": {"spec": POD}},
            [("/spec/a~1b/podTemplate/spec", 1, 1), ("/spec/c~0d/spec", 1, 1)],
            4,
        ),
        ({"replicas": "3", "template": {"spec": POD}}, [("/spec/template/spec", 1, 1)], 2),
    ],
)
def test_pod_specs_are_found_by_their_shape(spec: Any, pods: list[tuple[str, int, int]], peak: int) -> None:
    subject = subject_of(custom(spec))
    assert isinstance(subject, Workload)
    assert subject.inferred
    assert seen_pods(subject.content) == pods
    assert subject.content.gpus.peak == peak
    assert subject_document(subject, identity=False)["inferred"] is True


@pytest.mark.parametrize(
    "obj",
    [
        custom({"template": {"spec": POD}}, "kueue.x-k8s.io/v1beta1", "Workload"),
        custom({"template": {"spec": POD}}, "pratique.dev/v1alpha1", "Exotic"),
        custom({"template": {"spec": POD}}, "metrics.k8s.io/v1", "PodMetrics"),
        custom({"template": {"spec": POD}}, "v1", "Exotic"),
        custom({"containers": []}),
        custom({"containers": ["a"]}),
        custom({"containers": [{"name": "a"}]}),
        custom("text"),
        {"apiVersion": "sandbox.example.com/v1", "kind": "S", "status": {"template": {"spec": POD}}},
    ],
)
def test_what_is_not_looked_for_or_not_there(obj: dict[str, Any]) -> None:
    assert not isinstance(subject_of(obj), Workload)


def test_other_fields_called_image_are_images() -> None:
    subject = subject_of(
        custom({"template": {"spec": POD}, "agent": {"image": "r.io/agent:1"}, "rbd": {"image": "disk"}})
    )
    assert isinstance(subject, Workload)
    assert [(image.path, image.reference) for image in subject.content.images] == [
        ("/spec/template/spec/containers/0/image", "r.io/a:1"),
        ("/spec/agent/image", "r.io/agent:1"),
    ]


def test_a_binding_can_leave_them_out() -> None:
    found = replace(INPUTS, inferred=True)
    assert Match().matches(found).applies
    assert Match(inferred=False).matches(INPUTS).applies
    result = Match(inferred=False).matches(found)
    assert (result.state, "match.inferred is false" in result.reason) == ("no", True)
