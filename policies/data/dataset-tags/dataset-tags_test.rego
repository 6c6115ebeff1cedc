package policies.data.dataset_tags_test

import data.policies.data.dataset_tags

_input(dataset, labels, pod) := {
	"subject": {
		"kind": "Job",
		"labels": labels,
		"annotations": {},
		"pods": [object.union({"path": "/spec", "containers": []}, pod)],
		"models": [object.union({"path": "/spec/containers/0/args/0", "uri": "u", "role": "dataset"}, dataset)],
		"servers": [],
		"gpus": {"peak": 0},
	},
	"parameters": {
		"version_tags": ["dataset-version"],
		"class_tags": ["class"],
		"classes": ["public", "restricted"],
	},
}

_messages(dataset, labels, pod) := {violation.message | some violation in found} if {
	found := dataset_tags.violations with input as _input(dataset, labels, pod)
}

_tagged := {"class": "public", "dataset-version": "v1"}

test_tags if {
	_messages({}, _tagged, {}) == set()
	_messages({}, {}, {"labels": _tagged}) == set()
	_messages({}, {"class": "public"}, {"annotations": {"dataset-version": "7"}}) == set()
	count(_messages({"path": "/spec2/x"}, {}, {"labels": _tagged})) == 2
}

test_versions_in_the_reference if {
	every fields in [
		{"version": "abc"},
		{"name": "lake/v3/a"},
		{"name": "lake/claims-v3.parquet"},
		{"name": "lake/2026-10-01"},
		{"name": "lake/2026-10"},
		{"name": "lake/20261001/a"},
		{"name": "lake/snapshot=12"},
	] {
		_messages(fields, {"class": "public"}, {}) == set()
	}
	every fields in [{}, {"version": "main"}, {"version": null}, {"version": ""}, {"name": "lake/vast"}, {"name": "lake/2026"}] {
		count(_messages(fields, {"class": "public"}, {})) == 1
	}
}

test_values_that_are_no_version if {
	every value in ["", "latest", "Main", 7, null, []] {
		_messages({}, {"class": "public", "dataset-version": value}, {}) == {concat("", [
			"the dataset \"u\" carries no version; ",
			"required is one in its reference or in the label or annotation dataset-version",
		])}
	}
}

test_classes if {
	_messages({"version": "1", "name": "lake/restricted/a"}, {}, {}) == set()
	_messages({"version": "1", "name": "lake/classification=public/a"}, {}, {}) == set()
	_messages({"version": "1"}, {}, {}) == {concat("", [
		"the dataset \"u\" carries no class; ",
		"required is one of public, restricted in its reference or in the label or annotation class",
	])}
	_messages({"version": "1"}, {"class": 7}, {}) == {concat("", [
		"the dataset \"u\" carries the class 7; ",
		"required is one of public, restricted in its reference or in the label or annotation class",
	])}
}

test_the_stricter_of_two_classes if {
	_messages({"version": "1", "name": "lake/restricted/a"}, {"class": "public"}, {}) == {concat("", [
		"the dataset \"u\" carries the class \"public\", and its reference says \"restricted\"; ",
		"required is the stricter one",
	])}
	_messages({"version": "1", "name": "lake/public/a"}, {"class": "restricted"}, {}) == set()
}

test_a_path_that_data_are_put_at if {
	local := {"path": "/a", "uri": "/data", "scheme": "file", "name": "/data", "role": "dataset"}
	remote := {"path": "/b", "uri": "s3://a/v1", "scheme": "s3", "name": "a/v1", "role": "dataset"}
	alone := dataset_tags.violations with input as _with_models([local])
	{violation.path | some violation in alone} == {"/a"}
	both := dataset_tags.violations with input as _with_models([local, remote])
	both == set()
}

_with_models(models) := object.union(_input({}, {"class": "public"}, {}), {"subject": {"models": models}})

test_unseen if {
	_messages({"unresolved": "why"}, {"class": "public"}, {}) == {concat("", [
		"the dataset (why) carries no version; ",
		"required is one in its reference or in the label or annotation dataset-version",
	])}
	_messages({"unresolved": "why"}, _tagged, {}) == set()
}
