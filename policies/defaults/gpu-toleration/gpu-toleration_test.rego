package policies.defaults.gpu_toleration_test

import data.policies.defaults.gpu_toleration

_patches(tolerations, amount) := found if {
	container := {"resources": {"limits": {"nvidia.com/gpu": amount}}}
	pod := {"path": "/spec", "tolerations": tolerations, "containers": [container]}
	found := gpu_toleration.patches with input as {
		"subject": {"pods": [pod]},
		"parameters": {"accelerators": ["nvidia.com/gpu", "amd.com/gpu"], "taint_effect": "NoSchedule"},
	}
}

test_the_toleration_is_appended if {
	every tolerations in [null, [], [{"key": "spot"}], ["nvidia.com/gpu"], [{"key": "nvidia.com/gpu", "effect": "NoExecute"}]] {
		_patches(tolerations, 1) == {{
			"op": "add",
			"path": "/spec/tolerations/-",
			"value": {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
		}}
	}
}

test_what_tolerates_it_already if {
	every toleration in [{"operator": "Exists"}, {"key": "nvidia.com/gpu"}, {"key": "nvidia.com/gpu", "effect": "NoSchedule"}] {
		_patches([toleration], 1) == set()
	}
}

test_no_gpu if {
	every amount in [0, "0", null, ""] {
		_patches([], amount) == set()
	}
}

test_tolerations_that_are_no_list if {
	_patches("all", 1) == set()
}
