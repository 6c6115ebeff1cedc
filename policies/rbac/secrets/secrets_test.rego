package policies.rbac.secrets_test

import data.lib.pods_test
import data.policies.rbac.secrets

_document(subject, submitted) := {
	"subject": object.union({"identity": {"name": "team-operator"}}, subject),
	"object": submitted,
	"parameters": {"secret_verbs": ["get", "list", "watch"], "allow_named_secrets": true, "exempt_roles": ["exempt-*"]},
}

_found(subject, role) := found if {
	found := secrets.violations with input as _document(subject, role)
}

_cluster_role := {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}

_violations(rules) := _found(_cluster_role, {"rules": rules})

_paths(rules) := pods_test.paths(_violations(rules))

_bad := {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "create"]}

test_the_finding if {
	_violations([_bad]) == {{
		"message": "the rule grants get, list of all secrets; required is no such right, or the Secrets under resourceNames",
		"path": "/rules/0",
	}}
	count(_found({"apiVersion": "rbac.authorization.k8s.io/v1beta1", "kind": "Role"}, {"rules": [_bad]})) == 1
}

test_nothing_to_find if {
	every rules in [null, [], [{}], [{"apiGroups": null, "resources": null, "verbs": null}], [{"verbs": ["*"]}]] {
		_paths(rules) == set()
	}
}

test_every_rule_is_looked_at if {
	_paths([{}, _bad]) == {"/rules/1"}
}

test_exempt_roles_and_other_kinds_are_not_judged if {
	every subject in [
		object.union(_cluster_role, {"identity": {"name": "exempt-one"}}),
		{"apiVersion": "v1", "kind": "ConfigMap"},
		{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding"},
		{"apiVersion": "example.com/v1", "kind": "ClusterRole"},
	] {
		_found(subject, {"rules": [_bad]}) == set()
	}
}

test_what_cannot_be_read_is_refused if {
	every rules in ["x", 1, true, {}, _bad] {
		_paths(rules) == {"/rules"}
	}
	every rule in ["x", 1, null, false, ["x"]] {
		_paths([rule]) == {"/rules/0"}
	}
	every field in ["apiGroups", "nonResourceURLs", "resourceNames", "resources", "verbs"] {
		every value in ["*", 1, {}, true, [1], [null]] {
			_paths([{field: value}]) == {concat("/", ["/rules/0", field])}
		}
	}
	every value in ["x", 1, []] {
		pods_test.paths(_found(_cluster_role, {"aggregationRule": value})) == {"/aggregationRule"}
	}
}

test_names if {
	_paths([object.union(_bad, {"resourceNames": ["a", "b"]})]) == set()
	every names in [null, [], [""], ["a", ""]] {
		_paths([object.union(_bad, {"resourceNames": names})]) == {"/rules/0"}
	}
}

test_what_is_no_secret if {
	every resource in ["Secrets", "secrets/status", "*/secrets", "secret"] {
		_paths([object.union(_bad, {"resources": [resource]})]) == set()
	}
	_paths([object.union(_bad, {"apiGroups": ["secrets-store.csi.x-k8s.io"]})]) == set()
	_paths([object.union(_bad, {"verbs": ["Get"]})]) == set()
}
