package policies.image.pull_policy_test

import data.lib.pods_test as pods
import data.policies.image.pull_policy

_document(tag, digest, fields) := pods.document({}, [pods.container(object.union(fields, {"image": {"tag": tag, "digest": digest}}))])

_violations(document) := found if {
	found := pull_policy.violations with input as document
}

_patches(document) := found if {
	found := pull_policy.patches with input as document
}

_path := "/spec/containers/0/imagePullPolicy"

test_with_a_digest if {
	every fields in [{}, {"imagePullPolicy": null}, {"imagePullPolicy": ""}, {"imagePullPolicy": "IfNotPresent"}, {"imagePullPolicy": "Always"}] {
		_violations(_document("v1", "sha256:0", fields)) == set()
		_patches(_document("", "sha256:0", fields)) == set()
	}
}

test_without_a_digest if {
	_violations(_document("v1", "", {"imagePullPolicy": "Always"})) == set()
	every fields in [{}, {"imagePullPolicy": null}, {"imagePullPolicy": ""}] {
		_violations(_document("latest", "", fields)) == set()
		_violations(_document("v1", "", fields)) == {{
			"message": "container \"server\" has no imagePullPolicy (which means IfNotPresent) for an image without a digest; required is Always",
			"path": _path,
		}}
	}
	_patches(_document("v1", "", {})) == {{"op": "add", "path": _path, "value": "Always"}}
	_patches(_document("v1", "", {"imagePullPolicy": "IfNotPresent"})) == {{"op": "replace", "path": _path, "value": "Always"}}
}

test_never_is_never_right if {
	_violations(_document("v1", "sha256:0", {"imagePullPolicy": "Never"})) == {{
		"message": "container \"server\" has imagePullPolicy \"Never\" for an image with a digest; required is IfNotPresent or Always",
		"path": _path,
	}}
	_patches(_document("v1", "sha256:0", {"imagePullPolicy": "Never"})) == {{"op": "replace", "path": _path, "value": "IfNotPresent"}}
	count(_violations(_document("latest", "", {"imagePullPolicy": "Never"}))) == 1
}

test_values_of_the_wrong_type_are_refused if {
	every value in ["always", 1, true, false, ["Always"], {}] {
		pods.paths(_violations(_document("v1", "sha256:0", {"imagePullPolicy": value}))) == {_path}
	}
	count(_violations(pods.document({}, [pods.container({})]))) == 1
}
