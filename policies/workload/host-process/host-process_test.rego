package policies.workload.host_process_test

import data.lib.pods_test as pods
import data.policies.workload.host_process

_violations(document) := found if {
	found := host_process.violations with input as document
}

_patches(document) := found if {
	found := host_process.patches with input as document
}

_options(options) := {"securityContext": {"windowsOptions": options}}

test_pods_and_containers_that_are_none if {
	every fields in [
		{},
		{"securityContext": null},
		{"securityContext": {}},
		_options(null),
		_options({}),
		_options({"hostProcess": null}),
		_options({"hostProcess": false}),
		_options({"runAsUserName": "ContainerUser"}),
	] {
		_violations(pods.of_pod(fields)) == set()
		_violations(pods.document({}, [pods.container(fields)])) == set()
	}
}

test_the_finding_and_its_patch if {
	document := pods.document(_options({"hostProcess": true}), [pods.container(_options({"hostProcess": true}))])
	_violations(document) == {
		{
			"message": "the pod sets securityContext.windowsOptions.hostProcess to true; required is false or no value",
			"path": "/spec/securityContext/windowsOptions/hostProcess",
		},
		{
			"message": "container \"server\" sets securityContext.windowsOptions.hostProcess to true; required is false or no value",
			"path": "/spec/containers/0/securityContext/windowsOptions/hostProcess",
		},
	}
	_patches(document) == {
		{"op": "replace", "path": "/spec/securityContext/windowsOptions/hostProcess", "value": false},
		{"op": "replace", "path": "/spec/containers/0/securityContext/windowsOptions/hostProcess", "value": false},
	}
}

test_each_role_counts if {
	every role in ["main", "init", "ephemeral"] {
		container := pods.container(object.union({"role": role}, _options({"hostProcess": true})))
		count(_violations(pods.document({}, [container]))) == 1
	}
}

test_what_cannot_be_read_is_refused if {
	every value in ["true", "", 0, 1, [], {}] {
		document := pods.document({}, [pods.container(_options({"hostProcess": value}))])
		pods.paths(_violations(document)) == {"/spec/containers/0/securityContext/windowsOptions/hostProcess"}
	}
	every value in ["x", 1, true, []] {
		pods.paths(_violations(pods.of_pod(_options(value)))) == {"/spec/securityContext/windowsOptions"}
		pods.paths(_violations(pods.of_pod({"securityContext": value}))) == {"/spec/securityContext"}
		_patches(pods.of_pod(_options(value))) == set()
	}
}
