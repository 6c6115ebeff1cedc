"""Matching: to what a binding or a waiver applies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pratique.selector import LabelSelector, glob_matches

DEFAULT_OPERATIONS = frozenset({"CREATE", "UPDATE"})
WORKLOAD_KIND = "workload"
"""In `match.kinds`: every kind that ends in pods."""

UNJUDGED_SUBRESOURCES = frozenset({"status"})
"""Subresources through which no spec can change. All others are judged, those that do not exist yet included."""


@dataclass(frozen=True, slots=True)
class MatchInputs:
    """All that matching looks at, so that a recorded decision can be explained again.

    `namespace_labels` is None where they are not known. For a Namespace object, `namespace` and `namespace_labels` are
    its own.
    """

    group: str
    kind: str
    type: str
    namespace: str
    name: str
    namespace_labels: Mapping[str, str] | None
    labels: Mapping[str, Any]
    operation: str
    subresource: str
    user: str
    groups: tuple[str, ...]
    being_deleted: bool = False


@dataclass(frozen=True, slots=True)
class MatchResult:
    """Whether something applies; `reason` says why not, or what is not known."""

    state: Literal["yes", "no", "unknown"]
    reason: str = ""

    @property
    def applies(self) -> bool:
        return self.state == "yes"


YES = MatchResult("yes")


def no(reason: str) -> MatchResult:
    """Does not apply, because of `reason`."""
    return MatchResult("no", reason)


@dataclass(frozen=True, slots=True)
class Match:
    """Where a binding or a waiver applies. An empty `kinds` stands for every kind that the policy judges."""

    kinds: tuple[str, ...] = ()
    include_namespaces: tuple[str, ...] = ()
    exclude_namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None
    selector: LabelSelector | None = None
    operations: frozenset[str] = DEFAULT_OPERATIONS
    exclude_users: tuple[str, ...] = ()
    exclude_groups: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()

    def covers_kind(self, group: str, kind: str, type: str) -> bool:
        """Whether `kinds` names this kind: as `Kind`, `group/Kind`, a glob of either, or `workload`."""
        if not self.kinds:
            return True
        qualified = f"{group}/{kind}" if group else kind
        return any(
            type == WORKLOAD_KIND
            if pattern == WORKLOAD_KIND
            else glob_matches(pattern, qualified if "/" in pattern else kind)
            for pattern in self.kinds
        )

    def matches(self, inputs: MatchInputs) -> MatchResult:
        """Whether this applies. Whatever cannot be known and matters is `unknown`, never `no`."""
        if not self.covers_kind(inputs.group, inputs.kind, inputs.type):
            return no(f"kind {inputs.kind} is not among {', '.join(self.kinds)}")
        if inputs.operation not in self.operations:
            return no(f"operation {inputs.operation} is not among {', '.join(sorted(self.operations))}")
        if inputs.operation != "CONNECT" and inputs.subresource in UNJUDGED_SUBRESOURCES:
            return no(f"subresource {inputs.subresource} cannot change what is judged")
        if inputs.being_deleted and inputs.operation == "UPDATE":
            return no("the object is being deleted")
        if inputs.namespace:
            for pattern in self.exclude_namespaces:
                if glob_matches(pattern, inputs.namespace):
                    return no(f"namespace {inputs.namespace} is excluded by {pattern}")
        if self.include_namespaces and not any(
            glob_matches(pattern, inputs.namespace) for pattern in self.include_namespaces
        ):
            place = f"namespace {inputs.namespace}" if inputs.namespace else "a cluster-scoped object"
            return no(f"{place} is not among {', '.join(self.include_namespaces)}")
        if self.names and not any(glob_matches(pattern, inputs.name) for pattern in self.names):
            return no(f"name {inputs.name or '(generated)'} is not among {', '.join(self.names)}")
        for pattern in self.exclude_users:
            if glob_matches(pattern, inputs.user):
                return no(f"user {inputs.user} is excluded by {pattern}")
        for group in inputs.groups:
            if group in self.exclude_groups:
                return no(f"group {group} is excluded")
        if self.selector is not None and not self.selector.selects(inputs.labels):
            return no("the object's labels do not match the selector")
        if self.namespace_selector is not None and inputs.namespace:
            if inputs.namespace_labels is None:
                return MatchResult("unknown", f"the labels of namespace {inputs.namespace} are not known")
            if not self.namespace_selector.selects(inputs.namespace_labels):
                return no(f"the labels of namespace {inputs.namespace} do not match the namespaceSelector")
        return YES
