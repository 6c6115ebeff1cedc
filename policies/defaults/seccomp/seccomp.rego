# METADATA
# title: Pods run under the seccomp profile of the runtime
# description: >-
#   Without a profile a container may make every system call there is, among them those that most escapes from containers
#   need. RuntimeDefault is what the container runtime was tested with. This sets it for the pod where a container has no
#   profile of its own and the pod has none either; pods for Windows have no seccomp.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/tutorials/security/seccomp/
# custom:
#   id: DEFAULT-003
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {pod: [os, securityContext], container: [securityContext]}
#   parameters: {}
#   remediation: >-
#     Set securityContext.seccompProfile.type to RuntimeDefault in the pod spec.
#   controls:
#     nist-800-53-r5: [SC-39, CM-7]
#     cis-kubernetes-1.8: ["5.7.2"]
package policies.defaults.seccomp

import data.lib.partial
import data.lib.values

violations contains {"message": message, "path": path} if {
	some path in _without_profile
	message := "the pod has no seccompProfile; the default here is RuntimeDefault"
}

patches contains {"op": "add", "path": path, "value": {"type": "RuntimeDefault"}} if some path in _without_profile

_without_profile contains path if {
	some pod in input.subject.pods
	not partial.completed(pod)
	not _for_windows(pod)
	context := object.get(pod, "securityContext", {})
	_can_hold_fields(context)
	is_null(object.get(values.as_object(context), "seccompProfile", null))
	some container in pod.containers
	is_null(object.get(values.as_object(object.get(container, "securityContext", {})), "seccompProfile", null))
	path := concat("/", [pod.path, "securityContext", "seccompProfile"])
}

_for_windows(pod) if object.get(values.as_object(object.get(pod, "os", {})), "name", "") == "windows"

_can_hold_fields(context) if is_object(context)

_can_hold_fields(context) if is_null(context)
