"""The index leaves out nothing that applies, and most of what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.decision import Door
from pratique.matching import MatchInputs
from tests.support.policies import binding, configuration, policy, policy_set

POLICIES = policy_set(
    policy("gpu/limit", id="GPU-001"),
    policy("net/ports", id="NET-001", subjects=["resource"]),
    policy("any/thing", id="ANY-001", subjects=["resource", "workload"]),
)
_NAMES = st.sampled_from(["a", "b", "a*", "?", "team-a"])
_LABELS = st.dictionaries(st.sampled_from(["tier", "team"]), st.sampled_from(["a", "b", "gold"]), max_size=2)
_EXPRESSIONS = st.one_of(
    st.builds(
        lambda key, operator, values: {"key": key, "operator": operator, "values": sorted(values)},
        st.sampled_from(["tier", "team"]),
        st.sampled_from(["In", "NotIn"]),
        st.sets(st.sampled_from(["a", "b", "gold"]), min_size=1, max_size=2),
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator},
        st.sampled_from(["tier", "team"]),
        st.sampled_from(["Exists", "DoesNotExist"]),
    ),
)
_SELECTORS = st.fixed_dictionaries(
    {}, optional={"matchLabels": _LABELS, "matchExpressions": st.lists(_EXPRESSIONS, max_size=2)}
)
_MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "kinds": st.lists(st.sampled_from(["Pod", "workload", "apps/*", "Service"]), min_size=1, max_size=2),
        "namespaces": st.fixed_dictionaries(
            {},
            optional={name: st.lists(_NAMES, min_size=1, max_size=2, unique=True) for name in ("include", "exclude")},
        ),
        "selector": _SELECTORS,
        "namespaceSelector": _SELECTORS,
        "operations": st.lists(st.sampled_from(["CREATE", "UPDATE", "DELETE"]), min_size=1, unique=True),
        "inferred": st.booleans(),
    },
)
_BINDINGS = st.lists(
    st.tuples(
        st.sampled_from(sorted(POLICIES.policies)),
        _MATCHES,
        st.sampled_from(["deny", {"admission": "off", "ci": "warn"}]),
    ),
    min_size=1,
    max_size=12,
)
_INPUTS = st.builds(
    MatchInputs,
    group=st.sampled_from(["", "apps"]),
    kind=st.sampled_from(["Pod", "Deployment", "Service"]),
    type=st.sampled_from(["workload", "resource"]),
    namespace=st.sampled_from(["", "a", "b", "team-a"]),
    name=st.just("n"),
    namespace_labels=st.none() | _LABELS,
    labels=_LABELS | st.dictionaries(st.just("tier"), st.just(["gold"])),
    operation=st.sampled_from(["CREATE", "UPDATE", "DELETE"]),
    subresource=st.just(""),
    user=st.just("ada"),
    groups=st.just(()),
    being_deleted=st.booleans(),
    inferred=st.booleans(),
)


@settings(max_examples=4 * settings().max_examples)
@given(_BINDINGS, st.lists(_INPUTS, min_size=1, max_size=4), st.sampled_from(list(Door)))
def test_what_applies_is_among_the_candidates_in_order(
    bindings: list[tuple[str, dict[str, Any], Any]], subjects: list[MatchInputs], door: Door
) -> None:
    config = configuration(
        POLICIES,
        *(
            binding(f"b{index:02}", name, match=match, enforcement=enforcement)
            for index, (name, match, enforcement) in enumerate(bindings)
        ),
    )
    for inputs in subjects:
        applies = [each for each in config.bindings if each.applies_to(inputs, door).state != "no"]
        candidates = list(config.candidates(inputs, door))
        assert [each for each in candidates if each.applies_to(inputs, door).state != "no"] == applies
        assert [each.name for each in candidates] == sorted({each.name for each in candidates})


def _inputs(**changed: Any) -> MatchInputs:
    team = {"team": "t3"}
    inputs = MatchInputs("", "Pod", "workload", "team-3", "p-3", team, team, "CREATE", "", "ada", ())
    return replace(inputs, **changed)


def test_what_other_teams_have_is_not_looked_at() -> None:
    team = {"key": "team", "operator": "In"}
    config = configuration(
        POLICIES,
        *(binding(f"a{n}", "gpu/limit", match={"namespaces": {"include": [f"team-{n}", "shared"]}}) for n in range(9)),
        *(binding(f"c{n}", "gpu/limit", match={"selector": {"matchLabels": {"team": f"t{n}"}}}) for n in range(9)),
        *(
            binding(
                f"d{n}", "gpu/limit", match={"namespaceSelector": {"matchExpressions": [team | {"values": [f"t{n}"]}]}}
            )
            for n in range(9)
        ),
        binding("e", "gpu/limit"),
        binding("f", "gpu/limit", enforcement="off"),
        binding("g", "gpu/limit", match={"operations": ["DELETE"]}),
    )

    def names(inputs: MatchInputs) -> list[str]:
        return [each.name for each in config.candidates(inputs, Door.ADMISSION)]

    assert names(_inputs()) == ["a3", "c3", "d3", "e"]
    assert names(_inputs(namespace="other", name="", labels={}, namespace_labels={})) == ["e"]
    unknown = _inputs(namespace="other", name="", labels={}, namespace_labels=None)
    assert names(unknown) == [*(f"d{n}" for n in range(9)), "e"]
