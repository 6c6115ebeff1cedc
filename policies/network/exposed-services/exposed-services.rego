# METADATA
# title: Vector stores and notebooks are not exposed outside the cluster
# description: >-
#   Vector stores mostly come without authentication, and a notebook is a shell. A Service of the type LoadBalancer or NodePort, or one
#   with external addresses, puts them on a network that the cluster does not control. They are recognised by name, labels,
#   selector and ports.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types
# custom:
#   id: NETWORK-001
#   severity: high
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     all_services:
#       description: Whether to judge every Service, not only those that are recognised.
#       type: boolean
#       default: false
#     kept_inside:
#       description: >-
#         What vector stores and notebooks are called, as globs in lower case. Compared are names, label names, selectors, the labels
#         under identifying_labels and names of ports, each as a whole and word by word.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [
#         chroma, chromadb*, deeplake, "jupyter*", lancedb*, "marimo*", milvus*, "*notebook*", pgvecto*, qdrant*, rstudio*,
#         "singleuser*", vald, "*vector-database*", "*vector-db*", "*vector-store*", "*vectordb*", "*vectorstore*", vespa, weaviate*,
#       ]
#     identifying_labels:
#       description: The labels whose values say what an object is.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [app, app.kubernetes.io/component, app.kubernetes.io/instance, app.kubernetes.io/name, component, k8s-app]
#     ports_kept_inside:
#       description: Ports that only vector stores and notebooks use (Qdrant, Milvus, Jupyter).
#       type: array
#       items: {type: integer, minimum: 1, maximum: 65535}
#       uniqueItems: true
#       default: [6333, 6334, 8888, 19530]
#     internal_load_balancers:
#       description: Annotations, each with its value, that keep a load balancer inside your own network; one is enough.
#       type: object
#       additionalProperties: {type: string}
#       default: {}
#   remediation: >-
#     Set spec.type to ClusterIP and remove nodePort and externalIPs. Reach a notebook through the platform's gateway, which asks who
#     you are, or with kubectl port-forward.
#   controls:
#     nist-800-53-r5: [AC-3, AC-17, SC-7]
package policies.network.exposed_services

import data.lib.globs
import data.lib.values

violations contains {"message": message, "path": "/spec/type"} if {
	_is_judged
	_is_exposing_type
	not _is_inside
	message := concat("", [_described, " is of the type ", values.shown(_type), "; required is \"ClusterIP\""])
}

violations contains {"message": message, "path": "/spec/externalIPs"} if {
	_is_judged
	not object.get(_spec, "externalIPs", null) in {null, []}
	message := concat("", [_described, " has external addresses; required is no externalIPs"])
}

violations contains {"message": "the field spec cannot be read; required is an object", "path": "/spec"} if {
	_is_service
	spec := object.get(input.object, "spec", null)
	not is_null(spec)
	not is_object(spec)
}

# A ClusterIP must not have what only makes sense outside; where that is set, the author has to decide.
patches contains {"op": "replace", "path": "/spec/type", "value": "ClusterIP"} if {
	_is_judged
	_is_exposing_type
	not _is_inside
	every field in ["allocateLoadBalancerNodePorts", "externalTrafficPolicy", "healthCheckNodePort", "loadBalancerClass"] {
		is_null(object.get(_spec, field, null))
	}
	every port in _ports {
		is_null(object.get(port, "nodePort", null))
	}
}

patches contains {"op": "remove", "path": "/spec/externalIPs"} if {
	_is_judged
	not object.get(_spec, "externalIPs", null) in {null, []}
}

_is_service if {
	input.subject.kind == "Service"
	input.subject.apiVersion == "v1"
}

_is_judged if {
	_is_service
	input.parameters.all_services
}

_is_judged if {
	_is_service
	count(_reasons) > 0
}

_spec := values.as_object(object.get(input.object, "spec", null))

_type := object.get(_spec, "type", null)

# An ExternalName leads out of the cluster, not into it; what is no type of Kubernetes counts as exposing.
_is_exposing_type if not _type in {null, "", "ClusterIP", "ExternalName"}

_is_inside if {
	_type == "LoadBalancer"
	some annotation, value in input.parameters.internal_load_balancers
	object.get(values.as_object(input.subject.annotations), annotation, null) == value
}

_described := concat("", ["this Service of a vector store or notebook (", concat(", ", sort(_reasons)), ")"]) if count(_reasons) > 0

_described := "this Service" if count(_reasons) == 0

# Why it is taken for one.

_reasons contains concat(" ", ["the name", values.shown(name)]) if {
	some field in ["name", "generateName"]
	name := object.get(input.subject.identity, field, "")
	_is_kept_inside(name)
}

_reasons contains concat(" ", ["the label", values.shown(label)]) if {
	some label, _ in values.as_object(input.subject.labels)
	_is_kept_inside(label)
}

_reasons contains concat(" ", ["the label", label, values.shown(value)]) if {
	some label in input.parameters.identifying_labels
	value := object.get(values.as_object(input.subject.labels), label, null)
	_is_kept_inside(value)
}

_reasons contains concat(" ", ["the selector", label, values.shown(value)]) if {
	some label, value in values.as_object(object.get(_spec, "selector", null))
	_is_kept_inside(value)
}

_reasons contains concat(" ", ["the selector", values.shown(label)]) if {
	some label, _ in values.as_object(object.get(_spec, "selector", null))
	_is_kept_inside(label)
}

_reasons contains concat(" ", ["the port", values.shown(name)]) if {
	some port in _ports
	some field in ["name", "targetPort"]
	name := object.get(port, field, null)
	_is_kept_inside(name)
}

_reasons contains concat(" ", ["the port", values.shown(number)]) if {
	some port in _ports
	some field in ["port", "targetPort"]
	number := object.get(port, field, null)
	is_number(number)
	number in input.parameters.ports_kept_inside
}

_ports := [values.as_object(port) | some port in _spec.ports] if is_array(object.get(_spec, "ports", null))

_ports := [] if not is_array(object.get(_spec, "ports", null))

_is_kept_inside(text) if {
	is_string(text)
	globs.like_one_of(lower(text), input.parameters.kept_inside)
}

_is_kept_inside(text) if {
	is_string(text)
	some word in regex.split("[^a-z0-9]+", lower(text))
	globs.like_one_of(word, input.parameters.kept_inside)
}
