# METADATA
# title: Every container limits its CPU and memory
# description: >-
#   A container without limits can take all the memory and CPU of its node and bring down what runs beside it, and nobody
#   can plan capacity for it. Main containers, init containers and sidecars are judged. Ephemeral containers are exempt,
#   because Kubernetes does not let them have resources. A limit of 0 means no limit, so it does not count.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
# custom:
#   id: WORKLOAD-001
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {pod: [resources, restartPolicy], container: [resources, restartPolicy]}
#   parameters:
#     resources:
#       description: The resources that every container must limit.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [cpu, memory]
#   remediation: >-
#     Add resources.limits with cpu and memory to the container: the most that it ever needs, such as cpu "4" and memory
#     16Gi. Measure it with kubectl top pod --containers, and leave some room.
#   controls:
#     nist-800-53-r5: [SC-5, SC-6]
package policies.workload.resource_limits

import data.lib.containers
import data.lib.partial
import data.lib.values

violations contains {"message": message, "path": path} if {
	some pod in input.subject.pods
	some container in pod.containers
	object.get(container, "role", "main") != "ephemeral"
	some resource in input.parameters.resources
	not _is_limited(container, resource)
	not partial.left_open(pod, container, ["resources", "limits", resource])
	limit := object.get(_limits(container), resource, null)
	message := concat(" ", [
		containers.described(container),
		_limit_found(resource, limit),
		"required is a limit above 0, such as",
		_example(resource),
	])
	path := concat("/", [container.path, "resources/limits", values.pointer_token(resource)])
}

# What is not an object limits nothing.
_limits(container) := values.as_object(object.get(values.as_object(object.get(container, "resources", {})), "limits", {}))

# Whether there is a limit and it is more than zero: a number, or a quantity (apimachinery, resource.Quantity) of which a
# digit before or behind the point is not 0.
_is_limited(container, resource) if {
	limit := container.resources.limits[resource]
	is_number(limit)
	limit > 0
}

_is_limited(container, resource) if {
	limit := container.resources.limits[resource]
	is_string(limit)
	regex.match(
		"^[+]?([0-9]*[1-9][0-9]*([.][0-9]*)?|[0-9]*[.][0-9]*[1-9][0-9]*)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$",
		limit,
	)
}

_limit_found(resource, limit) := concat("", ["has no ", resource, " limit;"]) if is_null(limit)

_limit_found(resource, limit) := concat("", ["has the ", resource, " limit ", values.shown(limit), ";"]) if not is_null(limit)

_example("cpu") := "cpu: \"2\""

_example("memory") := "memory: 8Gi"

_example(resource) := concat("", [resource, ": \"1\""]) if not resource in {"cpu", "memory"}
