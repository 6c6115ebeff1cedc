package policies.network.allow_all_test

import data.lib.pods_test
import data.policies.network.allow_all

_document(namespace, spec) := {
	"subject": {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"},
	"object": {"spec": spec},
	"namespace": namespace,
	"parameters": {
		"classification_label": "data-classification",
		"restricted_classifications": ["confidential", "restricted"],
		"directions": ["ingress", "egress"],
		"shortest_prefix": 8,
	},
}

_restricted := {"name": "search", "labels": {"data-classification": "restricted"}}

_violations(spec) := found if {
	found := allow_all.violations with input as _document(_restricted, spec)
}

_paths(spec) := pods_test.paths(_violations(spec))

test_the_finding if {
	_violations({"ingress": [{}]}) == {{
		"message": concat("", [
			"the rule names no peer, which allows traffic from everywhere, in a namespace whose data-classification is ",
			"\"restricted\"; required are the peers that are needed",
		]),
		"path": "/spec/ingress/0",
	}}
}

test_each_way_to_allow_everything if {
	every peer in [
		{"ipBlock": {"cidr": "0.0.0.0/0"}},
		{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}},
		{"ipBlock": {"cidr": "10.0.0.0/0"}},
		{"ipBlock": {"cidr": "128.0.0.0/1"}},
		{"ipBlock": {"cidr": "::/0"}},
		{"ipBlock": {"cidr": "2000::/3"}},
		{"ipBlock": {"cidr": "10.0.0.0"}},
		{"ipBlock": {"cidr": 1}},
		{"namespaceSelector": {}},
		{"namespaceSelector": {}, "podSelector": {}},
		{"namespaceSelector": {"matchLabels": null}},
		{},
		{"namespaceSelector": null, "podSelector": null},
	] {
		_paths({"ingress": [{"from": [peer]}]}) == {"/spec/ingress/0/from/0"}
		_paths({"egress": [{"to": [{"podSelector": {}}, peer]}]}) == {"/spec/egress/0/to/1"}
	}
}

test_narrow_rules if {
	every peer in [
		{"ipBlock": {"cidr": "10.0.0.0/8"}},
		{"ipBlock": {"cidr": "fd00::/8"}},
		{"podSelector": {}},
		{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}},
		{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}},
	] {
		_paths({"ingress": [{"from": [peer]}], "egress": [{"to": [peer]}]}) == set()
	}
	every spec in [{}, null, {"ingress": []}, {"ingress": null, "egress": null}] {
		_paths(spec) == set()
	}
}

test_values_of_the_wrong_type if {
	every spec in ["x", 1, [], true] {
		_paths(spec) == {"/spec"}
	}
	every rules in ["x", 1, {}, [null], ["x"]] {
		_paths({"egress": rules}) == {"/spec/egress"}
	}
	every peers in ["x", 1, {}, [null], ["x"]] {
		_paths({"egress": [{"to": peers}]}) == {"/spec/egress/0/to"}
	}
}

test_other_namespaces_and_kinds_are_not_judged if {
	every namespace in [{}, {"labels": null}, {"labels": {}}, {"labels": {"data-classification": "public"}}] {
		violations := allow_all.violations with input as _document(namespace, {"ingress": [{}]})
		violations == set()
	}
	document := object.union(
		_document(_restricted, {"ingress": [{}]}),
		{"subject": {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy"}},
	)
	violations := allow_all.violations with input as document
	violations == set()
}
