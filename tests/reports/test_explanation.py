"""Why an outcome is what it is, for every way that an evaluation can end."""

from __future__ import annotations

import pytest

from pratique.decision import Decision, Enforcement, Result
from reports.explanation import because, explain, text
from reports.text import reason
from tests.support.decisions import decision, evaluation, finding
from tests.support.policies import binding, configuration, policy, policy_set

ERROR = evaluation(result=Result.ERROR, reason="no answer in time", binding="slow")


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (decision(), "no binding matches, so nothing was judged"),
        (decision(evaluation(), ERROR), "what gpu-limit found refuses the object"),
        (decision(ERROR), "slow could not be evaluated, and the binding refuses what it cannot judge"),
        (decision(evaluation(result=Result.PASS)), "none of 1 evaluations refuses it"),
        (
            decision(evaluation(result=Result.PASS), evaluation(enforcement=Enforcement.WARN)),
            "none of 2 evaluations refuses it; 1 did not pass, which here only warns or is recorded",
        ),
    ],
)
def test_outcome_has_its_reason(made: Decision, sentence: str) -> None:
    assert because(made) == sentence


def test_text_names_waiver_facts_cache_notes_and_what_an_error_means() -> None:
    exempt = evaluation(
        binding="waived",
        result=Result.EXEMPT,
        reason="waiver q4 until 2027-01-01T00:00:00Z: agreed",
        waivers=("q4@sha256:1",),
        facts={"signatures:app": "sha256:2"},
    )
    made = decision(exempt, ERROR, cached=True, dry_run=True, subresource="scale", notes=("a note\x1b",))
    lines = text(explain(made, None, unknown="nobody kept it")).splitlines()
    for expected in (
        "  request        CREATE of scale by ada@example.com, dry run, admission door",
        "  engine         opa 1.22.0, evaluated before for the same content (cache)",
        "  waived (GPU-001 gpu/limit, deny): exempt, waiver q4 until 2027-01-01T00:00:00Z: agreed",
        "      waiver q4@sha256:1",
        "      fact signatures:app: sha256:2",
        "  slow (GPU-001 gpu/limit, deny, if undecided deny): error, no answer in time",
        "Bindings that did not match are not known: nobody kept it",
        r"  a note\x1b",
    ):
        assert expected in lines


def test_binding_that_matches_now_but_was_not_evaluated_is_said() -> None:
    bound = configuration(policy_set(policy("gpu/limit", id="GPU-001")), binding("new", "gpu/limit"))
    unmatched = explain(decision(), bound).unmatched
    assert unmatched is not None
    assert unmatched[0].reason == "it matches now, with another version of Pratique than the one that decided"


def test_a_change_is_explained_as_one() -> None:
    changed = evaluation("DEFAULT-003", result=Result.MUTATED, findings=(finding("was set to true", "/spec/x"),))
    made = decision(changed, evaluation("DEFAULT-001", binding="other", result=Result.PASS), mutating=True)
    assert because(made) == "1 of 2 bindings changed the object; the verdict is another one"
    shown = text(explain(made, None, unknown="not asked"))
    assert "at /spec/x: was set to true" in shown
    assert "fix:" not in shown
    assert reason(made) == "changed by DEFAULT-003"


def test_what_does_not_mutate_has_no_part_in_a_change() -> None:
    policies = policy_set(policy("gpu/limit", id="GPU-001"))
    config = configuration(policies, binding("gpus", "gpu/limit"))
    (unmatched,) = explain(decision(mutating=True), config).unmatched or ()
    assert (unmatched.binding, unmatched.reason) == ("gpus", "it changes nothing")
