"""Workflows: Argo, Tekton.

* argoproj/argo-workflows pkg/apis/workflow/v1alpha1/workflow_types.go: a template that has `container`,
  `script` or `containerSet` is a pod; `steps` and `dag` call templates, `with*` many times; `resource.manifest` is a
  whole object as text. What is in an entry that refers to a WorkflowTemplate is judged there.
* tektoncd/pipeline pkg/apis/pipeline/v1/task_types.go, container_types.go: the steps of a Task are
  containers of one pod, with `computeResources` (`resources` in v1beta1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import orjson

from pratique.errors import InputError
from pratique.kinds.table import UNLIMITED, Embedded, Kind, Place, PodTemplate, ReadReplicas, fixed, whole
from pratique.shape import Object, list_at, mapping_at
from pratique.subject import Replicas, Role

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NOTHING = Fraction(0)

MAX_CALL_DEPTH = 100
"""Protects the interpreter's stack; Argo itself refuses workflows that are nested deeper."""


Call = tuple[int, str, Object]
"""How often at one time, the place of the call, the call."""


class _Workflow:
    """The templates of one workflow and who calls whom. Every template is looked at once, however often it is called:
    a few lines of templates that call each other can stand for more calls than there are atoms."""

    def __init__(self, place: Place, root: str) -> None:
        self._root = root
        self._place = place
        self.parallelism = place.count(f"{root}/parallelism", default=UNLIMITED) or UNLIMITED
        where = f"{root}/templates"
        self.templates: list[Object] = [
            mapping_at(value, place.at(f"{where}/{index}"))
            for index, value in enumerate(list_at(place.value(where), place.at(where)))
        ]
        self._by_name = {
            name: index
            for index, template in enumerate(self.templates)
            if isinstance(name := template.get("name"), str)
        }
        self._calls = [self._groups(template, f"{where}/{index}") for index, template in enumerate(self.templates)]
        self._copies: list[int] | None = None

    def _groups(self, template: Object, where: str) -> list[list[Call]]:
        """What `template` calls, in groups that run one after another (of a graph: of which each runs one by one)."""
        found: list[list[Call]] = []
        for group, steps in enumerate(list_at(template.get("steps"), self._place.base + f"{where}/steps")):
            listed = [steps] if isinstance(steps, dict) else list_at(steps, f"{self._place.base}{where}/steps/{group}")
            calls = []
            for index, step in enumerate(listed):
                place = f"{where}/steps/{group}/{index}"
                call = mapping_at(step, self._place.base + place)
                calls.append((self._fan_out(call, template, place), place, call))
            found.append(calls)
        dag = mapping_at(template.get("dag"), f"{self._place.base}{where}/dag")
        tasks = f"{where}/dag/tasks"
        for chain in _chains(list_at(dag.get("tasks"), self._place.base + tasks), self._place.base + tasks):
            found.append(
                [(self._fan_out(call, template, f"{tasks}/{index}"), f"{tasks}/{index}", call) for index, call in chain]
            )
        return found

    def _called(self, call: Object) -> int | None:
        name = call.get("template")
        return self._by_name.get(name) if isinstance(name, str) else None

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
        if self._copies is None:
            self._copies = self._count()
        return min(max(self._copies[wanted], 1), self.parallelism)

    def _start(self) -> list[int]:
        names = [self._place.value(f"{self._root}/{field}") for field in ("entrypoint", "onExit")]
        return [self._by_name[name] for name in names if isinstance(name, str) and name in self._by_name]

    def _count(self) -> list[int]:
        """How often each template is called in all, callers before those that they call; loops count one round."""
        order: list[int] = []
        state = [0] * len(self.templates)
        stack = [(index, False) for index in self._start()]
        while stack:
            index, done = stack.pop()
            if done:
                order.append(index)
            elif not state[index]:
                state[index] = 1
                stack.append((index, True))
                for group in self._calls[index]:
                    for _, _, call in group:
                        called = self._called(call)
                        if called is not None and not state[called]:
                            stack.append((called, False))
        position = {index: place for place, index in enumerate(order)}
        counts = [0] * len(self.templates)
        for index in self._start():
            counts[index] += 1
        for index in reversed(order):
            for group in self._calls[index]:
                for times, _, call in group:
                    called = self._called(call)
                    if called is not None and position[called] < position[index]:
                        counts[called] = min(counts[called] + counts[index] * times, UNLIMITED)
        return counts

    def at_once(self, each: Mapping[str, Fraction]) -> Fraction:
        """The accelerators in use at one time, at most."""
        start = self._start() or list(range(len(self.templates)))
        known: dict[int, Fraction] = {}
        most = max((self._weight(index, each, known, 0) for index in start), default=_NOTHING)
        heaviest = max(each.values(), default=_NOTHING)
        return min(most, heaviest * self.parallelism) if self.parallelism < UNLIMITED else most

    def _weight(self, index: int, each: Mapping[str, Fraction], known: dict[int, Fraction], depth: int) -> Fraction:
        if index in known:
            return known[index]
        if depth > MAX_CALL_DEPTH:
            raise InputError(
                f"{self._place.at(self._root)}/templates call each other more than {MAX_CALL_DEPTH} deep; flatten them"
            )
        known[index] = _NOTHING  # a loop: the next round starts when this one is done
        most = each.get(f"{self._place.base}{self._root}/templates/{index}", _NOTHING)
        is_dag = self.templates[index].get("dag") is not None
        parallel = _NOTHING
        for group in self._calls[index]:
            weights = []
            for times, place, call in group:
                called = self._called(call)
                if call.get("inline") is not None:
                    weights.append(times * each.get(f"{self._place.base}{place}/inline", _NOTHING))
                elif called is not None:
                    weights.append(times * self._weight(called, each, known, depth + 1))
            if is_dag:
                parallel += max(weights, default=_NOTHING)
            else:
                most = max(most, sum(weights, _NOTHING))
        known[index] = max(most, parallel)
        return known[index]


