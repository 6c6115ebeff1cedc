package policies.workload.run_as_user_test

import data.lib.pods_test as pods
import data.policies.workload.run_as_user

_violations(document) := found if {
	found := run_as_user.violations with input as document
}

_user(value) := {"securityContext": {"runAsUser": value}}

test_ordinary_users if {
	every value in [null, 1, 1000, 65534, -1] {
		_violations(pods.of_pod(_user(value))) == set()
		_violations(pods.document({}, [pods.container(_user(value))])) == set()
	}
	_violations(pods.of_pod({})) == set()
}

test_root if {
	document := pods.document(_user(0), [pods.container(_user(0))])
	_violations(document) == {
		{
			"message": "the pod sets securityContext.runAsUser to 0; required is a user ID other than 0, or no value",
			"path": "/spec/securityContext/runAsUser",
		},
		{
			"message": "container \"server\" sets securityContext.runAsUser to 0; required is a user ID other than 0, or no value",
			"path": "/spec/containers/0/securityContext/runAsUser",
		},
	}
}

test_in_a_user_namespace_root_is_nobody if {
	_violations(pods.of_pod(object.union(_user(0), {"hostUsers": false}))) == set()
	every value in [true, null, "false", 0] {
		count(_violations(pods.of_pod(object.union(_user(0), {"hostUsers": value})))) == 1
	}
}

test_what_cannot_be_read_is_refused if {
	every value in ["0", "1000", "root", "", true, false, [], {}] {
		pods.paths(_violations(pods.of_pod(_user(value)))) == {"/spec/securityContext/runAsUser"}
	}
	every value in ["x", 1, true, []] {
		pods.paths(_violations(pods.document({}, [pods.secured(value)]))) == {"/spec/containers/0/securityContext"}
	}
}
