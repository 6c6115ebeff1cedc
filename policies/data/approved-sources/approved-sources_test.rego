package policies.data.approved_sources_test

import data.policies.data.approved_sources

_dataset(fields) := object.union({"path": "/d", "uri": "s3://x/y", "scheme": "s3", "name": "x/y", "role": "dataset"}, fields)

_messages(kind, dataset) := {violation.message | some violation in found} if {
	found := approved_sources.violations with input as {
		"subject": {"kind": kind, "pods": [], "servers": [], "models": [dataset], "gpus": {"peak": 0}},
		"parameters": {"sources": ["s3://datalake", "pvc:"]},
	}
}

test_the_lake if {
	_messages("Job", _dataset({"name": "datalake/claims"})) == set()
	_messages("Job", _dataset({"scheme": "pvc", "name": "claim/a"})) == set()
	_messages("Job", _dataset({"role": "model"})) == set()
	_messages("Deployment", _dataset({})) == set()
}

test_elsewhere if {
	_messages("Job", _dataset({})) == {"the dataset \"s3://x/y\" comes from no approved source; required is one of pvc:, s3://datalake"}
	every fields in [{"name": null}, {"name": 7}, {"name": ""}, {"scheme": "gs", "name": "datalake/a"}, {"name": "datalake/../x"}] {
		count(_messages("Job", _dataset(fields))) == 1
	}
}

test_unseen if _messages("Job", _dataset({"unresolved": "why"})) == {concat("", [
	"the dataset cannot be seen here (why); ",
	"required is a reference in the manifest, to one of pvc:, s3://datalake",
])}
