# METADATA
# title: Pratique's own webhook is not weakened
# description: >-
#   A webhook configuration that fails open, leaves objects out or asks somebody else lets through what the policies refuse.
#   This judges manifests before they are applied, and what runs; the API server never asks a webhook about webhook
#   configurations, so at admission the guard does it (`pratique webhook-config --guard`).
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
# custom:
#   id: RBAC-010
#   severity: critical
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     own_names:
#       description: The names of Pratique's configurations (`pratique webhook-config --name`).
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [pratique]
#     own_endpoints:
#       description: Where the webhook answers, as NAMESPACE/NAME of a Service or as the base of a URL.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [pratique-system/pratique]
#     excluded_namespaces:
#       description: The namespaces that may be left out.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [kube-system, pratique-system]
#     known_conditions:
#       description: The expressions of matchConditions that may be there; those that `pratique webhook-config` writes.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default:
#         - '!(request.resource.group == "coordination.k8s.io" && request.resource.resource == "leases")'
#         - '!(request.resource.group in ["", "events.k8s.io"] && request.resource.resource == "events")'
#         - '!(request.resource.group == "" && request.resource.resource == "nodes" && request.subResource == "status")'
#         - '!(request.resource.group in ["authentication.k8s.io", "authorization.k8s.io"])'
#     asked_about:
#       description: What the validating configuration asks about at least, at CREATE and UPDATE, as kubectl names it.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [policybindings.pratique.dev, waivers.pratique.dev]
#     min_timeout_seconds:
#       description: The shortest timeout.
#       type: integer
#       minimum: 1
#       maximum: 30
#       default: 2
#   remediation: >-
#     Apply what `pratique webhook-config` prints, unchanged. If it must be weakened for a while, ask for a waiver; in an
#     emergency a break-glass user does it, and the API server's audit log shows it.
#   controls:
#     nist-800-53-r5: [AC-3, CM-5, SI-7]
#     cis-kubernetes-1.8: ["5.1.12"]
package policies.rbac.own_webhook

import data.lib.rbac
import data.lib.values

# 1. Each webhook of the configuration.

violations contains {"message": message, "path": path} if {
	some webhook in _webhooks
	some field, wanted in {"failurePolicy": "Fail", "matchPolicy": "Equivalent"}
	found := _set_or_default(webhook.value, field, wanted)
	found != wanted
	message := concat("", [field, " is ", values.shown_or_missing(found), "; required is ", values.shown(wanted)])
	path := concat("/", [webhook.path, field])
}

violations contains {"message": message, "path": path} if {
	some webhook in _webhooks
	found := object.get(webhook.value, "timeoutSeconds", null)
	not is_null(found)
	not _is_long(found)
	message := concat("", [
		"timeoutSeconds is ",
		values.shown(found),
		"; required are at least ",
		values.shown(input.parameters.min_timeout_seconds),
	])
	path := concat("/", [webhook.path, "timeoutSeconds"])
}

violations contains {"message": message, "path": path} if {
	some webhook in _webhooks
	not object.get(webhook.value, "objectSelector", null) in [null, {}]
	message := "objectSelector leaves objects out by their labels, which anybody can set; required is no objectSelector"
	path := concat("/", [webhook.path, "objectSelector"])
}

violations contains {"message": message, "path": path} if {
	some webhook in _webhooks
	selector := object.get(webhook.value, "namespaceSelector", null)
	not is_null(selector)
	not _is_by_name(selector)
	message := concat("", [
		"namespaceSelector leaves out more than the namespaces ",
		concat(", ", input.parameters.excluded_namespaces),
		" by name; required is no more than that",
	])
	path := concat("/", [webhook.path, "namespaceSelector"])
}

violations contains {"message": message, "path": path} if {
	some webhook in _webhooks
	conditions := object.get(webhook.value, "matchConditions", null)
	not is_null(conditions)
	not _are_known(conditions)
	message := "matchConditions hold an expression that `pratique webhook-config` does not write; required are its own"
	path := concat("/", [webhook.path, "matchConditions"])
}

violations contains {"message": message, "path": path} if {
	some webhook in _webhooks
	not _is_ours(values.as_object(object.get(webhook.value, "clientConfig", null)))
	message := concat("", ["clientConfig leads elsewhere; required is ", concat(" or ", input.parameters.own_endpoints)])
	path := concat("/", [webhook.path, "clientConfig"])
}

# 2. All of them together.

violations contains {"message": message, "path": "/webhooks"} if {
	_is_judged
	input.subject.kind == "ValidatingWebhookConfiguration"
	some resource in input.parameters.asked_about
	some operation in ["CREATE", "UPDATE"]
	not _asks(resource, operation)
	message := concat("", ["no webhook asks about ", operation, " of ", resource, "; required is a rule that does"])
}

