package policies.workload.selinux_test

import data.lib.pods_test as pods
import data.policies.workload.selinux

_violations(document) := found if {
	found := selinux.violations with input as document
}

_patches(document) := found if {
	found := selinux.patches with input as document
}

_options(options) := {"securityContext": {"seLinuxOptions": options}}

test_options_of_containers if {
	every options in [
		null,
		{},
		{"level": "s0:c1,c2"},
		{"type": null, "user": null, "role": null},
		{"type": "", "user": "", "role": ""},
		{"type": "container_t"},
		{"type": "container_init_t"},
		{"type": "container_kvm_t"},
		{"type": "container_engine_t"},
	] {
		_violations(pods.of_pod(_options(options))) == set()
		_violations(pods.document({}, [pods.container(_options(options))])) == set()
	}
}

test_a_type_and_its_patch if {
	document := pods.document({}, [pods.container(_options({"type": "spc_t"}))])
	path := "/spec/containers/0/securityContext/seLinuxOptions/type"
	_violations(document) == {{
		"message": concat("", [
			"container \"server\" sets securityContext.seLinuxOptions.type to \"spc_t\"; ",
			"required is container_t, container_init_t, container_kvm_t, container_engine_t or no value",
		]),
		"path": path,
	}}
	_patches(document) == {{"op": "remove", "path": path}}
}

test_a_user_and_a_role if {
	_violations(pods.of_pod(_options({"user": "root", "role": "container_t"}))) == {
		{
			"message": "the pod sets securityContext.seLinuxOptions.user to \"root\"; required is no value",
			"path": "/spec/securityContext/seLinuxOptions/user",
		},
		{
			"message": "the pod sets securityContext.seLinuxOptions.role to \"container_t\"; required is no value",
			"path": "/spec/securityContext/seLinuxOptions/role",
		},
	}
}

test_what_cannot_be_read_is_refused if {
	every value in [0, 1, true, false, ["container_t"], {}, "container_T", "container_t "] {
		pods.paths(_violations(pods.of_pod(_options({"type": value})))) == {"/spec/securityContext/seLinuxOptions/type"}
	}
	every value in ["container_t", 1, true, []] {
		pods.paths(_violations(pods.of_pod(_options(value)))) == {"/spec/securityContext/seLinuxOptions"}
		pods.paths(_violations(pods.of_pod({"securityContext": value}))) == {"/spec/securityContext"}
		_patches(pods.of_pod({"securityContext": value})) == set()
	}
}
