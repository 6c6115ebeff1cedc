package policies.platform.model_slo_test

import data.policies.platform.model_slo

_paths_of(submitted) := {violation.path | some violation in found} if {
	found := model_slo.violations with input as {
		"subject": {"apiVersion": "ai.platform.internal/v1", "kind": "AIModel"},
		"object": submitted,
		"parameters": {"min_availability": 90},
	}
}

_paths(latency, availability) := _paths_of({"spec": {"monitoring": {"slo": {
	"latencyP99": latency,
	"availabilityTarget": availability,
}}}})

_latency := "/spec/monitoring/slo/latencyP99"

_availability := "/spec/monitoring/slo/availabilityTarget"

test_times if {
	every latency in ["500ms", "1.5s", "2m", "1m30s", "1h", "0.5s", "250us"] {
		_paths(latency, 99.9) == set()
	}
	every latency in ["", "500", "0s", "0ms", "500 ms", "-5ms", "fast", "5d", ".5s", "5.s", "500ms\n", "500MS", 500, null, true, [], ["500ms"], {}] {
		_paths(latency, 99.9) == {_latency}
	}
}

test_percentages if {
	every availability in [90, 99, 99.9, 99.99, 100] {
		_paths("500ms", availability) == set()
	}
	every availability in [0, 0.999, 89.9, 100.1, 999, -99.9, "99.9", "99.9%", null, true, [], [99.9], {}] {
		_paths("500ms", availability) == {_availability}
	}
}

test_nothing_said if {
	every submitted in [null, {}, {"spec": {}}, {"spec": {"monitoring": null}}, {"spec": {"monitoring": {"slo": {}}}}] {
		_paths_of(submitted) == {_latency, _availability}
	}
	_paths_of({"spec": {"monitoring": {"slo": []}}}) == {"/spec/monitoring/slo"}
	_paths_of({"spec": {"monitoring": "x"}}) == {"/spec/monitoring"}
}

test_messages if {
	found := model_slo.violations with input as {
		"subject": {"apiVersion": "ai.platform.internal/v1", "kind": "AIModel"},
		"object": {"spec": {"monitoring": {"slo": {"latencyP99": "500"}}}},
		"parameters": {"min_availability": 90},
	}
	found == {
		{"message": "spec.monitoring.slo.latencyP99 is \"500\"; required is a time above 0, such as 500ms", "path": _latency},
		{
			"message": "spec.monitoring.slo.availabilityTarget is missing; required is a number of per cent from 90 to 100, such as 99.9",
			"path": _availability,
		},
	}
}

test_other_kinds if {
	found := model_slo.violations with input as {
		"subject": {"apiVersion": "ai.platform.internal/v1", "kind": "AIWorkspace"},
		"object": {},
		"parameters": {"min_availability": 90},
	}
	found == set()
}
