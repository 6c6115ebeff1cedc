package policies.rbac.own_webhook_test

import data.lib.pods_test
import data.policies.rbac.own_webhook

_document(subject, webhooks) := {
	"subject": object.union(
		{
			"apiVersion": "admissionregistration.k8s.io/v1",
			"kind": "ValidatingWebhookConfiguration",
			"identity": {"name": "pratique"},
		},
		subject,
	),
	"object": {"webhooks": webhooks},
	"parameters": {
		"own_names": ["pratique"],
		"own_endpoints": ["pratique-system/pratique", "https://pratique.example/base/"],
		"excluded_namespaces": ["kube-system"],
		"known_conditions": ["known"],
		"asked_about": ["waivers.pratique.dev"],
		"min_timeout_seconds": 2,
	},
}

_found(subject, webhooks) := found if {
	found := own_webhook.violations with input as _document(subject, webhooks)
}

_patches(subject, webhooks) := found if {
	found := own_webhook.patches with input as _document(subject, webhooks)
}

_good := {
	"name": "validate.pratique.dev",
	"clientConfig": {"service": {"namespace": "pratique-system", "name": "pratique"}},
	"rules": [{"apiGroups": ["pratique.dev"], "apiVersions": ["*"], "operations": ["*"], "resources": ["waivers"]}],
}

_paths(fields) := pods_test.paths(_found({}, [object.union(_good, fields)]))

test_what_is_as_strong_as_it_was if {
	every fields in [
		{},
		{"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 2, "objectSelector": {}},
		{"failurePolicy": null, "matchPolicy": null, "timeoutSeconds": null, "objectSelector": null, "matchConditions": null},
		{"matchConditions": [{"name": "x", "expression": "known"}]},
		{"namespaceSelector": {}},
		{"namespaceSelector": {"matchExpressions": [
			{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]},
		]}},
		{"clientConfig": {"url": "https://pratique.example/base/validate"}},
	] {
		_paths(fields) == set()
	}
}

test_each_weakness if {
	every field, weak in {
		"failurePolicy": ["Ignore", "fail", 1],
		"matchPolicy": ["Exact", {}],
		"timeoutSeconds": [1, 0, "10", true],
		"objectSelector": [{"matchLabels": {"a": "b"}}, "x", []],
		"matchConditions": ["x", {}, [null], [{"expression": "other"}], [{"expression": "known"}, {}]],
		"namespaceSelector": [
			"x",
			[],
			{"matchLabels": {"a": "b"}},
			{"matchExpressions": "x"},
			{"matchExpressions": [null]},
			{"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]},
			{"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["team"]}]},
			{"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn"}]},
			{"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["kube-system"]}]},
		],
	} {
		every value in weak {
			_paths({field: value}) == {concat("/", ["/webhooks/0", field])}
		}
	}
}

test_where_it_leads if {
	every client in [
		null,
		{},
		"x",
		{"url": "https://pratique.example"},
		{"url": "https://pratique.example/basement"},
		{"url": 1},
		{"service": {"namespace": "pratique-system", "name": "other"}},
		{"service": {"name": "pratique"}},
		{"service": null},
	] {
		webhook := object.union(object.remove(_good, ["clientConfig"]), {"clientConfig": client})
		pods_test.paths(_found({}, [webhook])) == {"/webhooks/0/clientConfig"}
	}
}

test_what_it_asks_about if {
	every rule in [
		{},
		{"operations": ["CREATE"]},
		{"resources": ["policybindings"]},
		{"apiGroups": ["apps"]},
		{"apiVersions": ["v1alpha1"]},
		{"scope": "Cluster"},
		{"operations": null},
	] {
		_paths({"rules": [object.union(_good.rules[0], rule)]}) == {"/webhooks" | rule != {}}
	}
	every rules in [null, [], "x", [null]] {
		_paths({"rules": rules}) == {"/webhooks"}
	}
	every webhooks in [null, []] {
		pods_test.paths(_found({}, webhooks)) == {"/webhooks"}
		_found({"kind": "MutatingWebhookConfiguration"}, webhooks) == set()
	}
}

test_what_cannot_be_read_is_refused if {
	every webhooks in ["x", 1, {}, [null], ["x"]] {
		pods_test.paths(_found({"kind": "MutatingWebhookConfiguration"}, webhooks)) == {"/webhooks"}
	}
}

test_which_configurations_are_ours if {
	weak := object.union(_good, {"failurePolicy": "Ignore"})
	other := {"identity": {"name": "other"}}
	pods_test.paths(_found(other, [weak])) == {"/webhooks/0/failurePolicy"}
	_found(other, [object.union(weak, {"name": "validate.example.com"})]) == set()
	_found({"apiVersion": "v1", "kind": "ConfigMap"}, [weak]) == set()
}

test_patches if {
	weak := [object.union(_good, {"failurePolicy": "Ignore"})]
	_patches({}, weak) == {{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}}
	_patches({}, [_good]) == set()
	_patches({"apiVersion": "admissionregistration.k8s.io/v1beta1"}, [_good]) == {
		{"op": "add", "path": "/webhooks/0/failurePolicy", "value": "Fail"},
		{"op": "add", "path": "/webhooks/0/matchPolicy", "value": "Equivalent"},
	}
}
