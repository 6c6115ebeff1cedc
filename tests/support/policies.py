"""Policies, bindings and configurations for tests of the engine, built in a line each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pratique.configuration import Configuration, build
from pratique.decision import Severity
from pratique.errors import Problem
from pratique.fields import Reads
from pratique.policy import PolicyMetadata, PolicySet
from pratique.waiver import ApprovalVerifier
from pratique.yamlfile import Document

BUNDLE = "sha256:" + "1" * 64


def policy(
    name: str,
    *,
    id: str,
    needs: Iterable[str] = (),
    subjects: Iterable[str] = ("workload",),
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    severity: Severity = Severity.HIGH,
    reads: Reads | None = None,
    has_patches: bool = False,
    override: bool = False,
) -> PolicyMetadata:
    return PolicyMetadata(
        name=name,
        id=id,
        title=f"Title of {name}",
        description="",
        severity=severity,
        subjects=frozenset(subjects),
        needs=frozenset(needs),
        parameters=parameters or {},
        remediation=f"Mend {name}.",
        controls={},
        references=(),
        file=f"{name}.rego",
        line=1,
        reads=reads,
        has_patches=has_patches,
        override=override,
    )


def policy_set(*policies: PolicyMetadata) -> PolicySet:
    return PolicySet(digest=BUNDLE, modules=(), policies={item.name: item for item in policies})


def binding(name: str, policy: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "PolicyBinding",
        "metadata": {"name": name},
        "spec": {"policy": policy, **spec},
    }


def waiver(name: str, policies: list[str], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "Waiver",
        "metadata": {"name": name},
        "spec": {
            "policies": policies,
            "match": {},
            "reason": "a benchmark that was agreed on",
            "requestedBy": "ada@example.com",
            "approvedBy": "grace@example.com",
            "approvedAt": "2026-01-01T00:00:00Z",
            "expires": "2027-01-01T00:00:00Z",
            **spec,
        },
    }


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def configuration(policies: PolicySet, *documents: object, approvals: ApprovalVerifier | None = None) -> Configuration:
    parsed: list[Document | Problem] = [
        Document("test.yaml", index, index + 1, value) for index, value in enumerate(documents)
    ]
    return build(parsed, policies, approvals=approvals)
