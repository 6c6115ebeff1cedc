package policies.workload.topology_spread_test

import data.policies.workload.topology_spread

_input(kind, pod) := {
	"subject": {"kind": kind, "pods": [object.union(
		{"path": "/spec/template/spec", "labels": {"app": "llm"}, "replicas": {"min": 2, "max": 4}},
		pod,
	)]},
	"parameters": {"serving_kinds": ["Deployment"], "topology_keys": ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]},
}

_violations(kind, pod) := found if {
	found := topology_spread.violations with input as _input(kind, pod)
}

_patches(pod) := found if {
	found := topology_spread.patches with input as _input("Deployment", pod)
}

_affinity(name, terms) := {"affinity": {"podAntiAffinity": {name: terms}}}

_required := "requiredDuringSchedulingIgnoredDuringExecution"

_preferred := "preferredDuringSchedulingIgnoredDuringExecution"

_path := "/spec/template/spec/topologySpreadConstraints"

test_each_way_to_spread if {
	every key in ["kubernetes.io/hostname", "topology.kubernetes.io/zone"] {
		every pod in [
			{"topologySpreadConstraints": [{"topologyKey": "rack"}, {"topologyKey": key}]},
			_affinity(_required, [{"topologyKey": key}]),
			_affinity(_preferred, [{"weight": 1, "podAffinityTerm": {"topologyKey": key}}]),
		] {
			_violations("Deployment", pod) == set()
			_patches(pod) == set()
		}
	}
}

test_the_finding_and_its_patch if {
	every pod in [{}, {"topologySpreadConstraints": null}, {"topologySpreadConstraints": []}, {"affinity": null}] {
		_violations("Deployment", pod) == {{
			"message": concat("", [
				"this Deployment can have 4 replicas on one node; required are topologySpreadConstraints over ",
				"kubernetes.io/hostname or topology.kubernetes.io/zone",
			]),
			"path": _path,
		}}
		_patches(pod) == {{"op": "add", "path": _path, "value": [{
			"maxSkew": 1,
			"topologyKey": "kubernetes.io/hostname",
			"whenUnsatisfiable": "ScheduleAnyway",
			"labelSelector": {"matchLabels": {"app": "llm"}},
		}]}}
	}
}

test_no_patch_over_the_authors_own_or_without_labels if {
	_patches({"topologySpreadConstraints": [{"topologyKey": "rack"}]}) == set()
	_patches({"labels": null}) == set()
	_patches({"labels": "app=llm"}) == set()
}

test_other_kinds_and_single_pods_are_not_judged if {
	_violations("Job", {}) == set()
	_violations("Deployment", {"replicas": {"min": 1, "max": 1}}) == set()
}

test_what_cannot_be_read_spreads_nothing if {
	every value in ["zone", 1, true, {"topologyKey": "kubernetes.io/hostname"}, ["kubernetes.io/hostname"], [{"topologyKey": 1}]] {
		count(_violations("Deployment", {"topologySpreadConstraints": value})) == 1
		count(_violations("Deployment", _affinity(_required, value))) == 1
		count(_violations("Deployment", _affinity(_preferred, value))) == 1
	}
	every value in ["x", 1, []] {
		count(_violations("Deployment", {"affinity": value})) == 1
		count(_violations("Deployment", {"affinity": {"podAntiAffinity": value}})) == 1
	}
}
