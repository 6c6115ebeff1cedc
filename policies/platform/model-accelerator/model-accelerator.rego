# METADATA
# title: An AIModel asks for an approved accelerator
# description: >-
#   The controller finds nodes by the type that an AIModel names; one that the platform does not have waits for ever, and one that
#   is not meant for serving takes it from training. How many all replicas may use together is for gpu/limit; here each replica has
#   one at least of a named type, so that they can be counted.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/
# custom:
#   id: PLATFORM-002
#   severity: medium
#   subjects: [workload]
#   needs: [object]
#   reads: {}
#   parameters:
#     accelerators:
#       description: The types that may be named, as globs.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [nvidia-a10g, "nvidia-a100*", "nvidia-h100*", nvidia-l4, nvidia-l40s]
#   remediation: >-
#     Set spec.serving.gpu to a type that the platform has; the message names them. Leave out gpuCount for one accelerator for each
#     replica, and gpu, too, for a model that runs without.
#   controls:
#     nist-800-53-r5: [CM-7(5), SC-6]
package policies.platform.model_accelerator

import data.lib.globs
import data.lib.platform

violations contains {"message": message, "path": _gpu.path} if {
	platform.is_a(input.subject, "AIModel")
	not platform.missing(_gpu)
	not _is_approved
	message := platform.message(_gpu, concat(" ", ["one of", concat(", ", input.parameters.accelerators)]))
}

violations contains {"message": message, "path": _count.path} if {
	platform.is_a(input.subject, "AIModel")
	_gpu.wants == ""
	not platform.missing(_count)
	not platform.is_count(_count, 1)
	message := platform.message(_count, "a whole number from 1 on")
}

violations contains {"message": message, "path": _gpu.path} if {
	platform.is_a(input.subject, "AIModel")
	platform.missing(_gpu)
	not platform.missing(_count)
	message := platform.message(_gpu, concat(" ", ["the type of what gpuCount counts: one of", concat(", ", input.parameters.accelerators)]))
}

_gpu := platform.field(input.object, ["spec", "serving", "gpu"])

_count := platform.field(input.object, ["spec", "serving", "gpuCount"])

_is_approved if {
	_gpu.wants == ""
	globs.like_one_of(_gpu.value, input.parameters.accelerators)
}
