package policies.gpu.requests_equal_limits_test

import data.lib.pods_test as pods
import data.policies.gpu.requests_equal_limits

_input(requests, limits) := {
	"subject": object.union(
		pods.document({}, [pods.container({"resources": {"requests": requests, "limits": limits}})]).subject,
		{"gpus": {"by_resource": {"nvidia.com/gpu": 1}}},
	),
	"parameters": {"equal_resources": ["memory", "cpu"]},
}

_violations(requests, limits) := found if {
	found := requests_equal_limits.violations with input as _input(requests, limits)
}

_patches(requests, limits) := found if {
	found := requests_equal_limits.patches with input as _input(requests, limits)
}

_gpu(fields) := object.union({"nvidia.com/gpu": 1}, fields)

_path := "/spec/containers/0/resources/requests/memory"

test_equal_amounts_in_every_notation if {
	every pair in [["8Gi", "8Gi"], ["8Gi", "8192Mi"], ["1", 1], ["1000m", "1"], ["1.5", "1500m"], ["2k", "2000"], ["1Ti", "1024Gi"]] {
		_violations({"memory": pair[0]}, _gpu({"memory": pair[1]})) == set()
		_patches({"memory": pair[0]}, _gpu({"memory": pair[1]})) == set()
	}
}

test_requests_that_are_missing_are_filled_in if {
	every requests in [null, {}, {"memory": null}] {
		_violations(requests, _gpu({"memory": "8Gi"})) == set()
	}
}

test_other_amounts if {
	_violations({"memory": "4Gi"}, _gpu({"memory": "8Gi"})) == {{
		"message": "container \"server\" requests 4Gi of memory and its limit is 8Gi; required are equal ones",
		"path": _path,
	}}
	_patches({"memory": "4Gi"}, _gpu({"memory": "8Gi"})) == {{"op": "replace", "path": _path, "value": "8Gi"}}
}

test_no_limit if {
	_violations({"memory": "4Gi"}, _gpu({})) == {{
		"message": "container \"server\" requests 4Gi of memory and its limit is missing; required are equal ones",
		"path": _path,
	}}
	_patches({"memory": "4Gi"}, _gpu({})) == set()
}

test_the_gpus_themselves if {
	paths := pods.paths(_violations({"nvidia.com/gpu": 1}, {"nvidia.com/gpu": 2}))
	paths == {"/spec/containers/0/resources/requests/nvidia.com~1gpu"}
	pods.paths(_violations({"nvidia.com/gpu": 1}, null)) == paths
}

test_only_containers_with_gpus if _violations({"memory": "4Gi"}, {"memory": "8Gi"}) == set()

test_amounts_that_cannot_be_read_are_refused if {
	every value in ["much", "", true, [], {}, "1e3"] {
		pods.paths(_violations({"memory": value}, _gpu({"memory": "8Gi"}))) == {_path}
	}
}
