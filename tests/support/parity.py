"""All cases and examples as one input, and bindings of all policies, to compare two doors with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pratique.policy import PolicySet
from pratiquectl.cases import Case, load_cases
from tests.support.cluster import REPOSITORY
from tests.support.examples import EXAMPLES


def write_inputs(folder: Path, *, engine: str) -> Mapping[str, Case]:
    """Each case as a file of its own, named `<policy>/<case>.json`; the examples below `examples/`. Returns the cases
    by the names of their files.

    The embedded engine needs most of a second for all policies of one object, so it is given the first `deny` case of
    each policy and its twin. That both engines say the same of every case is for `tests/policies` to show.
    """
    cases = load_cases(REPOSITORY / "tests" / "cases")
    if engine == "regopy":
        first = {case.policy: case.defect for case in reversed(cases.values()) if case.verdict == "deny"}
        cases = {name: case for name, case in cases.items() if first[case.policy] == case.defect}
    written: dict[str, Case] = {}
    for name, case in cases.items():
        file = folder / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(case.object))
        written[f"{name}.json"] = case
    shutil.copytree(EXAMPLES, folder / "examples")
    return written


def write_bindings(folder: Path, policies: PolicySet, cases: Mapping[str, Case]) -> None:
    """One binding of each policy, with its defaults or with what its first case gives it: those about GPUs and digests
    deny, the others warn. Those that need facts are left out: a file and a cluster are not expected to know the same.
    And every namespace of the cases and examples, without labels of its own."""
    folder.mkdir()
    documents = [
        *_bindings(policies, cases),
        *({**_NAMESPACE, "metadata": {"name": name}} for name in namespaces(cases)),
    ]
    (folder / "all.yaml").write_text("\n---\n".join(json.dumps(document) for document in documents))


_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace"}


def namespaces(cases: Mapping[str, Case]) -> list[str]:
    """Every namespace that an object is in."""
    from tests.support.examples import namespaces_of_examples

    found = {case.object.get("metadata", {}).get("namespace") for case in cases.values()}
    return sorted({str(name) for name in found if name} | {*namespaces_of_examples(), "default"})


def _bindings(policies: PolicySet, cases: Mapping[str, Case]) -> Iterator[dict[str, Any]]:
    for name, policy in policies.policies.items():
        if any(need.startswith("facts.") for need in policy.needs):
            continue
        needed = {parameter for parameter, schema in policy.parameters.items() if "default" not in schema}
        given = next((case.parameters for case in cases.values() if case.policy == name), {})
        yield {
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
