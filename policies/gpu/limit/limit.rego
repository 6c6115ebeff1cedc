# METADATA
# title: GPUs stay within the approved limit
# description: >-
#   An unreviewed request for many accelerators can drain the budget of a whole team in a weekend. Counted is what the
#   object can grow to: all of its pods at their largest number, each as the scheduler counts it.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/
# custom:
#   id: GPU-001
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads: {}
#   parameters:
#     max_gpus:
#       description: How many GPUs one object may use at its largest size. Parts of a GPU (MIG) count as parts.
#       type: integer
#       minimum: 0
#       default: 4
#   remediation: >-
#     Ask for fewer GPUs: lower the GPU limit of the container, or the number of replicas or parallel pods. If the work
#     needs them, ask the owner of your team's budget for a waiver before you apply it again.
#   controls:
#     nist-800-53-r5: [SC-6]
package policies.gpu.limit

import data.lib.values

violations contains {"message": message, "path": _path} if {
	is_number(_peak)
	_peak > _max_gpus
	message := concat(" ", [
		"this",
		_kind,
		"can use",
		values.shown(_peak),
		concat("", ["GPUs", _by_resource, "; at most"]),
		values.shown(_max_gpus),
		"are allowed",
	])
}

violations contains {"message": message, "path": _path} if {
	not is_number(_peak)
	message := concat(" ", [
		"the GPUs of this",
		_kind,
		"could not be counted; at most",
		values.shown(_max_gpus),
		"are allowed",
	])
}

_kind := object.get(input.subject, "kind", "object")

_gpus := values.as_object(object.get(input.subject, "gpus", {}))

_peak := object.get(_gpus, "peak", null)

# The host fills in the default; without a value nothing is allowed.
_max_gpus := object.get(input.parameters, "max_gpus", 0)

_by_resource := "" if count(_amounts) == 0

_by_resource := concat("", [" (it starts with ", concat(", ", sort(_amounts)), ")"]) if count(_amounts) > 0

_amounts := {concat(": ", [name, values.shown(amount)]) |
	resources := values.as_object(object.get(_gpus, "by_resource", {}))
	some name
	amount := resources[name]
	is_number(amount)
}

# The part of the object that holds both the pods and their number: `/spec`, for a PodTemplate `/template`.
_path := path if {
	count(_parts) == 1
	some path in _parts
}

_path := "/spec" if count(_parts) != 1

_parts := {concat("/", ["", split(pod.path, "/")[1]]) | some pod in input.subject.pods}
