"""The fields of pods and containers: the known ones, what is sent of them, and which a text names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from pratique.document import subject_document
from pratique.fields import CONTAINER_FIELDS, POD_FIELDS, Reads, fields_named_in, union
from pratique.kinds import subject_of
from tests.support.bundles import ROOT

POD: Mapping[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "team-a", "labels": {"team": "search"}},
    "spec": {
        "hostNetwork": True,
        "volumes": [],
        "fieldOfTomorrow": 1,
        "containers": [
            {"name": "main", "image": "r.io/a:v1", "env": [], "tty": True, "resources": {}, "fieldOfTomorrow": 2}
        ],
    },
}
ALWAYS_OF_POD = {"path", "replicas", "labels", "annotations", "containers", "partial"}
ALWAYS_OF_CONTAINER = {"path", "role", "name", "image"}


@pytest.mark.parametrize(
    ("definition", "always", "fields"),
    [("pod", ALWAYS_OF_POD, POD_FIELDS), ("container", ALWAYS_OF_CONTAINER, CONTAINER_FIELDS)],
)
def test_the_known_fields_are_those_of_the_schema(definition: str, always: set[str], fields: frozenset[str]) -> None:
    schema = json.loads((ROOT / "policies" / "schemas" / "input.json").read_bytes())
    assert schema["definitions"][definition]["properties"].keys() - always == fields


def sent(reads: Reads | None) -> tuple[set[str], set[str]]:
    (pod,) = subject_document(subject_of(POD), identity=False, reads=reads)["pods"]
    return pod.keys() - ALWAYS_OF_POD, pod["containers"][0].keys() - ALWAYS_OF_CONTAINER


def test_what_is_always_sent_is_sent() -> None:
    (pod,) = subject_document(subject_of(POD), identity=False, reads=Reads())["pods"]
    assert pod.keys() >= ALWAYS_OF_POD
    assert pod["containers"][0].keys() >= ALWAYS_OF_CONTAINER


@pytest.mark.parametrize(
    ("reads", "of_pod", "of_container"),
    [
        (None, {"hostNetwork", "volumes"}, {"env", "tty", "resources"}),
        (Reads(), set(), set()),
        (Reads(pod=frozenset({"volumes", "os"})), {"volumes"}, set()),
        (Reads(container=frozenset({"env", "resources"})), set(), {"env", "resources"}),
    ],
)
def test_known_fields_are_left_out_unless_they_are_read(
    reads: Reads | None, of_pod: set[str], of_container: set[str]
) -> None:
    assert sent(reads) == (of_pod | {"fieldOfTomorrow"}, of_container | {"fieldOfTomorrow"})


@pytest.mark.parametrize(
    ("value", "pod", "container"),
    [
        ("env", set(), {"env"}),
        ("/volumes/0/name", {"volumes"}, set()),
        ("has ports and probes", set(), {"ports"}),
        ("resources", {"resources"}, {"resources"}),
        ("envs, Env, my_environment", set(), set()),
        ({"limits": ["livenessProbe", 3, None], "hostPID": True}, {"hostPID"}, {"livenessProbe"}),
    ],
)
def test_a_field_is_named_by_a_word(value: object, pod: set[str], container: set[str]) -> None:
    assert fields_named_in(value) == Reads(frozenset(pod), frozenset(container))


def test_one_that_reads_everything_makes_everything_read() -> None:
    one, other = Reads(pod=frozenset({"os"})), Reads(container=frozenset({"env"}))
    assert union([one, other]) == Reads(frozenset({"os"}), frozenset({"env"}))
    assert union([one, None, other]) is None
