# METADATA
# title: Batch work on GPUs ends
# description: >-
#   A training run that hangs holds its GPUs until somebody looks, which on a Friday is Monday. What runs to completion on GPUs
#   therefore says when it is to be ended: activeDeadlineSeconds of the Job (or of the kind's own field for it), or of its pods.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup
# custom:
#   id: GPU-004
#   severity: high
#   subjects: [workload]
#   needs: [object]
#   reads: {pod: [activeDeadlineSeconds, restartPolicy], container: [restartPolicy]}
#   parameters:
#     max_hours:
#       description: The longest that one run may take.
#       type: number
#       exclusiveMinimum: 0
#       default: 12
#     without_gpus:
#       description: Whether work without GPUs is judged, too.
#       type: boolean
#       default: false
#   remediation: >-
#     Set activeDeadlineSeconds to what the run needs at most (12 hours are 43200), and save checkpoints so that the next run goes
#     on from there. If one run needs longer, ask for a waiver.
#   controls:
#     nist-800-53-r5: [SC-5, SC-6]
package policies.gpu.runtime_limit

import data.lib.training
import data.lib.values

violations contains {"message": message, "path": _deadline_path} if {
	_is_judged
	not _ends_in_time
	message := concat("", [
		"this ",
		input.subject.kind,
		_deadline_found(_deadline),
		"; required is at most ",
		values.shown(_max_seconds),
		" (",
		values.shown(input.parameters.max_hours),
		" hours)",
	])
}

patches contains {"op": "add", "path": _deadline_path, "value": _max_seconds} if {
	_is_judged
	not _ends_in_time
	is_null(_deadline)
}

patches contains {"op": "replace", "path": _deadline_path, "value": _max_seconds} if {
	_is_judged
	not _ends_in_time
	not is_null(_deadline)
}

# Where each kind that runs to completion has its deadline. A bare Pod does so if its restartPolicy says so.
_fields_of := {
	"CronJob": ["spec", "jobTemplate", "spec", "activeDeadlineSeconds"],
	"JAXJob": ["spec", "runPolicy", "activeDeadlineSeconds"],
	"Job": ["spec", "activeDeadlineSeconds"],
	"MPIJob": ["spec", "runPolicy", "activeDeadlineSeconds"],
	"PaddleJob": ["spec", "runPolicy", "activeDeadlineSeconds"],
	"Pod": ["spec", "activeDeadlineSeconds"],
	"PyTorchJob": ["spec", "runPolicy", "activeDeadlineSeconds"],
	"RayJob": ["spec", "activeDeadlineSeconds"],
	"TFJob": ["spec", "runPolicy", "activeDeadlineSeconds"],
	"Workflow": ["spec", "activeDeadlineSeconds"],
	"XGBoostJob": ["spec", "runPolicy", "activeDeadlineSeconds"],
}

_fields := _fields_of[input.subject.kind]

_deadline_path := concat("/", array.concat([""], _fields))

_deadline := object.get(values.as_object(input.object), _fields, null)

_max_seconds := round(input.parameters.max_hours * 3600)

_is_judged if {
	_runs_to_completion
	_counts
}

_runs_to_completion if {
	input.subject.kind != "Pod"
	is_array(_fields)
}

_runs_to_completion if {
	input.subject.kind == "Pod"
	training.runs_to_completion(input.subject)
}

_counts if input.parameters.without_gpus

_counts if object.get(input.subject, ["gpus", "peak"], 1) != 0

_ends_in_time if _in_time(_deadline)

_ends_in_time if {
	count(input.subject.pods) > 0
	every pod in input.subject.pods {
		_in_time(object.get(pod, "activeDeadlineSeconds", null))
	}
}

_in_time(seconds) if {
	is_number(seconds)
	seconds > 0
	seconds <= _max_seconds
}

_deadline_found(seconds) := " has no activeDeadlineSeconds" if is_null(seconds)

_deadline_found(seconds) := concat(" ", [" sets activeDeadlineSeconds to", values.shown(seconds)]) if not is_null(seconds)
