"""Workflows: what runs at one time, and that it is found in little time."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from pratique.errors import InputError
from pratique.kinds import subject_of
from pratique.subject import Content, Workload


def pod(name: str, gpus: int) -> dict[str, Any]:
    resources = {"limits": {"nvidia.com/gpu": gpus}}
    return {"name": name, "container": {"image": "r.io/a:1", "resources": resources}}


def content(*templates: dict[str, Any], **spec: Any) -> Content:
    subject = subject_of(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": "w"},
            "spec": {"entrypoint": "main", "templates": list(templates), **spec},
        }
    )
    assert isinstance(subject, Workload)
    return subject.content


def steps(*groups: list[dict[str, Any]], name: str = "main", **fields: Any) -> dict[str, Any]:
    return {"name": name, "steps": list(groups), **fields}


CALL = {"name": "s", "template": "gpu"}


@pytest.mark.parametrize(
    ("main", "spec", "peak"),
    [
        (steps([CALL], [CALL]), {}, 2),
        (steps([CALL, CALL]), {}, 4),
        (steps([{**CALL, "withItems": [1, 2, 3]}]), {}, 6),
        (steps([{**CALL, "withItems": [1, 2, 3]}]), {"parallelism": 2}, 4),
        (steps([{**CALL, "withItems": [1, 2, 3]}], parallelism=1), {}, 2),
        (steps([{**CALL, "withSequence": {"count": "5"}}]), {}, 10),
        (steps([{**CALL, "withSequence": {"start": "2", "end": "4"}}]), {}, 6),
        (steps([{**CALL, "withParam": "[1, 2]"}]), {}, 4),
        (steps([{**CALL, "withParam": "{{steps.a.outputs.result}}"}]), {"parallelism": 10}, 20),
        (steps([{**CALL, "withParam": "{{steps.a.outputs.result}}"}]), {}, 2 * (2**31 - 1)),
        (steps([{"name": "i", "inline": pod("", 3)}]), {}, 3),
        (steps([{"name": "again", "template": "main"}, CALL]), {}, 2),
        (steps([{"name": "elsewhere", "templateRef": {"name": "t", "template": "x"}}]), {}, 0),
    ],
)
def test_what_runs_at_one_time(main: dict[str, Any], spec: dict[str, Any], peak: int) -> None:
    gpus = content(main, pod("gpu", 2), **spec).gpus
    assert gpus.peak == Fraction(peak)
    assert gpus.now <= gpus.peak


@pytest.mark.timeout(60)
def test_calls_of_calls_do_not_take_for_ever() -> None:
    levels = [
        steps(
            [{"name": "a", "template": f"t{level + 1}"}, {"name": "b", "template": f"t{level + 1}"}], name=f"t{level}"
        )
        for level in range(60)
    ]
    levels[0]["name"] = "main"
    found = content(*levels, {**pod("t60", 1)})
    assert found.pods[0].replicas.max == 2**31 - 1


@pytest.mark.timeout(60)
def test_many_templates_and_long_graphs_do_not_take_for_ever() -> None:
    tasks = [{"name": f"n{i}", "template": "gpu", "dependencies": [f"n{i - 1}"] if i else []} for i in range(3000)]
    found = content({"name": "main", "dag": {"tasks": tasks}}, pod("gpu", 2), *(pod(f"p{i}", 0) for i in range(1000)))
    assert found.gpus.peak == 2


def test_calls_that_are_too_deep_are_refused() -> None:
    levels = [steps([{"name": "a", "template": f"t{level + 1}"}], name=f"t{level}") for level in range(300)]
    levels[0]["name"] = "main"
    with pytest.raises(InputError, match="/spec/templates call each other more than 100 deep"):
        content(*levels, pod("t300", 1))
