# METADATA
# title: Accelerators are of approved types
# description: >-
#   Each type of accelerator has its price, its drivers and often its place. Judged are the resources that pods ask for, and the
#   types that they choose through labels of nodes (nodeSelector, required node affinity). The type that an AIModel names is for
#   platform/model-accelerator.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/
# custom:
#   id: GPU-002
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [affinity, hostUsers, nodeSelector, os, resources, restartPolicy, serviceAccount, serviceAccountName]
#     container: [resources, restartPolicy]
#   parameters:
#     approved_resources:
#       description: Resources that may be asked for, as globs.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [nvidia.com/gpu, nvidia.com/mig-*]
#     type_labels:
#       description: The labels of nodes that name the type of their accelerators.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [cloud.google.com/gke-accelerator, karpenter.k8s.aws/instance-gpu-name, nvidia.com/gpu.product]
#     approved_types:
#       description: The types that may be chosen by those labels, as globs.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: ["*A100*", "*H100*", "*L4*", "*a100*", "*h100*", "*l4*"]
#   remediation: >-
#     Ask for a type that the platform has: its names are in this policy's binding. If your model needs another one, ask the platform
#     team.
#   controls:
#     nist-800-53-r5: [CM-7(5), SC-6]
package policies.gpu.approved_types

import data.lib.globs
import data.lib.platform
import data.lib.settings
import data.lib.values

violations contains {"message": message, "path": _pods_path} if {
	not platform.is_a(input.subject, "AIModel")
	some name in object.keys(values.as_object(object.get(input.subject, ["gpus", "by_resource"], {})))
	not globs.like_one_of(name, input.parameters.approved_resources)
	message := concat("", [
		"this ",
		input.subject.kind,
		" asks for ",
		values.shown(name),
		"; approved are ",
		concat(", ", input.parameters.approved_resources),
	])
}

violations contains {"message": message, "path": choice.path} if {
	some choice in _choices
	not globs.like_one_of(choice.type, input.parameters.approved_types)
	message := concat("", [
		"the pod chooses nodes by ",
		values.shown(choice.label),
		" ",
		values.shown(choice.type),
		"; approved are ",
		concat(", ", input.parameters.approved_types),
	])
}

violations contains {"message": settings.message(setting, "an object"), "path": setting.path} if {
	some setting in (_selectors | _expressions)
	_is_unreadable(setting)
}

_is_unreadable(setting) if setting.wants != ""

_is_unreadable(setting) if not is_object(setting.value)

_selectors contains setting if {
	some pod in input.subject.pods
	some setting in settings.of_pod(pod, ["nodeSelector"])
}

_expressions contains expression if {
	some pod in input.subject.pods
	terms := settings.elements(settings.of_pod(pod, [
		"affinity",
		"nodeAffinity",
		"requiredDuringSchedulingIgnoredDuringExecution",
		"nodeSelectorTerms",
	]))
	some expression in settings.elements(settings.inside(terms, ["matchExpressions"]))
}

# A node selector names one type; so does each value of an expression of required affinity.
_choices contains {"label": label, "type": type, "path": path} if {
	some selector in _selectors
	some label in input.parameters.type_labels
	type := object.get(values.as_object(selector.value), label, null)
	not is_null(type)
	path := concat("/", [selector.path, values.pointer_token(label)])
}

_choices contains {"label": label, "type": type, "path": expression.path} if {
	some expression in _expressions
	fields := values.as_object(expression.value)
	label := object.get(fields, "key", "")
	label in input.parameters.type_labels
	object.get(fields, "operator", "In") == "In"
	some type in _listed(object.get(fields, "values", []))
}

_listed(types) := types if is_array(types)

_listed(types) := [types] if not is_array(types)

_pods_path := path if {
	count(_pod_paths) == 1
	some path in _pod_paths
}

_pods_path := "/spec" if count(_pod_paths) != 1

_pod_paths := {pod.path | some pod in input.subject.pods}