_recent: tuple[Object, str, _Workflow] | None = None
"""The workflow that was read last: each of its templates asks for it."""


def _workflow_of(place: Place, root: str) -> _Workflow:
    global _recent
    if _recent is None or _recent[0] is not place.root or _recent[1] != place.at(root):
        _recent = (place.root, place.at(root), _Workflow(Place(place.root, (), place.base), root))
    return _recent[2]


def _chains(tasks: list[Any], where: str) -> Iterator[list[tuple[int, Object]]]:
    """The tasks of a graph in chains of which each task waits for the one before it: no two of one chain run at one
    time."""
    by_name: dict[str, int] = {}
    objects = [mapping_at(task, f"{where}/{index}") for index, task in enumerate(tasks)]
    for index, task in enumerate(objects):
        if isinstance(task.get("name"), str):
            by_name[task["name"]] = index
    before = [_waits_for(task, by_name) for task in objects]
    after: list[list[int]] = [[] for _ in objects]
    for index, names in enumerate(before):
        for name in names:
            after[name].append(index)
    waiting = [len(names) for names in before]
    ready = [index for index, count in enumerate(waiting) if not count]
    chains: list[list[tuple[int, Object]]] = []
    chain_of_last: dict[int, list[tuple[int, Object]]] = {}
    for index in ready:  # grows
        last = next((name for name in before[index] if name in chain_of_last), None)
        chain = chain_of_last.pop(last) if last is not None else []
        if not chain:
            chains.append(chain)
        chain.append((index, objects[index]))
        chain_of_last[index] = chain
        for following in after[index]:
            waiting[following] -= 1
            if not waiting[following]:
                ready.append(following)
    # Those that wait for each other never run; a controller refuses them.
    chains.extend([(index, objects[index])] for index, count in enumerate(waiting) if count)
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
        return Replicas(1, _workflow_of(place, root).copies(int(place.stars[0])))

    return read


def _workflow(kind: str, root: str, *, template_only: bool = False) -> Kind:
    def at_once(place: Place, each: Mapping[str, Fraction]) -> Fraction:
        return _workflow_of(place, root).at_once(each)

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
