package policies.defaults.topology_spread_test

import data.policies.defaults.topology_spread

_patches(kind, pod, max) := found if {
	found := topology_spread.patches with input as {
		"subject": {"kind": kind, "pods": [object.union({"path": "/spec/template/spec", "replicas": {"max": max}}, pod)]},
		"object": {"spec": {"selector": {"matchLabels": {"app": "llm"}}}},
		"parameters": {"topology_key": "zone"},
	}
}

test_replicas_that_nothing_spreads if {
	every pod in [{}, {"topologySpreadConstraints": null}, {"affinity": "none"}, {"affinity": {"podAntiAffinity": {}}}] {
		_patches("Deployment", pod, 2) == {{
			"op": "add",
			"path": "/spec/template/spec/topologySpreadConstraints",
			"value": [{
				"maxSkew": 1,
				"topologyKey": "zone",
				"whenUnsatisfiable": "ScheduleAnyway",
				"labelSelector": {"matchLabels": {"app": "llm"}},
			}],
		}}
	}
}

test_what_is_left_alone if {
	_patches("Deployment", {}, 1) == set()
	_patches("DaemonSet", {}, 2) == set()
	_patches("Deployment", {"topologySpreadConstraints": []}, 2) == set()
	_patches("Deployment", {"affinity": {"podAntiAffinity": {"x": []}}}, 2) == set()
}
