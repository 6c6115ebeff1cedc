package policies.workload.disruption_budget_test

import data.policies.workload.disruption_budget

_input(spec) := {
	"subject": {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"},
	"object": {"spec": spec},
	"parameters": {},
}

_violations(spec) := found if {
	found := disruption_budget.violations with input as _input(spec)
}

_patches(spec) := found if {
	found := disruption_budget.patches with input as _input(spec)
}

test_budgets_that_leave_room if {
	every value in [1, 2, 100, "1%", "25%", "99%"] {
		_violations({"maxUnavailable": value}) == set()
		_violations({"minAvailable": value}) == set()
		_patches({"maxUnavailable": value}) == set()
	}
	_violations({"maxUnavailable": 1, "minAvailable": null}) == set()
}

test_budgets_that_block_or_allow_everything if {
	_violations({"maxUnavailable": 0}) == {{
		"message": "maxUnavailable is 0, which allows no eviction at all; required is a number in between, such as 1",
		"path": "/spec/maxUnavailable",
	}}
	_patches({"maxUnavailable": 0}) == {{"op": "replace", "path": "/spec/maxUnavailable", "value": 1}}
	_violations({"minAvailable": "100%"}) == {{
		"message": "minAvailable is \"100%\", which allows no eviction at all; required is maxUnavailable: 1 in its place",
		"path": "/spec/minAvailable",
	}}
	every value in ["0%", "100%", "250%"] {
		{violation.path | some violation in _violations({"maxUnavailable": value})} == {"/spec/maxUnavailable"}
		{violation.path | some violation in _violations({"minAvailable": value})} == {"/spec/minAvailable"}
	}
}

test_budgets_that_say_nothing if {
	every spec in [{}, {"maxUnavailable": null}, null, "x", []] {
		{violation.path | some violation in _violations(spec)} == {"/spec"}
	}
}

test_values_of_the_wrong_type_are_refused if {
	every value in ["", "one", "1", "01%", "1.5%", -1, 0.5, true, [], {}] {
		{violation.path | some violation in _violations({"maxUnavailable": value})} == {"/spec/maxUnavailable"}
		{violation.path | some violation in _violations({"minAvailable": value})} == {"/spec/minAvailable"}
	}
}

test_other_kinds_are_not_judged if {
	every subject in [
		{"apiVersion": "v1", "kind": "ConfigMap"},
		{"apiVersion": "example.com/v1", "kind": "PodDisruptionBudget"},
	] {
		violations := disruption_budget.violations with input as {"subject": subject, "object": {}, "parameters": {}}
		violations == set()
	}
}
