package policies.workload.capabilities_baseline_test

import data.lib.pods_test as pods
import data.policies.workload.capabilities_baseline

_violations(document) := found if {
	found := capabilities_baseline.violations with input as document
}

_patches(document) := found if {
	found := capabilities_baseline.patches with input as document
}

_adding(add) := pods.document({}, [pods.secured({"capabilities": {"add": add}})])

_default := [
	"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
	"NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
]

_path := "/spec/containers/0/securityContext/capabilities/add"

test_nothing_added if {
	every context in [null, {}, {"capabilities": null}, {"capabilities": {}}, {"capabilities": {"drop": ["ALL"]}}] {
		_violations(pods.document({}, [pods.secured(context)])) == set()
	}
	_violations(pods.of_pod({})) == set()
	_violations(_adding(null)) == set()
	_violations(_adding([])) == set()
}

test_the_default_set_can_be_added if {
	_violations(_adding(_default)) == set()
	_patches(_adding(_default)) == set()
}

test_the_finding_and_its_patch if {
	_violations(_adding(["SYS_ADMIN", "KILL", "NET_RAW"])) == {{
		"message": concat("", [
			"container \"server\" adds the capabilities \"NET_RAW\", \"SYS_ADMIN\"; allowed are only ",
			concat(", ", _default),
		]),
		"path": _path,
	}}
	_patches(_adding(["SYS_ADMIN", "KILL", "NET_RAW"])) == {{"op": "replace", "path": _path, "value": ["KILL"]}}
}

test_names_are_compared_as_they_are if {
	every name in ["ALL", "chown", "CAP_CHOWN", "CHOWN ", "", 7, null, ["CHOWN"], {}] {
		pods.paths(_violations(_adding([name]))) == {_path}
		_patches(_adding([name])) == {{"op": "replace", "path": _path, "value": []}}
	}
}

test_what_cannot_be_read_is_refused if {
	_violations(_adding("CHOWN")) == {{
		"message": "container \"server\" sets securityContext.capabilities.add to \"CHOWN\"; required is a list",
		"path": _path,
	}}
	every value in ["CHOWN", 1, false, {"CHOWN": true}] {
		pods.paths(_violations(_adding(value))) == {_path}
		_patches(_adding(value)) == set()
	}
	every value in ["x", 1, true, []] {
		pods.paths(_violations(pods.document({}, [pods.secured(value)]))) == {"/spec/containers/0/securityContext"}
	}
}
