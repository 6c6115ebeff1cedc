package policies.serving.trust_remote_code_test

import data.lib.pods_test as pods
import data.policies.serving.trust_remote_code

_input(path, container) := {"subject": {
	"pods": [{"path": "/spec", "containers": [container]}],
	"servers": [{"path": "/spec/containers/0", "framework": "vllm", "trust_remote_code": path}],
}}

_violations(path, container) := found if {
	found := trust_remote_code.violations with input as _input(path, container)
}

_patches(path, container) := found if {
	found := trust_remote_code.patches with input as _input(path, container)
}

test_off if {
	_violations("", pods.container({})) == set()
	_patches("", pods.container({"args": ["--trust-remote-code"]})) == set()
}

test_on if _violations("/spec/containers/0/args/1", pods.container({})) == {{
	"message": "trust_remote_code is on, so that code that comes with the model runs; required is off",
	"path": "/spec/containers/0/args/1",
}}

test_a_switch_is_removed if {
	every args in [
		["a", "--trust-remote-code"],
		["a", "--trust_remote_code"],
		["a", "--trust-remote-code=True"],
		["a", "--trust-remote-code", "acme/llm"],
		["a", "--trust-remote-code", "--port"],
	] {
		_patches("/spec/containers/0/args/1", pods.container({"args": args})) == {{
			"op": "remove",
			"path": "/spec/containers/0/args/1",
		}}
	}
}

test_what_is_more_than_the_switch_stays if {
	every args in [
		["a", "--trust-remote-code", "true"],
		["a", "--trust-remote-code", "$(TRUST)"],
		["a", "vllm serve a --trust-remote-code"],
		["a", "--trust-rem"],
		["a", 7],
		["a"],
		"--trust-remote-code",
		null,
	] {
		_patches("/spec/containers/0/args/1", pods.container({"args": args})) == set()
	}
}

test_a_variable_and_a_field_become_false if {
	env := [{"name": "TRUST_REMOTE_CODE", "value": "1"}, {"name": "EXTRA", "value": "--trust-remote-code"}]
	_patches("/spec/containers/0/env/0/value", pods.container({"env": env})) == {{
		"op": "replace",
		"path": "/spec/containers/0/env/0/value",
		"value": "false",
	}}
	_patches("/spec/containers/0/env/1/value", pods.container({"env": env})) == set()
	_patches("/spec/trustRemoteCode", pods.container({})) == {{
		"op": "replace",
		"path": "/spec/trustRemoteCode",
		"value": false,
	}}
}
