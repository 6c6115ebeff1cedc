package policies.defaults.seccomp_test

import data.policies.defaults.seccomp

_patches(pod) := found if {
	containers := {"path": "/spec", "containers": [{"name": "server"}]}
	found := seccomp.patches with input as {"subject": {"pods": [object.union(containers, pod)]}}
}

test_a_pod_without_a_profile if {
	every pod in [{}, {"securityContext": null}, {"securityContext": {}}, {"os": {"name": "linux"}}, {"os": "windows"}] {
		_patches(pod) == {{
			"op": "add",
			"path": "/spec/securityContext/seccompProfile",
			"value": {"type": "RuntimeDefault"},
		}}
	}
}

test_a_pod_that_chose if {
	every profile in [{"type": "Unconfined"}, {"type": "RuntimeDefault"}, {}, "none"] {
		_patches({"securityContext": {"seccompProfile": profile}}) == set()
	}
}

test_containers_that_all_chose if {
	_patches({"containers": [{"securityContext": {"seccompProfile": {"type": "Localhost"}}}]}) == set()
}

test_what_has_no_place_for_it if {
	every context in ["text", 1, ["a"], false] {
		_patches({"securityContext": context}) == set()
	}
	_patches({"os": {"name": "windows"}}) == set()
}
