"""Recorded facts: known until they expire; what was not recorded was not looked up."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from attestations.recorded import FORMAT, load_facts
from pratique.canonical import sha256
from pratique.errors import ConfigError
from pratique.facts import Absent, Fact, Known, Unavailable, gather_facts
from pratique.kinds import subject_of
from tests.support import workloads

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
IMAGE = "registry.internal/serving/vllm:0.11.0"
KNOWN = {
    "status": "known",
    "value": {"signer": "ci"},
    "collectedAt": "2026-11-20T08:00:00Z",
    "expiresAt": "2026-12-20T08:00:00Z",
}


def written(folder: Path, keys: str, facts: dict[str, Any]) -> Path:
    file = folder / "facts.yaml"
    file.write_bytes(orjson.dumps({"format": FORMAT, "sources": {"signatures": {"keys": keys, "facts": facts}}}))
    return file


def gathered(file: Path, obj: dict[str, Any], *, now: datetime = NOW) -> dict[str, Fact]:
    sources = load_facts(file, clock=lambda: now)
    found = asyncio.run(gather_facts(sources, ["signatures"], subject_of(obj), deadline=time.monotonic() + 60))
    return dict(found["signatures"])


def pod(image: str = IMAGE) -> dict[str, Any]:
    made = workloads.pod("p", namespace="team-a")
    made["spec"] = {"containers": [{"name": "main", "image": image}]}
    return made


def test_what_was_recorded_is_known(tmp_path: Path) -> None:
    found = gathered(written(tmp_path, "images", {IMAGE: KNOWN, "other": KNOWN}), pod())
    assert found == {
        IMAGE: Known(
            {"signer": "ci"},
            datetime(2026, 11, 20, 8, tzinfo=UTC),
            datetime(2026, 12, 20, 8, tzinfo=UTC),
            sha256(b'{"signer":"ci"}'),
        )
    }


def test_what_was_looked_for_in_vain_is_absent(tmp_path: Path) -> None:
    absent = {"status": "absent", "reason": "no signature"}
    assert gathered(written(tmp_path, "images", {IMAGE: absent}), pod()) == {IMAGE: Absent("no signature")}


@pytest.mark.parametrize(
    ("fact", "now", "reason"),
    [
        (None, NOW, f"the recorded facts say nothing of {IMAGE} (signatures)"),
        (KNOWN, datetime(2026, 12, 20, 8, tzinfo=UTC), "expired at 2026-12-20T08:00:00+00:00"),
        ({"status": "unavailable", "reason": "the registry was down"}, NOW, "the registry was down"),
    ],
)
def test_everything_else_is_unavailable(
    tmp_path: Path, fact: dict[str, Any] | None, now: datetime, reason: str
) -> None:
    (found,) = gathered(written(tmp_path, "images", {IMAGE: fact} if fact else {}), pod(), now=now).values()
    assert isinstance(found, Unavailable)
    assert reason in found.reason


def test_without_keys_every_object_is_given_all(tmp_path: Path) -> None:
    assert set(gathered(written(tmp_path, "none", {"a": KNOWN, "b": KNOWN}), pod())) == {"a", "b"}


def test_a_resource_has_no_images(tmp_path: Path) -> None:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    assert gathered(written(tmp_path, "images", {IMAGE: KNOWN}), settings) == {}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "there are 0 documents in it"),
        ("a: [", "line"),
        ("format: other\nsources: {}", "/format"),
        (f"format: {FORMAT}\nsources: {{a: {{keys: images, facts: {{x: {{status: known}}}}}}}}", "/sources/a/facts/x"),
        (f"format: {FORMAT}\nsources: {{a: {{keys: pods, facts: {{}}}}}}", "/sources/a/keys"),
        (
            f"format: {FORMAT}\nsources: {{a: {{keys: none, facts: {{x: {{status: known, value: 1,"
            " collectedAt: 2026-01-01, expiresAt: '2026-12-31T00:00:00Z'}}}}",
            "/sources/a/facts/x/collectedAt",
        ),
    ],
)
def test_what_is_no_such_file_is_said(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "facts.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=place):
        load_facts(file, clock=lambda: NOW)
