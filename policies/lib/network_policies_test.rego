package lib.network_policies_test

import data.lib.network_policies

test_kinds if {
	network_policies.is_network_policy({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"})
	network_policies.is_network_policy({"apiVersion": "extensions/v1beta1", "kind": "NetworkPolicy"})
	not network_policies.is_network_policy({"apiVersion": "crd.projectcalico.org/v1", "kind": "NetworkPolicy"})
	not network_policies.is_network_policy({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"})
}

test_peers if {
	policy := {"spec": {"egress": [{"to": [{"podSelector": {}}]}, {}], "ingress": [{"from": [{"ipBlock": {}}]}]}}
	network_policies.peers_of(policy, "egress") == {
		{"path": "/spec/egress/0/to/0", "peer": {"podSelector": {}}},
		{"path": "/spec/egress/1", "peer": null},
	}
	network_policies.peers_of(policy, "ingress") == {{"path": "/spec/ingress/0/from/0", "peer": {"ipBlock": {}}}}
}

test_types if {
	every types in [null, [], ["Egress"], ["Ingress", "Egress"], "Ingress"] {
		count(network_policies.peers_of({"spec": {"policyTypes": types, "egress": [{}]}}, "egress")) == 1
	}
	network_policies.peers_of({"spec": {"policyTypes": ["Ingress"], "egress": [{}]}}, "egress") == set()
}

test_what_cannot_be_read if {
	network_policies.unreadable_peers({"spec": null}, "egress") == set()
	network_policies.unreadable_peers({"spec": {"egress": null}}, "egress") == set()
	every spec in ["x", 1, []] {
		count(network_policies.unreadable_peers({"spec": spec}, "egress")) == 1
	}
	every rules in ["x", 1, {}, ["x"], [null]] {
		{violation.path | some violation in network_policies.unreadable_peers({"spec": {"egress": rules}}, "egress")} == {"/spec/egress"}
	}
	every peers in ["x", 1, {}, ["x"], [null]] {
		violations := network_policies.unreadable_peers({"spec": {"egress": [{"to": peers}]}}, "egress")
		{violation.path | some violation in violations} == {"/spec/egress/0/to"}
	}
}

test_selectors if {
	every selector in [
		{},
		{"matchLabels": {}, "matchExpressions": []},
		{"matchLabels": null, "matchExpressions": null},
		{"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}, {"key": "c", "operator": "DoesNotExist"}]},
		{"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "Exists"}]},
	] {
		network_policies.selects_everything(selector)
	}
	every selector in [
		null,
		"x",
		{"matchLabels": {"a": "b"}},
		{"matchExpressions": [{"key": "a", "operator": "Exists"}]},
		{"matchExpressions": [{"key": "a", "operator": "NotIn", "values": []}, {"key": "a", "operator": "In", "values": ["b"]}]},
		{"matchExpressions": [null]},
	] {
		not network_policies.selects_everything(selector)
	}
}
