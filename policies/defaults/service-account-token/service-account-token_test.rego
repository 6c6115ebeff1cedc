package policies.defaults.service_account_token_test

import data.policies.defaults.service_account_token

_patches(pod) := found if {
	found := service_account_token.patches with input as {"subject": {"pods": [object.union({"path": "/spec"}, pod)]}}
}

test_a_pod_that_does_not_say if {
	every pod in [{}, {"automountServiceAccountToken": null}, {"volumes": [{"name": "data"}, {}]}, {"volumes": null}] {
		_patches(pod) == {{"op": "add", "path": "/spec/automountServiceAccountToken", "value": false}}
	}
}

test_a_pod_that_says if {
	every value in [true, false, "no"] {
		_patches({"automountServiceAccountToken": value}) == set()
	}
}

test_a_pod_that_has_its_token if {
	_patches({"volumes": [{"name": "data"}, {"name": "kube-api-access"}]}) == set()
}
