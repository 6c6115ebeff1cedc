package policies.gpu.runtime_limit_test

import data.policies.gpu.runtime_limit

_input(kind, pod, spec) := {
	"subject": {"kind": kind, "pods": [pod], "gpus": {"peak": 1}},
	"object": {"spec": spec},
	"parameters": {"max_hours": 12, "without_gpus": false},
}

_violations(kind, pod, spec) := found if {
	found := runtime_limit.violations with input as _input(kind, pod, spec)
}

_patches(kind, pod, spec) := found if {
	found := runtime_limit.patches with input as _input(kind, pod, spec)
}

_silent := {{
	"message": "this Job has no activeDeadlineSeconds; required is at most 43200 (12 hours)",
	"path": "/spec/activeDeadlineSeconds",
}}

test_a_deadline_of_the_job_or_of_its_pods if {
	every seconds in [1, 3600, 43200] {
		_violations("Job", {}, {"activeDeadlineSeconds": seconds}) == set()
		_violations("Job", {"activeDeadlineSeconds": seconds}, {}) == set()
		_patches("Job", {}, {"activeDeadlineSeconds": seconds}) == set()
	}
}

test_no_deadline if {
	every spec in [{}, {"activeDeadlineSeconds": null}, null, "x", []] {
		_violations("Job", {}, spec) == _silent
		_patches("Job", {}, spec) == {{"op": "add", "path": "/spec/activeDeadlineSeconds", "value": 43200}}
	}
}

test_a_deadline_that_is_none if {
	every seconds in [43201, 0, -1, "3600", true, [], {}] {
		{violation.path | some violation in _violations("Job", {}, {"activeDeadlineSeconds": seconds})} == {"/spec/activeDeadlineSeconds"}
		_patches("Job", {}, {"activeDeadlineSeconds": seconds}) == {{
			"op": "replace",
			"path": "/spec/activeDeadlineSeconds",
			"value": 43200,
		}}
		_violations("Job", {"activeDeadlineSeconds": seconds}, {}) == _silent
	}
}

test_each_kind_has_its_own_place if {
	paths := {path |
		some kind in ["CronJob", "PyTorchJob", "RayJob"]
		some violation in _violations(kind, {}, {})
		path := [kind, violation.path]
	}
	paths == {
		["CronJob", "/spec/jobTemplate/spec/activeDeadlineSeconds"],
		["PyTorchJob", "/spec/runPolicy/activeDeadlineSeconds"],
		["RayJob", "/spec/activeDeadlineSeconds"],
	}
	_violations("PyTorchJob", {}, {"runPolicy": {"activeDeadlineSeconds": 60}}) == set()
}

test_a_pod_that_says_that_it_ends if {
	every policy in ["Never", "OnFailure"] {
		count(_violations("Pod", {"restartPolicy": policy}, {})) == 1
	}
	every pod in [{}, {"restartPolicy": "Always"}, {"restartPolicy": 1}] {
		_violations("Pod", pod, {}) == set()
	}
}

test_what_serves_need_not_end if _violations("Deployment", {}, {}) == set()

test_only_what_uses_gpus_unless_the_binding_says_so if {
	idle := object.union(_input("Job", {}, {}), {"subject": {"gpus": {"peak": 0}}})
	violations := runtime_limit.violations with input as idle
	violations == set()
	all := runtime_limit.violations with input as object.union(idle, {"parameters": {"without_gpus": true}})
	all == _silent
	uncounted := runtime_limit.violations with input as object.union(idle, {"subject": {"gpus": null}})
	uncounted == _silent
}

test_every_pod_counts if {
	document := _input("Job", {}, {})
	pods := [{"activeDeadlineSeconds": 60}, {}]
	violations := runtime_limit.violations with input as object.union(document, {"subject": {"pods": pods}})
	violations == _silent
}
