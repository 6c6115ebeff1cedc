"""Every case gives exactly its findings on both engines; every deny case has a twin that one change makes compliant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import pytest

from pratique.decision import Patch, Result
from pratique.policy import PolicySet
from tests.policies.cases import REPOSITORY, Case, differences, load_cases, load_one
from tests.policies.conftest import ENGINES, Outcome

_CASES = load_cases()
_DENY = [name for name, case in _CASES.items() if case.verdict == "deny"]

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "defaults/gpu-toleration": ("asks for nvidia.com/gpu", "asks for amd.com/gpu", ":NoExecute"),
    "defaults/job-deadline": ("/spec/activeDeadlineSeconds", "/spec/jobTemplate/spec/activeDeadlineSeconds"),
    "defaults/namespace-labels": (
        "/metadata/labels/cost-center",
        "/metadata/labels/data-classification",
        "/metadata/labels/team",
        "/spec/template/metadata/labels/cost-center",
    ),
    "defaults/queue-label": ("/metadata/labels/kueue.x-k8s.io~1queue-name",),
    "defaults/run-as-non-root": ("/spec/securityContext/runAsNonRoot",),
    "defaults/seccomp": ("/spec/securityContext/seccompProfile", "/spec/template/spec/securityContext/seccompProfile"),
    "defaults/service-account-token": ("/spec/template/spec/automountServiceAccountToken",),
    "defaults/topology-spread": ("/spec/template/spec/topologySpreadConstraints",),
    "gpu/limit": ("nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/", "nvidia.com/mig-"),
    "image/approved-registries": (
        ': container "',
        ': init container "',
        ': sidecar "',
        ': ephemeral container "',
        ": image volume",
    ),
    "image/digest": (': container "', ': init container "', ': sidecar "', ': ephemeral container "', ": image volume"),
    "labels/cost-attribution": ("/metadata/labels/cost-center", "/metadata/labels/team"),
    "workload/health-checks": ("/readinessProbe", "/livenessProbe", "/startupProbe"),
    "workload/privileged": (': container "', ': init container "', ': sidecar "', ': ephemeral container "'),
    "workload/resource-limits": ("/limits/cpu", "/limits/memory", ': container "', ': init container "', ': sidecar "'),
}
"""What each policy requires or looks at, as its findings show it; each must be in a finding of some deny case."""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", _CASES)
def test_a_case_gives_exactly_its_findings(outcomes: Mapping[tuple[str, str], Outcome], name: str, engine: str) -> None:
    case, evaluation = _CASES[name], outcomes[engine, name].evaluation

    assert (evaluation.result, evaluation.reason) == (Result.FAIL if case.verdict == "deny" else Result.PASS, "")
    assert tuple((finding.path, finding.message) for finding in evaluation.findings) == case.findings
    patches = [patch for finding in evaluation.findings for patch in finding.patches]
    assert patches == [Patch(**patch) for patch in case.patches]


@pytest.mark.parametrize("name", _CASES)
def test_both_engines_are_given_the_same_document(outcomes: Mapping[tuple[str, str], Outcome], name: str) -> None:
    opa, regopy = (outcomes[engine, name].documents for engine in ENGINES)
    assert opa == regopy


def test_documents_are_what_the_schema_says(outcomes: Mapping[tuple[str, str], Outcome]) -> None:
    validator = jsonschema_rs.Draft7Validator(load_one(REPOSITORY / "policies" / "schemas" / "input.json"))
    wrong = {
        (name, error.message)
        for (_, name), outcome in outcomes.items()
        for document in outcome.documents
        for error in validator.iter_errors(document)
    }
    assert wrong == set()


@pytest.mark.parametrize("name", _DENY)
def test_a_deny_case_has_a_twin_that_differs_in_one_place(name: str) -> None:
    case = _CASES[name]
    twin = _CASES[name.replace("/deny_", "/allow_")]
    found = differences(_judged(case), _judged(twin))
    assert len(found) == 1, found


def test_a_deny_case_shows_its_findings() -> None:
    assert [name for name in _DENY if not _CASES[name].findings] == []
    assert [name for name, case in _CASES.items() if case.verdict == "allow" and (case.findings or case.patches)] == []


def test_every_policy_shows_each_thing_that_it_requires(policies: PolicySet) -> None:
    assert REQUIRED.keys() == policies.policies.keys()
    missing = {
        (policy, thing)
        for policy, things in REQUIRED.items()
        for thing in things
        if not any(_shows(_CASES[name], thing) for name in _DENY if _CASES[name].policy == policy)
    }
    assert missing == set()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [name for name in _DENY if _CASES[name].patches])
def test_patches_make_the_object_comply(outcomes: Mapping[tuple[str, str], Outcome], name: str, engine: str) -> None:
    assert outcomes[engine, f"{name} patched"].evaluation.result is Result.PASS


def _judged(case: Case) -> dict[str, Any]:
    return {"object": case.object, "parameters": case.parameters, "namespace_labels": case.namespace_labels}


def _shows(case: Case, thing: str) -> bool:
    return any(thing in f"{path}: {message}" for path, message in case.findings)
