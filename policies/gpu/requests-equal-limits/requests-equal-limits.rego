# METADATA
# title: Containers with GPUs ask for all that they may use
# description: >-
#   A pod whose requests are below its limits is the first to be killed when its node runs short of memory, and takes the work of
#   its GPUs with it. Requests that are missing count as equal: Kubernetes fills them in from the limits.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
# custom:
#   id: GPU-003
#   severity: low
#   subjects: [workload]
#   needs: []
#   reads: {pod: [resources, restartPolicy], container: [resources, restartPolicy]}
#   parameters:
#     equal_resources:
#       description: The resources whose requests and limits are compared, besides the GPUs.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [memory]
#   remediation: >-
#     Set resources.requests to the same amounts as resources.limits, or remove the requests: Kubernetes then fills them in.
#   controls:
#     nist-800-53-r5: [SC-5, SC-6]
package policies.gpu.requests_equal_limits

import data.lib.containers
import data.lib.partial
import data.lib.values

violations contains {"message": message, "path": path} if {
	some container in _gpu_users
	some name in _compared
	request := _amount_of(container, "requests", name)
	not is_null(request)
	limit := _amount_of(container, "limits", name)
	not _is_equal(request, limit)
	not _limit_may_come(container, limit)
	message := concat("", [
		containers.described(container),
		" requests ",
		_shown_amount(request),
		" of ",
		name,
		" and its limit is ",
		_shown_limit(limit),
		"; required are equal ones",
	])
	path := concat("/", [container.path, "resources/requests", values.pointer_token(name)])
}

patches contains {"op": "replace", "path": path, "value": limit} if {
	some container in _gpu_users
	some name in _compared
	request := _amount_of(container, "requests", name)
	not is_null(request)
	limit := _amount_of(container, "limits", name)
	not is_null(limit)
	not _is_equal(request, limit)
	path := concat("/", [container.path, "resources/requests", values.pointer_token(name)])
}

_gpus_asked := object.keys(values.as_object(object.get(input.subject, ["gpus", "by_resource"], {})))

_compared := _gpus_asked | {name | some name in input.parameters.equal_resources}

_limit_may_come(container, limit) if {
	is_null(limit)
	container.path in _completed
}

_completed := {container.path |
	some pod in input.subject.pods
	partial.completed(pod)
	some container in pod.containers
}

_gpu_users contains container if {
	some pod in input.subject.pods
	some container in pod.containers
	some field in ["limits", "requests"]
	some name in _gpus_asked
	not is_null(_amount_of(container, field, name))
}

_amount_of(container, field, name) := object.get(container, ["resources", field, name], null)

_is_equal(request, limit) if _shown_amount(request) == _shown_amount(limit)

_is_equal(request, limit) if {
	_is_quantity(request)
	_is_quantity(limit)
	units.parse(_shown_amount(request)) == units.parse(_shown_amount(limit))
}

# Only what `units.parse` of both engines reads alike: a number, and one letter or two.
_is_quantity(amount) if regex.match("^[0-9]+([.][0-9]+)?(m|k|K|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$", _shown_amount(amount))

_shown_amount(amount) := amount if is_string(amount)

_shown_amount(amount) := values.shown(amount) if not is_string(amount)

_shown_limit(limit) := "missing" if is_null(limit)

_shown_limit(limit) := _shown_amount(limit) if not is_null(limit)
