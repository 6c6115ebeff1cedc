# METADATA
# title: Replicas are spread over nodes
# description: >-
#   Two replicas of a model server on one node are gone together with it. This spreads the pods of Deployments and
#   StatefulSets with two or more replicas, as far as there is room (ScheduleAnyway): where the object says nothing about
#   where its pods go, neither by constraints nor by affinity between pods.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
# custom:
#   id: DEFAULT-008
#   severity: low
#   subjects: [workload]
#   needs: [object]
#   reads: {pod: [affinity, topologySpreadConstraints]}
#   parameters:
#     topology_key:
#       description: The label of nodes over whose values the pods are spread.
#       type: string
#       minLength: 1
#       default: kubernetes.io/hostname
#   remediation: >-
#     Add topologySpreadConstraints to the pod template.
#   controls:
#     nist-800-53-r5: [CP-10]
package policies.defaults.topology_spread

import data.lib.values

violations contains {"message": message, "path": path} if {
	some path in _bunched
	message := concat("", [
		"nothing spreads the replicas; the default here is over ",
		input.parameters.topology_key,
		", as far as there is room",
	])
}

patches contains {"op": "add", "path": path, "value": [constraint]} if {
	some path in _bunched
	constraint := {
		"maxSkew": 1,
		"topologyKey": input.parameters.topology_key,
		"whenUnsatisfiable": "ScheduleAnyway",
		"labelSelector": {"matchLabels": _selected},
	}
}

_bunched contains path if {
	object.get(input.subject, "kind", "") in {"Deployment", "StatefulSet"}
	count(_selected) > 0
	some pod in input.subject.pods
	pod.replicas.max > 1
	is_null(object.get(pod, "topologySpreadConstraints", null))
	not _placed(pod)
	path := concat("/", [pod.path, "topologySpreadConstraints"])
}

_selected := values.as_object(object.get(input.object, ["spec", "selector", "matchLabels"], {}))

_placed(pod) if {
	affinity := values.as_object(object.get(pod, "affinity", {}))
	not object.get(affinity, "podAntiAffinity", null) in {null, {}}
}
