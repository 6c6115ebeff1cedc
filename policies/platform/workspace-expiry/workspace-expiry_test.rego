package policies.platform.workspace_expiry_test

import data.policies.platform.workspace_expiry

_input(spec) := {
	"subject": {"apiVersion": "ai.platform.internal/v1", "kind": "AIWorkspace"},
	"object": {"spec": spec},
	"parameters": {"max_workspace_days": 30, "permanent_environments": ["production"]},
}

_violations(spec) := found if {
	found := workspace_expiry.violations with input as _input(spec)
}

_patches(spec) := found if {
	found := workspace_expiry.patches with input as _input(spec)
}

_finding(found) := {{
	"message": concat("", ["spec.expiry is ", found, "; required is a number of hours, days or weeks, at most 30d"]),
	"path": "/spec/expiry",
}}

test_times_within if {
	every expiry in ["30d", "1d", "720h", "4w", "1h"] {
		_violations({"expiry": expiry}) == set()
		_patches({"expiry": expiry}) == set()
	}
}

test_times_outside_and_what_is_none if {
	every expiry in ["31d", "721h", "5w", "0d", "never", "", "30", "1m", "30D", "-1d", "P30D", "2026-12-31", 30, true, [], ["30d"], {}] {
		{violation.path | some violation in _violations({"expiry": expiry})} == {"/spec/expiry"}
		_patches({"expiry": expiry}) == {{"op": "replace", "path": "/spec/expiry", "value": "30d"}}
	}
	_violations({"expiry": "31d"}) == _finding("\"31d\"")
}

test_no_time if {
	every spec in [null, {}, {"expiry": null}, {"environment": "staging"}, {"environment": ["production"]}] {
		_violations(spec) == _finding("missing")
		_patches(spec) == {{"op": "add", "path": "/spec/expiry", "value": "30d"}}
	}
	_violations("x") == {{"message": "spec is \"x\"; required is an object", "path": "/spec"}}
	_patches("x") == set()
}

test_permanent_environments if {
	_violations({"environment": "production"}) == set()
	_violations({"environment": "production", "expiry": null}) == set()
	_patches({"environment": "production"}) == set()
	_violations({"environment": "production", "expiry": "365d"}) == _finding("\"365d\"")
}
