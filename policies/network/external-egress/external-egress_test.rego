package policies.network.external_egress_test

import data.lib.pods_test
import data.policies.network.external_egress

_parameters := {
	"classification_label": "data-classification",
	"sensitive_classifications": ["confidential", "restricted"],
	"internal_networks": ["10.0.0.0/8", "fc00::/7"],
	"approved_networks": ["203.0.113.0/24"],
	"approved_external_hosts": ["*.approved.example"],
}

_document(subject, namespace, spec) := {
	"subject": object.union({"labels": {}}, subject),
	"object": {"spec": spec},
	"namespace": namespace,
	"parameters": _parameters,
}

_policy := {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}

_entry := {"apiVersion": "networking.istio.io/v1beta1", "kind": "ServiceEntry"}

_restricted := {"name": "search", "labels": {"data-classification": "restricted"}}

_found(subject, namespace, spec) := found if {
	found := external_egress.violations with input as _document(subject, namespace, spec)
}

_paths(spec) := pods_test.paths(_found(_policy, _restricted, spec))

test_the_finding if {
	_found(_policy, _restricted, {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}) == {{
		"message": "the rule allows traffic to a block whose cidr is \"0.0.0.0/0\"; required is an internal network, or a waiver",
		"path": "/spec/egress/0/to/0/ipBlock",
	}}
}

test_networks if {
	every block in ["10.1.0.0/16", "fd12::/16", "203.0.113.0/24"] {
		_paths({"egress": [{"to": [{"ipBlock": {"cidr": block}}]}]}) == set()
	}
	every block in ["203.0.113.0/25", "8.8.8.8/32", "10.0.0.0/7", "::/0", "", null, 1, "10.0.0.0"] {
		_paths({"egress": [{"to": [{"ipBlock": {"cidr": block}}]}]}) == {"/spec/egress/0/to/0/ipBlock"}
	}
	every block in ["x", 1, [], {}] {
		_paths({"egress": [{"to": [{"ipBlock": block}]}]}) == {"/spec/egress/0/to/0/ipBlock"}
	}
}

test_rules_without_peers if {
	every rule in [{}, {"to": null}, {"to": []}, {"ports": [{"port": 443}]}] {
		_paths({"egress": [rule]}) == {"/spec/egress/0"}
	}
	_paths({"egress": [{"to": [{"podSelector": {}}, {}]}]}) == {"/spec/egress/0/to/1"}
	every spec in [{}, null, {"egress": []}, {"ingress": [{}]}, {"policyTypes": ["Ingress"], "egress": [{}]}] {
		_paths(spec) == set()
	}
}

test_who_says_that_data_are_sensitive if {
	every policy in [
		{"subject": {"labels": {"data-classification": "restricted"}}, "spec": {}},
		{"subject": {}, "spec": {"podSelector": {"matchLabels": {"data-classification": "confidential"}}}},
		{"subject": {}, "spec": {"podSelector": {"matchExpressions": [
			null,
			{"key": "data-classification", "operator": "In", "values": ["public", "restricted"]},
		]}}},
	] {
		spec := object.union(policy.spec, {"egress": [{}]})
		count(_found(object.union(_policy, policy.subject), {"labels": {}}, spec)) == 1
	}
	every selector in [
		null,
		"x",
		{"matchLabels": {"data-classification": "public"}},
		{"matchExpressions": [{"key": "data-classification", "operator": "NotIn", "values": ["restricted"]}]},
		{"matchExpressions": "x"},
	] {
		_found(_policy, {"labels": {}}, {"podSelector": selector, "egress": [{}]}) == set()
	}
}

test_service_entries if {
	_found(_entry, _restricted, {"hosts": ["api.example.com", "a.approved.example"]}) == {{
		"message": concat("", [
			"the ServiceEntry opens the way to what is outside, and its host is \"api.example.com\"; ",
			"required is an approved host, or a waiver",
		]),
		"path": "/spec/hosts",
	}}
	every hosts in [null, [], "x", {}, [null], [1]] {
		pods_test.paths(_found(_entry, _restricted, {"hosts": hosts})) == {"/spec/hosts"}
	}
	_found(_entry, _restricted, {"hosts": ["a.internal"], "location": "MESH_INTERNAL"}) == set()
	_found(_entry, {"labels": {}}, {"hosts": ["api.example.com"]}) == set()
}

test_values_of_the_wrong_type if {
	every spec in ["x", 1, []] {
		_paths(spec) == {"/spec"}
	}
	every peers in ["x", 1, {}, [null]] {
		_paths({"egress": [{"to": peers}]}) == {"/spec/egress/0/to"}
	}
	every labels in [null, "x", []] {
		_found(object.union(_policy, {"labels": labels}), {"labels": labels}, {"egress": [{}]}) == set()
	}
}
