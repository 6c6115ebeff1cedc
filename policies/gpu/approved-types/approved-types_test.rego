package policies.gpu.approved_types_test

import data.lib.pods_test as pods
import data.policies.gpu.approved_types

_violations(by_resource, pod) := found if {
	found := approved_types.violations with input as {
		"subject": {
			"kind": "Pod",
			"pods": [object.union({"path": "/spec", "containers": []}, pod)],
			"gpus": {"by_resource": by_resource},
		},
		"parameters": {
			"approved_resources": ["nvidia.com/gpu", "nvidia.com/mig-*"],
			"type_labels": ["gpu.product", "example.com/gpu"],
			"approved_types": ["*H100*", "L4"],
		},
	}
}

_affinity(terms) := {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}

_terms := "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms"

_expression(fields) := [{"matchExpressions": [object.union({"key": "gpu.product", "operator": "In"}, fields)]}]

test_approved_resources if {
	_violations({}, {}) == set()
	_violations({"nvidia.com/gpu": 1, "nvidia.com/mig-1g.10gb": 1}, {}) == set()
	_violations(null, {}) == set()
}

test_other_resources if {
	_violations({"nvidia.com/gpu": 1, "amd.com/gpu": 0}, {}) == {{
		"message": "this Pod asks for \"amd.com/gpu\"; approved are nvidia.com/gpu, nvidia.com/mig-*",
		"path": "/spec",
	}}
}

test_node_selectors if {
	every selector in [null, {}, {"gpu.product": "NVIDIA-H100"}, {"example.com/gpu": "L4"}, {"zone": "a"}, {"gpu.product": null}] {
		_violations({}, {"nodeSelector": selector}) == set()
	}
	_violations({}, {"nodeSelector": {"example.com/gpu": "L40"}}) == {{
		"message": "the pod chooses nodes by \"example.com/gpu\" \"L40\"; approved are *H100*, L4",
		"path": "/spec/nodeSelector/example.com~1gpu",
	}}
}

test_affinity if {
	every terms in [
		null,
		[],
		[{}],
		[{"matchExpressions": null}],
		_expression({"values": ["L4", "H100"]}),
		_expression({"operator": "NotIn", "values": ["V100"]}),
		_expression({"operator": "Exists"}),
		_expression({"key": "zone", "values": ["a"]}),
	] {
		_violations({}, _affinity(terms)) == set()
	}
	_violations({}, _affinity(_expression({"values": ["L4", "V100"]}))) == {{
		"message": "the pod chooses nodes by \"gpu.product\" \"V100\"; approved are *H100*, L4",
		"path": concat("", [_terms, "/0/matchExpressions/0"]),
	}}
}

test_what_cannot_be_read_is_refused if {
	every value in ["x", 1, true, []] {
		pods.paths(_violations({}, {"nodeSelector": value})) == {"/spec/nodeSelector"}
		pods.paths(_violations({}, {"affinity": value})) == {"/spec/affinity"}
		pods.paths(_violations({}, _affinity([value]))) == {concat("", [_terms, "/0"])}
		pods.paths(_violations({}, _affinity([{"matchExpressions": [value]}]))) == {concat("", [_terms, "/0/matchExpressions/0"])}
	}
	every value in ["x", 1, true, {}] {
		pods.paths(_violations({}, _affinity(value))) == {_terms}
		pods.paths(_violations({}, {"nodeSelector": {"gpu.product": value}})) == {"/spec/nodeSelector/gpu.product"}
		pods.paths(_violations({}, _affinity(_expression({"values": value})))) == {concat("", [_terms, "/0/matchExpressions/0"])}
	}
}

test_the_types_that_an_ai_model_names_are_for_its_own_policy if {
	found := approved_types.violations with input as {
		"subject": {
			"apiVersion": "ai.platform.internal/v1",
			"kind": "AIModel",
			"pods": [{"path": "/spec/serving", "containers": [], "nodeSelector": {"gpu.product": "V100"}}],
			"gpus": {"by_resource": {"nvidia-a10g": 2}},
		},
		"parameters": {"approved_resources": ["nvidia.com/gpu"], "type_labels": ["gpu.product"], "approved_types": ["L4"]},
	}
	pods.paths(found) == {"/spec/serving/nodeSelector/gpu.product"}
}
