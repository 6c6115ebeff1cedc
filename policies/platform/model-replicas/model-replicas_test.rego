package policies.platform.model_replicas_test

import data.policies.platform.model_replicas

_input(serving) := {
	"subject": {"apiVersion": "ai.platform.internal/v1", "kind": "AIModel"},
	"object": {"spec": {"serving": serving}},
	"parameters": {"max_replicas": 10},
}

_violations(replicas) := found if {
	found := model_replicas.violations with input as _input({"replicas": replicas})
}

_patches(replicas) := found if {
	found := model_replicas.patches with input as _input({"replicas": replicas})
}

_paths(replicas) := {violation.path | some violation in _violations(replicas)}

_max := "/spec/serving/replicas/max"

_min := "/spec/serving/replicas/min"

test_a_range_within_the_limit if {
	every replicas in [{"min": 0, "max": 1}, {"min": 2, "max": 10}, {"min": 3, "max": 3}, {"max": 4}, {"min": null, "max": 4}] {
		_violations(replicas) == set()
		_patches(replicas) == set()
	}
}

test_no_maximum if {
	every replicas in [null, {}, {"min": 2}, {"min": 2, "max": null}] {
		_violations(replicas) == {{
			"message": "spec.serving.replicas.max is missing; required is a whole number from 1 to 10",
			"path": _max,
		}}
	}
	_patches({"min": 2}) == {{"op": "add", "path": _max, "value": 2}}
	_patches({"min": 0}) == {{"op": "add", "path": _max, "value": 1}}
	_patches({}) == {{"op": "add", "path": _max, "value": 1}}
	_patches({"min": 11}) == set()
	_patches({"min": "2"}) == set()
}

test_a_maximum_that_is_none if {
	every value in [0, -1, 11, 1.5, "4", true, [], {}] {
		_paths({"min": 0, "max": value}) == {_max}
		_patches({"min": 0, "max": value}) == set()
	}
}

test_a_minimum_that_is_none if {
	every value in [-1, 1.5, "2", false, [], {}] {
		_paths({"min": value, "max": 4}) == {_min}
	}
}

test_a_minimum_above_the_maximum if {
	_violations({"min": 5, "max": 4}) == {{
		"message": "spec.serving.replicas.min is 5; required is no more than spec.serving.replicas.max, which is 4",
		"path": _min,
	}}
	_paths({"min": 12, "max": 11}) == {_max}
}

test_a_part_that_cannot_hold_it if {
	every serving in ["x", 3, []] {
		found := model_replicas.violations with input as _input(serving)
		{violation.path | some violation in found} == {"/spec/serving"}
	}
	_paths(3) == {"/spec/serving/replicas"}
	_patches(3) == set()
}
