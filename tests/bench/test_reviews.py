"""The marks in captured reviews, and the plain Rego that raw OPA runs."""

from __future__ import annotations

import copy
import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.bindings import CONFIGURATIONS
from bench.peers import PEERS
from bench.reviews import mark
from tests.support.cluster import REPOSITORY, ToolMissingError, tool

FIXTURES = REPOSITORY / "tests" / "fixtures" / "reviews"
RAW = REPOSITORY / "bench" / "opa_raw" / "admission.rego"


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def test_storm_changes_what_tells_one_pod_from_the_next_only() -> None:
    body = fixture("pod-of-replicaset-1")
    entry = mark(body, distinct=False, allowed=True, chance=random.Random(1))
    before, after = json.loads(body)["request"], json.loads(entry.body)["request"]
    assert entry.uid == before["uid"] == after["uid"]
    uid, name, volume = (text for text, _ in entry.unique)
    assert after["object"]["metadata"]["uid"] == uid
    assert after["name"] == after["object"]["metadata"]["name"] == f"llm-server-7d9f8b6c5d-{name}"
    assert after["object"]["spec"]["volumes"][-1]["name"] == f"kube-api-access-{volume}"
    old_volume = before["object"]["spec"]["volumes"][-1]["name"]
    restored = entry.body.replace(after["name"], before["name"]).replace(f"kube-api-access-{volume}", old_volume)
    assert json.loads(restored) == json.loads(body)


def test_distinct_changes_the_content_as_well() -> None:
    entry = mark(fixture("pod-distinct-1"), distinct=True, allowed=True, chance=random.Random(1))
    pod = json.loads(entry.body)["request"]["object"]
    made = entry.unique[1][0]
    assert pod["metadata"]["name"] == f"pod-{made}"
    assert pod["metadata"]["labels"]["project"] == f"p-{made}"
    containers = pod["spec"]["containers"] + pod["spec"]["initContainers"]
    assert len(containers) == 4
    assert all(container["image"].endswith(made) for container in containers)
    assert [one["value"] for one in containers[0]["env"] if one["name"] == "VARIANT"] == [made]


def test_a_storm_is_made_of_the_pods_of_controllers() -> None:
    with pytest.raises(ValueError, match="was not made by a controller"):
        mark(fixture("pod-create"), distinct=False, allowed=True, chance=random.Random(1))


def raw_opa_says(review: dict[str, Any]) -> list[str]:
    try:
        opa = tool("opa")
    except ToolMissingError as missing:
        pytest.skip(str(missing))
    done = subprocess.run(
        [opa, "eval", "--data", RAW, "--stdin-input", "--format", "raw", "data.admission"],
        input=json.dumps(review),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    package = json.loads(done.stdout)
    messages: list[str] = package["deny"]
    assert package["main"]["response"]["uid"] == review["request"]["uid"]
    assert package["main"]["response"]["allowed"] is (not messages)
    return messages


def changed(act: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    review: dict[str, Any] = copy.deepcopy(json.loads(fixture("pod-create")))
    act(review["request"]["object"])
    return review


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda pod: pod["spec"]["containers"][0]["resources"]["limits"].update({"nvidia.com/gpu": "5"}),
            "this Pod can use 5 GPUs; at most 4 are allowed",
        ),
        (
            lambda pod: pod["spec"]["initContainers"][0]["resources"]["limits"].pop("cpu"),
            "container fetch-model has no cpu limit",
        ),
        (
            lambda pod: pod["spec"]["containers"][1].update(securityContext={"privileged": True}),
            "container router is privileged",
        ),
        (
            lambda pod: pod["spec"]["containers"][1].update(image="registry.internal/a:1"),
            "container router: the image registry.internal/a:1 has no digest",
        ),
        (
            lambda pod: pod["spec"]["containers"][1].update(image=f"docker.io/a@sha256:{'0' * 64}"),
            f"container router: the image docker.io/a@sha256:{'0' * 64} is not from an approved registry",
        ),
        (lambda pod: pod["metadata"]["labels"].pop("team"), "the label team is missing or malformed"),
        (lambda pod: pod["spec"]["containers"][1].pop("readinessProbe"), "container router has no readinessProbe"),
    ],
)
def test_raw_opa_makes_the_same_checks(act: Callable[[dict[str, Any]], None], message: str) -> None:
    assert raw_opa_says(changed(act)) == [message]


def test_raw_opa_allows_what_complies() -> None:
    assert raw_opa_says(json.loads(fixture("pod-create"))) == []


def test_the_peers_stand_for_themselves() -> None:
    assert [name for name, peer in PEERS.items() if peer.bindings is None] == [
        *("raw-opa", "pratique-opa", "pratique-regopy", "noop")
    ]
    assert [name for name, peer in PEERS.items() if not peer.judges] == ["noop", *CONFIGURATIONS]
    assert Path(RAW).is_file()
