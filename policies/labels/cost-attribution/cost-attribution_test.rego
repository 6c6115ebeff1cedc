package policies.labels.cost_attribution_test

import data.policies.labels.cost_attribution

_violations(subject) := found if {
	found := cost_attribution.violations with input as {
		"subject": subject,
		"parameters": {"labels": {"team": "[a-z][a-z0-9-]*", "example.com/cost-center": "[0-9]{4}|none"}},
	}
}

_finding(name, path, defect, pattern) := {
	"message": concat("", ["the label \"", name, "\" is ", defect, "; required is a value that matches ", pattern]),
	"path": path,
}

_team(defect) := _finding("team", "/metadata/labels/team", defect, "[a-z][a-z0-9-]*")

_cost_center(defect) := _finding(
	"example.com/cost-center",
	"/metadata/labels/example.com~1cost-center",
	defect,
	"[0-9]{4}|none",
)

test_values_that_match if {
	every value in ["4711", "none"] {
		_violations({"labels": {"team": "search", "example.com/cost-center": value, "other": "x"}}) == set()
	}
}

test_each_label_is_required if {
	_violations({"labels": {"team": "search"}}) == {_cost_center("missing")}
	_violations({"labels": {"example.com/cost-center": "4711"}}) == {_team("missing")}
	_violations({"labels": {"team": null, "example.com/cost-center": "4711"}}) == {_team("missing")}
}

test_labels_can_be_missing_or_of_the_wrong_type if {
	every subject in [{}, {"labels": null}, {"labels": {}}, {"labels": []}, {"labels": ["team"]}, {"labels": "team=search"}] {
		_violations(subject) == {_team("missing"), _cost_center("missing")}
	}
}

test_the_whole_value_must_match if {
	every value in ["", "47111", "x4711", "4711\n", "nonesuch"] {
		_violations({"labels": {"team": "search", "example.com/cost-center": value}}) == {_cost_center(concat("", ["\"", value, "\""]))}
	}
}

test_a_value_that_is_no_text if {
	_violations({"labels": {"team": "search", "example.com/cost-center": 4711}}) == {_cost_center("4711, which is not a string")}
	_violations({"labels": {"team": true, "example.com/cost-center": "none"}}) == {_team("true, which is not a string")}
	_violations({"labels": {"team": ["a"], "example.com/cost-center": "none"}}) == {_team("a list, which is not a string")}
}
