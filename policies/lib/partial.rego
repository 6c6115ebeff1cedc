# Pod specs that a controller completes: of an InferenceService or a TrainJob, say, or of a kind that is not known.
#
# What is missing in one may be there in the end, so nobody is asked for it; what is wrong in it is wrong all the same. The pods
# that come of it are judged as what they are then. Nothing here reads `input`.
package lib.partial

# Whether the pod's spec is completed by a controller.
completed(pod) if object.get(pod, "partial", false) == true

# Whether the field is left to the controller: missing or null in the pod or a container of it, and nothing on the way to it
# stands in its place. `fields` are the names on the way to it.
left_open(pod, holder, fields) if {
	completed(pod)
	is_null(object.get(holder, fields, null))
	count(_obstacles(holder, fields)) == 0
}

_obstacles(holder, fields) := {length |
	some length in numbers.range(1, count(fields))
	length < count(fields)
	part := object.get(holder, array.slice(fields, 0, length), null)
	not is_null(part)
	not is_object(part)
}
