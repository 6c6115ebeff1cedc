package policies.network.exposed_services_test

import data.lib.pods_test
import data.policies.network.exposed_services

_parameters := {
	"all_services": false,
	"kept_inside": ["qdrant*", "*notebook*", "*vector-db*"],
	"identifying_labels": ["app"],
	"ports_kept_inside": [6333],
	"internal_load_balancers": {"example.com/internal": "true"},
}

_document(name, labels, spec) := {
	"subject": {
		"apiVersion": "v1",
		"kind": "Service",
		"labels": labels,
		"annotations": {},
		"identity": {"name": name, "generateName": ""},
	},
	"object": {"spec": spec},
	"parameters": _parameters,
}

_violations(name, labels, spec) := found if {
	found := exposed_services.violations with input as _document(name, labels, spec)
}

_paths(name, labels, spec) := pods_test.paths(_violations(name, labels, spec))

_patches(spec) := found if {
	found := exposed_services.patches with input as _document("qdrant", {}, spec)
}

test_each_way_out if {
	every type in ["LoadBalancer", "NodePort", "loadbalancer", 1, {}] {
		_paths("qdrant", {}, {"type": type}) == {"/spec/type"}
	}
	every type in [null, "", "ClusterIP", "ExternalName"] {
		_paths("qdrant", {}, {"type": type}) == set()
	}
	every addresses in [["203.0.113.7"], "203.0.113.7", {}, 1] {
		_paths("qdrant", {}, {"externalIPs": addresses}) == {"/spec/externalIPs"}
	}
	every addresses in [null, []] {
		_paths("qdrant", {}, {"externalIPs": addresses}) == set()
	}
}

test_what_it_is_known_by if {
	every name in ["qdrant", "qdrant-headless", "team-a-qdrant-0", "Notebook", "my-vector-db-lb"] {
		_paths(name, {}, {"type": "NodePort"}) == {"/spec/type"}
	}
	every labels in [{"app": "qdrant"}, {"notebook-name": "x"}, {"x": 1, "app": "a-notebook"}] {
		_paths("x", labels, {"type": "NodePort"}) == {"/spec/type"}
	}
	every spec in [
		{"selector": {"x": "qdrant"}},
		{"selector": {"notebook-name": "x"}},
		{"ports": [{"port": 6333}]},
		{"ports": [{}, {"port": 80, "targetPort": 6333}]},
		{"ports": [{"port": 80, "name": "qdrant-http"}]},
		{"ports": [{"port": 80, "targetPort": "notebook"}]},
	] {
		_paths("x", {}, object.union(spec, {"type": "NodePort"})) == {"/spec/type"}
	}
}

test_others_are_let_be if {
	every name in ["search-api", "", "vector", "squadrant", "db"] {
		_paths(name, {"team": "notebooks-platform"}, {"type": "LoadBalancer", "ports": [{"port": 443}]}) == set()
	}
}

test_an_internal_load_balancer if {
	document := _document("qdrant", {}, {"type": "LoadBalancer"})
	every case in [{"value": "true", "findings": 0}, {"value": "false", "findings": 1}, {"value": null, "findings": 1}] {
		subject := object.union(document.subject, {"annotations": {"example.com/internal": case.value}})
		violations := exposed_services.violations with input as object.union(document, {"subject": subject})
		count(violations) == case.findings
	}
}

test_all_services if {
	document := object.union(
		_document("x", null, {"type": "NodePort"}),
		{"parameters": object.union(_parameters, {"all_services": true})},
	)
	violations := exposed_services.violations with input as document
	violations == {{"message": "this Service is of the type \"NodePort\"; required is \"ClusterIP\"", "path": "/spec/type"}}
}

test_the_finding_says_why if {
	_violations("qdrant", {"app": "a-notebook"}, {"type": "NodePort", "ports": [{"port": 6333}]}) == {{
		"message": concat("", [
			"this Service of a vector store or notebook (the label app \"a-notebook\", the name \"qdrant\", the port 6333) ",
			"is of the type \"NodePort\"; required is \"ClusterIP\"",
		]),
		"path": "/spec/type",
	}}
}

test_patches if {
	_patches({"type": "NodePort"}) == {{"op": "replace", "path": "/spec/type", "value": "ClusterIP"}}
	_patches({"externalIPs": ["203.0.113.7"]}) == {{"op": "remove", "path": "/spec/externalIPs"}}
	every spec in [
		{"type": "ClusterIP"},
		{"type": "NodePort", "ports": [{"nodePort": 30333}]},
		{"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
	] {
		_patches(spec) == set()
	}
}

test_values_of_the_wrong_type if {
	every spec in ["x", 1, [], true] {
		_paths("qdrant", {}, spec) == {"/spec"}
	}
	every labels in [null, [], "x", {"app": null}, {"app": 1}] {
		_paths("qdrant", labels, {"type": "NodePort", "selector": "x", "ports": "x"}) == {"/spec/type"}
	}
	every ports in [null, "x", {}, [null], ["x"], [{"port": "x", "targetPort": {}}]] {
		_paths("qdrant", {}, {"type": "NodePort", "ports": ports, "selector": [1]}) == {"/spec/type"}
	}
}

test_other_kinds_are_not_judged if {
	every subject in [{"apiVersion": "v1", "kind": "Endpoints"}, {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}] {
		document := object.union(_document("qdrant", {}, {"type": "NodePort"}), {"subject": subject})
		violations := exposed_services.violations with input as document
		violations == set()
	}
}
