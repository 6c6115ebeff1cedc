package policies.data.storage_endpoints_test

import data.lib.pods_test as pods
import data.policies.data.storage_endpoints

_violations(fields) := found if {
	found := storage_endpoints.violations with input as {
		"subject": {"pods": [{"path": "/spec", "containers": [pods.container(fields)]}]},
		"parameters": {"hosts": ["*.internal", "s3.*.amazonaws.com"], "variables": ["HF_ENDPOINT", "AWS_ENDPOINT_URL"]},
	}
}

_variable(value) := _violations({"env": [{"name": "HF_ENDPOINT", "value": value}]})

test_approved_hosts if {
	every value in [
		"https://hub.internal",
		"http://minio.internal:9000/",
		"minio.internal:9000",
		"HTTPS://Hub.Internal./x",
		"https://s3.eu-west-1.amazonaws.com",
		"",
	] {
		_variable(value) == set()
	}
	_violations({"env": [{"name": "OTHER", "value": "https://example.com"}]}) == set()
}

test_other_hosts if {
	_variable("https://hf-mirror.com") == {{
		"message": concat("", [
			"container \"server\" asks for a store at \"https://hf-mirror.com\" (the variable \"HF_ENDPOINT\"); ",
			"approved are *.internal, s3.*.amazonaws.com",
		]),
		"path": "/spec/containers/0/env/0",
	}}
	every value in [
		"https://hub.internal.example.com",
		"https://example.com/hub.internal",
		"https://hub.internal@example.com",
		"https://example.com#hub.internal",
		"https://example.com?x=hub.internal",
		"https://a://hub.internal",
		"https://ec2-1.compute.amazonaws.com",
		`https://example.com\.internal`,
		7,
		null,
		[],
	] {
		count(_variable(value)) == 1
	}
}

test_endpoints_that_cannot_be_seen if {
	_violations({"env": [{"name": "HF_ENDPOINT", "valueFrom": {}}]}) == {{
		"message": concat("", [
			"container \"server\" asks for a store at a place that cannot be seen here (the variable \"HF_ENDPOINT\"); ",
			"approved are *.internal, s3.*.amazonaws.com",
		]),
		"path": "/spec/containers/0/env/0",
	}}
}

test_switches if {
	every args in [
		["a", "--endpoint-url=https://example.com"],
		["a", "--endpoint-url", "https://example.com"],
		["a", "aws s3 cp --endpoint-url 'https://example.com' s3://a b"],
		["a", "--endpoint-url"],
		["a", "--endpoint-url=$(ELSEWHERE)"],
	] {
		pods.paths(_violations({"args": args})) == {"/spec/containers/0/args/1"}
	}
	every args in [
		["--endpoint-url=https://minio.internal:9000"],
		["--endpoint-url", "https://minio.internal"],
		["--endpoint-url=$(AWS_ENDPOINT_URL)"],
		["--endpoint-url", "$(AWS_ENDPOINT_URL)"],
		["aws s3 cp --endpoint-url \"${AWS_ENDPOINT_URL}\" s3://a b"],
		["--other", "https://example.com"],
		[7],
		"x",
		null,
	] {
		_violations({"args": args}) == set()
	}
}
