"""The configurations of the benchmark of many bindings: which are made, and what each is to show.

Every binding of these judges pods; what it finds is only recorded (`audit`), so that all reviews stay allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pratique.policy import PolicyMetadata, PolicySet

NAMESPACE = "team-a"
"""Where the reviews are from (tests/support/capture.py)."""
FEW = 5
COUNTS = (FEW, 50, 200, 1000)
LIBRARY = 45
_SEVEN = (
    *("gpu/limit", "image/approved-registries", "image/digest", "labels/cost-attribution"),
    *("workload/health-checks", "workload/privileged", "workload/resource-limits"),
)


@dataclass(frozen=True, slots=True)
class Bindings:
    """How many bindings match the pods of the reviews, and how many do not; all of the first `policies` policies."""

    name: str
    title: str
    matching: int
    others: int = 0
    policies: int = FEW

    def write(self, folder: Path, library: Path) -> Path:
        """Write the documents to a new folder below `folder`; the new folder."""
        config = folder / "config"
        config.mkdir()
        documents = list(_documents(self, policies_bound(PolicySet.load(library))))
        (config / "bindings.yaml").write_text("---\n".join(json.dumps(document) + "\n" for document in documents))
        return config


CONFIGURATIONS = {
    each.name: each
    for each in (
        *(Bindings(f"matching-{n}", f"{n:,} match", n) for n in COUNTS),
        *(Bindings(f"others-{n}", f"{FEW} match, {n:,} do not", FEW, n) for n in COUNTS),
        Bindings(f"library-{LIBRARY}", f"{LIBRARY} policies match", LIBRARY, policies=LIBRARY),
    )
}


def policies_bound(policies: PolicySet) -> list[str]:
    """The policies in the order in which they are bound: the seven of the other tables, then the rest of the library
    that judges workloads and asks neither for the time nor for facts, which nobody has here: the answer would be an
    error, and that is not remembered either."""
    return [*_SEVEN, *sorted(name for name, policy in policies.policies.items() if _is_bound(policy))]


def _is_bound(policy: PolicyMetadata) -> bool:
    if any(need == "now" or need.startswith("facts.") for need in policy.needs):
        return False
    return "workload" in policy.subjects and policy.name not in _SEVEN


def _documents(which: Bindings, policies: list[str]) -> Iterator[dict[str, Any]]:
    labels = {"kubernetes.io/metadata.name": NAMESPACE, "team": NAMESPACE}
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    for number in range(which.matching):
        yield _binding(f"matching-{number:04}", policies[number % which.policies], {"kinds": ["workload"]})
    for number in range(which.others):
        yield _binding(f"other-{number:04}", policies[number % which.policies], _elsewhere(number))


def _elsewhere(number: int) -> dict[str, Any]:
    """What one of many teams asks for: not this namespace, not these pods."""
    team = f"team-{number:04}"
    ways: tuple[dict[str, Any], ...] = (
        {"namespaces": {"include": [team, f"{team}-staging"]}},
        {"namespaceSelector": {"matchLabels": {"team": team}}},
        {"selector": {"matchLabels": {"project": team}}},
        {"namespaces": {"include": [team]}, "selector": {"matchLabels": {"tier": "gold"}}},
    )
    return {"kinds": ["workload"], **ways[number % len(ways)]}


def _binding(name: str, policy: str, match: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "PolicyBinding",
        "metadata": {"name": name},
        "spec": {"policy": policy, "match": match, "enforcement": "audit"},
    }
