package policies.platform.registry_storage_test

import data.policies.platform.registry_storage

_storage := {"type": "s3", "bucket": "models", "region": "eu-west-1"}

_violations_of(submitted, regions) := found if {
	found := registry_storage.violations with input as {
		"subject": {"apiVersion": "ai.platform.internal/v1", "kind": "ModelRegistry"},
		"object": submitted,
		"parameters": {"storage_types": ["gcs", "s3"], "regions": regions},
	}
}

_paths(changed) := {violation.path | some violation in found} if {
	found := _violations_of({"spec": {"storage": object.union(_storage, changed)}}, ["eu-*"])
}

test_storage_that_may_be_used if {
	every changed in [{}, {"type": "gcs"}, {"bucket": "models.v2-eu"}, {"region": "eu-central-1"}, {"prefix": "a/b"}] {
		_paths(changed) == set()
	}
}

test_types if {
	every type in ["S3", "nfs", "", null, 7, ["s3"], {}] {
		_paths({"type": type}) == {"/spec/storage/type"}
	}
}

test_buckets if {
	every bucket in ["", "ab", "Models", "s3://models", "models/v2", "models_eu", "-models", "models\n", null, 7, ["models"], {}] {
		_paths({"bucket": bucket}) == {"/spec/storage/bucket"}
	}
}

test_regions if {
	every region in ["", "us-east-1", "EU-west-1", "eu west", "eu-", "eu-west-1\n", null, 7, ["eu-west-1"], {}] {
		_paths({"region": region}) == {"/spec/storage/region"}
	}
	_violations_of({"spec": {"storage": object.union(_storage, {"region": null})}}, ["*"]) == {{
		"message": "spec.storage.region is missing; required is a region such as eu-west-1",
		"path": "/spec/storage/region",
	}}
}

test_no_storage if {
	fields := {"/spec/storage/type", "/spec/storage/bucket", "/spec/storage/region"}
	every submitted in [null, {}, {"spec": null}, {"spec": {"storage": {}}}] {
		{violation.path | some violation in _violations_of(submitted, ["*"])} == fields
	}
	every storage in ["s3://models", 7, []] {
		{violation.path | some violation in _violations_of({"spec": {"storage": storage}}, ["*"])} == {"/spec/storage"}
	}
}
