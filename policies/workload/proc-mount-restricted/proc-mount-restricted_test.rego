package policies.workload.proc_mount_restricted_test

import data.lib.pods_test as pods
import data.policies.workload.proc_mount_restricted

_document(fields, value) := pods.document(fields, [pods.secured({"procMount": value})])

_violations(document) := found if {
	found := proc_mount_restricted.violations with input as document
}

_patches(document) := found if {
	found := proc_mount_restricted.patches with input as document
}

_path := "/spec/containers/0/securityContext/procMount"

test_masked if {
	every context in [null, {}, {"procMount": null}, {"procMount": "Default"}] {
		_violations(pods.document({}, [pods.secured(context)])) == set()
		_patches(pods.document({}, [pods.secured(context)])) == set()
	}
	_violations(pods.of_pod({})) == set()
}

test_the_finding_and_its_patch if {
	_violations(_document({}, "Unmasked")) == {{
		"message": concat("", [
			"container \"server\" sets securityContext.procMount to \"Unmasked\"; ",
			"required is \"Default\" or no value",
		]),
		"path": _path,
	}}
	_patches(_document({}, "Unmasked")) == {{"op": "replace", "path": _path, "value": "Default"}}
}

test_a_user_namespace_is_no_excuse if {
	every value in [false, true, null] {
		pods.paths(_violations(_document({"hostUsers": value}, "Unmasked"))) == {_path}
	}
}

test_what_cannot_be_read_is_refused if {
	every value in ["default", "", 0, true, false, ["Default"], {}] {
		pods.paths(_violations(_document({}, value))) == {_path}
	}
	every value in ["Default", 1, true, []] {
		pods.paths(_violations(pods.document({}, [pods.secured(value)]))) == {"/spec/containers/0/securityContext"}
		_patches(pods.document({}, [pods.secured(value)])) == set()
	}
}
