package policies.data.public_buckets_test

import data.lib.pods_test as pods
import data.policies.data.public_buckets

_violations(models, container) := found if {
	found := public_buckets.violations with input as {
		"subject": {"pods": [{"path": "/spec", "containers": [container]}], "models": models},
		"parameters": {"public_buckets": ["s3://*-public", "gs://gcp-public-data*"]},
	}
}

_of(scheme, name) := _violations(
	[{"path": "/d", "uri": concat("://", [scheme, name]), "scheme": scheme, "name": name, "role": "dataset"}],
	pods.container({}),
)

_in(fields) := pods.paths(_violations([], pods.container(fields)))

test_public_buckets if {
	_of("s3", "Claims-Public/a") == {{
		"message": "the dataset \"s3://Claims-Public/a\" is in a public bucket; required is a bucket of the platform",
		"path": "/d",
	}}
	count(_of("gs", "gcp-public-data-landsat/a")) == 1
	_of("gs", "claims-public/a") == set()
	_of("s3", "lake/claims-public") == set()
}

test_web_addresses_of_buckets if {
	every name in [
		"s3.amazonaws.com/b/a",
		"b.s3.amazonaws.com/a",
		"b.s3.eu-west-1.amazonaws.com/a",
		"b.s3-eu-west-1.amazonaws.com:443/a",
		"b.s3.dualstack.eu-west-1.amazonaws.com./a",
		"s3.cn-north-1.amazonaws.com.cn/b/a",
		"ada@storage.googleapis.com/b/a",
		"b.storage.googleapis.com",
		"pub-1.r2.dev/a",
	] {
		count(_of("https", name)) == 1
	}
	every name in [
		"s3.amazonaws.com/b/a?X-Amz-Signature=1",
		"storage.googleapis.com/b/a?x=1&X-Goog-Signature=1",
		"data.internal/s3.amazonaws.com/a",
		"s3.amazonaws.com.example.com/a",
		"sagemaker.eu-west-1.amazonaws.com/a",
	] {
		_of("https", name) == set()
	}
}

test_switches if {
	every word in [
		"--no-sign-request",
		"aws s3 cp --no-sign-request s3://a b",
		"x=s3fs.S3FileSystem(anon=True)",
		"{\"anon\": true}",
		"fs=gcsfs.GCSFileSystem(token='anon')",
		"skip_signature=true",
		"Config(signature_version=UNSIGNED)",
	] {
		_in({"args": [word]}) == {"/spec/containers/0/args/0"}
		_in({"command": ["a", word]}) == {"/spec/containers/0/command/1"}
		_in({"env": [{"name": "X", "value": word}]}) == {"/spec/containers/0/env/0"}
	}
	every word in ["", "--sign-request", "anon=false", "canon=true", "token=anonymizer", "unsigned"] {
		_in({"args": [word], "env": [{"name": "X", "value": word}]}) == set()
	}
}

test_variables if {
	every value in ["1", "YES", "true"] {
		_in({"env": [{"name": "AWS_NO_SIGN_REQUEST", "value": value}]}) == {"/spec/containers/0/env/0"}
	}
	every value in ["", "0", "NO", "false", null, 7] {
		_in({"env": [{"name": "AWS_NO_SIGN_REQUEST", "value": value}]}) == set()
	}
	_in({"env": [{"name": "GS_NO_SIGN_REQUEST", "valueFrom": {}}]}) == {"/spec/containers/0/env/0"}
}

test_values_of_the_wrong_type if {
	every value in [null, 7, {}, ["x", null, 7, {}]] {
		_in({"args": value, "command": value, "env": value}) == set()
	}
	_in({"args": "--no-sign-request"}) == {"/spec/containers/0/args"}
}
