package policies.workload.seccomp_baseline_test

import data.lib.pods_test as pods
import data.policies.workload.seccomp_baseline

_violations(document) := found if {
	found := seccomp_baseline.violations with input as document
}

_patches(document) := found if {
	found := seccomp_baseline.patches with input as document
}

_profile(profile) := {"securityContext": {"seccompProfile": profile}}

test_safe_profiles if {
	every fields in [
		{},
		{"securityContext": null},
		{"securityContext": {}},
		_profile(null),
		_profile({"type": "RuntimeDefault"}),
		_profile({"type": "Localhost", "localhostProfile": "train.json"}),
	] {
		_violations(pods.of_pod(fields)) == set()
		_violations(pods.document({}, [pods.container(fields)])) == set()
	}
}

test_the_finding_and_its_patch if {
	document := pods.of_pod(_profile({"type": "Unconfined"}))
	path := "/spec/securityContext/seccompProfile"
	_violations(document) == {{
		"message": concat("", [
			"the pod sets securityContext.seccompProfile.type to \"Unconfined\"; ",
			"required is type RuntimeDefault or Localhost, or no profile",
		]),
		"path": path,
	}}
	_patches(document) == {{"op": "replace", "path": path, "value": {"type": "RuntimeDefault"}}}
}

test_other_types_are_refused if {
	every type in ["", "runtime/default", "runtimedefault", "localhost", null, 1, true, ["Localhost"], {}] {
		document := pods.document({}, [pods.container(_profile({"type": type}))])
		pods.paths(_violations(document)) == {"/spec/containers/0/securityContext/seccompProfile"}
	}
	every profile in [{}, {"localhostProfile": "train.json"}, "RuntimeDefault", 1, true, ["Localhost"]] {
		pods.paths(_violations(pods.of_pod(_profile(profile)))) == {"/spec/securityContext/seccompProfile"}
		count(_patches(pods.of_pod(_profile(profile)))) == 1
	}
	pods.paths(_violations(pods.of_pod({"securityContext": "x"}))) == {"/spec/securityContext"}
	_patches(pods.of_pod({"securityContext": "x"})) == set()
}

test_how_a_profile_of_the_wrong_type_is_shown if {
	messages := {violation.message |
		some profile in ["x", {}, {"type": 1}]
		some violation in _violations(pods.of_pod(_profile(profile)))
	}
	required := "required is type RuntimeDefault or Localhost, or no profile"
	messages == {
		concat("; ", ["the pod sets securityContext.seccompProfile to \"x\"", required]),
		concat("; ", ["the pod sets securityContext.seccompProfile without a type", required]),
		concat("; ", ["the pod sets securityContext.seccompProfile.type to 1", required]),
	}
}
