"""Bindings and waivers as objects of the cluster: read by list and watch, and told in their status what became of them.

They are one of two sources of the configuration (files are the other), loaded by the same loader as one whole. Every
replica of the webhook reads them and writes the same status.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pratique.canonical import canonical_json
from pratique.configuration import APPROVAL_ANNOTATION
from pratique.engine import Engine
from pratique.errors import EvidenceUnavailable, InputError, Problem
from pratique.schemas import API_VERSION
from pratique.waiver import written_time
from pratique.yamlfile import Document
from webhook.cluster import CONNECT_SECONDS, LIST_SECONDS, ApiServer, ListWatch, merge_patch

log = logging.getLogger(__name__)

PLURALS = {"PolicyBinding": "policybindings", "Waiver": "waivers"}
RETRY_SECONDS = 30.0
"""When a status that could not be written is tried again."""
CONDITION = "Ready"


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it is in the cluster: what the loader reads, and where its status stands."""

    document: Mapping[str, Any]
    meaning: bytes
    generation: int
    conditions: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """What the status of an object is to say (meta/v1 Condition)."""

    status: str
    reason: str
    message: str


class _Objects(ListWatch[Stored]):
    def __init__(self, api: ApiServer, kind: str) -> None:
        super().__init__(api, f"/apis/{API_VERSION}/{PLURALS[kind]}", what=f"the {PLURALS[kind]}")
        self.kind = kind

    def _kept(self, obj: Mapping[str, Any]) -> Stored:
        metadata = obj.get("metadata") or {}
        annotation = (metadata.get("annotations") or {}).get(APPROVAL_ANNOTATION)
        annotations = {} if annotation is None else {"annotations": {APPROVAL_ANNOTATION: annotation}}
        document = {
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "metadata": {"name": metadata.get("name"), **annotations},
            "spec": obj.get("spec"),
        }
        try:
            meaning = canonical_json(document)
        except InputError:
            meaning = str(metadata.get("resourceVersion")).encode()  # the loader will say what is wrong with it
        conditions = (obj.get("status") or {}).get("conditions") or ()
        return Stored(document, meaning, int(metadata.get("generation") or 0), tuple(conditions))

    @property
    def objects(self) -> Mapping[str, Stored]:
        return self._objects


class ClusterDocuments:
    """The second source of a configuration (`pratique.live.DocumentSource`)."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._watches = tuple(_Objects(api, kind) for kind in PLURALS)
        self._failed: dict[str, float] = {}
        self.problem = ""
        """Why a status could not be written; empty if all could."""

    def start(self) -> None:
        for watch in self._watches:
            watch.start()

    async def wait_synced(self, *, seconds: float) -> bool:
        """Whether all objects were listed once, waited for so long."""
        return all(await asyncio.gather(*(watch.wait_synced(seconds=seconds) for watch in self._watches)))

    def close(self) -> None:
        for watch in self._watches:
            watch.close()

    def state(self) -> dict[str, object]:
        """For people who look at the server."""
        return {PLURALS[watch.kind]: watch.state() for watch in self._watches} | {"status_problem": self.problem}

    @property
    def version(self) -> object:
        """Changes with what the objects mean; not with their status, which we write ourselves."""
        return tuple(
            (watch.kind, watch.synced, tuple(sorted((name, each.meaning) for name, each in watch.objects.items())))
            for watch in self._watches
        )

    def documents(self) -> list[Document | Problem]:
        """All objects; a Problem for a kind that could not be listed yet, since nothing is known of it then."""
        found: list[Document | Problem] = []
        for watch in self._watches:
            if not watch.synced:
                why = watch.problem or "the API server takes its time"
                found.append(Problem(_source(watch.kind, ""), "", f"these could not be listed yet: {why}"))
                continue
            found += [
                Document(_source(watch.kind, name), 0, 0, each.document) for name, each in sorted(watch.objects.items())
            ]
        return found

    async def report(self, engine: Engine | None, problems: Sequence[Problem], *, now: datetime) -> None:
        """Write into each object what became of it, where its status does not say so yet."""
        for watch in self._watches:
            for name, stored in watch.objects.items():
                wanted = _wanted(watch.kind, name, stored, engine, problems, now)
                source = _source(watch.kind, name)
                if wanted is None or _says(stored, wanted) or time.monotonic() < self._failed.get(source, 0.0):
                    continue
                path = f"/apis/{API_VERSION}/{PLURALS[watch.kind]}/{quote(name, safe='')}/status"
                patch = {"status": {"conditions": _conditions(stored, wanted, now)}}
                try:
                    await asyncio.to_thread(
                        merge_patch, self._api.client, path, patch, timeout=(CONNECT_SECONDS, LIST_SECONDS)
                    )
                except (EvidenceUnavailable, OSError) as error:
                    self._failed[source] = time.monotonic() + RETRY_SECONDS
                    problem = f"the status of {source} cannot be written: {error}"
                    if problem != self.problem:
                        log.warning("%s", problem)
                    self.problem = problem
                else:
                    # Until the watch has brought it, it is not written again.
                    self._failed[source] = time.monotonic() + 1.0
                    self.problem = ""


def _source(kind: str, name: str) -> str:
    group = API_VERSION.partition("/")[0]
    return f"{PLURALS[kind]}.{group}/{name}".rstrip("/")


def _wanted(
    kind: str, name: str, stored: Stored, engine: Engine | None, problems: Sequence[Problem], now: datetime
) -> Condition | None:
    """What the status is to say; None where that is not known at the moment."""
    mine = [problem for problem in problems if problem.file == _source(kind, name)]
    if mine:
        message = "; ".join(f"{each.where}: {each.message}" if each.where else each.message for each in mine)
        return Condition("False", "NotLoaded", message[:1024])
    if engine is None:
        return None
    in_force = engine.configuration.by_name.get((kind, name))
    if in_force is None or in_force["spec"] != stored.document["spec"]:
        return None
    if kind != "Waiver":
        return Condition("True", "InForce", "")
    waiver = next(each for each in engine.configuration.waivers if each.name == name)
    if why := waiver.why_not(now):
        return Condition("False", "DoesNotCount", why[:1024])
    return Condition("True", "InForce", f"until {written_time(waiver.expires)}")


def _says(stored: Stored, wanted: Condition) -> bool:
    for condition in stored.conditions:
        if condition.get("type") == CONDITION:
            said = Condition(*(str(condition.get(name, "")) for name in ("status", "reason", "message")))
            return said == wanted and condition.get("observedGeneration") == stored.generation
    return False


def _conditions(stored: Stored, wanted: Condition, now: datetime) -> list[dict[str, Any]]:
    """All conditions of the object, with ours as it is to be: a merge patch replaces the whole list."""
    others = [dict(each) for each in stored.conditions if each.get("type") != CONDITION]
    before = next((each for each in stored.conditions if each.get("type") == CONDITION), {})
    same = before.get("status") == wanted.status and before.get("lastTransitionTime")
    return [
        *others,
        {
            "type": CONDITION,
            "status": wanted.status,
            "reason": wanted.reason,
            "message": wanted.message,
            "observedGeneration": stored.generation,
            "lastTransitionTime": before["lastTransitionTime"] if same else written_time(now.astimezone(UTC)),
        },
    ]
