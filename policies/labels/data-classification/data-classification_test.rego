package policies.labels.data_classification_test

import data.policies.labels.data_classification

_input(labels, namespace) := {
	"subject": {"labels": labels},
	"namespace": namespace,
	"parameters": {"classification_label": "data-classification", "classifications": ["public", "restricted"]},
}

_violations(labels) := found if {
	found := data_classification.violations with input as _input(labels, {"name": "a", "labels": {}})
}

_patches(labels, namespace) := found if {
	found := data_classification.patches with input as _input(labels, namespace)
}

_path := "/metadata/labels/data-classification"

_finding(found) := {{
	"message": concat("", ["the label \"data-classification\" is ", found, "; required is one of public, restricted"]),
	"path": _path,
}}

_restricted := {"labels": {"data-classification": "restricted"}}

test_each_class if {
	every class in ["public", "restricted"] {
		_violations({"data-classification": class}) == set()
		_patches({"data-classification": class}, _restricted) == set()
	}
}

test_no_class if {
	every labels in [null, {}, [], "x", {"data-classification": null}] {
		_violations(labels) == _finding("missing")
	}
	_violations({"data-classification": "secret"}) == _finding("\"secret\"")
	_violations({"data-classification": 1}) == _finding("1")
}

test_the_class_of_the_namespace_is_copied if {
	_patches({}, _restricted) == {{"op": "add", "path": _path, "value": "restricted"}}
}

test_nothing_is_overwritten_or_made_up if {
	_patches({"data-classification": "secret"}, _restricted) == set()
	every namespace in [{}, {"labels": null}, {"labels": {}}, {"labels": {"data-classification": "secret"}}] {
		_patches({}, namespace) == set()
	}
}
