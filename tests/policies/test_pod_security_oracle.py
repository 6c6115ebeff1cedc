"""Kubernetes' own implementation of the Pod Security Standards and our policies say the same of thousands of pods.

The oracle is `tools/psa-oracle`: `k8s.io/pod-security-admission`, each control in its latest version.
"""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
import yaml

from pratique.document import subject_document
from pratique.evaluator import Evaluator
from pratique.kinds import subject_of
from pratique.policy import PolicySet
from tests.policies.cases import REPOSITORY
from tests.policies.conftest import SECONDS, Engines
from tests.policies.pods import Object, each_value, mixtures

pytestmark = pytest.mark.slow

FRAMEWORK = "kubernetes-pod-security-1.35"
"""The key under `controls` by which a policy says which control of the library it is."""
MIXTURES = 3_000
SEED = 20_261_121
PER_REQUEST = 200
"""Pods on their way to an engine at once: bounds the memory that their answers take."""
REGOPY_SHARE = 60
"""regopy is given every 60th pod."""
LEVELS = REPOSITORY / "policies" / "levels"


@dataclass(frozen=True, slots=True)
class Verdict:
    """By control and by level: whether the oracle allows the pod."""

    controls: Mapping[str, bool]
    levels: Mapping[str, bool]


@pytest.fixture(scope="module")
def pods() -> list[Object]:
    """Different ones: what is drawn twice counts once."""
    made = {orjson.dumps(pod): pod for pod in itertools.chain(each_value(), mixtures(MIXTURES, seed=SEED))}
    return list(made.values())


@pytest.fixture(scope="module")
def verdicts(pods: list[Object]) -> list[Verdict]:
    said = subprocess.run(
        [REPOSITORY / ".cache" / "tools" / "psa-oracle"],
        input=b"\n".join(orjson.dumps(pod) for pod in pods),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, b"")
    return [Verdict(**orjson.loads(line)) for line in said.stdout.splitlines()]


@pytest.fixture(scope="module")
def policy_of(policies: PolicySet) -> Mapping[str, str]:
    """By control of the oracle: our policy, as its METADATA says."""
    return {
        control: name for name, policy in policies.policies.items() for control in policy.controls.get(FRAMEWORK, ())
    }


@pytest.fixture(scope="module")
def findings(engines: Engines, policy_of: Mapping[str, str], pods: list[Object]) -> list[frozenset[str]]:
    """What OPA makes of each pod: the policies that found something."""
    return engines.run("opa", lambda evaluator: _judge(evaluator, sorted(policy_of.values()), pods))


def test_every_control_is_one_policy(
    policy_of: Mapping[str, str], policies: PolicySet, verdicts: list[Verdict]
) -> None:
    assert policy_of.keys() == verdicts[0].controls.keys()
    assert len(set(policy_of.values())) == len(policy_of)
    named = [policy.controls[FRAMEWORK] for policy in policies.policies.values() if FRAMEWORK in policy.controls]
    assert [controls for controls in named if len(controls) != 1] == []


def test_there_are_pods_enough_on_both_sides_of_every_control(verdicts: list[Verdict]) -> None:
    assert len(verdicts) >= 10_000
    for control in verdicts[0].controls:
        allowed = sum(verdict.controls[control] for verdict in verdicts)
        assert min(allowed, len(verdicts) - allowed) >= 20, control
    for level in ("baseline", "restricted"):
        allowed = sum(verdict.levels[level] for verdict in verdicts)
        assert min(allowed, len(verdicts) - allowed) >= 1_000, level


def test_every_control_agrees_with_the_oracle(
    pods: list[Object], verdicts: list[Verdict], findings: list[frozenset[str]], policy_of: Mapping[str, str]
) -> None:
    differences = [
        (control, allowed, pod)
        for pod, verdict, found in zip(pods, verdicts, findings, strict=True)
        for control, allowed in verdict.controls.items()
        if allowed is (policy_of[control] in found)
    ]
    assert (len(differences), differences[:3]) == (0, [])


@pytest.mark.parametrize("level", ["baseline", "restricted"])
def test_every_level_agrees_with_the_oracle(
    pods: list[Object], verdicts: list[Verdict], findings: list[frozenset[str]], level: str
) -> None:
    bound = _bound(level)
    differences = [
        (verdict.levels[level], sorted(found & bound), pod)
        for pod, verdict, found in zip(pods, verdicts, findings, strict=True)
        if verdict.levels[level] is bool(found & bound)
    ]
    assert (len(differences), differences[:3]) == (0, [])


def test_regopy_finds_the_same(
    engines: Engines, policy_of: Mapping[str, str], pods: list[Object], findings: list[frozenset[str]]
) -> None:
    found = engines.run("regopy", lambda evaluator: _judge(evaluator, sorted(policy_of.values()), pods[::REGOPY_SHARE]))
    assert found == findings[::REGOPY_SHARE]


def _bound(level: str) -> set[str]:
    """The policies that the ready-made bindings of the level put in force."""
    documents = yaml.safe_load_all((LEVELS / f"pod-security-{level}" / "bindings.yaml").read_bytes())
    return {document["spec"]["policy"] for document in documents}


async def _judge(evaluator: Evaluator, names: Sequence[str], pods: Sequence[Object]) -> list[frozenset[str]]:
    found: list[frozenset[str]] = []
    for some in _batches([_document(pod, names) for pod in pods]):
        results = await evaluator.evaluate(some, deadline=time.monotonic() + SECONDS)
        found += [frozenset(name for name, result in one.by_policy.items() if result.violations) for one in results]
    return found


def _document(pod: Object, names: Sequence[str]) -> bytes:
    subject: dict[str, Any] = subject_document(subject_of(pod), identity=False)
    return orjson.dumps({"policies": names, "subject": subject, "parameters": {}})


def _batches(documents: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(documents), PER_REQUEST):
        yield documents[start : start + PER_REQUEST]
