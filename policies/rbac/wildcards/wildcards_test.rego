package policies.rbac.wildcards_test

import data.lib.pods_test
import data.policies.rbac.wildcards

_document(subject, submitted) := {
	"subject": object.union({"identity": {"name": "team-operator"}}, subject),
	"object": submitted,
	"parameters": {"fields": ["apiGroups", "nonResourceURLs", "resources", "verbs"], "exempt_roles": ["exempt-*"]},
}

_found(subject, role) := found if {
	found := wildcards.violations with input as _document(subject, role)
}

_cluster_role := {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}

_violations(rules) := _found(_cluster_role, {"rules": rules})

_paths(rules) := pods_test.paths(_violations(rules))

_bad := {"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}

test_the_finding if {
	_violations([_bad]) == {{
		"message": "the rule lists \"*\" under resources; required are the names of what is needed",
		"path": "/rules/0/resources",
	}}
	count(_found({"apiVersion": "rbac.authorization.k8s.io/v1beta1", "kind": "Role"}, {"rules": [_bad]})) == 1
}

test_nothing_to_find if {
	every rules in [null, [], [{}], [{"apiGroups": null, "resources": null, "verbs": null}], [{"verbs": ["*"]}]] {
		_paths(rules) in [set(), {"/rules/0/verbs"}]
	}
}

test_every_rule_is_looked_at if {
	_paths([{}, _bad]) == {"/rules/1/resources"}
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

test_what_looks_like_a_wildcard if {
	every word in ["**", "pods*", "pods/*", "", "/metrics/*"] {
		_paths([{"resources": [word]}]) == set()
	}
	every word in ["*", "*/scale", "*/*", "/*"] {
		_paths([{"resources": [word]}]) == {"/rules/0/resources"}
	}
}

test_aggregation if {
	every selector in [{}, null, {"matchLabels": {}}, {"matchLabels": null, "matchExpressions": []}] {
		role := {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}, selector]}}
		pods_test.paths(_found(_cluster_role, role)) == {"/aggregationRule/clusterRoleSelectors/1"}
	}
	every rule in [{}, {"clusterRoleSelectors": null}, {"clusterRoleSelectors": []}] {
		_found(_cluster_role, {"aggregationRule": rule}) == set()
	}
}
