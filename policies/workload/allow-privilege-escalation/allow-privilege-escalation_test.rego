package policies.workload.allow_privilege_escalation_test

import data.lib.pods_test as pods
import data.policies.workload.allow_privilege_escalation

_violations(document) := found if {
	found := allow_privilege_escalation.violations with input as document
}

_patches(document) := found if {
	found := allow_privilege_escalation.patches with input as document
}

_secured(context) := pods.document({}, [pods.secured(context)])

_path := "/spec/containers/0/securityContext/allowPrivilegeEscalation"

test_switched_off if {
	_violations(_secured({"allowPrivilegeEscalation": false})) == set()
	_patches(_secured({"allowPrivilegeEscalation": false})) == set()
}

test_switched_on if {
	_violations(_secured({"allowPrivilegeEscalation": true})) == {{
		"message": "container \"server\" sets securityContext.allowPrivilegeEscalation to true; required is false",
		"path": _path,
	}}
	_patches(_secured({"allowPrivilegeEscalation": true})) == {{"op": "replace", "path": _path, "value": false}}
}

test_not_said_is_on if {
	every container in [
		pods.container({}),
		pods.secured(null),
		pods.secured({}),
		pods.secured({"allowPrivilegeEscalation": null}),
	] {
		_violations(pods.document({}, [container])) == {{
			"message": "container \"server\" does not set securityContext.allowPrivilegeEscalation; required is false",
			"path": _path,
		}}
		_patches(pods.document({}, [container])) == {{"op": "add", "path": _path, "value": false}}
	}
}

test_each_container_for_itself if {
	off := pods.secured({"allowPrivilegeEscalation": false})
	paths := pods.paths(_violations(pods.document({}, [off, pods.container({"path": "/a"}), pods.container({"path": "/b"})])))
	paths == {"/a/securityContext/allowPrivilegeEscalation", "/b/securityContext/allowPrivilegeEscalation"}
}

test_pods_for_windows_are_exempt if {
	_violations(pods.of_pod({"os": {"name": "windows"}})) == set()
	_patches(pods.of_pod({"os": {"name": "windows"}})) == set()
	every os in [null, {}, {"name": "linux"}, {"name": "Windows"}, {"name": ["windows"]}, "windows", ["windows"]] {
		count(_violations(pods.of_pod({"os": os}))) == 1
	}
}

test_what_cannot_be_read_is_refused if {
	every value in ["false", "", 0, [], {}] {
		pods.paths(_violations(_secured({"allowPrivilegeEscalation": value}))) == {_path}
	}
	every value in ["x", 1, false, []] {
		pods.paths(_violations(_secured(value))) == {"/spec/containers/0/securityContext"}
		_patches(_secured(value)) == set()
	}
}
