"""The committed AdmissionReviews are what the API server of this version sends today."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.support.capture import FIXTURES, capture_fixtures
from tests.support.cluster import Cluster

_VARYING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"kube-api-access-[a-z0-9]{5}"), "kube-api-access-RANDOM"),
    (re.compile(r'("name":"(?:llm-server-7d9f8b6c5d|fine-tune-\d|vector-db)-)[a-z0-9]{5}"'), r'\1RANDOM"'),
    (re.compile(r'"resourceVersion":"\d+"'), '"resourceVersion":"VERSION"'),
    (re.compile(r"X509SHA256=[0-9a-f]{64}"), "CREDENTIAL"),
)


def _shape(body: bytes) -> Any:
    """The review without what differs from one run to the next."""
    text = body.decode()
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return json.loads(text, object_hook=_sorted_managers)


def _sorted_managers(obj: dict[str, Any]) -> dict[str, Any]:
    """`managedFields` in one order: the API server sorts them by time, to the second."""
    if "managedFields" in obj:
        obj["managedFields"] = sorted(obj["managedFields"], key=json.dumps)
    return obj


def test_the_fixtures_can_be_made_again(cluster: Cluster, tmp_path: Path) -> None:
    captured = capture_fixtures(cluster, tmp_path)

    assert sorted(captured) == sorted(path.name for path in FIXTURES.glob("*.json"))
    for name, body in captured.items():
        assert _shape(body) == _shape((FIXTURES / name).read_bytes()), name


def test_pods_of_one_template_differ_only_in_their_identity() -> None:
    first, second, third = (
        _shape((FIXTURES / f"pod-of-replicaset-{number}.json").read_bytes()) for number in (1, 2, 3)
    )

    assert first == second == third
