package policies.workload.seccomp_restricted_test

import data.lib.pods_test as pods
import data.policies.workload.seccomp_restricted

_violations(document) := found if {
	found := seccomp_restricted.violations with input as document
}

_patches(document) := found if {
	found := seccomp_restricted.patches with input as document
}

_profile(profile) := {"securityContext": {"seccompProfile": profile}}

_default := _profile({"type": "RuntimeDefault"})

_own := _profile({"type": "Localhost", "localhostProfile": "train.json"})

_path := "/spec/securityContext/seccompProfile"

test_the_pod_or_each_container_has_one if {
	_violations(pods.of_pod(_default)) == set()
	_violations(pods.document({}, [pods.container(_default), pods.container(_own)])) == set()
	_violations(pods.document(_own, [pods.container({}), pods.container(_default)])) == set()
	_patches(pods.of_pod(_default)) == set()
}

test_nobody_has_one if {
	every fields in [{}, {"securityContext": null}, {"securityContext": {}}, _profile(null)] {
		document := pods.document(fields, [pods.container({}), pods.container(_own)])
		_violations(document) == {{
			"message": concat("", [
				"neither the pod nor container \"server\" sets securityContext.seccompProfile; ",
				"required is type RuntimeDefault or Localhost",
			]),
			"path": _path,
		}}
		_patches(document) == {{"op": "add", "path": _path, "value": {"type": "RuntimeDefault"}}}
	}
}

test_somebody_switches_it_off if {
	document := pods.document(_default, [pods.container(_profile({"type": "Unconfined"}))])
	path := "/spec/containers/0/securityContext/seccompProfile"
	_violations(document) == {{
		"message": concat("", [
			"container \"server\" sets securityContext.seccompProfile.type to \"Unconfined\"; ",
			"required is type RuntimeDefault or Localhost",
		]),
		"path": path,
	}}
	_patches(document) == {{"op": "replace", "path": path, "value": {"type": "RuntimeDefault"}}}
}

test_the_pod_must_not_switch_it_off if {
	every containers in [[pods.container(_default)], [pods.container({})]] {
		pods.paths(_violations(pods.document(_profile({"type": "Unconfined"}), containers))) == {_path}
	}
}

test_pods_for_windows_are_exempt if {
	_violations(pods.of_pod({"os": {"name": "windows"}})) == set()
	_patches(pods.of_pod({"os": {"name": "windows"}})) == set()
	every os in [null, {}, {"name": "linux"}, "windows", ["windows"]] {
		count(_violations(pods.of_pod({"os": os}))) == 1
	}
}

test_what_cannot_be_read_is_refused if {
	every profile in [{}, {"type": null}, {"type": ["Localhost"]}, "RuntimeDefault", 1, true, []] {
		pods.paths(_violations(pods.of_pod(_profile(profile)))) == {_path}
	}
	every value in ["x", 1, true, []] {
		pods.paths(_violations(pods.of_pod({"securityContext": value}))) == {"/spec/securityContext"}
		_patches(pods.of_pod({"securityContext": value})) == set()
		paths := pods.paths(_violations(pods.document(_default, [pods.secured(value)])))
		paths == {"/spec/containers/0/securityContext"}
	}
}
