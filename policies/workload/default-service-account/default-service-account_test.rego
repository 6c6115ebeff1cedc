package policies.workload.default_service_account_test

import data.lib.pods_test as pods
import data.policies.workload.default_service_account

_violations(fields) := found if {
	found := default_service_account.violations with input as pods.of_pod(fields)
}

_finding(name) := {{
	"message": concat("", ["the pod uses the service account ", name, "; required is one of its own in serviceAccountName"]),
	"path": "/spec/serviceAccountName",
}}

test_a_service_account_of_its_own if {
	_violations({"serviceAccountName": "train"}) == set()
	_violations({"serviceAccount": "train"}) == set()
	_violations({"serviceAccountName": "train", "serviceAccount": "default"}) == set()
}

test_the_default_one if {
	every fields in [
		{},
		{"serviceAccountName": null},
		{"serviceAccountName": ""},
		{"serviceAccountName": "default"},
		{"serviceAccount": "default"},
		{"serviceAccountName": "", "serviceAccount": null},
		{"serviceAccountName": "default", "serviceAccount": "train"},
	] {
		_violations(fields) == _finding("\"default\"")
	}
}

test_a_name_of_the_wrong_type_is_refused if {
	_violations({"serviceAccountName": ["train"]}) == _finding("a list")
	_violations({"serviceAccountName": 7}) == _finding("7")
	_violations({"serviceAccountName": false}) == _finding("false")
}
