# METADATA
# title: The kernel's files under /proc stay masked
# description: >-
#   The container runtime hides those files under /proc that tell about the node or change it. procMount Unmasked shows them;
#   it is harmless only in a user namespace (hostUsers false). This is the control procMount of the Pod Security Standards,
#   level baseline; for level restricted bind workload/proc-mount-restricted in its place.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
# custom:
#   id: WORKLOAD-109
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Remove securityContext.procMount from the container. If you build images inside a container, add hostUsers false to the
#     pod.
#   controls:
#     nist-800-53-r5: [AC-6, SC-39]
#     kubernetes-pod-security-1.35: [procMount]
package policies.workload.proc_mount

import data.lib.settings

violations contains {"message": message, "path": setting.path} if {
	some setting in _refused
	message := settings.message(setting, "\"Default\" or no value, unless the pod sets hostUsers to false")
}

patches contains {"op": "replace", "path": setting.path, "value": "Default"} if {
	some setting in _refused
	setting.wants == ""
}

_refused contains setting if {
	some pod in input.subject.pods
	not settings.in_user_namespace(pod)
	some setting in settings.others_of_containers(pod, _fields, _fields, {"Default"})
}

_fields := ["securityContext", "procMount"]
