package policies.labels.expiry_test

import data.policies.labels.expiry

_input(namespace, labels) := {
	"subject": {"labels": labels},
	"namespace": {"name": namespace},
	"now": "2028-02-15T23:59:59Z",
	"parameters": {"expiry_label": "expires", "sandbox_namespaces": ["sandbox-*"], "max_days": 14},
}

_violations(namespace, labels) := found if {
	found := expiry.violations with input as _input(namespace, labels)
}

_patches(labels) := found if {
	found := expiry.patches with input as _input("sandbox-ada", labels)
}

_finding(found) := {{
	"message": concat("", ["the label \"expires\" is ", found, "; required is a day within 14 days, such as 2028-02-29"]),
	"path": "/metadata/labels/expires",
}}

test_days_within_the_limit if {
	every day in ["2028-02-15", "2028-02-16", "2028-02-29"] {
		_violations("sandbox-ada", {"expires": day}) == set()
		_patches({"expires": day}) == set()
	}
}

test_days_outside if {
	_violations("sandbox-ada", {"expires": "2028-02-14"}) == _finding("\"2028-02-14\", which is past")
	_violations("sandbox-ada", {"expires": "2027-12-31"}) == _finding("\"2027-12-31\", which is past")
	_violations("sandbox-ada", {"expires": "2028-03-01"}) == _finding("\"2028-03-01\", which is too far ahead")
}

test_no_day if {
	every labels in [null, {}, [], {"expires": null}] {
		_violations("sandbox-ada", labels) == _finding("missing")
		_patches(labels) == {{"op": "add", "path": "/metadata/labels/expires", "value": "2028-02-29"}}
	}
	every value in ["soon", "2028-2-20", "2028-02-20T00:00:00Z", "28-02-20", "2028-00-20", "2028-02-32", ""] {
		_violations("sandbox-ada", {"expires": value}) == _finding(concat("", ["\"", value, "\""]))
		_patches({"expires": value}) == set()
	}
	_violations("sandbox-ada", {"expires": 20280220}) == _finding("20280220")
}

test_other_namespaces_are_no_sandboxes if {
	_violations("production", {}) == set()
	_violations("my-sandbox-ada", {}) == set()
}
