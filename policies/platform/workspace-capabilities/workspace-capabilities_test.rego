package policies.platform.workspace_capabilities_test

import data.policies.platform.workspace_capabilities

_violations_of(spec) := found if {
	found := workspace_capabilities.violations with input as {
		"subject": {"apiVersion": "ai.platform.internal/v1", "kind": "AIWorkspace"},
		"object": {"spec": spec},
		"parameters": {"capabilities": ["model-serving", "vector-database"]},
	}
}

test_capabilities_of_the_list if {
	every capabilities in [[], ["model-serving"], ["vector-database", "model-serving"], null] {
		_violations_of({"capabilities": capabilities}) == set()
	}
	_violations_of({}) == set()
	_violations_of(null) == set()
}

test_other_capabilities if {
	every capability in ["root-shell", "Model-Serving", "", "*", null, 7, true, ["model-serving"], {}] {
		{violation.path | some violation in _violations_of({"capabilities": ["model-serving", capability]})} == {"/spec/capabilities/1"}
	}
	_violations_of({"capabilities": ["root-shell"]}) == {{
		"message": "spec.capabilities[0] is \"root-shell\"; required is one of model-serving, vector-database",
		"path": "/spec/capabilities/0",
	}}
}

test_no_list if {
	every capabilities in ["model-serving", 7, true, {}, {"root-shell": true}] {
		{violation.path | some violation in _violations_of({"capabilities": capabilities})} == {"/spec/capabilities"}
	}
	_violations_of("x") == {{"message": "spec is \"x\"; required is an object", "path": "/spec"}}
}
