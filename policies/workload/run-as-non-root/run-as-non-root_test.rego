package policies.workload.run_as_non_root_test

import data.lib.pods_test as pods
import data.policies.workload.run_as_non_root

_violations(document) := found if {
	found := run_as_non_root.violations with input as document
}

_patches(document) := found if {
	found := run_as_non_root.patches with input as document
}

_pod(value) := {"securityContext": {"runAsNonRoot": value}}

_container(value) := pods.secured({"runAsNonRoot": value})

test_the_pod_or_each_container_says_so if {
	_violations(pods.of_pod(_pod(true))) == set()
	_violations(pods.document({}, [_container(true), _container(true)])) == set()
	_violations(pods.document(_pod(true), [_container(null), _container(true)])) == set()
	_patches(pods.of_pod(_pod(true))) == set()
}

test_nobody_says_so if {
	every fields in [{}, {"securityContext": null}, {"securityContext": {}}, _pod(null)] {
		document := pods.document(fields, [pods.container({}), pods.container({"role": "init", "name": "fetch"}), _container(true)])
		_violations(document) == {{
			"message": concat("", [
				"neither the pod nor container \"server\", init container \"fetch\" sets securityContext.runAsNonRoot; ",
				"required is true",
			]),
			"path": "/spec/securityContext/runAsNonRoot",
		}}
		_patches(document) == {{"op": "add", "path": "/spec/securityContext/runAsNonRoot", "value": true}}
	}
}

test_somebody_says_no if {
	document := pods.document(_pod(true), [_container(false), _container(true)])
	path := "/spec/containers/0/securityContext/runAsNonRoot"
	_violations(document) == {{
		"message": "container \"server\" sets securityContext.runAsNonRoot to false; required is true",
		"path": path,
	}}
	_patches(document) == {{"op": "replace", "path": path, "value": true}}
}

test_the_pod_must_not_say_no if {
	every containers in [[_container(true)], [pods.container({})]] {
		pods.paths(_violations(pods.document(_pod(false), containers))) == {"/spec/securityContext/runAsNonRoot"}
	}
}

test_in_a_user_namespace_root_is_nobody if {
	_violations(pods.document(object.union(_pod(false), {"hostUsers": false}), [_container(false)])) == set()
	every value in [true, null, "false", 0] {
		count(_violations(pods.of_pod({"hostUsers": value}))) == 1
	}
}

test_pods_for_windows_are_not_exempt if count(_violations(pods.of_pod({"os": {"name": "windows"}}))) == 1

test_what_cannot_be_read_is_refused if {
	every value in ["true", "", 1, [], {}] {
		pods.paths(_violations(pods.of_pod(_pod(value)))) == {"/spec/securityContext/runAsNonRoot"}
	}
	every value in ["x", 1, true, []] {
		pods.paths(_violations(pods.of_pod({"securityContext": value}))) == {"/spec/securityContext"}
		_patches(pods.of_pod({"securityContext": value})) == set()
		paths := pods.paths(_violations(pods.document(_pod(true), [pods.secured(value)])))
		paths == {"/spec/containers/0/securityContext"}
	}
}
