# METADATA
# title: Batch work on GPUs waits in a queue
# description: >-
#   Without a queue, GPUs go to whoever asks first, and half-started distributed jobs hold the GPUs that the other half needs.
#   Kueue starts a job when all of it fits; it takes those that name a queue.
# scope: package
# related_resources:
#   - ref: https://kueue.sigs.k8s.io/docs/tasks/run/jobs/
# custom:
#   id: GPU-006
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {}
#   parameters:
#     queued_kinds:
#       description: Kinds that Kueue manages.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [JAXJob, Job, JobSet, MPIJob, PaddleJob, PyTorchJob, RayCluster, RayJob, TFJob, TrainJob, XGBoostJob]
#     queues:
#       description: The queues that may be named; none here stands for any.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Add the label kueue.x-k8s.io/queue-name with the name of your team's queue under metadata.labels (kubectl get localqueue
#     shows it).
#   controls:
#     nist-800-53-r5: [SC-5, SC-6]
package policies.gpu.queue_label

import data.lib.values

violations contains {"message": message, "path": "/metadata/labels/kueue.x-k8s.io~1queue-name"} if {
	input.subject.kind in input.parameters.queued_kinds
	object.get(input.subject, ["gpus", "peak"], 1) != 0
	not _is_queue(_queue)
	message := concat("", [
		"this ",
		input.subject.kind,
		" uses GPUs, and its label \"kueue.x-k8s.io/queue-name\" is ",
		values.shown_or_missing(_queue),
		"; required is ",
		_queues,
	])
}

# With one queue there is nothing to choose.
patches contains {"op": "add", "path": "/metadata/labels/kueue.x-k8s.io~1queue-name", "value": input.parameters.queues[0]} if {
	input.subject.kind in input.parameters.queued_kinds
	object.get(input.subject, ["gpus", "peak"], 1) != 0
	is_null(_queue)
	count(input.parameters.queues) == 1
}

_queue := object.get(values.as_object(object.get(input.subject, "labels", {})), "kueue.x-k8s.io/queue-name", null)

_is_queue(name) if {
	count(input.parameters.queues) == 0
	is_string(name)
	name != ""
}

_is_queue(name) if name in input.parameters.queues

_queues := "the name of a queue" if count(input.parameters.queues) == 0

_queues := concat(" ", ["one of", concat(", ", input.parameters.queues)]) if count(input.parameters.queues) > 0
