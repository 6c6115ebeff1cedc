package policies.workload.read_only_root_file_system_test

import data.lib.pods_test as pods
import data.policies.workload.read_only_root_file_system

_violations(document) := found if {
	found := read_only_root_file_system.violations with input as document
}

_patches(document) := found if {
	found := read_only_root_file_system.patches with input as document
}

_secured(context) := pods.document({}, [pods.secured(context)])

_path := "/spec/containers/0/securityContext/readOnlyRootFilesystem"

test_read_only if {
	_violations(_secured({"readOnlyRootFilesystem": true})) == set()
	_patches(_secured({"readOnlyRootFilesystem": true})) == set()
}

test_writable if {
	_violations(_secured({"readOnlyRootFilesystem": false})) == {{
		"message": "container \"server\" sets securityContext.readOnlyRootFilesystem to false; required is true",
		"path": _path,
	}}
	_patches(_secured({"readOnlyRootFilesystem": false})) == {{"op": "replace", "path": _path, "value": true}}
}

test_not_said_is_writable if {
	every container in [pods.container({}), pods.secured(null), pods.secured({}), pods.secured({"readOnlyRootFilesystem": null})] {
		_violations(pods.document({}, [container])) == {{
			"message": "container \"server\" does not set securityContext.readOnlyRootFilesystem; required is true",
			"path": _path,
		}}
		_patches(pods.document({}, [container])) == {{"op": "add", "path": _path, "value": true}}
	}
}

test_ephemeral_containers_and_pods_for_windows_are_exempt if {
	_violations(pods.document({}, [pods.container({"role": "ephemeral"})])) == set()
	_patches(pods.document({}, [pods.container({"role": "ephemeral"})])) == set()
	_violations(pods.of_pod({"os": {"name": "windows"}})) == set()
	count(_violations(pods.of_pod({"os": "windows"}))) == 1
	count(_violations(pods.document({}, [pods.container({"role": "init"})]))) == 1
}

test_what_cannot_be_read_is_refused if {
	every value in ["true", "", 1, [], {}] {
		pods.paths(_violations(_secured({"readOnlyRootFilesystem": value}))) == {_path}
	}
	every value in ["x", 1, true, []] {
		pods.paths(_violations(_secured(value))) == {"/spec/containers/0/securityContext"}
		_patches(_secured(value)) == set()
	}
}
