# METADATA
# title: Seccomp is not switched off
# description: >-
#   Seccomp refuses those calls of the kernel that containers do not need and attackers do. A pod must not switch it off. This
#   is the control seccompProfile_baseline of the Pod Security Standards, level baseline; for level restricted bind
#   workload/seccomp-restricted in its place.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tutorials/security/seccomp/
# custom:
#   id: WORKLOAD-110
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Set securityContext.seccompProfile.type to RuntimeDefault. If a profiler fails under it, ask the platform team for a profile
#     of type Localhost.
#   controls:
#     nist-800-53-r5: [AC-6, CM-7]
#     cis-kubernetes-1.8: ["5.7.2"]
#     kubernetes-pod-security-1.35: [seccompProfile_baseline]
package policies.workload.seccomp_baseline

import data.lib.profiles

violations contains {"message": profiles.message(setting, ", or no profile"), "path": setting.path} if {
	some setting in _refused
}

patches contains {"op": "replace", "path": setting.path, "value": {"type": "RuntimeDefault"}} if {
	some setting in _refused
	endswith(setting.path, "/seccompProfile")
}

_refused contains setting if {
	some pod in input.subject.pods
	some setting in profiles.refused(pod, "seccompProfile")
}
