package policies.serving.model_revision_test

import data.policies.serving.model_revision

_model(fields) := object.union(
	{
		"path": "/m",
		"uri": "acme/llm",
		"scheme": "hf",
		"name": "acme/llm",
		"version": "",
		"pinned": false,
		"role": "model",
		"unresolved": "",
	},
	fields,
)

_violations(model) := found if {
	found := model_revision.violations with input as {
		"subject": {"models": [model]},
		"parameters": {"immutable_sources": ["file:", "s3://models/releases"]},
	}
}

_messages(model) := {violation.message | some violation in _violations(model)}

test_pinned if {
	_violations(_model({"pinned": true})) == set()
	_violations(_model({"scheme": "file", "name": "/models/llm"})) == set()
	_violations(_model({"scheme": "s3", "name": "models/releases/llm"})) == set()
	_violations(_model({"role": "dataset"})) == set()
}

test_not_pinned if {
	_violations(_model({})) == {{
		"message": "the model \"acme/llm\" (hf://acme/llm) names no revision; required is a commit (40 hexadecimal digits)",
		"path": "/m",
	}}
	every pinned in [null, "true", 1, {}] {
		count(_violations(_model({"pinned": pinned}))) == 1
	}
	count(_violations({"path": "/m"})) == 1
}

test_what_is_required_depends_on_the_scheme if {
	moving := "names the revision \"v2\", which can come to mean another one; required is"
	_messages(_model({"version": "v2", "scheme": "oci"})) == {concat(" ", ["the model \"acme/llm\" (oci://acme/llm)", moving, "a digest (@sha256:...)"])}
	_messages(_model({"version": "v2", "scheme": "models"})) == {concat(" ", ["the model \"acme/llm\" (models://acme/llm)", moving, "the number of a version"])}
	_messages(_model({"version": "v2", "scheme": "s3"})) == {concat(" ", [
		"the model \"acme/llm\" (s3://acme/llm)",
		moving,
		"the version of the object, or a source that is never overwritten",
	])}
}

test_unseen if _messages(_model({"unresolved": "why", "pinned": true})) == {concat("", [
	"the model cannot be seen here (why); ",
	"required is a reference in the manifest, with its revision",
])}
