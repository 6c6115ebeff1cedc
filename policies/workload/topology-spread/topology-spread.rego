# METADATA
# title: Replicas are spread over nodes or zones
# description: >-
#   The scheduler is free to put all replicas of a model on one node, and one failure then takes all of them. Asked for are
#   topologySpreadConstraints or a podAntiAffinity over nodes or zones where there can be several replicas.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
# custom:
#   id: WORKLOAD-010
#   severity: low
#   subjects: [workload]
#   needs: []
#   reads: {pod: [affinity, topologySpreadConstraints]}
#   parameters:
#     serving_kinds:
#       description: Kinds that serve.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [Deployment, InferenceService, LLMInferenceService, RayService, StatefulSet]
#     topology_keys:
#       description: The labels of nodes over which to spread; one of them is enough.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [kubernetes.io/hostname, topology.kubernetes.io/zone]
#   remediation: >-
#     Add topologySpreadConstraints to the pod spec: maxSkew 1, topologyKey kubernetes.io/hostname, whenUnsatisfiable
#     ScheduleAnyway, and a labelSelector for the pods' own labels.
#   controls:
#     nist-800-53-r5: [CP-10, SC-5]
package policies.workload.topology_spread

import data.lib.partial
import data.lib.values

violations contains {"message": message, "path": path} if {
	some pod in _crowded
	message := concat("", [
		"this ",
		input.subject.kind,
		" can have ",
		values.shown(pod.replicas.max),
		" replicas on one node; required are topologySpreadConstraints over ",
		concat(" or ", input.parameters.topology_keys),
	])
	path := concat("/", [pod.path, "topologySpreadConstraints"])
}

# Only where there is nothing yet: somebody who spread pods otherwise meant something by it.
patches contains {"op": "add", "path": path, "value": [constraint]} if {
	some pod in _crowded
	object.get(pod, "topologySpreadConstraints", null) in {null, []}
	count(values.as_object(object.get(pod, "labels", {}))) > 0
	constraint := {
		"maxSkew": 1,
		"topologyKey": input.parameters.topology_keys[0],
		"whenUnsatisfiable": "ScheduleAnyway",
		"labelSelector": {"matchLabels": pod.labels},
	}
	path := concat("/", [pod.path, "topologySpreadConstraints"])
}

_crowded contains pod if {
	input.subject.kind in input.parameters.serving_kinds
	some pod in input.subject.pods
	pod.replicas.max > 1
	not _is_spread(pod)
	not _is_left_open(pod)
}

_is_left_open(pod) if {
	partial.left_open(pod, pod, ["topologySpreadConstraints"])
	partial.left_open(pod, pod, ["affinity"])
}

_is_spread(pod) if {
	constraints := object.get(pod, "topologySpreadConstraints", null)
	is_array(constraints)
	some constraint in constraints
	object.get(values.as_object(constraint), "topologyKey", "") in input.parameters.topology_keys
}

_is_spread(pod) if {
	terms := object.get(pod, ["affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"], null)
	is_array(terms)
	some term in terms
	object.get(values.as_object(term), "topologyKey", "") in input.parameters.topology_keys
}

_is_spread(pod) if {
	terms := object.get(pod, ["affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution"], null)
	is_array(terms)
	some term in terms
	object.get(values.as_object(term), ["podAffinityTerm", "topologyKey"], "") in input.parameters.topology_keys
}
