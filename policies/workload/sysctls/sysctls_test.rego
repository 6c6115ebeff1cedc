package policies.workload.sysctls_test

import data.lib.pods_test as pods
import data.policies.workload.sysctls

_pod(list) := pods.of_pod({"securityContext": {"sysctls": list}})

_violations(document) := found if {
	found := sysctls.violations with input as document
}

_patches(document) := found if {
	found := sysctls.patches with input as document
}

_safe := [
	"kernel.shm_rmid_forced",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_local_reserved_ports",
	"net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.tcp_wmem",
]

_path := "/spec/securityContext/sysctls"

test_safe_ones if {
	_violations(_pod([{"name": name, "value": "1"} | some name in _safe])) == set()
	every list in [null, []] {
		_violations(_pod(list)) == set()
	}
	every fields in [{}, {"securityContext": null}, {"securityContext": {}}] {
		_violations(pods.of_pod(fields)) == set()
	}
}

test_the_finding_and_its_patch if {
	document := _pod([{"name": "vm.swappiness"}, {"name": "net.ipv4.tcp_rmem"}, {"name": "kernel.msgmax"}])
	_violations(document) == {{
		"message": concat("", [
			"the pod sets the sysctls \"kernel.msgmax\", \"vm.swappiness\"; allowed are only ",
			concat(", ", _safe),
		]),
		"path": _path,
	}}
	_patches(document) == {{"op": "replace", "path": _path, "value": [{"name": "net.ipv4.tcp_rmem"}]}}
}

test_names_are_compared_as_they_are if {
	every name in ["net/ipv4/tcp_rmem", "NET.ipv4.tcp_rmem", "net.ipv4.tcp_rmem ", "net.ipv4.*", "", null, 1, []] {
		pods.paths(_violations(_pod([{"name": name}]))) == {_path}
	}
	pods.paths(_violations(_pod([{"value": "1"}]))) == {_path}
}

test_what_cannot_be_read_is_refused if {
	every value in ["net.ipv4.tcp_rmem", 1, null, []] {
		pods.paths(_violations(_pod([value]))) == {_path}
	}
	every value in ["net.ipv4.tcp_rmem", 1, false, {"name": "net.ipv4.tcp_rmem"}] {
		pods.paths(_violations(_pod(value))) == {_path}
		_patches(_pod(value)) == set()
		pods.paths(_violations(pods.of_pod({"securityContext": ["x"]}))) == {"/spec/securityContext"}
	}
}
