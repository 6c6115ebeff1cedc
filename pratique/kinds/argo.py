"""Workflows: Argo, Tekton.

* argoproj/argo-workflows pkg/apis/workflow/v1alpha1/workflow_types.go (v3.7): a template that has `container`,
  `script` or `containerSet` is a pod; `steps` and `dag` call templates, `with*` many times; `resource.manifest` is a
  whole object as text. What is in an entry that refers to a WorkflowTemplate is judged there.
* tektoncd/pipeline pkg/apis/pipeline/v1/task_types.go, container_types.go (v1.0; v1beta1): the steps of a Task are
  containers of one pod, with `computeResources` (`resources` in v1beta1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import orjson

from pratique.kinds.table import UNLIMITED, Embedded, Kind, Place, PodTemplate, ReadReplicas, fixed, whole
from pratique.shape import Object, list_at, mapping_at
from pratique.subject import Replicas, Role

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NOTHING = Fraction(0)


class _Workflow:
    """The templates of one workflow and who calls whom."""

    def __init__(self, place: Place, root: str) -> None:
        self._root = root
        self._place = place
        self.parallelism = place.count(f"{root}/parallelism", default=UNLIMITED) or UNLIMITED
        self.templates: list[Object] = [
            mapping_at(value, place.at(f"{root}/templates/{index}"))
            for index, value in enumerate(list_at(place.value(f"{root}/templates"), place.at(f"{root}/templates")))
        ]
        self.by_name = {template.get("name"): index for index, template in enumerate(self.templates)}

    def calls(self, template: Object, where: str) -> Iterator[list[tuple[int, str, Object]]]:
        """What `template` calls, in groups that run one after another: how often, the call's place, the call."""
        for group, steps in enumerate(list_at(template.get("steps"), f"{where}/steps")):
            listed = [steps] if isinstance(steps, dict) else list_at(steps, f"{where}/steps/{group}")
            found = []
            for index, step in enumerate(listed):
                place = f"{where}/steps/{group}/{index}"
                call = mapping_at(step, place)
                found.append((self._fan_out(call, template, place), place, call))
            yield found
        dag = mapping_at(template.get("dag"), f"{where}/dag")
        for chain in _chains(list_at(dag.get("tasks"), f"{where}/dag/tasks"), f"{where}/dag/tasks"):
            yield [
                (self._fan_out(call, template, f"{where}/dag/tasks/{index}"), f"{where}/dag/tasks/{index}", call)
                for index, call in chain
            ]

    def _fan_out(self, call: Object, template: Object, where: str) -> int:
        """How many times a call runs at one time, at most."""
        count = 1
        if isinstance(call.get("withItems"), list):
            count = len(call["withItems"])
        elif call.get("withSequence") is not None:
            count = _sequence(mapping_at(call["withSequence"], f"{where}/withSequence"))
        elif call.get("withParam") is not None:
            count = _listed(call["withParam"])
        own = template.get("parallelism")
        return min(count, own if isinstance(own, int) and own > 0 else UNLIMITED, self.parallelism)

    def copies(self, wanted: int) -> int:
        """How many pods of one template there can be in all calls of it."""
        found = [0] * len(self.templates)
        self._count(self._start(), 1, found, ())
        return min(max(found[wanted], 1), self.parallelism)

    def _start(self) -> list[int]:
        names = [self._place.value(f"{self._root}/{field}") for field in ("entrypoint", "onExit")]
        return [self.by_name[name] for name in names if isinstance(name, str) and name in self.by_name]

    def _count(self, indices: list[int], times: int, found: list[int], open_calls: tuple[int, ...]) -> None:
        for index in indices:
            if index in open_calls or len(open_calls) > len(self.templates) or found[index] >= UNLIMITED:
                continue
            found[index] = min(found[index] + times, UNLIMITED)
            where = f"{self._root}/templates/{index}"
            for group in self.calls(self.templates[index], where):
                for count, _, call in group:
                    name = call.get("template")
                    if isinstance(name, str) and name in self.by_name:
                        self._count([self.by_name[name]], min(times * count, UNLIMITED), found, (*open_calls, index))

    def at_once(self, each: Mapping[str, Fraction]) -> Fraction:
        """The accelerators in use at one time, at most."""
        start = self._start() or list(range(len(self.templates)))
        most = max((self._weight(index, each, ()) for index in start), default=_NOTHING)
        heaviest = max(each.values(), default=_NOTHING)
        return min(most, heaviest * self.parallelism) if self.parallelism < UNLIMITED else most

    def _weight(self, index: int, each: Mapping[str, Fraction], open_calls: tuple[int, ...]) -> Fraction:
        if index in open_calls:
            return _NOTHING  # a loop: the next round starts when this one is done
        template, where = self.templates[index], f"{self._root}/templates/{index}"
        most = each.get(self._place.base + where, _NOTHING)
        parallel = _NOTHING
        is_dag = template.get("dag") is not None
        for group in self.calls(template, where):
            weights = []
            for count, place, call in group:
                name = call.get("template")
                if call.get("inline") is not None:
                    weight = each.get(f"{self._place.base}{place}/inline", _NOTHING)
                elif isinstance(name, str) and name in self.by_name:
                    weight = self._weight(self.by_name[name], each, (*open_calls, index))
                else:
                    weight = _NOTHING
                weights.append(count * weight)
            if is_dag:
                parallel += max(weights, default=_NOTHING)
            else:
                most = max(most, sum(weights, _NOTHING))
        return max(most, parallel)


