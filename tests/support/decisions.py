"""Decisions for tests of what becomes of them: a denied Job, and the parts to build others from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pratique.decision import (
    Decision,
    Door,
    Enforcement,
    Evaluation,
    Finding,
    Patch,
    Result,
    Severity,
    SubjectRef,
    combine,
)
from pratique.matching import MatchInputs
from pratique.uuid7 import uuid7

NOW = datetime(2026, 11, 21, 18, 0, 0, 123000, tzinfo=UTC)
ID = "01a1ff43-dd7b-7000-8000-000000000001"


def finding(message: str = "this Job can use 16 GPUs; at most 4 are allowed", path: str = "/spec") -> Finding:
    return Finding(message, path)


def patched(message: str, path: str, *patches: Patch) -> Finding:
    return Finding(message, path, patches)


def evaluation(policy_id: str = "GPU-001", **fields: Any) -> Evaluation:
    """An evaluation that failed and refuses, unless `fields` say otherwise."""
    standard = Evaluation(
        binding="gpu-limit",
        policy="gpu/limit",
        policy_id=policy_id,
        title="GPUs stay within the approved limit",
        severity=Severity.HIGH,
        remediation="Ask for fewer GPUs, or for a waiver from the owner of your budget.",
        result=Result.FAIL,
        enforcement=Enforcement.DENY,
        on_undecided=Enforcement.DENY,
        findings=(finding(),),
    )
    if fields.get("result", Result.FAIL) is not Result.FAIL:
        fields.setdefault("findings", ())
    return replace(standard, **fields)


def decision(*evaluations: Evaluation, id: str = ID, time: datetime = NOW, **fields: Any) -> Decision:
    """What `evaluations` come to for the Job `team-a/finetune`."""
    inputs = MatchInputs(
        group="batch",
        kind="Job",
        type="workload",
        namespace="team-a",
        name="finetune",
        namespace_labels={"team": "a"},
        labels={"app": "finetune"},
        operation="CREATE",
        subresource="",
        user="ada@example.com",
        groups=("data-science", "system:authenticated"),
    )
    standard = Decision(
        id=id,
        time=time,
        door=Door.ADMISSION,
        subject=SubjectRef("batch", "v1", "Job", "team-a", "finetune", "0b0f", "sha256:" + "a" * 64),
        operation="CREATE",
        subresource="",
        user=inputs.user,
        groups=inputs.groups,
        dry_run=False,
        outcome=combine(evaluations),
        evaluations=evaluations,
        bundle_digest="sha256:" + "1" * 64,
        configuration_digest="sha256:" + "c" * 64,
        engine="opa",
        engine_version="1.22.0",
        cached=False,
        milliseconds=1.25,
        match_inputs=inputs,
    )
    return replace(standard, **fields)


def fresh(*evaluations: Evaluation, seconds: float = 0.0, **fields: Any) -> Decision:
    """A decision with an id of its own, made `seconds` after `NOW`."""
    time = NOW + timedelta(seconds=seconds)
    return decision(*evaluations, id=str(uuid7(time)), time=time, **fields)
