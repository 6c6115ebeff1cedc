package policies.workload.service_account_token_test

import data.lib.pods_test as pods
import data.policies.workload.service_account_token

_document(fields) := {"subject": pods.of_pod(fields).subject, "parameters": {"token_service_accounts": ["ray-operator"]}}

_violations(fields) := found if {
	found := service_account_token.violations with input as _document(fields)
}

_patches(fields) := found if {
	found := service_account_token.patches with input as _document(fields)
}

_path := "/spec/automountServiceAccountToken"

_message(found) := concat("", [
	"the pod ",
	found,
	" and so mounts a token of the cluster's API; required is false",
])

test_no_token if {
	_violations({"automountServiceAccountToken": false}) == set()
	_patches({"automountServiceAccountToken": false}) == set()
}

test_a_token_unless_it_is_switched_off if {
	every fields in [{}, {"automountServiceAccountToken": null}] {
		_violations(fields) == {{"message": _message("does not set automountServiceAccountToken"), "path": _path}}
		_patches(fields) == {{"op": "add", "path": _path, "value": false}}
	}
	_violations({"automountServiceAccountToken": true}) == {{
		"message": _message("sets automountServiceAccountToken to true"),
		"path": _path,
	}}
	_patches({"automountServiceAccountToken": true}) == {{"op": "replace", "path": _path, "value": false}}
}

test_service_accounts_of_the_binding if {
	_violations({"serviceAccountName": "ray-operator"}) == set()
	_violations({"serviceAccount": "ray-operator"}) == set()
	count(_violations({"serviceAccountName": "other", "serviceAccount": "ray-operator"})) == 1
}

test_a_value_of_the_wrong_type_is_refused if {
	every value in ["false", "", 0, [], {}] {
		pods.paths(_violations({"automountServiceAccountToken": value})) == {_path}
	}
}
