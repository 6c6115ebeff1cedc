# METADATA
# title: What is reached from outside has an approved host and TLS
# description: >-
#   A prompt or an answer over plain HTTP can be read on the way, and a host that nobody approved is a door that nobody watches. Judged
#   are Ingress, Gateway and routes of the Gateway API, and OpenShift's Route; kinds of a single controller (VirtualService,
#   IngressRoute, HTTPProxy) are not.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/ingress/#tls
#   - ref: https://gateway-api.sigs.k8s.io/guides/tls/
# custom:
#   id: NETWORK-002
#   severity: high
#   subjects: [resource]
#   needs: [object]
#   parameters:
#     approved_hosts:
#       description: The hosts, as globs.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: ["*.internal"]
#     allow_no_host:
#       description: Whether a rule may leave the host out, so that it answers for every host.
#       type: boolean
#       default: false
#     allow_wildcard_hosts:
#       description: Whether a host may be a wildcard such as *.models.internal.
#       type: boolean
#       default: false
#     insecure_annotations:
#       description: Annotations, each with the value that keeps plain HTTP open beside TLS.
#       type: object
#       additionalProperties: {type: string}
#       default:
#         haproxy.org/ssl-redirect: "false"
#         ingress.kubernetes.io/ssl-redirect: "false"
#         kubernetes.io/ingress.allow-http: "true"
#         nginx.ingress.kubernetes.io/ssl-redirect: "false"
#         traefik.ingress.kubernetes.io/router.tls: "false"
#   remediation: >-
#     Name an approved host in each rule, and list it under spec.tls with the Secret of its certificate (Gateway: a listener with the
#     protocol HTTPS and that hostname).
#   controls:
#     nist-800-53-r5: [AC-17(2), SC-7, SC-8, SC-8(1)]
package policies.network.ingress

import data.lib.globs
import data.lib.values

# 1. Hosts: the same for every kind.

violations contains {"message": message, "path": host.path} if {
	some host in _hosts
	host.name in {null, ""}
	not input.parameters.allow_no_host
	message := concat("", [host.owner, " names no host, so it answers for every host", _approved])
}

violations contains {"message": message, "path": host.path} if {
	some host in _hosts
	not host.name in {null, ""}
	not globs.like_one_of(host.name, input.parameters.approved_hosts)
	message := concat("", [host.owner, " names the host ", values.shown(host.name), _approved])
}

violations contains {"message": message, "path": host.path} if {
	some host in _hosts
	is_string(host.name)
	contains(host.name, "*")
	not input.parameters.allow_wildcard_hosts
	message := concat("", [host.owner, " names the wildcard ", values.shown(host.name), "; required is a single host"])
}

violations contains {"message": message, "path": part.path} if {
	some part in _unreadable
	message := concat("", ["the field ", part.field, " cannot be read; required is ", part.wants])
}

# 2. TLS.

violations contains {"message": message, "path": host.path} if {
	_is_ingress
	some host in _hosts
	not _has_tls(host.name)
	message := concat("", [host.owner, " is not covered by TLS; required is an entry of spec.tls that lists ", _listed(host.name)])
}

violations contains {"message": message, "path": path} if {
	_is_ingress
	some annotation, value in input.parameters.insecure_annotations
	object.get(values.as_object(input.subject.annotations), annotation, null) == value
	message := concat("", [
		"the annotation ",
		annotation,
		" is ",
		values.shown(value),
		", which keeps plain HTTP open; required is to leave it out",
	])
	path := concat("/", ["/metadata/annotations", values.pointer_token(annotation)])
}

violations contains {"message": message, "path": path} if {
	_is_gateway
	some listener in _elements_of("listeners")
	protocol := object.get(listener.value, "protocol", null)
	not protocol in {"HTTPS", "TLS"}
	message := concat("", ["the protocol of the listener is ", values.shown_or_missing(protocol), "; required is \"HTTPS\" or \"TLS\""])
	path := concat("/", [listener.path, "protocol"])
}

violations contains {"message": "the Route has no tls; required is a termination", "path": "/spec/tls"} if {
	_is_openshift_route
	is_null(object.get(_spec, "tls", null))
}

violations contains {"message": message, "path": "/spec/tls/insecureEdgeTerminationPolicy"} if {
	_is_openshift_route
	policy := object.get(values.as_object(object.get(_spec, "tls", null)), "insecureEdgeTerminationPolicy", null)
	not policy in {null, "", "None", "Redirect"}
	message := concat("", ["insecureEdgeTerminationPolicy is ", values.shown(policy), "; required is \"Redirect\" or \"None\""])
}

violations contains {"message": message, "path": "/spec/wildcardPolicy"} if {
	_is_openshift_route
	not input.parameters.allow_wildcard_hosts
	policy := object.get(_spec, "wildcardPolicy", null)
	not policy in {null, "", "None"}
	message := concat("", ["wildcardPolicy is ", values.shown(policy), "; required is \"None\""])
}

