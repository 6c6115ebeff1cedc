"""What the cluster says of its workloads: its autoscalers and resource claims, by list and watch.

The `Context` that subjects are made with is one object that follows the watches: an event changes one entry of it, and
a review looks up its own. Nothing is rebuilt or searched for a review.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeVar

from pratique.kinds import KINDS
from pratique.kinds.context import (
    AUTOSCALERS,
    NOTHING_KNOWN,
    RESOURCE_CLAIMS,
    Autoscaler,
    Claim,
    Context,
    Target,
    autoscaler_of,
    claim_of,
)
from pratique.subject import Resource, Workload
from webhook.cluster import (
    ApiServer,
    ListWatch,
    NotFound,
    NotServed,
    get,
    resources_of,
    versions_of,
)

ADMITTED_SECONDS = 10.0
"""How long an autoscaler counts that was admitted a moment ago, until the watch brings it: `kubectl apply` of a folder
sends what it scales right after it."""

Source = tuple[str, str, str]
"""An autoscaler: its group and kind, and `namespace/name`."""
ClaimKey = tuple[str, str, str]

Kept = TypeVar("Kept")


class _Served(ListWatch[Kept]):
    """The objects of a kind that an API server need not serve, in the version that it prefers."""

    def __init__(self, api: ApiServer, group: str, kind: str, resource: str) -> None:
        super().__init__(api, f"/apis/{group}/{resource}", what=f"the {resource}.{group}")
        self.key = (group, kind)
        self.resource = f"{resource}.{group}"
        self._served = False

    def kept(self, key: str) -> Kept | None:
        """What is known of one object."""
        return self._objects.get(key)

    def state(self) -> dict[str, object]:
        return {"served": self._served, **super().state()}

    def _where(self) -> str:
        group, kind = self.key
        self._served = False
        try:
            for version in versions_of(get(self._api.client, f"/apis/{group}")):
                prefix = f"/apis/{group}/{version}"
                for resource, its_kind in resources_of(get(self._api.client, prefix)):
                    if its_kind == kind:
                        self._served = True
                        return f"{prefix}/{resource}"
        except NotFound as error:
            raise NotServed from error
        raise NotServed


class _Autoscalers(_Served[Autoscaler]):
    def __init__(self, api: ApiServer, key: tuple[str, str], tell: Callable[[Source, Autoscaler | None], None]) -> None:
        super().__init__(api, *key, AUTOSCALERS[key])
        self._tell = tell

    def _kept(self, obj: Mapping[str, Any]) -> Autoscaler | None:
        return autoscaler_of(obj, *self.key)

    def _told(self, key: str, kept: Autoscaler | None) -> None:
        self._tell((*self.key, key), kept)


class _Claims(_Served[Claim]):
    def __init__(self, api: ApiServer, key: tuple[str, str], claims: dict[ClaimKey, Mapping[str, Fraction]]) -> None:
        super().__init__(api, *key, RESOURCE_CLAIMS[key])
        self._claims = claims

    def _kept(self, obj: Mapping[str, Any]) -> Claim | None:
        return claim_of(obj, *self.key)

    def _told(self, key: str, kept: Claim | None) -> None:
        namespace, _, name = key.partition("/")
        if kept is None:
            self._claims.pop((self.key[1], namespace, name), None)
        else:
            self._claims[kept.key] = kept.devices


class KnownObjects:
    """What a webhook without an API server knows of other objects: nothing. What one with an API server knows is
    `ClusterContext`."""

    @property
    def context(self) -> Context:
        """What other objects say of one."""
        return NOTHING_KNOWN

    def doubt(self, subject: Resource) -> str:
        """Why `subject` may be able to use more accelerators than `context` tells; empty where it cannot."""
        return ""

    def admitted(self, source: Source, autoscaler: Autoscaler) -> None:
        """Take notice of an autoscaler that was let in just now."""


class ClusterContext(KnownObjects):
    """Follows every autoscaler and resource claim of a cluster.

    A kind that the API server does not serve says nothing, and is found when its CRD comes. What cannot be listed, or
    was not confirmed for long, is in doubt (`doubt`), and not taken for nothing.
    """

    def __init__(self, api: ApiServer) -> None:
        self._lock = threading.Lock()
        self._max_replicas: dict[Target, int] = {}
        self._claims: dict[ClaimKey, Mapping[str, Fraction]] = {}
        self._context = Context(self._max_replicas, self._claims)
        self._by_source: dict[Source, Autoscaler] = {}
        self._by_target: dict[Target, dict[Source, int]] = {}
        self._autoscalers = tuple(_Autoscalers(api, key, self._autoscaler) for key in AUTOSCALERS)
        self._resource_claims = tuple(_Claims(api, key, self._claims) for key in RESOURCE_CLAIMS)

    @property
    def context(self) -> Context:
        return self._context

    def doubt(self, subject: Resource) -> str:
        if not isinstance(subject, Workload) or not subject.content.gpus.peak:
            return ""
        kind = KINDS.get((subject.gvk.group, subject.gvk.kind))
        if kind is not None and kind.scale and (why := _why_not_fresh(self._autoscalers)):
            return f"how far autoscalers let this {subject.gvk.kind} grow is not known: {why}"
        if any("resourceClaims" in pod.fields for pod in subject.content.pods) and (
            why := _why_not_fresh(self._resource_claims)
        ):
            return f"what the resource claims of this {subject.gvk.kind} hold is not known: {why}"
        return ""

    def admitted(self, source: Source, autoscaler: Autoscaler) -> None:
        self._autoscaler(source, autoscaler)
        asyncio.get_running_loop().call_later(ADMITTED_SECONDS, self._settle, source)

    def _settle(self, source: Source) -> None:
        """By now the watch tells what became of `source`; nothing, where somebody else refused it."""
        (watch,) = (watch for watch in self._autoscalers if watch.key == source[:2])
        if not watch.fresh:
            asyncio.get_running_loop().call_later(ADMITTED_SECONDS, self._settle, source)
            return
        with self._lock:
            self._put(source, watch.kept(source[2]))

    def _autoscaler(self, source: Source, autoscaler: Autoscaler | None) -> None:
        """From a watch, in its thread, or for one that was admitted."""
        with self._lock:
            self._put(source, autoscaler)

    def _put(self, source: Source, autoscaler: Autoscaler | None) -> None:
        before = self._by_source.pop(source, None)
        if autoscaler is not None:
            self._by_source[source] = autoscaler
            self._by_target.setdefault(autoscaler.target, {})[source] = autoscaler.most
        if before is not None and (autoscaler is None or autoscaler.target != before.target):
            del self._by_target[before.target][source]
            self._count(before.target)
        if autoscaler is not None:
            self._count(autoscaler.target)

    def _count(self, target: Target) -> None:
        sources = self._by_target[target]
        if sources:
            self._max_replicas[target] = max(sources.values())
        else:
            del self._by_target[target]
            self._max_replicas.pop(target, None)

    # Life

    def start(self) -> None:
        for watch in self._watches():
            watch.start()

    async def wait_synced(self, *, seconds: float) -> bool:
        """Whether everything was listed once, waited for so long."""
        return all(await asyncio.gather(*(watch.wait_synced(seconds=seconds) for watch in self._watches())))

    def close(self) -> None:
        for watch in self._watches():
            watch.close()

    def state(self) -> dict[str, object]:
        """For people who look at the server."""
        return {watch.resource: watch.state() for watch in self._watches()}

    def ages_seconds(self) -> Iterator[tuple[str, int, float]]:
        """Of each resource: how many objects are known, and how long ago the API server last confirmed them."""
        for watch in self._watches():
            yield watch.resource, len(watch), watch.age_seconds

    def _watches(self) -> tuple[_Autoscalers | _Claims, ...]:
        return (*self._autoscalers, *self._resource_claims)


def _why_not_fresh(watches: Sequence[ListWatch[Any]]) -> str:
    """Why one of them cannot be believed; empty where all can."""
    for watch in watches:
        if not watch.fresh:
            return watch.why_not_fresh
    return ""
