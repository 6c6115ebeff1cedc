# METADATA
# title: Training jobs end
# description: >-
#   A training run that hangs holds its GPUs until somebody looks: over a weekend that is the budget of a month. This
#   gives jobs a deadline, after which Kubernetes ends them. Covered are the kinds that have one: Job, CronJob, the jobs
#   of Kubeflow's training operator, RayJob.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup
# custom:
#   id: DEFAULT-005
#   severity: medium
#   subjects: [workload]
#   needs: [object]
#   reads: {pod: [activeDeadlineSeconds]}
#   parameters:
#     deadline_seconds:
#       description: How long a job may run.
#       type: integer
#       minimum: 60
#       default: 43200
#     with_gpus_only:
#       description: Whether only jobs that use accelerators get a deadline.
#       type: boolean
#       default: true
#   remediation: >-
#     Set activeDeadlineSeconds to the time that the job needs at most.
#   controls:
#     nist-800-53-r5: [SC-6]
package policies.defaults.job_deadline

import data.lib.values

violations contains {"message": message, "path": path} if {
	some path in _endless
	message := concat(" ", [
		"the job has no activeDeadlineSeconds; the default here is",
		values.shown(input.parameters.deadline_seconds),
	])
}

patches contains {"op": "add", "path": path, "value": input.parameters.deadline_seconds} if some path in _endless

_endless contains path if {
	_counts
	fields := _fields[object.get(input.subject, "kind", "")]
	startswith(object.get(input.subject, "apiVersion", ""), fields.group)
	spec := _spec(fields.tokens)
	is_null(object.get(spec, "activeDeadlineSeconds", null))
	path := concat("/", ["", concat("/", fields.tokens), "activeDeadlineSeconds"])
}

# A pod that is in the way, or nothing at all, is a spec without fields.
_spec(tokens) := values.as_object(object.get(input.object, tokens, {}))

_counts if not input.parameters.with_gpus_only

_counts if input.subject.gpus.peak > 0

_fields := {
	"CronJob": {"group": "batch/", "tokens": ["spec", "jobTemplate", "spec"]},
	"JAXJob": {"group": "kubeflow.org/", "tokens": ["spec", "runPolicy"]},
	"Job": {"group": "batch/", "tokens": ["spec"]},
	"MPIJob": {"group": "kubeflow.org/", "tokens": ["spec", "runPolicy"]},
	"PaddleJob": {"group": "kubeflow.org/", "tokens": ["spec", "runPolicy"]},
	"PyTorchJob": {"group": "kubeflow.org/", "tokens": ["spec", "runPolicy"]},
	"RayJob": {"group": "ray.io/", "tokens": ["spec"]},
	"TFJob": {"group": "kubeflow.org/", "tokens": ["spec", "runPolicy"]},
	"XGBoostJob": {"group": "kubeflow.org/", "tokens": ["spec", "runPolicy"]},
}
