package policies.serving.model_source_test

import data.policies.serving.model_source

_model(fields) := object.union({"path": "/m", "uri": "acme/llm", "scheme": "hf", "name": "acme/llm", "role": "model"}, fields)

_messages(model) := {violation.message | some violation in found} if {
	found := model_source.violations with input as {
		"subject": {"models": [model]},
		"parameters": {"sources": ["s3://models", "hf://trusted"]},
	}
}

test_approved_sources if {
	_messages(_model({"name": "trusted/llm"})) == set()
	_messages(_model({"scheme": "s3", "name": "models/llm"})) == set()
	_messages(_model({"role": "dataset"})) == set()
}

test_other_sources if {
	_messages(_model({})) == {concat("", [
		"the model \"acme/llm\" (hf://acme/llm) comes from no approved source; ",
		"required is one of hf://trusted, s3://models",
	])}
	every fields in [
		{"name": null},
		{"name": 7},
		{"scheme": null},
		{"uri": null},
		{"role": "tokenizer"},
		{"role": "lora"},
		{"role": "draft"},
		{"role": null},
	] {
		count(_messages(_model(fields))) == 1
	}
	count(_messages({"path": "/m"})) == 1
}

test_unseen if _messages(_model({"unresolved": "why"})) == {concat("", [
	"the model cannot be seen here (why); ",
	"required is a reference in the manifest, to one of hf://trusted, s3://models",
])}

test_what_is_copied_for_a_server if {
	copied := _model({"path": "/spec/initContainers/0/args/2", "role": "dataset", "uri": "s3://x/y", "scheme": "s3", "name": "x/y"})
	_paths("Deployment", [{"framework": "vllm"}], copied) == {"/spec/initContainers/0/args/2"}
	_paths("Deployment", [{"framework": ""}], copied) == set()
	_paths("Deployment", [], copied) == set()
	_paths("Job", [{"framework": "vllm"}], copied) == set()
	_paths("Deployment", [{"framework": "vllm"}], object.union(copied, {"path": "/spec/containers/0/args/2"})) == set()
}

_paths(kind, servers, model) := {violation.path | some violation in found} if {
	found := model_source.violations with input as {
		"subject": {"kind": kind, "pods": [], "labels": {}, "servers": servers, "models": [model]},
		"parameters": {"sources": ["s3://models"]},
	}
}
