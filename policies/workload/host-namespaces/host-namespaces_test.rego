package policies.workload.host_namespaces_test

import data.lib.pods_test as pods
import data.policies.workload.host_namespaces

_violations(document) := found if {
	found := host_namespaces.violations with input as document
}

_patches(document) := found if {
	found := host_namespaces.patches with input as document
}

test_pods_that_keep_to_themselves if {
	every fields in [
		{},
		{"hostIPC": null, "hostNetwork": null, "hostPID": null},
		{"hostIPC": false, "hostNetwork": false, "hostPID": false},
	] {
		_violations(pods.of_pod(fields)) == set()
		_patches(pods.of_pod(fields)) == set()
	}
}

test_each_namespace_counts if {
	every field in ["hostIPC", "hostNetwork", "hostPID"] {
		path := concat("/", ["/spec", field])
		message := concat("", ["the pod sets ", field, " to true; required is false or no value"])
		_violations(pods.of_pod({field: true})) == {{"message": message, "path": path}}
		_patches(pods.of_pod({field: true})) == {{"op": "replace", "path": path, "value": false}}
	}
}

test_several_at_once_are_several_findings if {
	paths := pods.paths(_violations(pods.of_pod({"hostIPC": true, "hostNetwork": true, "hostPID": true})))
	paths == {"/spec/hostIPC", "/spec/hostNetwork", "/spec/hostPID"}
}

test_a_value_of_the_wrong_type_is_refused if {
	every value in ["true", "false", "", 0, 1, [], {}] {
		pods.paths(_violations(pods.of_pod({"hostPID": value}))) == {"/spec/hostPID"}
	}
}
