package policies.workload.privileged_test

import data.policies.workload.privileged

_container(fields) := object.union({"path": "/spec/containers/0", "role": "main", "name": "server"}, fields)

_input(containers) := {"subject": {"pods": [{"containers": containers}]}, "parameters": {}}

_violations(containers) := found if {
	found := privileged.violations with input as _input(containers)
}

_patches(containers) := found if {
	found := privileged.patches with input as _input(containers)
}

test_containers_that_are_not_privileged if {
	every fields in [
		{},
		{"securityContext": null},
		{"securityContext": {}},
		{"securityContext": {"privileged": null}},
		{"securityContext": {"privileged": false}},
		{"securityContext": {"allowPrivilegeEscalation": false}},
	] {
		_violations([_container(fields)]) == set()
		_patches([_container(fields)]) == set()
	}
}

test_a_privileged_container_of_each_role if {
	every role in ["main", "init", "ephemeral"] {
		count(_violations([_container({"role": role, "securityContext": {"privileged": true}})])) == 1
	}
}

test_the_finding_and_its_patch if {
	containers := [_container({"securityContext": {"privileged": true}}), _container({"path": "/spec/containers/1"})]
	_violations(containers) == {{
		"message": "container \"server\" sets securityContext.privileged to true; required is false or no value",
		"path": "/spec/containers/0/securityContext/privileged",
	}}
	_patches(containers) == {{"op": "replace", "path": "/spec/containers/0/securityContext/privileged", "value": false}}
}

test_a_value_of_the_wrong_type_is_refused if {
	every value in ["true", "false", "yes", 1, 0, [], {}] {
		containers := [_container({"securityContext": {"privileged": value}})]
		{violation.path | some violation in _violations(containers)} == {"/spec/containers/0/securityContext/privileged"}
		count(_patches(containers)) == 1
	}
}

test_a_context_of_the_wrong_type_is_refused if {
	every value in ["privileged", true, 1, ["privileged"]] {
		containers := [_container({"securityContext": value})]
		{violation.path | some violation in _violations(containers)} == {"/spec/containers/0/securityContext"}
		_patches(containers) == set()
	}
}
