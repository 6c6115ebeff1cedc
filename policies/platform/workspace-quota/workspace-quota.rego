# METADATA
# title: An AIWorkspace has quotas within those of its environment
# description: >-
#   The quotas of a workspace become the ResourceQuota of its namespace: what is not set is not bounded, and what is set too high
#   is taken from the other teams. How much a workspace may have depends on its environment.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/policy/resource-quotas/
# custom:
#   id: PLATFORM-007
#   severity: high
#   subjects: [resource]
#   needs: [object]
#   parameters:
#     quotas:
#       description: The most that a workspace may have, for each environment.
#       type: object
#       minProperties: 1
#       additionalProperties:
#         type: object
#         additionalProperties: false
#         required: [gpus, memory, cpus]
#         properties:
#           gpus: {type: integer, minimum: 0}
#           memory: {type: string, pattern: "^[0-9]+(Ki|Mi|Gi|Ti|Pi)$"}
#           cpus: {type: integer, minimum: 1}
#       default:
#         development: {gpus: 8, memory: 512Gi, cpus: 128}
#         production: {gpus: 32, memory: 4096Gi, cpus: 1024}
#         staging: {gpus: 16, memory: 1024Gi, cpus: 256}
#   remediation: >-
#     Set spec.resources.gpuQuota, memoryQuota and cpuQuota to what the team needs, at most what the message names. For more, ask the
#     owner of the budget for a waiver.
#   controls:
#     nist-800-53-r5: [SC-5, SC-6]
package policies.platform.workspace_quota

import data.lib.platform
import data.lib.values

violations contains {"message": message, "path": _environment.path} if {
	platform.is_a(input.subject, "AIWorkspace")
	not _has_limits
	message := platform.message(_environment, concat(" ", [
		"an environment that there are quotas for:",
		concat(", ", sort(object.keys(input.parameters.quotas))),
	]))
}

violations contains {"message": message, "path": _gpus.path} if {
	platform.is_a(input.subject, "AIWorkspace")
	most := _limits.gpus
	not _gpus_within(most)
	message := platform.message(_gpus, concat("", ["a whole number from 0 to ", values.shown(most), _for_environment]))
}

violations contains {"message": message, "path": _memory.path} if {
	platform.is_a(input.subject, "AIWorkspace")
	most := _limits.memory
	not _within(_memory, units.parse(most))
	message := platform.message(_memory, concat("", ["an amount of memory such as 64Gi, at most ", most, _for_environment]))
}

violations contains {"message": message, "path": _cpus.path} if {
	platform.is_a(input.subject, "AIWorkspace")
	most := _limits.cpus
	not _within(_cpus, most)
	message := platform.message(_cpus, concat("", ["an amount of CPUs such as 32, at most ", values.shown(most), _for_environment]))
}

_environment := platform.field(input.object, ["spec", "environment"])

_gpus := platform.field(input.object, ["spec", "resources", "gpuQuota"])

_memory := platform.field(input.object, ["spec", "resources", "memoryQuota"])

_cpus := platform.field(input.object, ["spec", "resources", "cpuQuota"])

_has_limits if is_object(_limits)

_limits := input.parameters.quotas[_environment.value] if {
	_environment.wants == ""
	is_string(_environment.value)
}

_for_environment := concat(" ", [" in", _environment.value])

_gpus_within(most) if {
	platform.is_count(_gpus, 0)
	_gpus.value <= most
}

_within(amount, most) if {
	amount.wants == ""
	parsed := _parsed(amount.value)
	parsed > 0
	parsed <= most
}

_parsed(amount) := amount if is_number(amount)

# Only what `units.parse` of both engines reads alike: a number, and one letter or two.
_parsed(amount) := units.parse(amount) if {
	is_string(amount)
	regex.match("^[0-9]{1,15}([.][0-9]{1,9})?(m|k|K|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$", amount)
}
