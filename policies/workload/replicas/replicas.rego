# METADATA
# title: What serves has two replicas at least
# description: >-
#   A model server of one replica is away whenever its node is drained, and for as long as loading the model takes; no disruption
#   budget can help. Judged is the smallest number that the object lets itself shrink to.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/
# custom:
#   id: WORKLOAD-009
#   severity: low
#   subjects: [workload]
#   needs: []
#   reads: {}
#   parameters:
#     serving_kinds:
#       description: Kinds that serve.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [Deployment, InferenceService, LLMInferenceService, RayService, StatefulSet]
#     min_replicas:
#       description: How many replicas what serves has at least.
#       type: integer
#       minimum: 1
#       default: 2
#   remediation: >-
#     Set replicas (or the minimum of its autoscaler) to 2 or more. For a model that may be away while its node is upgraded, ask for
#     a waiver.
#   controls:
#     nist-800-53-r5: [CP-10, SC-5]
package policies.workload.replicas

import data.lib.values

violations contains {"message": message, "path": pod.path} if {
	input.subject.kind in input.parameters.serving_kinds
	some pod in input.subject.pods
	least := _least(object.get(pod, ["replicas", "min"], 0))
	least < input.parameters.min_replicas
	message := concat("", [
		"this ",
		input.subject.kind,
		" can have as few as ",
		values.shown(least),
		" replicas of the pod; required are ",
		values.shown(input.parameters.min_replicas),
		" at least",
	])
}

_least(number) := number if is_number(number)

_least(number) := 0 if not is_number(number)
