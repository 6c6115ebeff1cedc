"""The pods of one template are one subject to every policy that needs no identity: shown on pods as a real API server
sends them.

The fixtures are captured from a kube-apiserver with the ServiceAccount admission plugin
(`tests/fixtures/reviews/README.md`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pratique.canonical import canonical_json
from pratique.document import subject_document
from pratique.kinds import subject_of

REVIEWS = Path(__file__).parent.parent / "fixtures" / "reviews"


def submitted(name: str) -> dict[str, Any]:
    review = json.loads((REVIEWS / f"{name}.json").read_text())
    obj = review["request"]["object"]
    assert isinstance(obj, dict)
    return obj


@pytest.mark.parametrize(
    "names",
    [
        ("pod-of-replicaset-1", "pod-of-replicaset-2", "pod-of-replicaset-3"),
        ("pod-of-statefulset-0", "pod-of-statefulset-1"),
        ("pod-of-job-0", "pod-of-job-1"),
    ],
)
def test_pods_of_one_template_are_one_subject(names: tuple[str, ...]) -> None:
    objects = [submitted(name) for name in names]
    subjects = [subject_of(obj, namespace="default") for obj in objects]
    assert len({subject.digest for subject in subjects}) == len(names)
    assert len({subject.key for subject in subjects}) == 1
    assert len({canonical_json(subject_document(subject, identity=False)) for subject in subjects}) == 1


def test_pods_of_different_content_are_different_subjects() -> None:
    first, second = (subject_of(submitted(f"pod-distinct-{number}")) for number in (1, 2))
    assert first.key != second.key


def test_an_image_label_or_namespace_is_content() -> None:
    base = submitted("pod-of-replicaset-1")
    key = subject_of(base).key
    other_image = json.loads(json.dumps(base))
    other_image["spec"]["containers"][0]["image"] = "evil.example/app:v1"
    other_label = json.loads(json.dumps(base))
    other_label["metadata"].setdefault("labels", {})["team"] = "other"
    other_namespace = json.loads(json.dumps(base))
    other_namespace["metadata"]["namespace"] = "other"
    assert key not in {subject_of(obj).key for obj in (other_image, other_label, other_namespace)}


def test_a_volume_of_that_name_that_is_no_token_is_content() -> None:
    def pod(volume: dict[str, Any]) -> dict[str, Any]:
        spec = {"containers": [{"name": "a", "image": "x"}], "volumes": [volume]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}

    host_path = {"hostPath": {"path": "/etc"}}
    projected: dict[str, Any] = {"projected": {"sources": []}}
    keys = {
        subject_of(pod({"name": name, **source})).key
        for name in ("kube-api-access-abcde", "kube-api-access-fghij")
        for source in (host_path, projected)
    }
    assert len(keys) == 3


def test_a_host_name_that_the_author_chose_is_content() -> None:
    def pod(hostname: str) -> dict[str, Any]:
        spec = {"containers": [{"name": "a", "image": "x"}], "hostname": hostname}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}

    assert subject_of(pod("one")).key != subject_of(pod("two")).key


def test_pointers_survive_the_renaming() -> None:
    obj = submitted("pod-of-replicaset-1")
    document = subject_document(subject_of(obj), identity=False)
    (pod,) = document["pods"]
    assert [volume["name"] for volume in pod["volumes"]][-1] == "kube-api-access"
    assert len(pod["volumes"]) == len(obj["spec"]["volumes"])
    assert "identity" not in document


def test_identity_is_there_for_who_needs_it() -> None:
    obj = submitted("pod-of-statefulset-0")
    identity = subject_document(subject_of(obj), identity=True)["identity"]
    assert identity["name"] == obj["metadata"]["name"]
    assert identity["labels"] == obj["metadata"]["labels"]
