# METADATA
# title: Batch work waits in a queue
# description: >-
#   What starts without a queue takes GPUs that others wait for. Kueue admits a job when it has the label
#   kueue.x-k8s.io/queue-name; this adds it to jobs that use accelerators and name no queue.
# scope: package
# related_resources:
#   - ref: https://kueue.sigs.k8s.io/docs/tasks/run/jobs/
# custom:
#   id: DEFAULT-007
#   severity: low
#   subjects: [workload]
#   needs: []
#   reads: {}
#   parameters:
#     queue:
#       description: The LocalQueue for jobs that do not name one.
#       type: string
#       minLength: 1
#       maxLength: 63
#       default: default
#     queued_kinds:
#       description: The kinds that Kueue manages here.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [JAXJob, Job, JobSet, LeaderWorkerSet, MPIJob, PaddleJob, PyTorchJob, RayCluster, RayJob, TFJob, TrainJob, XGBoostJob]
#   remediation: >-
#     Add the label kueue.x-k8s.io/queue-name with the name of your team's queue.
#   controls:
#     nist-800-53-r5: [SC-6]
package policies.defaults.queue_label

import data.lib.values

violations contains {"message": message, "path": path} if {
	some path in _unqueued
	message := concat(" ", [
		"the job has accelerators and names no queue; the default here is",
		values.shown(input.parameters.queue),
	])
}

patches contains {"op": "add", "path": path, "value": input.parameters.queue} if some path in _unqueued

_unqueued contains path if {
	object.get(input.subject, "kind", "") in input.parameters.queued_kinds
	input.subject.gpus.peak > 0
	is_null(object.get(values.as_object(object.get(input.subject, "labels", {})), "kueue.x-k8s.io/queue-name", null))
	path := "/metadata/labels/kueue.x-k8s.io~1queue-name"
}
