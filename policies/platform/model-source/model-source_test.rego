package policies.platform.model_source_test

import data.policies.platform.model_source

_input(source, models) := {
	"subject": {"apiVersion": "ai.platform.internal/v1", "kind": "AIModel", "models": models},
	"object": {"spec": {"model": {"source": source}}},
	"parameters": {"model_registries": ["registry.internal/models/"], "mutable_tags": ["latest", "nightly-*"]},
}

_model(name, version, pinned) := {
	"path": "/spec/model/source",
	"scheme": "oci",
	"name": name,
	"version": version,
	"pinned": pinned,
}

_violations(source, models) := found if {
	found := model_source.violations with input as _input(source, models)
}

_mistral := "registry.internal/models/mistral-7b"

test_a_version_from_an_approved_registry if {
	every model in [_model(_mistral, "v2.0", false), _model(_mistral, "latest", true), _model("Registry.Internal/models/x", "v1", false)] {
		_violations("x", [model]) == set()
	}
}

test_another_registry if {
	every name in ["docker.io/models/x", "registry.internal/models-old/x", "registry.internal.evil/models/x"] {
		_violations(name, [_model(name, "v1", false)]) == {{
			"message": concat("", ["spec.model.source is \"", name, "\"; required is a model from registry.internal/models/"]),
			"path": "/spec/model/source",
		}}
	}
}

test_a_version_that_moves_or_is_missing if {
	every version in ["latest", "LATEST", "nightly-2026", "", null] {
		_violations("x", [_model(_mistral, version, false)]) == {{
			"message": "spec.model.source is \"x\"; required is the tag of a release, or a digest, such as registry.internal/models/mistral-7b:v2.0",
			"path": "/spec/model/source",
		}}
	}
}

test_both_at_once if count(_violations("x", [_model("docker.io/x", "latest", false)])) == 2

test_what_is_no_reference if {
	elsewhere := object.union(_model(_mistral, "v1", false), {"path": "/spec/adapter"})
	of_a_hub := object.union(_model("mistralai/mistral", "v1", false), {"scheme": "hf"})
	every models in [[], [elsewhere], [of_a_hub]] {
		_violations("x", models) == {{
			"message": "spec.model.source is \"x\"; required is a reference such as registry.internal/models/mistral-7b:v2.0",
			"path": "/spec/model/source",
		}}
	}
}

test_missing_and_malformed_sources if {
	every source in [null, 7, ["x"], {}] {
		count(_violations(source, [])) == 1
	}
	every submitted in [null, {}, {"spec": null}, {"spec": "x"}, {"spec": {"model": [1]}}] {
		found := model_source.violations with input as object.union(_input("x", []), {"object": submitted})
		count(found) == 1
	}
}

test_other_kinds if {
	other := object.union(_input("x", []), {"subject": {"apiVersion": "example.com/v1", "kind": "AIModel", "models": []}})
	found := model_source.violations with input as other
	found == set()
}