patches contains {"op": "remove", "path": path} if {
	_is_ingress
	some annotation, value in input.parameters.insecure_annotations
	object.get(values.as_object(input.subject.annotations), annotation, null) == value
	path := concat("/", ["/metadata/annotations", values.pointer_token(annotation)])
}

# Which kinds.

_is_ingress if {
	input.subject.kind == "Ingress"
	startswith(input.subject.apiVersion, "networking.k8s.io/")
}

_is_ingress if {
	input.subject.kind == "Ingress"
	startswith(input.subject.apiVersion, "extensions/")
}

_is_gateway if {
	input.subject.kind == "Gateway"
	_is_of_gateway_api
}

_is_route if {
	input.subject.kind in {"GRPCRoute", "HTTPRoute", "TLSRoute"}
	_is_of_gateway_api
}

_is_of_gateway_api if startswith(input.subject.apiVersion, "gateway.networking.k8s.io/")

_is_openshift_route if {
	input.subject.kind == "Route"
	startswith(input.subject.apiVersion, "route.openshift.io/")
}

_spec := values.as_object(object.get(input.object, "spec", null))

# Where hosts are. A backend without a rule answers for every host.

_hosts contains {"path": path, "owner": "the rule", "name": name} if {
	_is_ingress
	some rule in _elements_of("rules")
	name := object.get(rule.value, "host", null)
	path := concat("/", [rule.path, "host"])
}

_hosts contains {"path": path, "owner": concat(" ", ["the", field]), "name": null} if {
	_is_ingress
	some field in ["backend", "defaultBackend"]
	not is_null(object.get(_spec, field, null))
	path := concat("/", ["/spec", field])
}

_hosts contains {"path": path, "owner": "the listener", "name": name} if {
	_is_gateway
	some listener in _elements_of("listeners")
	name := object.get(listener.value, "hostname", null)
	path := concat("/", [listener.path, "hostname"])
}

# A route without hostnames takes those of the Gateway's listeners.
_hosts contains {"path": path, "owner": concat(" ", ["the", input.subject.kind]), "name": name} if {
	_is_route
	list := object.get(_spec, "hostnames", null)
	is_array(list)
	some index, name in list
	path := concat("/", ["/spec/hostnames", json.marshal(index)])
}

_hosts contains {"path": "/spec/host", "owner": "the Route", "name": object.get(_spec, "host", null)} if _is_openshift_route

# The elements of a list of objects under spec.
_elements_of(field) := {element |
	list := object.get(_spec, field, null)
	is_array(list)
	some index
	value := list[index]
	is_object(value)
	element := {"path": concat("/", ["/spec", field, json.marshal(index)]), "value": value}
}

# What cannot be read.

_lists contains "rules" if _is_ingress

_lists contains "tls" if _is_ingress

_lists contains "listeners" if _is_gateway

_unreadable contains {"path": "/spec", "field": "spec", "wants": "an object"} if {
	_is_judged
	spec := object.get(input.object, "spec", null)
	not is_null(spec)
	not is_object(spec)
}

_unreadable contains {"path": concat("/", ["/spec", field]), "field": field, "wants": "a list of objects"} if {
	some field in _lists
	list := object.get(_spec, field, null)
	not is_null(list)
	not _holds_objects(list)
}

_unreadable contains {"path": "/spec/hostnames", "field": "hostnames", "wants": "a list"} if {
	_is_route
	list := object.get(_spec, "hostnames", null)
	not is_null(list)
	not is_array(list)
}

_unreadable contains {"path": "/spec/tls", "field": "tls", "wants": "an object"} if {
	_is_openshift_route
	tls := object.get(_spec, "tls", null)
	not is_null(tls)
	not is_object(tls)
}

_is_judged if _is_ingress

_is_judged if _is_gateway

_is_judged if _is_route

_is_judged if _is_openshift_route

_holds_objects(list) if {
	is_array(list)
	every item in list {
		is_object(item)
	}
}

# Hosts that TLS covers: each by itself, or by a wildcard for one label. An entry without hosts leaves that to the controller.

_tls_hosts contains host if {
	some entry in _elements_of("tls")
	list := object.get(entry.value, "hosts", null)
	is_array(list)
	some host in list
	is_string(host)
}

_has_tls(name) if name in _tls_hosts

_has_tls(name) if {
	is_string(name)
	labels := split(name, ".")
	concat(".", array.concat(["*"], array.slice(labels, 1, count(labels)))) in _tls_hosts
	labels[0] != ""
}

_listed(name) := values.shown(name) if not name in {null, ""}

_listed(name) := "a host" if name in {null, ""}

_approved := concat("", ["; required is a host like ", concat(" or ", input.parameters.approved_hosts)])
