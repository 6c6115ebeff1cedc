# METADATA
# title: Labels of the namespace are on its workloads
# description: >-
#   Cost and data classification are properties of a team's namespace: typed again on every object, they go missing or
#   contradict it. This copies them from the namespace to the object and to its pods, where cost reports and network
#   policies look for them. A label that the object has already is left as it is.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
# custom:
#   id: DEFAULT-001
#   severity: low
#   subjects: [workload]
#   needs: [namespace]
#   reads: {}
#   parameters:
#     inherited_labels:
#       description: The labels that the objects of a namespace take over from it.
#       type: array
#       items: {type: string, minLength: 1, maxLength: 317}
#       minItems: 1
#       uniqueItems: true
#       default: [cost-center, team, data-classification]
#     on_pods:
#       description: Whether the pods (or pod templates) of the object get them too.
#       type: boolean
#       default: true
#   remediation: >-
#     Add the label with the value that the namespace has, or let the mutating webhook add it.
#   controls:
#     nist-800-53-r5: [CM-8(4), AC-16]
package policies.defaults.namespace_labels

import data.lib.values

violations contains {"message": message, "path": place.path} if {
	some place in _missing
	message := concat("", [
		"the label ",
		values.shown(place.name),
		" is missing; the namespace has ",
		values.shown(place.value),
	])
}

patches contains {"op": "add", "path": place.path, "value": place.value} if some place in _missing

_missing contains {"path": path, "name": name, "value": value} if {
	some name in input.parameters.inherited_labels
	value := _inherited(name)
	some labels in _places
	object.get(values.as_object(labels.values), name, null) == null
	path := concat("/", [labels.path, values.pointer_token(name)])
}

# What Kubernetes accepts as a label: nothing else is worth copying.
_inherited(name) := value if {
	value := object.get(values.as_object(object.get(input.namespace, "labels", {})), name, "")
	is_string(value)
	value != ""
}

_places contains {"path": "/metadata/labels", "values": object.get(input.subject, "labels", {})}

_places contains {"path": path, "values": object.get(pod, "labels", {})} if {
	input.parameters.on_pods
	some pod in input.subject.pods
	is_string(pod.path)
	endswith(pod.path, "/template/spec")
	path := concat("/", [trim_suffix(pod.path, "/spec"), "metadata", "labels"])
}
