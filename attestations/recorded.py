"""Facts from a file: for CI runs that must not, or cannot, ask a registry.

    format: pratique.dev/facts/v1
    sources:
      signatures:                     # `facts.signatures` of policies
        keys: images                  # what is looked up for an object: images | models | none
        facts:
          registry.internal/serving/vllm@sha256:...:
            {status: known, value: {...}, collectedAt: 2026-11-20T08:00:00Z, expiresAt: 2026-12-20T08:00:00Z}
          registry.internal/other@sha256:...: {status: absent, reason: the registry has no signature of it}

What an object needs and the file does not hold was not looked up: it is `Unavailable`, and so is what has expired by
the clock of the run. With `keys: none`, every object is given all facts of the source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs

from attestations.images import images_of
from pratique.canonical import canonical_json, sha256
from pratique.errors import ConfigError, Problem
from pratique.facts import Absent, Fact, FactSource, Known, Unavailable
from pratique.pointer import pointer
from pratique.subject import Subject, Workload
from pratique.yamlfile import only_document

FORMAT = "pratique.dev/facts/v1"
MAX_BYTES = 64 * 2**20
"""Protects the process from a file that was named by mistake."""

_REASON = {
    "type": "object",
    "required": ["status", "reason"],
    "additionalProperties": False,
    "properties": {"status": {"enum": ["absent", "unavailable"]}, "reason": {"type": "string", "minLength": 1}},
}
_KNOWN = {
    "type": "object",
    "required": ["status", "value", "collectedAt", "expiresAt"],
    "additionalProperties": False,
    "properties": {
        "status": {"const": "known"},
        "value": {},
        "collectedAt": {"type": "string"},
        "expiresAt": {"type": "string"},
    },
}
_SOURCE = {
    "type": "object",
    "required": ["keys", "facts"],
    "additionalProperties": False,
    "properties": {
        "keys": {"enum": ["images", "models", "none"]},
        "facts": {
            "type": "object",
            "additionalProperties": {
                "if": {"properties": {"status": {"const": "known"}}},
                "then": _KNOWN,
                "else": _REASON,
            },
        },
    },
}
SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["format", "sources"],
    "additionalProperties": False,
    "properties": {
        "format": {"const": FORMAT},
        "sources": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
            "additionalProperties": _SOURCE,
        },
    },
}


class RecordedFacts:
    """A FactSource whose facts were recorded elsewhere, and earlier."""

    def __init__(self, name: str, facts: Mapping[str, Fact], *, keys: str, clock: Callable[[], datetime]) -> None:
        self.name = name
        self._facts = facts
        self._keys = keys
        self._clock = clock

    def keys(self, subject: Subject) -> Sequence[str]:
        """What has to be known of `subject`."""
        if self._keys == "none":
            return sorted(self._facts)
        if self._keys == "images":
            return sorted(images_of(subject))
        return sorted({model.uri for model in subject.content.models}) if isinstance(subject, Workload) else ()

    async def gather(self, keys: Sequence[str], *, deadline: float) -> Mapping[str, Fact]:
        """The fact of each key, as it was recorded."""
        return {key: self._fact(key) for key in keys}

    def _fact(self, key: str) -> Fact:
        fact = self._facts.get(key)
        if fact is None:
            return Unavailable(f"the recorded facts say nothing of {key} ({self.name})")
        if isinstance(fact, Known) and fact.expires_at <= self._clock():
            return Unavailable(f"the recorded fact of {key} ({self.name}) expired at {fact.expires_at.isoformat()}")
        return fact


def load_facts(file: Path, *, clock: Callable[[], datetime]) -> dict[str, FactSource]:
    """The sources of the file, by name.

    Raises:
        ConfigError: it is not such a file.
    """
    document = only_document(file, max_bytes=MAX_BYTES)
    for error in jsonschema_rs.validator_for(dict(SCHEMA)).iter_errors(document):
        raise ConfigError(Problem(str(file), pointer(*error.instance_path) or "/", error.message))
    return {
        name: RecordedFacts(
            name,
            {key: _fact(value, file, pointer("sources", name, "facts", key)) for key, value in source["facts"].items()},
            keys=source["keys"],
            clock=clock,
        )
        for name, source in document["sources"].items()
    }


def _fact(value: Mapping[str, Any], file: Path, path: str) -> Fact:
    match value["status"]:
        case "absent":
            return Absent(value["reason"])
        case "unavailable":
            return Unavailable(value["reason"])
    return Known(
        value["value"],
        _time(value["collectedAt"], file, f"{path}/collectedAt"),
        _time(value["expiresAt"], file, f"{path}/expiresAt"),
        sha256(canonical_json(value["value"])),
    )


def _time(text: str, file: Path, path: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ConfigError(
            Problem(str(file), path, f"{text!r} is not a time with its zone, such as 2026-12-31T00:00:00Z")
        )
    return time.astimezone(UTC)
