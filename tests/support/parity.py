"""All cases and examples as one input, and bindings of all policies, to compare two doors with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pratique.policy import PolicyMetadata, PolicySet
from pratiquectl.cases import Case, load_cases
from tests.support.cluster import REPOSITORY
from tests.support.examples import EXAMPLES, namespaces_of_examples

PROBED = "image/digest"
"""The policy that a webhook is tried with when it is registered: it must be there whatever else is."""

MOST_POLICIES = 14
"""How many policies a part has at most. The embedded engine's time for an object grows faster than the number of
policies: with all of them it needs 0.3 s, nearly all of it in regopy, and ten minutes for all cases."""


@cache
def all_cases() -> Mapping[str, Case]:
    """Every case there is, by its id."""
    return load_cases(REPOSITORY / "tests" / "cases")


def some_cases() -> Mapping[str, Case]:
    """The first `deny` case of each policy, and its twin: what the embedded engine judges by all policies."""
    cases = all_cases()
    first = {case.policy: case.defect for case in reversed(list(cases.values())) if case.verdict == "deny"}
    return {name: case for name, case in cases.items() if first[case.policy] == case.defect}


def parts() -> Mapping[str, Sequence[str]]:
    """All policies that have cases, in parts: those of one area, or of a piece of a large one."""
    areas: dict[str, list[str]] = {}
    for folder in sorted((REPOSITORY / "tests" / "cases").glob("*/*/")):
        areas.setdefault(folder.parent.name, []).append(f"{folder.parent.name}/{folder.name}")
    return {
        area if len(policies) <= MOST_POLICIES else f"{area}-{start // MOST_POLICIES + 1}": part
        for area, policies in areas.items()
        for start in range(0, len(policies), MOST_POLICIES)
        for part in [policies[start : start + MOST_POLICIES]]
    }


def write_cases(folder: Path, cases: Mapping[str, Case]) -> None:
    """Each case as a file of its own, named `<policy>/<case>.json`."""
    for name, case in cases.items():
        file = folder / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(case.object))


def write_examples(folder: Path) -> None:
    """The examples, below `examples/`."""
    shutil.copytree(EXAMPLES, folder / "examples")


def write_bindings(folder: Path, policies: PolicySet, cases: Mapping[str, Case]) -> None:
    """One binding of each policy, with its defaults or with what its first case gives it: those about GPUs and digests
    deny, the others warn. Those that need facts are left out: a file and a cluster are not expected to know the same.
    And every namespace of the cases and examples, without labels of its own."""
    folder.mkdir()
    documents = [
        *(_binding(name, policy, cases) for name, policy in policies.policies.items() if not _needs_facts(policy)),
        *({**_NAMESPACE, "metadata": {"name": name}} for name in namespaces(cases)),
    ]
    (folder / "all.yaml").write_text("\n---\n".join(json.dumps(document) for document in documents))


_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace"}


def namespaces(cases: Mapping[str, Case]) -> list[str]:
    """Every namespace that an object is in."""
    found = {case.object.get("metadata", {}).get("namespace") for case in cases.values()}
    return sorted({str(name) for name in found if name} | {*namespaces_of_examples(), "default"})


def _needs_facts(policy: PolicyMetadata) -> bool:
    return any(need.startswith("facts.") for need in policy.needs)


def _binding(name: str, policy: PolicyMetadata, cases: Mapping[str, Case]) -> dict[str, Any]:
    needed = {parameter for parameter, schema in policy.parameters.items() if "default" not in schema}
    given = next((case.parameters for case in cases.values() if case.policy == name), {})
    return {
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "PolicyBinding",
        "metadata": {"name": name.replace("/", "-")},
        "spec": {
            "policy": name,
            "enforcement": "deny" if name.startswith(("gpu/", "image/digest")) else "warn",
            "parameters": {parameter: given[parameter] for parameter in needed},
            "match": {"namespaces": {"exclude": ["kube-system", "pratique-system"]}},
        },
    }
