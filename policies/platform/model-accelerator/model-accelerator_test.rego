package policies.platform.model_accelerator_test

import data.policies.platform.model_accelerator

_subject := {"apiVersion": "ai.platform.internal/v1", "kind": "AIModel"}

_violations_of(submitted) := found if {
	found := model_accelerator.violations with input as {
		"subject": _subject,
		"object": submitted,
		"parameters": {"accelerators": ["nvidia-l4", "nvidia-h100*"]},
	}
}

_violations(serving) := _violations_of({"spec": {"serving": serving}})

_finding(field, found, required) := {{
	"message": concat("", ["spec.serving.", field, " is ", found, "; required is ", required]),
	"path": concat("/", ["/spec/serving", field]),
}}

_types := "one of nvidia-l4, nvidia-h100*"

test_approved_types if {
	every serving in [{"gpu": "nvidia-l4"}, {"gpu": "nvidia-h100-80gb", "gpuCount": 2}, {"gpu": "nvidia-l4", "gpuCount": null}, {}, {"gpu": null}, null] {
		_violations(serving) == set()
	}
	every submitted in [null, {}, {"spec": null}] {
		_violations_of(submitted) == set()
	}
}

test_other_types if {
	_violations({"gpu": "nvidia-v100"}) == _finding("gpu", "\"nvidia-v100\"", _types)
	_violations({"gpu": ""}) == _finding("gpu", "\"\"", _types)
	_violations({"gpu": 4}) == _finding("gpu", "4", _types)
	_violations({"gpu": {}}) == _finding("gpu", "an object", _types)
	_violations({"gpu": false}) == _finding("gpu", "false", _types)
}

test_counts if {
	every count in [0, -1, 1.5, "2", [], false] {
		{violation.path | some violation in _violations({"gpu": "nvidia-l4", "gpuCount": count})} == {"/spec/serving/gpuCount"}
	}
	_violations({"gpuCount": 2}) == _finding("gpu", "missing", concat("", ["the type of what gpuCount counts: ", _types]))
	count(_violations({"gpuCount": 0})) == 2
}

test_a_part_that_cannot_hold_it if {
	every serving in ["x", [], 7] {
		{violation.path | some violation in _violations(serving)} == {"/spec/serving"}
	}
}

test_other_kinds if {
	found := model_accelerator.violations with input as {
		"subject": {"apiVersion": "v1", "kind": "Pod"},
		"object": {"spec": {"serving": {"gpu": "x"}}},
		"parameters": {"accelerators": ["nvidia-l4"]},
	}
	found == set()
}
