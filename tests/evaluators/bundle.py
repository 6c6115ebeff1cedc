"""A small bundle whose policies do on demand what engines have trouble with, and the documents that ask for it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from pratique.decision import Severity
from pratique.evaluator import Results
from pratique.policy import Module, PolicyMetadata, PolicySet
from tests.support.processes import HANG_SECONDS

ROOT = Path(__file__).parents[2]
OPA = Path(os.environ.get("PRATIQUE_OPA") or ROOT / ".cache" / "tools" / "opa")
DIGEST = "sha256:" + "5" * 64

ECHO = """
violations contains {"message": message, "path": ""} if some message in input.subject.messages
"""
FRAGILE = """
violations contains {"message": "too many", "path": "/spec"} if to_number(input.subject.count) > 3
"""
SLOW = """
violations contains {"message": "slow", "path": ""} if {
	some i in numbers.range(1, input.subject.rounds)
	some j in numbers.range(1, 1000)
	i * j < 0
}
"""
LARGE = """
violations contains {"message": sprintf("%d", [i]), "path": ""} if some i in numbers.range(1, input.subject.count)
"""
BODIES = {"test/echo": ECHO, "test/fragile": FRAGILE, "test/slow": SLOW, "test/large": LARGE}


def policy_set(*, digest: str = DIGEST, **bodies: str) -> PolicySet:
    """A bundle of one module for each policy, by default all of `BODIES`; a name `a__b` stands for `a/b`."""
    by_name = {name.replace("__", "/"): body for name, body in bodies.items()} or BODIES
    modules = tuple(
        Module(path=f"{name}.rego", package=f"policies.{name.replace('/', '.')}", text=text(name, body))
        for name, body in by_name.items()
    )
    return PolicySet(digest=digest, modules=modules, policies={name: metadata(name) for name in by_name})


def text(name: str, body: str) -> str:
    return f"package policies.{name.replace('/', '.')}\n{body}"


def metadata(name: str) -> PolicyMetadata:
    return PolicyMetadata(
        name=name,
        id=name.upper(),
        title=name,
        description="",
        severity=Severity.LOW,
        subjects=frozenset({"workload"}),
        needs=frozenset(),
        parameters={},
        remediation="",
        controls={},
        references=(),
        file=f"{name}.rego",
        line=1,
    )


def document(*policies: str, **subject: object) -> bytes:
    return json.dumps({"policies": policies, "subject": subject}, separators=(",", ":")).encode()


def echo(*messages: str) -> bytes:
    return document("test/echo", messages=messages)


def said(results: Sequence[Results]) -> list[dict[str, list[str]]]:
    """The messages of each policy, for each document."""
    assert all(answer.bundle_digest == DIGEST for answer in results)
    return [
        {name: [violation["message"] for violation in result.violations] for name, result in answer.by_policy.items()}
        for answer in results
    ]


def soon(seconds: float = HANG_SECONDS) -> float:
    """A deadline: by default one that is met unless something hangs."""
    return time.monotonic() + seconds
