package policies.platform.registry_rules_test

import data.policies.platform.registry_rules

_valid(fields) := {"status": "known", "value": {"valid": true, "fields": fields}}

_facts := {
	"model.a": _valid(["model.a"]),
	"model['x-y'] == 1": _valid(["model['x-y']"]),
	"modle.a": _valid(["model.a", "modle.a"]),
	"model": _valid(["model"]),
	"models.a": _valid(["models.a"]),
	"true": _valid([]),
	"model.a <": {"status": "known", "value": {"valid": false, "error": "the end stands where a value is expected", "position": 10}},
}

_violations_of(submitted) := found if {
	found := registry_rules.violations with input as {
		"subject": {"apiVersion": "ai.platform.internal/v1", "kind": "ModelRegistry"},
		"object": submitted,
		"facts": {"expressions": _facts},
		"parameters": {"documents": ["model"]},
	}
}

_violations(rules) := _violations_of({"spec": {"policies": rules}})

_finding(what, path) := {{"message": what, "path": path}}

_defect(what) := _finding(
	concat("", ["spec.policies[0].rule (a) ", what, "; required is a condition such as model.size_gb < 200"]),
	"/spec/policies/0/rule",
)

test_rules_that_can_be_applied if {
	_violations([{"name": "a", "rule": "model.a"}, {"name": "a-2", "rule": "model['x-y'] == 1"}]) == set()
}

test_rules_that_cannot_be_read if {
	_violations([{"name": "a", "rule": "model.a <"}]) == _defect("cannot be read: the end stands where a value is expected (at character 10)")
	_violations([{"name": "a", "rule": "unknown to the host"}]) == _defect("was not read: there are more than 100 rules, or it has more than 1024 characters")
	_violations([{"name": "a"}]) == _defect("is missing")
	_violations([{"name": "a", "rule": null}]) == _defect("is missing")
	_violations([{"name": "a", "rule": 7}]) == _defect("is 7")
	_violations([{"name": "a", "rule": ["model.a"]}]) == _defect("is a list")
}

test_rules_about_something_else if {
	_violations([{"name": "a", "rule": "modle.a"}]) == _defect("is about modle.a, and rules are about the fields of model")
	_violations([{"name": "a", "rule": "models.a"}]) == _defect("is about models.a, and rules are about the fields of model")
	_violations([{"name": "a", "rule": "model"}]) == _defect("is about model, and rules are about the fields of model")
	_violations([{"name": "a", "rule": "true"}]) == _defect("says nothing of a model")
}

test_names if {
	every name in ["", "A", "a_b", "-a", "a-", "a b", "a\n", 7, ["a"], null, {}] {
		{violation.path | some violation in _violations([{"name": name, "rule": "model.a"}])} == {"/spec/policies/0/name"}
	}
	_violations([{"rule": "model.a"}]) == _finding(
		"spec.policies[0].name is missing; required is a name of small letters, digits and hyphens, such as max-model-size",
		"/spec/policies/0/name",
	)
}

test_a_name_twice if {
	rule := {"name": "a", "rule": "model.a"}
	message := "spec.policies[2].name is \"a\", as is that of a rule before it; required is a name of its own"
	_violations([rule, {"name": "b", "rule": "model.a"}, rule]) == _finding(message, "/spec/policies/2/name")
}

test_elements_that_are_no_rules if {
	every value in [null, "model.a", 7, true, ["model.a"]] {
		{violation.path | some violation in _violations([value])} == {"/spec/policies/0"}
	}
	{violation.path | some violation in _violations([{}])} == {"/spec/policies/0/name", "/spec/policies/0/rule"}
}

test_no_list_of_rules if {
	every value in [null, "x", 7, true, [], {}, {"a": "model.a"}] {
		{violation.path | some violation in _violations(value)} == {"/spec/policies"}
	}
	_violations([]) == _finding("spec.policies is an empty list; required is a list of rules, one at least", "/spec/policies")
	_violations(null) == _finding("spec.policies is missing; required is a list of rules, one at least", "/spec/policies")
	_violations_of({}) == _violations(null)
	_violations_of({"spec": "x"}) == _finding("spec is \"x\"; required is an object", "/spec")
}

test_other_kinds if {
	found := registry_rules.violations with input as {
		"subject": {"apiVersion": "example.com/v1", "kind": "ModelRegistry"},
		"object": {},
		"facts": {"expressions": {}},
		"parameters": {"documents": ["model"]},
	}
	found == set()
}
