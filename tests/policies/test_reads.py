"""What a policy declares to read is all that it reads: it finds the same in a document that holds nothing else."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import pytest

from pratique.decision import Door, Evaluation
from pratique.engine import Engine, Request
from pratique.evaluator import Evaluator
from pratique.kinds import subject_of
from pratique.policy import PolicySet
from tests.policies.cases import Case, load_cases
from tests.policies.conftest import ENGINES, SECONDS, Engines, facts_of
from tests.support.policies import binding, configuration

pytestmark = pytest.mark.slow

Found = Mapping[str, Evaluation]


@pytest.mark.parametrize("engine", ENGINES)
def test_each_policy_finds_the_same_in_what_it_reads_as_in_everything(
    engine: str, policies: PolicySet, engines: Engines
) -> None:
    assert engines.run(engine, lambda evaluator: _differences(evaluator, policies)) == {}


def test_all_policies_for_workloads_declare_what_they_read(policies: PolicySet) -> None:
    """One that does not has the others beside it sent everything as well."""
    workloads = [metadata for metadata in policies.policies.values() if "workload" in metadata.subjects]
    assert len(workloads) > 60
    assert [metadata.name for metadata in workloads if metadata.reads is None] == []


async def _differences(
    evaluator: Evaluator, policies: PolicySet
) -> dict[tuple[str, str], tuple[Evaluation, Evaluation]]:
    """By case and policy: what it found in everything and in its own fields alone, where these differ."""
    differences = {}
    for case in load_cases().values():
        metadata = policies.policies[case.policy]
        if metadata.reads is None:
            continue
        everything = {case.policy: replace(metadata, reads=None)}
        whole = await _found(case, replace(policies, policies=everything), evaluator)
        alone = await _found(case, replace(policies, policies={case.policy: metadata}), evaluator)
        for policy, evaluation in alone.items():
            if evaluation != whole[policy]:
                differences[case.id, policy] = (whole[policy], evaluation)
    return differences


async def _found(case: Case, policies: PolicySet, evaluator: Evaluator) -> Found:
    """What each policy finds in the case's object; the case's parameters are those of its own policy."""
    bindings = [
        binding(name.replace("/", "-"), name, parameters=case.parameters if name == case.policy else {})
        for name in policies.policies
    ]
    engine = Engine(
        policies=policies,
        configuration=configuration(policies, *bindings),
        evaluator=evaluator,
        facts=facts_of(case),
        namespace_labels=lambda _: case.namespace_labels,
    )
    decision = await engine.decide(
        subject_of(case.object), Door.CI, request=Request(), deadline=time.monotonic() + SECONDS
    )
    return {evaluation.policy: evaluation for evaluation in decision.evaluations}
