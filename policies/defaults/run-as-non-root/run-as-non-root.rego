# METADATA
# title: Pods do not run as root unless they say so
# description: >-
#   Root in a container is root on its node as soon as one wall between them falls. This sets runAsNonRoot for the pod
#   where not every container says as whom it runs, and the pod does not either. An image that starts as root is then not
#   started: bring the policy in with warn first.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
# custom:
#   id: DEFAULT-004
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {pod: [securityContext], container: [securityContext]}
#   parameters: {}
#   remediation: >-
#     Set securityContext.runAsNonRoot: true in the pod spec, and build the image with a USER; or false, if it must be
#     root.
#   controls:
#     nist-800-53-r5: [AC-6]
#     cis-kubernetes-1.8: ["5.2.6"]
package policies.defaults.run_as_non_root

import data.lib.partial
import data.lib.values

violations contains {"message": message, "path": path} if {
	some path in _silent
	message := "nothing says that the pod does not run as root; the default here is runAsNonRoot: true"
}

patches contains {"op": "add", "path": path, "value": true} if some path in _silent

_silent contains path if {
	some pod in input.subject.pods
	not partial.completed(pod)
	context := object.get(pod, "securityContext", {})
	_can_hold_fields(context)
	not _says_who(context)
	not _a_container_is_root(pod)
	some container in pod.containers
	not _says_who(object.get(container, "securityContext", {}))
	path := concat("/", [pod.path, "securityContext", "runAsNonRoot"])
}

# What a container says of itself counts before what the pod says.
_a_container_is_root(pod) if {
	some container in pod.containers
	context := values.as_object(object.get(container, "securityContext", {}))
	object.get(context, "runAsUser", null) == 0
	is_null(object.get(context, "runAsNonRoot", null))
}

_says_who(context) if {
	some name in ["runAsNonRoot", "runAsUser"]
	not is_null(object.get(values.as_object(context), name, null))
}

_can_hold_fields(context) if is_object(context)

_can_hold_fields(context) if is_null(context)
