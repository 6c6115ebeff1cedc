package policies.workload.host_ports_test

import data.lib.pods_test as pods
import data.policies.workload.host_ports

_document(ports) := pods.document({}, [pods.container({"ports": ports})])

_violations(ports) := found if {
	found := host_ports.violations with input as _document(ports)
}

_patches(ports) := found if {
	found := host_ports.patches with input as _document(ports)
}

test_ports_of_the_pod_only if {
	every ports in [null, [], [{}], [{"containerPort": 80}], [{"hostPort": null}], [{"hostPort": 0}], [{"hostIP": "127.0.0.1"}]] {
		_violations(ports) == set()
		_patches(ports) == set()
	}
	violations := host_ports.violations with input as pods.of_pod({})
	violations == set()
}

test_the_finding_and_its_patch if {
	ports := [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81}]
	_violations(ports) == {{
		"message": "container \"server\" sets ports[1].hostPort to 81; required is 0 or no value",
		"path": "/spec/containers/0/ports/1/hostPort",
	}}
	_patches(ports) == {{"op": "remove", "path": "/spec/containers/0/ports/1/hostPort"}}
}

test_what_cannot_be_read_is_refused if {
	every value in ["0", "", true, false, [], {}, -1, 0.5] {
		pods.paths(_violations([{"hostPort": value}])) == {"/spec/containers/0/ports/0/hostPort"}
	}
	every value in ["80", 80, null, []] {
		pods.paths(_violations([value])) == {"/spec/containers/0/ports/0"}
		_patches([value]) == set()
	}
	every value in ["80", 80, true, {"hostPort": 80}] {
		pods.paths(_violations(value)) == {"/spec/containers/0/ports"}
	}
}
