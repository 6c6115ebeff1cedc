package policies.workload.capabilities_restricted_test

import data.lib.pods_test as pods
import data.policies.workload.capabilities_restricted

_violations(document) := found if {
	found := capabilities_restricted.violations with input as document
}

_patches(document) := found if {
	found := capabilities_restricted.patches with input as document
}

_with(capabilities) := pods.document({}, [pods.secured({"capabilities": capabilities})])

_add := "/spec/containers/0/securityContext/capabilities/add"

_drop := "/spec/containers/0/securityContext/capabilities/drop"

test_all_dropped if {
	every capabilities in [
		{"drop": ["ALL"]},
		{"drop": ["NET_RAW", "ALL"], "add": null},
		{"drop": ["ALL"], "add": []},
		{"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
	] {
		_violations(_with(capabilities)) == set()
		_patches(_with(capabilities)) == set()
	}
}

test_not_all_dropped if {
	every container in [
		pods.container({}),
		pods.secured(null),
		pods.secured({}),
		pods.secured({"capabilities": null}),
		pods.secured({"capabilities": {"drop": null}}),
		pods.secured({"capabilities": {"drop": []}}),
		pods.secured({"capabilities": {"drop": ["all", "CAP_ALL", "NET_RAW"]}}),
		pods.secured({"capabilities": {"drop": [["ALL"]]}}),
	] {
		_violations(pods.document({}, [container])) == {{
			"message": concat("", [
				"container \"server\" does not drop all capabilities; ",
				"required is securityContext.capabilities.drop with ALL in it",
			]),
			"path": _drop,
		}}
		_patches(pods.document({}, [container])) == {{"op": "add", "path": _drop, "value": ["ALL"]}}
	}
}

test_added if {
	document := _with({"drop": ["ALL"], "add": ["SYS_ADMIN", "NET_BIND_SERVICE", "CHOWN"]})
	_violations(document) == {{
		"message": "container \"server\" adds the capabilities \"CHOWN\", \"SYS_ADMIN\"; allowed is only NET_BIND_SERVICE",
		"path": _add,
	}}
	_patches(document) == {{"op": "replace", "path": _add, "value": ["NET_BIND_SERVICE"]}}
	pods.paths(_violations(_with({"add": ["CHOWN"]}))) == {_add, _drop}
}

test_each_container_for_itself if {
	good := pods.secured({"capabilities": {"drop": ["ALL"]}})
	every role in ["main", "init", "ephemeral"] {
		paths := pods.paths(_violations(pods.document({}, [good, pods.container({"path": "/a", "role": role})])))
		paths == {"/a/securityContext/capabilities/drop"}
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
	every value in ["NET_BIND_SERVICE", 1, true, {}] {
		pods.paths(_violations(_with({"drop": ["ALL"], "add": value}))) == {_add}
		pods.paths(_violations(_with({"drop": value}))) == {_drop}
	}
	every value in ["ALL", 1, true, []] {
		paths := pods.paths(_violations(_with(value)))
		paths == {"/spec/containers/0/securityContext/capabilities", _drop}
		_patches(_with(value)) == set()
	}
}
