"""The configurations of many bindings hold as many as they say, and match as many."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.bindings import CONFIGURATIONS, NAMESPACE, policies_bound
from pratique.configuration import load_configuration
from pratique.decision import Door
from pratique.engine import Request, match_inputs
from pratique.kinds import subject_of
from pratique.policy import PolicySet
from tests.support.cluster import REPOSITORY
from tests.support.workloads import pod

pytestmark = pytest.mark.slow

LIBRARY = REPOSITORY / "policies"


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return PolicySet.load(LIBRARY)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_as_many_match_as_are_said_to(name: str, policies: PolicySet, tmp_path: Path) -> None:
    which = CONFIGURATIONS[name]
    configuration = load_configuration(which.write(tmp_path, LIBRARY), policies)
    subject = subject_of(pod("server", namespace=NAMESPACE))
    inputs = match_inputs(subject, Request(), configuration.namespaces.get)
    states = [each.applies_to(inputs, Door.ADMISSION).state for each in configuration.bindings]
    assert (states.count("yes"), states.count("no"), len(states)) == (
        *(which.matching, which.others, which.matching + which.others),
    )
    assert len({each.policy.name for each in configuration.bindings if each.name.startswith("matching")}) == min(
        which.policies, which.matching
    )


def test_every_policy_is_bound_once_and_there_are_enough(policies: PolicySet) -> None:
    bound = policies_bound(policies)
    assert len(bound) == len(set(bound)) >= 45
