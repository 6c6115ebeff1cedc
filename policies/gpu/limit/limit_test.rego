package policies.gpu.limit_test

import data.policies.gpu.limit

_subject(gpus) := {"kind": "Job", "pods": [{"path": "/spec/template/spec"}], "gpus": gpus}

_violations(subject) := found if {
	found := limit.violations with input as {"subject": subject, "parameters": {"max_gpus": 4}}
}

test_up_to_the_limit if {
	_violations(_subject({"now": 4, "peak": 4, "by_resource": {"nvidia.com/gpu": 4}})) == set()
	_violations(_subject({"now": 0, "peak": 0, "by_resource": {}})) == set()
}

test_beyond_the_limit if {
	_violations(_subject({"now": 16, "peak": 16, "by_resource": {"nvidia.com/gpu": 16}})) == {{
		"message": "this Job can use 16 GPUs (it starts with nvidia.com/gpu: 16); at most 4 are allowed",
		"path": "/spec",
	}}
}

test_the_peak_counts_and_parts_are_rounded if {
	gpus := {"now": 1, "peak": 4.285714, "by_resource": {"nvidia.com/mig-3g.20gb": 2, "amd.com/gpu": 1}}
	_violations(_subject(gpus)) == {{
		"message": "this Job can use 4.286 GPUs (it starts with amd.com/gpu: 1, nvidia.com/mig-3g.20gb: 2); at most 4 are allowed",
		"path": "/spec",
	}}
}

test_what_cannot_be_counted_is_refused if {
	expected := {{"message": "the GPUs of this Job could not be counted; at most 4 are allowed", "path": "/spec"}}
	every gpus in [{}, null, "many", {"peak": "many"}, {"peak": null}] {
		_violations(_subject(gpus)) == expected
	}
	_violations(object.remove(_subject({}), ["gpus"])) == expected
}

test_details_can_be_missing if {
	expected := {{"message": "this Job can use 5 GPUs; at most 4 are allowed", "path": "/spec"}}
	every gpus in [{"peak": 5}, {"peak": 5, "by_resource": "many"}, {"peak": 5, "by_resource": {"nvidia.com/gpu": "5"}}] {
		_violations(_subject(gpus)) == expected
	}
}

test_the_path_is_where_the_pods_are if {
	gpus := {"peak": 5}
	paths := {path |
		some pods in [[], [{"path": "/template/spec"}], [{"path": "/spec/a"}, {"path": "/spec/b"}], [{"path": "/spec"}]]
		some violation in _violations({"kind": "X", "pods": pods, "gpus": gpus})
		path := [count(pods), violation.path]
	}
	paths == {[0, "/spec"], [1, "/template"], [2, "/spec"], [1, "/spec"]}
}

test_without_a_parameter_nothing_is_allowed if {
	violations := limit.violations with input as {"subject": _subject({"peak": 1}), "parameters": {}}
	count(violations) == 1
}
