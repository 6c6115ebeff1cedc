package policies.serving.model_named_test

import data.policies.serving.model_named

_subject(fields) := object.union({"kind": "Deployment", "models": [], "servers": [], "gpus": {"peak": 1}}, fields)

_violations(subject) := found if {
	found := model_named.violations with input as {
		"subject": subject,
		"parameters": {"serving_kinds": ["Deployment"], "models_in_images": ["nim"]},
	}
}

_nameless := {{
	"message": concat("", [
		"this Deployment uses GPUs, and nothing in it names a model; ",
		"required is the model's name in an argument, a variable or a field of the kind",
	]),
	"path": "/spec",
}}

test_a_named_model if _violations(_subject({"models": [{"path": "/m", "role": "model", "unresolved": ""}]})) == set()

test_no_model if {
	_violations(_subject({})) == _nameless
	_violations(_subject({"gpus": null})) == _nameless
	_violations(_subject({"models": [{"path": "/m", "role": "tokenizer"}]})) == _nameless
	_violations(_subject({"models": [{"path": "/m", "role": "dataset"}]})) == _nameless
}

test_an_unseen_model if _violations(_subject({"models": [{"path": "/m", "role": "model", "unresolved": "why"}]})) == {{
	"message": "the model cannot be seen here (why); required is its name in the manifest",
	"path": "/m",
}}

test_without_gpus_or_serving_nothing_is_asked_for if {
	_violations(_subject({"gpus": {"peak": 0}})) == set()
	_violations(_subject({"kind": "Job"})) == set()
	_violations(_subject({"kind": "Job", "servers": [{"framework": ""}]})) == set()
	count(_violations(_subject({"kind": "Job", "servers": [{"framework": "triton"}]}))) == 1
}

test_images_that_hold_their_model if {
	_violations(_subject({"servers": [{"framework": "nim"}]})) == set()
	count(_violations(_subject({"servers": [{"framework": "nim"}, {"framework": "ollama"}]}))) == 1
}
