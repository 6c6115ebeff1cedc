# METADATA
# title: An AIModel says how far it grows
# description: >-
#   The autoscaler of an AIModel goes up to replicas.max: where there is none, nobody has decided what a burst of requests may
#   cost, and a minimum above the maximum is a mistake that shows at night. gpu/limit counts the accelerators of all replicas.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
# custom:
#   id: PLATFORM-003
#   severity: medium
#   subjects: [workload]
#   needs: [object]
#   reads: {}
#   parameters:
#     max_replicas:
#       description: The largest number of replicas, with accelerators or without.
#       type: integer
#       minimum: 1
#       default: 50
#   remediation: >-
#     Set spec.serving.replicas.min and max to whole numbers, max from 1 to the limit and not below min. Two replicas at the least
#     keep a model there while a node is drained.
#   controls:
#     nist-800-53-r5: [SC-5, SC-6]
package policies.platform.model_replicas

import data.lib.platform
import data.lib.values

violations contains {"message": message, "path": _max.path} if {
	platform.is_a(input.subject, "AIModel")
	not _max_is_allowed
	message := platform.message(_max, concat(" ", ["a whole number from 1 to", values.shown(input.parameters.max_replicas)]))
}

violations contains {"message": message, "path": _min.path} if {
	platform.is_a(input.subject, "AIModel")
	_max.wants == ""
	not platform.missing(_min)
	not platform.is_count(_min, 0)
	message := platform.message(_min, "a whole number from 0 on")
}

violations contains {"message": message, "path": _min.path} if {
	platform.is_a(input.subject, "AIModel")
	_max_is_allowed
	platform.is_count(_min, 0)
	_min.value > _max.value
	message := platform.message(_min, concat(" ", ["no more than spec.serving.replicas.max, which is", values.shown(_max.value)]))
}

# As many as there are at the least: that does not grow.
patches contains {"op": "add", "path": _max.path, "value": value} if {
	platform.is_a(input.subject, "AIModel")
	platform.missing(_max)
	value := _least
	value <= input.parameters.max_replicas
}

_min := platform.field(input.object, ["spec", "serving", "replicas", "min"])

_max := platform.field(input.object, ["spec", "serving", "replicas", "max"])

_max_is_allowed if {
	platform.is_count(_max, 1)
	_max.value <= input.parameters.max_replicas
}

_least := 1 if platform.missing(_min)

_least := 1 if {
	platform.is_count(_min, 0)
	_min.value < 1
}

_least := _min.value if platform.is_count(_min, 1)
