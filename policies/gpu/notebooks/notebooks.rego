# METADATA
# title: Notebooks use few GPUs, and end when nobody works in them
# description: >-
#   A notebook holds its GPUs while its owner is at lunch, and for months after they changed teams. So it has few of them, and
#   something ends it when it is idle: an annotation that the platform's culler reads, or the server's own timeout
#   (shutdown_no_activity_timeout). Notebooks are known by their kind, their images and their labels; one that Kubeflow has stopped
#   uses no GPU.
# scope: package
# related_resources:
#   - ref: https://github.com/kubeflow/kubeflow/blob/master/components/proposals/20220121-jupyter-notebook-idleness.md
#   - ref: https://jupyter-server.readthedocs.io/en/latest/other/full-config.html
# custom:
#   id: GPU-005
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {container: [args, command]}
#   parameters:
#     max_notebook_gpus:
#       description: How many GPUs a notebook may use. Parts of a GPU (MIG) count as parts.
#       type: integer
#       minimum: 0
#       default: 1
#     culling_annotation:
#       description: The annotation that says after how much idle time the notebook is ended, such as 4h.
#       type: string
#       minLength: 1
#       default: ai.platform.internal/cull-after-idle
#     max_idle_hours:
#       description: The longest idle time.
#       type: integer
#       minimum: 1
#       maximum: 720
#       default: 12
#     notebook_kinds:
#       description: Kinds that are notebooks.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [Notebook]
#     notebook_images:
#       description: Repositories of images of notebooks, as globs.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: ["*code-server*", "*codeserver*", "*jupyter*", "*notebook*", "*rstudio*"]
#     notebook_labels:
#       description: Labels of notebooks, with their values as globs. These are what JupyterHub and Kubeflow put on theirs.
#       type: object
#       additionalProperties: {type: string}
#       default:
#         app.kubernetes.io/component: singleuser-server
#         component: singleuser-server
#         hub.jupyter.org/username: "*"
#         notebook-name: "*"
#     batch_kinds:
#       description: Kinds that run to completion; one with the image of a notebook is none. gpu/runtime-limit ends them.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [CronJob, CronWorkflow, Job, JobSet, PyTorchJob, RayJob, ScheduledSparkApplication, TrainJob, Workflow]
#   remediation: >-
#     Ask for one GPU or a slice of one, and add the annotation of the message under metadata.annotations, or the argument
#     --ServerApp.shutdown_no_activity_timeout with seconds. Longer and larger work belongs in a job.
#   controls:
#     nist-800-53-r5: [AC-12, SC-6]
package policies.gpu.notebooks

import data.lib.globs
import data.lib.platform
import data.lib.values

violations contains {"message": message, "path": _path} if {
	_is_judged
	is_number(_peak)
	_peak > input.parameters.max_notebook_gpus
	message := concat("", [
		"this ",
		input.subject.kind,
		" is a notebook and can use ",
		values.shown(_peak),
		" GPUs; required is at most ",
		values.shown(input.parameters.max_notebook_gpus),
	])
}

violations contains {"message": message, "path": _path} if {
	_is_judged
	not is_number(_peak)
	message := concat("", [
		"this ",
		input.subject.kind,
		" is a notebook whose GPUs could not be counted; required is at most ",
		values.shown(input.parameters.max_notebook_gpus),
	])
}

violations contains {"message": message, "path": _annotation_path} if {
	_is_judged
	not _is_culled
	message := concat("", [
		"this ",
		input.subject.kind,
		" is a notebook with GPUs that nothing ends when it is idle: its annotation ",
		values.shown(_annotation),
		" is ",
		values.shown_or_missing(object.get(_annotations, _annotation, null)),
		"; required is an idle time such as 4h, at most ",
		_most,
	])
}

patches contains {"op": "add", "path": _annotation_path, "value": _most} if {
	_is_judged
	not _is_culled
	is_null(object.get(_annotations, _annotation, null))
}

_annotation := input.parameters.culling_annotation

_annotations := values.as_object(object.get(input.subject, "annotations", {}))

_annotation_path := concat("/", ["/metadata/annotations", values.pointer_token(_annotation)])

_most := concat("", [json.marshal(input.parameters.max_idle_hours), "h"])

_peak := object.get(values.as_object(object.get(input.subject, "gpus", {})), "peak", null)

_is_judged if {
	_is_notebook
	_peak != 0
	not _is_stopped
}

_is_notebook if input.subject.kind in input.parameters.notebook_kinds

_is_notebook if {
	not input.subject.kind in input.parameters.batch_kinds
	some pod in input.subject.pods
	some container in pod.containers
	globs.like_one_of(lower(container.image.repository), input.parameters.notebook_images)
}

_is_notebook if {
	not input.subject.kind in input.parameters.batch_kinds
	some labels in _all_labels
	some name
	pattern := input.parameters.notebook_labels[name]
	globs.like_one_of(object.get(values.as_object(labels), name, null), [pattern])
}

_all_labels contains object.get(input.subject, "labels", {})

_all_labels contains object.get(pod, "labels", {}) if some pod in input.subject.pods

# Kubeflow's controller scales such a notebook to nothing, and starts it again only when somebody removes the annotation.
_is_stopped if {
	input.subject.kind == "Notebook"
	is_string(object.get(_annotations, "kubeflow-resource-stopped", null))
}

_is_culled if _idle_minutes(_annotations) <= input.parameters.max_idle_hours * 60

_is_culled if {
	some pod in input.subject.pods
	_idle_minutes(values.as_object(object.get(pod, "annotations", {}))) <= input.parameters.max_idle_hours * 60
}

_is_culled if {
	some pod in input.subject.pods
	some container in pod.containers
	object.get(container, "role", "main") == "main"
	some field in ["command", "args"]
	given := concat(" ", [argument | some argument in object.get(container, field, []); is_string(argument)])
	some found in regex.find_all_string_submatch_n("shutdown_no_activity_timeout[= ]([1-9][0-9]{0,8})($|[^0-9])", given, -1)
	to_number(found[1]) <= input.parameters.max_idle_hours * 3600
}

_idle_minutes(annotations) := platform.minutes(object.get(annotations, _annotation, null), "mhd")

_path := path if {
	count(_parts) == 1
	some path in _parts
}

_path := "/spec" if count(_parts) != 1

_parts := {concat("/", ["", split(pod.path, "/")[1]]) | some pod in input.subject.pods}
