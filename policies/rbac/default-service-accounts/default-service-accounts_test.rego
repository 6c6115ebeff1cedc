package policies.rbac.default_service_accounts_test

import data.lib.pods_test
import data.policies.rbac.default_service_accounts

_document(subject, submitted) := {
	"subject": object.union({"identity": {"name": "team-search"}}, subject),
	"object": submitted,
	"parameters": {"public_roles": ["system:discovery"], "exempt_bindings": ["exempt-*"]},
}

_found(subject, binding) := found if {
	found := default_service_accounts.violations with input as _document(subject, binding)
}

_cluster_wide := {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding"}

_reference := {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}

_violations(subjects) := _found(_cluster_wide, {"roleRef": _reference, "subjects": subjects})

_paths(subjects) := pods_test.paths(_violations(subjects))

_bad := {"kind": "ServiceAccount", "name": "default", "namespace": "search"}

_harmless := {"kind": "Group", "name": "approved"}

test_the_finding if {
	_violations([_harmless, _bad]) == {{
		"message": "the binding gives rights to the service account \"search/default\"; required is a service account of its own for each workload",
		"path": "/subjects/1",
	}}
	in_a_namespace := {"apiVersion": "rbac.authorization.k8s.io/v1beta1", "kind": "RoleBinding"}
	count(_found(in_a_namespace, {"roleRef": _reference, "subjects": [_bad]})) == 1
}

test_nobody if {
	every subjects in [null, [], [_harmless]] {
		_violations(subjects) == set()
	}
}

test_exempt_bindings_and_other_kinds_are_not_judged if {
	every subject in [
		object.union(_cluster_wide, {"identity": {"name": "exempt-one"}}),
		{"apiVersion": "v1", "kind": "ConfigMap"},
		{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"},
		{"apiVersion": "example.com/v1", "kind": "RoleBinding"},
	] {
		_found(subject, {"roleRef": _reference, "subjects": [_bad]}) == set()
	}
}

test_what_cannot_be_read_is_refused if {
	every subjects in ["x", 1, true, {}, _bad] {
		_paths(subjects) == {"/subjects"}
	}
	every subject in ["x", 1, null, [], {}, {"kind": "Group"}, {"name": "x"}, {"kind": null, "name": "x"}, {"kind": "Group", "name": 1}] {
		_paths([subject]) == {"/subjects/0"}
	}
	every reference in [null, "x", [], {}, {"name": null}, {"name": 1}] {
		pods_test.paths(_found(_cluster_wide, {"roleRef": reference, "subjects": [_harmless]})) == {"/roleRef"}
	}
}

test_each_form if {
	every subject in [
		{"kind": "ServiceAccount", "name": "default"},
		{"kind": "Group", "name": "system:serviceaccounts"},
		{"kind": "Group", "name": "system:serviceaccounts:search"},
		{"kind": "User", "name": "system:serviceaccount:search:default"},
	] {
		_paths([subject]) == {"/subjects/0"}
		_found(_cluster_wide, {"roleRef": {"name": "system:discovery"}, "subjects": [subject]}) == set()
	}
}

test_other_service_accounts if {
	every subject in [
		{"kind": "ServiceAccount", "name": "indexer", "namespace": "default"},
		{"kind": "User", "name": "system:serviceaccount:default:indexer"},
		{"kind": "User", "name": "default"},
		{"kind": "Group", "name": "system:serviceaccountsx"},
	] {
		_paths([subject]) == set()
	}
}
