package policies.workload.apparmor_test

import data.lib.pods_test as pods
import data.policies.workload.apparmor

_violations(document) := found if {
	found := apparmor.violations with input as document
}

_patches(document) := found if {
	found := apparmor.patches with input as document
}

_profile(profile) := {"securityContext": {"appArmorProfile": profile}}

_annotated(annotations) := pods.of_pod({"annotations": annotations})

_name := "container.apparmor.security.beta.kubernetes.io/server"

_pointer := "/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1server"

test_safe_profiles if {
	every fields in [
		{},
		{"securityContext": null},
		_profile(null),
		_profile({"type": "RuntimeDefault"}),
		_profile({"type": "Localhost", "localhostProfile": "train"}),
	] {
		_violations(pods.of_pod(fields)) == set()
		_violations(pods.document({}, [pods.container(fields)])) == set()
	}
}

test_the_finding_and_its_patch if {
	document := pods.document({}, [pods.container(_profile({"type": "Unconfined"}))])
	path := "/spec/containers/0/securityContext/appArmorProfile"
	_violations(document) == {{
		"message": concat("", [
			"container \"server\" sets securityContext.appArmorProfile.type to \"Unconfined\"; ",
			"required is type RuntimeDefault or Localhost, or no profile",
		]),
		"path": path,
	}}
	_patches(document) == {{"op": "replace", "path": path, "value": {"type": "RuntimeDefault"}}}
}

test_other_types_are_refused if {
	every type in ["", "runtime/default", "runtimedefault", "localhost", null, 1, true, ["Localhost"], {}] {
		pods.paths(_violations(pods.of_pod(_profile({"type": type})))) == {"/spec/securityContext/appArmorProfile"}
	}
	every profile in [{}, {"localhostProfile": "train"}, "RuntimeDefault", 1, true, ["Localhost"]] {
		pods.paths(_violations(pods.of_pod(_profile(profile)))) == {"/spec/securityContext/appArmorProfile"}
	}
	pods.paths(_violations(pods.of_pod({"securityContext": "x"}))) == {"/spec/securityContext"}
	_patches(pods.of_pod({"securityContext": "x"})) == set()
}

test_annotations if {
	every value in ["", "runtime/default", "localhost/train", "localhost/", null] {
		_violations(_annotated({_name: value})) == set()
	}
	every name in ["container.apparmor.security.beta.kubernetes.io", "example.com/server"] {
		_violations(_annotated({name: "unconfined"})) == set()
	}
	_violations(_annotated({_name: "unconfined"})) == {{
		"message": concat("", [
			"the annotation \"",
			_name,
			"\" is \"unconfined\"; required is runtime/default or localhost/..., or no annotation",
		]),
		"path": _pointer,
	}}
	_patches(_annotated({_name: "unconfined"})) == {{"op": "replace", "path": _pointer, "value": "runtime/default"}}
}

test_annotations_of_the_wrong_type if {
	every value in ["localhost", "RuntimeDefault", 1, true, [], {}] {
		pods.paths(_violations(_annotated({_name: value}))) == {_pointer}
	}
	every annotations in [null, [], "x", 1] {
		_violations(_annotated(annotations)) == set()
	}
}
