# METADATA
# title: The kernel's files under /proc stay masked, in user namespaces too
# description: >-
#   The container runtime hides those files under /proc that tell about the node or change it, and procMount Unmasked shows
#   them. This is the control procMount_restricted of the Pod Security Standards, level restricted: it holds in user namespaces
#   as well, where level baseline (workload/proc-mount) lets go.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
# custom:
#   id: WORKLOAD-127
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Remove securityContext.procMount from the container. If you build images inside a container, ask the platform team for a
#     namespace at level baseline.
#   controls:
#     nist-800-53-r5: [AC-6, SC-39]
#     kubernetes-pod-security-1.35: [procMount_restricted]
package policies.workload.proc_mount_restricted

import data.lib.settings

violations contains {"message": settings.message(setting, "\"Default\" or no value"), "path": setting.path} if {
	some setting in _refused
}

patches contains {"op": "replace", "path": setting.path, "value": "Default"} if {
	some setting in _refused
	setting.wants == ""
}

_refused contains setting if {
	some pod in input.subject.pods
	some setting in settings.others_of_containers(pod, _fields, _fields, {"Default"})
}

_fields := ["securityContext", "procMount"]
