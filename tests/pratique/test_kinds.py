"""From objects to subjects: every pod, every image, every accelerator, with a pointer that leads back to it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError
from pratique.gpu import devices_per_unit
from pratique.kinds import KINDS, ContentCache, is_workload, subject_of
from pratique.pointer import pointer, tokens_of
from pratique.subject import Content, Replicas, Resource, Workload

DIGEST = "sha256:" + "b" * 64


def pod_spec(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": "registry.internal/app:v1"}], **fields}


def container(name: str, gpus: object = None, **fields: Any) -> dict[str, Any]:
    resources = {"resources": {"limits": {"nvidia.com/gpu": gpus}}} if gpus is not None else {}
    return {"name": name, "image": f"registry.internal/{name}:v1", **resources, **fields}


def manifest(api_version: str, kind: str, spec: object, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", **metadata}, "spec": spec}


def templated(api_version: str, kind: str, pod: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return manifest(api_version, kind, {**spec, "template": {"metadata": {"labels": {"t": "1"}}, "spec": pod}})


def cron_job(pod: dict[str, Any], **job: Any) -> dict[str, Any]:
    return manifest("batch/v1", "CronJob", {"jobTemplate": {"spec": {**job, "template": {"spec": pod}}}})


def workload(obj: object) -> Workload:
    subject = subject_of(obj)
    assert isinstance(subject, Workload)
    return subject


@pytest.mark.parametrize(
    ("obj", "path", "replicas"),
    [
        (manifest("v1", "Pod", pod_spec()), "/spec", Replicas(1, 1)),
        (
            {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": {"spec": pod_spec()}},
            "/template/spec",
            Replicas(0, 0),
        ),
        (templated("v1", "ReplicationController", pod_spec(), replicas=2), "/spec/template/spec", Replicas(2, 2)),
        (templated("apps/v1", "Deployment", pod_spec()), "/spec/template/spec", Replicas(1, 1)),
        (templated("apps/v1", "Deployment", pod_spec(), replicas=5), "/spec/template/spec", Replicas(5, 5)),
        (templated("apps/v1beta2", "Deployment", pod_spec(), replicas=0), "/spec/template/spec", Replicas(0, 0)),
        (templated("apps/v1", "ReplicaSet", pod_spec(), replicas=3), "/spec/template/spec", Replicas(3, 3)),
        (templated("apps/v1", "StatefulSet", pod_spec(), replicas=3), "/spec/template/spec", Replicas(3, 3)),
        (templated("apps/v1", "DaemonSet", pod_spec()), "/spec/template/spec", Replicas(1, 1)),
        (templated("batch/v1", "Job", pod_spec()), "/spec/template/spec", Replicas(1, 1)),
        (templated("batch/v1", "Job", pod_spec(), parallelism=8), "/spec/template/spec", Replicas(8, 8)),
        (
            templated("batch/v1", "Job", pod_spec(), parallelism=8, completions=3),
            "/spec/template/spec",
            Replicas(3, 3),
        ),
        (cron_job(pod_spec(), parallelism=2), "/spec/jobTemplate/spec/template/spec", Replicas(2, 2)),
    ],
)
def test_where_the_pods_are_and_how_many(obj: dict[str, Any], path: str, replicas: Replicas) -> None:
    (pod,) = workload(obj).content.pods
    assert (pod.path, pod.replicas) == (path, replicas)
    assert [c.path for c in pod.containers] == [f"{path}/containers/0"]


def test_every_core_kind_has_a_case_above() -> None:
    assert {kind for _, kind in KINDS} == {
        "Pod",
        "PodTemplate",
        "ReplicationController",
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
    }


def test_all_containers_and_image_volumes_count() -> None:
    subject = workload(
        manifest(
            "v1",
            "Pod",
            {
                "initContainers": [container("first"), container("sidecar", restartPolicy="Always")],
                "containers": [container("main")],
                "ephemeralContainers": [container("debug")],
                "volumes": [{"name": "e", "emptyDir": {}}, {"name": "m", "image": {"reference": f"r.io/m@{DIGEST}"}}],
            },
        )
    )
    (pod,) = subject.content.pods
    assert [(c.role, c.name, c.path) for c in pod.containers] == [
        ("init", "first", "/spec/initContainers/0"),
        ("init", "sidecar", "/spec/initContainers/1"),
        ("main", "main", "/spec/containers/0"),
        ("ephemeral", "debug", "/spec/ephemeralContainers/0"),
    ]
    assert [(image.path, image.reference) for image in subject.content.images] == [
        ("/spec/initContainers/0/image", "registry.internal/first:v1"),
        ("/spec/initContainers/1/image", "registry.internal/sidecar:v1"),
        ("/spec/containers/0/image", "registry.internal/main:v1"),
        ("/spec/ephemeralContainers/0/image", "registry.internal/debug:v1"),
        ("/spec/volumes/1/image/reference", f"r.io/m@{DIGEST}"),
    ]


@pytest.mark.parametrize(
    ("spec", "gpus"),
    [
        ({"containers": [container("a", 1), container("b", "2")]}, 3),
        ({"initContainers": [container("i", 4)], "containers": [container("a", 1)]}, 4),
        ({"initContainers": [container("i", 1), container("j", 2)], "containers": [container("a", 1)]}, 2),
        ({"initContainers": [container("s", 1, restartPolicy="Always")], "containers": [container("a", 1)]}, 2),
        (
            {
                "initContainers": [container("s", 1, restartPolicy="Always"), container("i", 4)],
                "containers": [container("a", 1)],
            },
            5,
        ),
        (
            {
                "initContainers": [container("i", 4), container("s", 1, restartPolicy="Always")],
                "containers": [container("a", 1)],
            },
            4,
        ),
        ({"containers": [{"name": "a", "image": "x", "resources": {"requests": {"amd.com/gpu": 2}}}]}, 2),
        (
            {
                "containers": [
                    {
                        "name": "a",
                        "image": "x",
                        "resources": {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 3}},
                    }
                ]
            },
            3,
        ),
        ({"containers": [{"name": "a", "image": "x", "resources": {"limits": {"cpu": "64", "memory": "1Ti"}}}]}, 0),
        ({"containers": [container("a", "1k")]}, 1000),
    ],
)
def test_accelerators_are_counted_as_the_scheduler_does(spec: dict[str, Any], gpus: int) -> None:
    content = workload(manifest("v1", "Pod", spec)).content
    assert (content.gpus.now, content.gpus.peak) == (Fraction(gpus), Fraction(gpus))


@pytest.mark.parametrize(
    ("resource", "devices"),
    [
        ("nvidia.com/gpu", Fraction(1)),
        ("nvidia.com/mig-1g.10gb", Fraction(1, 7)),
        ("nvidia.com/mig-3g.40gb", Fraction(3, 7)),
        ("nvidia.com/mig-1g.6gb", Fraction(1, 4)),
        ("nvidia.com/mig-1g.10gb.me", Fraction(1, 7)),
        ("amd.com/gpu", Fraction(1)),
        ("gpu.intel.com/i915", Fraction(1)),
        ("gpu.intel.com/xe", Fraction(1)),
        ("gpu.intel.com/i915_monitoring", Fraction(0)),
        ("gpu.intel.com/memory.max", Fraction(0)),
        ("cpu", Fraction(0)),
        ("example.com/widget", Fraction(0)),
        ("nvidia.com/gpucores", Fraction(0)),
    ],
)
def test_what_a_unit_of_a_resource_is(resource: str, devices: Fraction) -> None:
    assert devices_per_unit(resource) == devices


def test_peak_and_now_multiply_by_replicas_exactly() -> None:
    pod = {"containers": [{"name": "a", "image": "x", "resources": {"limits": {"nvidia.com/mig-1g.10gb": 3}}}]}
    gpus = workload(templated("apps/v1", "Deployment", pod, replicas=7)).content.gpus
    assert (gpus.now, gpus.peak, gpus.by_resource) == (
        Fraction(3),
        Fraction(3),
        {"nvidia.com/mig-1g.10gb": Fraction(21)},
    )


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ([], "the object is a list, not a JSON object"),
        ("text", "the object is text, not a JSON object"),
        (None, "the object is null, not a JSON object"),
        ({}, "the object has no apiVersion and kind"),
        ({"apiVersion": 1, "kind": "Pod"}, "the object has no apiVersion and kind"),
        ({"apiVersion": "a/b/c", "kind": "Pod"}, "is not of the form group/version"),
        ({"apiVersion": "/v1", "kind": "Pod"}, "is not of the form group/version"),
        (manifest("v1", "Pod", None), "/spec is missing: there is no pod to judge"),
        (manifest("v1", "Pod", {}), "/spec/containers is missing or empty: there is nothing to judge"),
        (manifest("v1", "Pod", {"containers": []}), "/spec/containers is missing or empty"),
        (manifest("v1", "Pod", "x"), "/spec is text where an object is expected"),
        (manifest("v1", "Pod", {"containers": "x"}), "/spec/containers is text where a list is expected"),
        (manifest("v1", "Pod", {"containers": ["x"]}), "/spec/containers/0 is text where an object is expected"),
        (manifest("v1", "Pod", pod_spec(volumes={})), "/spec/volumes is an object where a list is expected"),
        (
            manifest("v1", "Pod", pod_spec(), labels=["a"]),
            "/metadata/labels is a list where an object is expected",
        ),
        (manifest("v1", "Pod", pod_spec(), name=5), "/metadata/name is a number, not text"),
        (manifest("apps/v1", "Deployment", {}), "/spec/template/spec is missing"),
        (manifest("apps/v1", "Deployment", []), "/spec is a list where an object is expected"),
        (templated("apps/v1", "Deployment", pod_spec(), replicas="3"), "/spec/replicas is text where a count"),
        (templated("apps/v1", "Deployment", pod_spec(), replicas=-1), "/spec/replicas is a number (-1) where a count"),
        (
            templated("apps/v1", "Deployment", pod_spec(), replicas=True),
            "/spec/replicas is a boolean (True) where a count",
        ),
        (
            manifest("v1", "Pod", {"containers": [container("a", "many")]}),
            "/spec/containers/0/resources/limits/nvidia.com~1gpu: 'many' is not a quantity",
        ),
        (
            manifest("v1", "Pod", {"containers": [container("a", -1)]}),
            "/spec/containers/0/resources/limits/nvidia.com~1gpu: -1 is negative",
        ),
    ],
)
def test_a_malformed_object_is_refused_with_its_place(obj: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        subject_of(obj)
    assert message in str(caught.value)


def test_an_unknown_kind_is_a_plain_resource() -> None:
    subject = subject_of({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}})
    assert type(subject) is Resource
    assert (subject.type, is_workload("example.com", "Widget"), is_workload("apps", "Deployment")) == (
        "resource",
        False,
        True,
    )


def test_one_template_is_parsed_once_and_another_apart() -> None:
    cache = ContentCache(max_entries=2)
    first = subject_of(manifest("v1", "Pod", pod_spec(), uid="1"), cache=cache)
    again = subject_of(manifest("v1", "Pod", pod_spec(), uid="2"), cache=cache)
    other = subject_of(manifest("v1", "Pod", pod_spec(hostNetwork=True)), cache=cache)
    assert isinstance(first, Workload)
    assert isinstance(again, Workload)
    assert isinstance(other, Workload)
    assert first.content is again.content
    assert first.key == again.key != other.key
    assert first.digest != again.digest


def test_what_was_parsed_for_one_object_only_is_soon_forgotten() -> None:
    cache = ContentCache(max_new_entries=1)

    def parsed(**fields: Any) -> Content:
        subject = subject_of(manifest("v1", "Pod", pod_spec(**fields)), cache=cache)
        assert isinstance(subject, Workload)
        return subject.content

    twice, again, once = parsed(), parsed(), parsed(hostNetwork=True)
    parsed(hostPID=True)
    assert twice is again is parsed()
    assert parsed(hostNetwork=True) is not once


# --- extraction finds what an independent walk over the whole manifest finds

_names = st.text("abcdefghij", min_size=1, max_size=6)
_container = st.fixed_dictionaries(
    {"name": _names, "image": st.from_regex(r"\A[a-z]{1,6}\.io/[a-z]{1,6}:v[0-9]\Z")},
    optional={
        "resources": st.fixed_dictionaries(
            {"limits": st.dictionaries(st.sampled_from(["cpu", "nvidia.com/gpu"]), st.integers(0, 9))}
        )
    },
)
_volume = st.one_of(
    st.fixed_dictionaries({"name": _names, "emptyDir": st.just({})}),
    st.fixed_dictionaries({"name": _names, "image": st.fixed_dictionaries({"reference": st.just("r.io/model:v1")})}),
)
_pod_spec = st.fixed_dictionaries(
    {"containers": st.lists(_container, min_size=1, max_size=3)},
    optional={
        "initContainers": st.lists(_container, max_size=2),
        "ephemeralContainers": st.lists(_container, max_size=2),
        "volumes": st.lists(_volume, max_size=2),
    },
)
_objects = st.one_of(
    _pod_spec.map(lambda pod: manifest("v1", "Pod", pod)),
    st.builds(
        lambda kind, pod, replicas: templated(kind[0], kind[1], pod, replicas=replicas),
        st.sampled_from([("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("v1", "ReplicationController")]),
        _pod_spec,
        st.integers(0, 5),
    ),
    _pod_spec.map(lambda pod: templated("batch/v1", "Job", pod, parallelism=3)),
    _pod_spec.map(cron_job),
)


def _walk(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every image string anywhere, found without knowing any kind."""
    if isinstance(value, dict):
        for name, child in value.items():
            if isinstance(child, str) and name in ("image", "reference"):
                yield pointer(*path, name), child
            yield from _walk(child, (*path, name))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _walk(child, (*path, index))


def _at(obj: object, path: str) -> object:
    def step(value: Any, token: str) -> Any:
        return value[int(token)] if isinstance(value, list) else value[token]

    return reduce(step, tokens_of(path), obj)


@given(_objects)
def test_every_image_is_found_and_every_pointer_leads_to_it(obj: dict[str, Any]) -> None:
    content = workload(obj).content
    assert sorted((image.path, image.reference) for image in content.images) == sorted(_walk(obj))
    assert all(_at(obj, image.path) == image.reference for image in content.images)
    assert content.gpus.now <= content.gpus.peak
