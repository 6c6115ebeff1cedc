"""rbac/own-webhook agrees with what `pratique webhook-config` writes: its defaults follow it, and it finds nothing."""

from __future__ import annotations

import pytest

from pratique.configuration import load_configuration
from pratique.decision import Result
from pratique.policy import PolicySet
from tests.policies.cases import REPOSITORY, Case
from tests.policies.conftest import ENGINES, Engines
from webhook.registration import MATCH_CONDITIONS, Registration, ServiceReference, registered

pytestmark = pytest.mark.slow


def test_the_known_conditions_are_those_that_are_written(policies: PolicySet) -> None:
    known = policies.policies["rbac/own-webhook"].defaults["known_conditions"]
    assert known == [condition["expression"] for condition in MATCH_CONDITIONS]


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_found_in_what_is_written(engine: str, policies: PolicySet, engines: Engines) -> None:
    bindings = load_configuration(REPOSITORY / "policies" / "bindings" / "baseline.yaml", policies).bindings
    registration = Registration(
        endpoint=ServiceReference("pratique-system", "pratique"),
        ca_bundle=b"PEM",
        excluded_namespaces=("kube-system", "pratique-system"),
        own_kinds=True,
    )
    for document in registered(bindings, registration).documents:
        case = Case("rbac/own-webhook", "allow", "as_written", dict(document))
        outcome = engines.decide(engine, case)
        assert (outcome.evaluation.result, outcome.evaluation.findings) == (Result.PASS, ())