def _chains(tasks: list[Any], where: str) -> Iterator[list[tuple[int, Object]]]:
    """The tasks of a graph in chains of which each task waits for the one before it: no two of one chain run at one
    time."""
    by_name: dict[str, int] = {}
    objects = [mapping_at(task, f"{where}/{index}") for index, task in enumerate(tasks)]
    for index, task in enumerate(objects):
        if isinstance(task.get("name"), str):
            by_name[task["name"]] = index
    before = [_waits_for(task, by_name) for task in objects]
    chains: list[list[tuple[int, Object]]] = []
    done: set[int] = set()
    while len(done) < len(objects):
        ready = [index for index in range(len(objects)) if index not in done and before[index] <= done]
        for index in ready or [min(set(range(len(objects))) - done)]:
            done.add(index)
            for chain in chains:
                if chain[-1][0] in before[index]:
                    chain.append((index, objects[index]))
                    break
            else:
                chains.append([(index, objects[index])])
    yield from chains


def _waits_for(task: Object, by_name: Mapping[str, int]) -> set[int]:
    names = [name for name in task.get("dependencies") or () if isinstance(name, str)]
    depends = task.get("depends")
    if isinstance(depends, str) and "||" not in depends and "!" not in depends:
        names.extend(_NAME.findall(re.sub(r"\.[A-Za-z]+", "", depends)))
    return {by_name[name] for name in names if name in by_name}


def _sequence(sequence: Object) -> int:
    def number(name: str, default: int) -> int | None:
        value = sequence.get(name)
        if value is None:
            return default
        if isinstance(value, str) and not value.isdecimal():
            return None
        return whole(value, name)

    count, start, end = number("count", -1), number("start", 0), number("end", -1)
    if count is None or start is None or end is None:
        return UNLIMITED
    if count >= 0:
        return count
    return abs(end - start) + 1 if end >= 0 else 1


def _listed(value: object) -> int:
    if isinstance(value, str):
        try:
            items = orjson.loads(value)
        except orjson.JSONDecodeError:
            return UNLIMITED
        return len(items) if isinstance(items, list) else 1
    return UNLIMITED


_POD_LISTS: tuple[tuple[str, Role], ...] = (
    ("initContainers", "init"),
    ("containerSet/containers", "main"),
    ("sidecars", "main"),
)


def _templates(root: str, *, template_only: bool = False) -> tuple[PodTemplate, ...]:
    found = []
    for path in ("templates/*", "templates/*/steps/*/*/inline", "templates/*/dag/tasks/*/inline"):
        spec = f"{root}/{path}"
        replicas = fixed(0) if template_only else _copies(root)
        found.append(
            PodTemplate(
                spec, f"{spec}/metadata", replicas, empty="skip", lists=_POD_LISTS, inline=("container", "script")
            )
        )
    return tuple(found)


def _copies(root: str) -> ReadReplicas:
    def read(place: Place) -> Replicas:
        return Replicas(1, _Workflow(Place(place.root, (), place.base), root).copies(int(place.stars[0])))

    return read


def _workflow(kind: str, root: str, *, template_only: bool = False) -> Kind:
    def at_once(place: Place, each: Mapping[str, Fraction]) -> Fraction:
        return _Workflow(place, root).at_once(each)

    manifest = Embedded(
        f"{root}/templates/*/resource/manifest", text=True, copies=fixed(0) if template_only else fixed(1)
    )
    return Kind(
        "argoproj.io",
        kind,
        _templates(root, template_only=template_only),
        embedded=(manifest,),
        at_once=None if template_only else at_once,
    )


_STEPS: tuple[tuple[str, Role], ...] = (("steps", "main"), ("sidecars", "main"))


def _task(kind: str, *paths: str, runs: int) -> Kind:
    return Kind(
        "tekton.dev",
        kind,
        tuple(
            PodTemplate(path, f"{path}/metadata", fixed(runs), empty="skip", partial=True, lists=_STEPS)
            for path in paths
        ),
    )


KINDS = (
    _workflow("Workflow", "/spec"),
    _workflow("CronWorkflow", "/spec/workflowSpec"),
    _workflow("WorkflowTemplate", "/spec", template_only=True),
    _workflow("ClusterWorkflowTemplate", "/spec", template_only=True),
    Kind(
        "argoproj.io",
        "Sensor",
        embedded=(
            Embedded("/spec/triggers/*/template/k8s/source/resource"),
            Embedded("/spec/triggers/*/template/argoWorkflow/source/resource"),
        ),
    ),
    _task("Task", "/spec", runs=0),
    _task("ClusterTask", "/spec", runs=0),
    _task("TaskRun", "/spec/taskSpec", runs=1),
    _task("Pipeline", "/spec/tasks/*/taskSpec", "/spec/finally/*/taskSpec", runs=0),
    _task("PipelineRun", "/spec/pipelineSpec/tasks/*/taskSpec", "/spec/pipelineSpec/finally/*/taskSpec", runs=1),
    Kind(
        "tekton.dev",
        "StepAction",
        (PodTemplate("/spec", "/metadata", fixed(0), empty="keep", partial=True, inline=("",)),),
    ),
    Kind("triggers.tekton.dev", "TriggerTemplate", embedded=(Embedded("/spec/resourcetemplates/*", copies=fixed(0)),)),
)
