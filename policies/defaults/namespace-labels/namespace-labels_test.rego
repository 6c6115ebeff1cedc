package policies.defaults.namespace_labels_test

import data.policies.defaults.namespace_labels

_input(labels, pods, parameters) := {
	"subject": {"labels": labels, "pods": pods},
	"namespace": {"name": "search", "labels": {"team": "search", "a/b": "c"}},
	"parameters": parameters,
}

_patches(labels, pods, parameters) := found if {
	found := namespace_labels.patches with input as _input(labels, pods, parameters)
}

_on(names) := {"inherited_labels": names, "on_pods": true}

test_what_is_missing_is_copied if {
	_patches({}, [], _on(["team"])) == {{"op": "add", "path": "/metadata/labels/team", "value": "search"}}
	_patches({}, [], _on(["a/b"])) == {{"op": "add", "path": "/metadata/labels/a~1b", "value": "c"}}
	_patches({}, [], _on(["owner"])) == set()
}

test_labels_that_are_no_object if {
	every labels in [null, "team", ["team"]] {
		count(_patches(labels, [], _on(["team"]))) == 1
	}
}

test_what_is_there_stays if {
	every value in ["search", "research", "", 7, false] {
		_patches({"team": value}, [], _on(["team"])) == set()
	}
}

test_templates_but_not_other_pods if {
	pods := [{"path": "/spec/template/spec", "labels": {}}, {"path": "/spec/predictor"}, {"path": "/spec"}]
	found := {patch.path | some patch in _patches({"team": "x"}, pods, _on(["team"]))}
	found == {"/spec/template/metadata/labels/team"}
	_patches({"team": "x"}, pods, {"inherited_labels": ["team"], "on_pods": false}) == set()
}
