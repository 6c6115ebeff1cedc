package policies.data.approved_claims_test

import data.lib.pods_test as pods
import data.policies.data.approved_claims

_violations(kind, volumes, models) := found if {
	found := approved_claims.violations with input as {
		"subject": {
			"kind": kind,
			"pods": [{"path": "/spec", "volumes": volumes, "containers": []}],
			"models": models,
			"servers": [],
			"gpus": {"peak": 0},
		},
		"parameters": {"claims": ["datalake-*"]},
	}
}

_claim(name) := [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]

test_approved_claims if {
	_violations("Job", _claim("datalake-a"), []) == set()
	_violations("Job", [{"name": "tmp", "emptyDir": {}}], []) == set()
	_violations("Job", null, []) == set()
	_violations("Deployment", _claim("x"), []) == set()
}

test_other_claims if {
	_violations("Job", _claim("x"), []) == {{
		"message": "the claim of the volume \"data\" is \"x\"; approved for training are datalake-*",
		"path": "/spec/volumes/0/persistentVolumeClaim/claimName",
	}}
	every name in [null, "", 7, ["datalake-a"], {}] {
		pods.paths(_violations("Job", _claim(name), [])) == {"/spec/volumes/0/persistentVolumeClaim/claimName"}
	}
	every claim in ["datalake-a", 7, [], {}] {
		count(_violations("Job", [{"name": "data", "persistentVolumeClaim": claim}], [])) == 1
	}
}

test_what_cannot_be_read_is_refused if {
	every volumes in ["x", 7, {}, ["x"]] {
		count(_violations("Job", volumes, [])) == 1
	}
}

test_datasets_in_claims if {
	dataset := {"path": "/d", "uri": "pvc://x/y", "scheme": "pvc", "name": "x/y", "role": "dataset"}
	_violations("Job", [], [dataset]) == {{
		"message": "the dataset \"pvc://x/y\" is in a claim; approved for training are datalake-*",
		"path": "/d",
	}}
	_violations("Job", [], [object.union(dataset, {"name": "datalake-a/y"})]) == set()
	_violations("Job", [], [object.union(dataset, {"role": "model"})]) == set()
	_violations("Job", [], [object.union(dataset, {"uri": "/data"})]) == set()
}
