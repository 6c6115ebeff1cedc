package policies.gpu.budget_test

import data.policies.gpu.budget

_facts(peak, objects) := {"inventory": {"gpus/team=search": {"status": "known", "value": {"peak": peak, "objects": objects}}}}

_violations(subject, facts) := found if {
	found := budget.violations with input as {
		"subject": object.union({"kind": "Job", "gpus": {"peak": 4}, "labels": {"team": "search"}}, subject),
		"facts": facts,
		"parameters": {"team_label": "team", "budgets": {"search": 16}, "default_budget": 8},
	}
}

_message(subject, facts) := message if {
	some violation in _violations(subject, facts)
	violation.path == "/metadata/labels/team"
	message := violation.message
}

test_within_the_budget if {
	_violations({}, _facts(16, 4)) == set()
	_violations({}, _facts(4.285714, 1)) == set()
}

test_beyond_the_budget if {
	_violations({}, _facts(24, 3)) == {{
		"message": "the 3 workloads with the label \"team\" \"search\" can use 24 GPUs together; the budget is 16",
		"path": "/metadata/labels/team",
	}}
	_message({}, _facts(20, 1)) == "the only workload with the label \"team\" \"search\" can use 20 GPUs together; the budget is 16"
	startswith(_message({}, _facts(20, null)), "all workloads with the label")
}

test_a_team_that_is_not_named_has_the_default if {
	facts := {"inventory": {"gpus/team=Search": {"status": "known", "value": {"peak": 9, "objects": 2}}}}
	message := _message({"labels": {"team": "Search"}}, facts)
	message == "the 2 workloads with the label \"team\" \"Search\" can use 9 GPUs together; the budget is 8"
}

test_without_gpus_nobody_pays if {
	_violations({"gpus": {"peak": 0}}, _facts(24, 3)) == set()
	_violations({"gpus": {"peak": 0}}, {}) == set()
}

# `_violations` merges labels, so that a team cannot be taken away there.
_without_team(labels) := found if {
	found := budget.violations with input as {
		"subject": {"kind": "Job", "gpus": {"peak": 4}, "labels": labels},
		"facts": {},
		"parameters": {"team_label": "team", "budgets": {}, "default_budget": 8},
	}
}

test_somebody_must_pay if {
	every labels in [{}, {"team": null}, {"other": "search"}, "team=search", null, ["team"]] {
		_without_team(labels) == {{
			"message": concat("", [
				"this Job can use GPUs, and its label \"team\" is missing; ",
				"required is the name of the team whose budget pays for them",
			]),
			"path": "/metadata/labels/team",
		}}
	}
	every value in ["", 7, true, ["search"]] {
		count(_without_team({"team": value})) == 1
	}
}

test_what_is_not_known_is_not_within_the_budget if {
	every facts in [
		{},
		{"inventory": null},
		{"inventory": {}},
		{"inventory": {"gpus/team=search": null}},
		{"inventory": {"gpus/team=search": {"status": "absent", "reason": "none"}}},
		_facts(null, 1),
		_facts("many", 1),
	] {
		_message({}, facts) == "the GPUs with the label \"team\" \"search\" could not be added up; the budget is 16"
	}
}

test_what_cannot_be_counted_may_be_any_number if {
	every gpus in [null, "many", {"peak": null}, {"peak": "many"}] {
		count(_violations({"gpus": gpus}, _facts(24, 3))) == 1
	}
}
