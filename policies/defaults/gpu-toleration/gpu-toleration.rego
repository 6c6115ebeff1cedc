# METADATA
# title: Pods with GPUs tolerate the taint of GPU nodes
# description: >-
#   GPU nodes are tainted so that nothing else lands on them. A pod that asks for the GPU and forgets the toleration waits
#   for ever, and nothing says why. This adds the toleration for each accelerator that a pod asks for, named like its
#   resource.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
# custom:
#   id: DEFAULT-006
#   severity: low
#   subjects: [workload]
#   needs: []
#   reads: {pod: [resources, tolerations], container: [resources]}
#   parameters:
#     accelerators:
#       description: The resources whose nodes carry a taint of the same name.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [nvidia.com/gpu, amd.com/gpu, gpu.intel.com/i915, gpu.intel.com/xe]
#     taint_effect:
#       description: The effect of that taint.
#       enum: [NoSchedule, NoExecute, PreferNoSchedule]
#       type: string
#       default: NoSchedule
#   remediation: >-
#     Add a toleration with the name of the resource as its key and operator Exists.
#   controls: {}
package policies.defaults.gpu_toleration

import data.lib.partial

violations contains {"message": message, "path": place.path} if {
	some place in _intolerant
	message := concat("", [
		"the pod asks for ",
		place.resource,
		" and does not tolerate the taint ",
		place.resource,
		":",
		input.parameters.taint_effect,
	])
}

patches contains {"op": "add", "path": path, "value": toleration} if {
	some place in _intolerant
	path := concat("/", [place.path, "-"])
	toleration := {"key": place.resource, "operator": "Exists", "effect": input.parameters.taint_effect}
}

_intolerant contains {"path": path, "resource": resource} if {
	some pod in input.subject.pods
	not partial.completed(pod)
	is_string(pod.path)
	some resource in input.parameters.accelerators
	_asks_for(pod, resource)
	tolerations := object.get(pod, "tolerations", null)
	_can_hold_items(tolerations)
	not _tolerates(tolerations, resource)
	path := concat("/", [pod.path, "tolerations"])
}

_asks_for(pod, resource) if {
	some container in pod.containers
	some list in ["limits", "requests"]
	amount := object.get(container, ["resources", list, resource], 0)
	not amount in {0, "0", "", null}
}

_tolerates(tolerations, resource) if {
	some toleration in tolerations
	is_object(toleration)
	_matches_key(toleration, resource)
	object.get(toleration, "effect", "") in {"", null, input.parameters.taint_effect}
}

# Without a key and with Exists, everything is tolerated.
_matches_key(toleration, resource) if object.get(toleration, "key", "") == resource

_matches_key(toleration, _) if {
	object.get(toleration, "key", "") in {"", null}
	object.get(toleration, "operator", "") == "Exists"
}

_can_hold_items(tolerations) if is_array(tolerations)

_can_hold_items(tolerations) if is_null(tolerations)
