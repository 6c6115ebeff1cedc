package policies.defaults.run_as_non_root_test

import data.policies.defaults.run_as_non_root

_patches(pod) := found if {
	containers := {"path": "/spec", "containers": [{"name": "server"}]}
	found := run_as_non_root.patches with input as {"subject": {"pods": [object.union(containers, pod)]}}
}

test_a_pod_that_does_not_say if {
	every pod in [{}, {"securityContext": null}, {"securityContext": {"runAsNonRoot": null, "runAsGroup": 0}}] {
		_patches(pod) == {{"op": "add", "path": "/spec/securityContext/runAsNonRoot", "value": true}}
	}
}

test_a_pod_that_says if {
	every context in [{"runAsNonRoot": false}, {"runAsUser": 0}, {"runAsUser": 1000}] {
		_patches({"securityContext": context}) == set()
	}
}

test_a_container_that_says if {
	silent := {"name": "router"}
	_patches({"containers": [{"securityContext": {"runAsUser": 1000}}]}) == set()
	_patches({"containers": [{"securityContext": {"runAsUser": 0}}, silent]}) == set()
	count(_patches({"containers": [{"securityContext": {"runAsUser": 1000}}, silent]})) == 1
	count(_patches({"containers": [{"securityContext": {"runAsUser": 0, "runAsNonRoot": false}}, silent]})) == 1
}

test_what_has_no_place_for_it if {
	every context in ["text", 1, ["a"], false] {
		_patches({"securityContext": context}) == set()
	}
}
