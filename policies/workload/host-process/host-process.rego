# METADATA
# title: No Windows host process
# description: >-
#   A Windows HostProcess container runs as an account of its node, outside of every container boundary: it owns the node. This
#   is the control windowsHostProcess of the Pod Security Standards, level baseline.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/create-hostprocess-pod/
# custom:
#   id: WORKLOAD-101
#   severity: critical
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Remove securityContext.windowsOptions.hostProcess from the pod and its containers. Work on the nodes themselves belongs
#     to the platform team.
#   controls:
#     nist-800-53-r5: [AC-6, CM-7]
#     cis-kubernetes-1.8: ["5.2.11"]
#     kubernetes-pod-security-1.35: [windowsHostProcess]
package policies.workload.host_process

import data.lib.settings

violations contains {"message": settings.message(setting, "false or no value"), "path": setting.path} if {
	some setting in _refused
}

patches contains {"op": "replace", "path": setting.path, "value": false} if {
	some setting in _refused
	setting.wants == ""
}

_refused contains setting if {
	some pod in input.subject.pods
	some setting in settings.others_of_all(pod, _fields, _fields, {false})
}

_fields := ["securityContext", "windowsOptions", "hostProcess"]