violations contains {"message": "the field webhooks cannot be read; required is a list of objects", "path": "/webhooks"} if {
	_is_judged
	list := object.get(input.object, "webhooks", null)
	not is_null(list)
	not _is_list_of_webhooks(list)
}

patches contains {"op": "replace", "path": path, "value": wanted} if {
	some webhook in _webhooks
	some field, wanted in {"failurePolicy": "Fail", "matchPolicy": "Equivalent"}
	not object.get(webhook.value, field, null) in [null, wanted]
	path := concat("/", [webhook.path, field])
}

patches contains {"op": "add", "path": path, "value": wanted} if {
	some webhook in _webhooks
	some field, wanted in {"failurePolicy": "Fail", "matchPolicy": "Equivalent"}
	is_null(object.get(webhook.value, field, null))
	is_null(_default(wanted))
	path := concat("/", [webhook.path, field])
}

_is_configuration if {
	input.subject.kind in {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
	startswith(input.subject.apiVersion, "admissionregistration.k8s.io/")
}

_is_judged if {
	_is_configuration
	input.subject.identity.name in input.parameters.own_names
}

# Under another name, the webhooks are known by their own.
_is_judged if {
	_is_configuration
	some webhook in _listed
	object.get(webhook.value, "name", null) in {"mutate.pratique.dev", "validate.pratique.dev"}
}

_listed contains webhook if {
	list := object.get(input.object, "webhooks", null)
	is_array(list)
	some index, value in list
	is_object(value)
	webhook := {"path": concat("/", ["/webhooks", json.marshal(index)]), "value": value}
}

_webhooks contains webhook if {
	_is_judged
	some webhook in _listed
}

_is_list_of_webhooks(list) if {
	is_array(list)
	every item in list {
		is_object(item)
	}
}

_set_or_default(webhook, field, _) := value if {
	value := object.get(webhook, field, null)
	not is_null(value)
}

_set_or_default(webhook, field, wanted) := _default(wanted) if is_null(object.get(webhook, field, null))

# What version v1 takes where nothing is written; v1beta1 fails open and matches by the letter.
_default(wanted) := wanted if endswith(input.subject.apiVersion, "/v1")

_default(_) := null if not endswith(input.subject.apiVersion, "/v1")

_is_long(seconds) if {
	is_number(seconds)
	seconds >= input.parameters.min_timeout_seconds
}

_is_by_name(selector) if {
	is_object(selector)
	object.get(selector, "matchLabels", null) in [null, {}]
	requirements := object.get(selector, "matchExpressions", [])
	is_array(requirements)
	every requirement in requirements {
		_leaves_out_known(values.as_object(requirement))
	}
}

_leaves_out_known(requirement) if {
	requirement.key == "kubernetes.io/metadata.name"
	requirement.operator == "NotIn"
	is_array(requirement.values)
	every name in requirement.values {
		name in input.parameters.excluded_namespaces
	}
}

_are_known(conditions) if {
	is_array(conditions)
	every condition in conditions {
		object.get(values.as_object(condition), "expression", null) in input.parameters.known_conditions
	}
}

_is_ours(client) if {
	service := values.as_object(object.get(client, "service", null))
	is_string(object.get(service, "namespace", null))
	is_string(object.get(service, "name", null))
	concat("/", [service.namespace, service.name]) in input.parameters.own_endpoints
}

_is_ours(client) if {
	url := object.get(client, "url", null)
	is_string(url)
	some endpoint in input.parameters.own_endpoints
	startswith(endpoint, "https://")
	startswith(url, concat("", [trim_right(endpoint, "/"), "/"]))
}

_asks(resource, operation) if {
	some rule in _rules
	_names_operation(rule, operation)
	object.get(rule, "scope", "*") == "*"
	count(rbac.resources_of({"apiGroups": _list_in(rule, "apiGroups"), "resources": _list_in(rule, "resources")}, [resource])) > 0
	some version in _list_in(rule, "apiVersions")
	version == "*"
}

_names_operation(rule, operation) if {
	some named in _list_in(rule, "operations")
	named in ["*", operation]
}

_rules contains rule if {
	some webhook in _webhooks
	list := object.get(webhook.value, "rules", null)
	is_array(list)
	some rule in list
	is_object(rule)
}

_list_in(rule, field) := list if {
	list := object.get(rule, field, null)
	is_array(list)
}

_list_in(rule, field) := [] if not is_array(object.get(rule, field, null))
