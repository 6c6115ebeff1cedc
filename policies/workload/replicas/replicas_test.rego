package policies.workload.replicas_test

import data.policies.workload.replicas

_violations(kind, pod) := found if {
	found := replicas.violations with input as {
		"subject": {"kind": kind, "pods": [object.union({"path": "/spec/template/spec"}, pod)]},
		"parameters": {"serving_kinds": ["Deployment"], "min_replicas": 2},
	}
}

test_enough if {
	_violations("Deployment", {"replicas": {"min": 2, "max": 2}}) == set()
	_violations("Deployment", {"replicas": {"min": 9, "max": 20}}) == set()
}

test_too_few if {
	_violations("Deployment", {"replicas": {"min": 1, "max": 10}}) == {{
		"message": "this Deployment can have as few as 1 replicas of the pod; required are 2 at least",
		"path": "/spec/template/spec",
	}}
}

test_other_kinds_do_not_serve if _violations("Job", {"replicas": {"min": 1, "max": 1}}) == set()

test_a_number_that_is_missing_is_none if {
	every pod in [{}, {"replicas": null}, {"replicas": {}}, {"replicas": "2"}] {
		count(_violations("Deployment", pod)) == 1
	}
}
