"""Our decisions as statements: what passed is a property, and what we state we read."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from attestations.decision_statement import statement_bytes, statement_of_decision
from attestations.provenance import SVR, provenance_fact
from pratique.decision import Decision, Result
from pratique.errors import InputError
from tests.support.decisions import ID, decision, evaluation
from tests.support.documents import COVERS

IMAGES = [("registry.internal/serving/vllm", COVERS)]


def properties(made: Decision) -> list[str]:
    found: list[str] = statement_of_decision(made, IMAGES)["predicate"]["properties"]
    return found


def test_an_allowed_decision() -> None:
    made = decision(evaluation("IMAGE-001", result=Result.PASS), evaluation("GPU-001", result=Result.PASS))
    made = replace(made, bundle_digest="sha256:" + "0b" * 32, configuration_digest="sha256:" + "0c" * 32, engine="opa")
    assert statement_of_decision(made, IMAGES) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "registry.internal/serving/vllm", "digest": {"sha256": "4a" * 32}}],
        "predicateType": "https://in-toto.io/attestation/svr/v0.1",
        "predicate": {
            "verifier": {
                "id": "https://pratique.dev/verifier/v1",
                "policy": {
                    "uri": "https://pratique.dev/bundle",
                    "digest": {"sha256": "0b" * 32},
                    "annotations": {"configuration": "sha256:" + "0c" * 32, "engine": "opa"},
                },
                "decision": ID,
            },
            "timeCreated": "2026-11-21T18:00:00Z",
            "properties": ["PRATIQUE_ALLOWED", "PRATIQUE_GPU-001", "PRATIQUE_IMAGE-001"],
        },
    }


def test_a_denied_decision_states_what_passed_and_no_more() -> None:
    made = decision(evaluation("IMAGE-001", result=Result.PASS), evaluation("GPU-001"))
    assert properties(made) == ["PRATIQUE_IMAGE-001"]


@pytest.mark.parametrize("result", [Result.FAIL, Result.EXEMPT, Result.ERROR, Result.NOT_EVALUATED])
def test_a_policy_has_passed_where_all_its_bindings_have(result: Result) -> None:
    made = decision(
        evaluation("GPU-001", result=Result.PASS),
        evaluation("GPU-001", result=result, binding="other"),
        evaluation("IMAGE-001", result=Result.PASS),
    )
    assert "PRATIQUE_GPU-001" not in properties(made)
    assert "PRATIQUE_IMAGE-001" in properties(made)


@pytest.mark.parametrize("made", [decision(), decision(evaluation())])
def test_nothing_that_passed_is_nothing_to_attest(made: Decision) -> None:
    with pytest.raises(InputError, match="nothing passed in decision"):
        statement_of_decision(made, IMAGES)


@pytest.mark.parametrize("images", [[], [("vllm", "")], [("vllm", "latest")]])
def test_only_images_with_a_digest_are_attested(images: list[tuple[str, str]]) -> None:
    with pytest.raises(InputError, match="nothing"):
        statement_of_decision(decision(evaluation(result=Result.PASS)), images)


def test_what_we_state_we_read() -> None:
    statement = statement_of_decision(decision(evaluation(result=Result.PASS)), IMAGES)
    again = orjson.loads(statement_bytes(statement))
    assert again == statement
    fact = provenance_fact(SVR, again["predicate"])
    assert (fact["result"], fact["properties"]) == ("PASSED", ["PRATIQUE_ALLOWED", "PRATIQUE_GPU-001"])
    assert fact["policy"] == "https://pratique.dev/bundle"
