# METADATA
# title: Seccomp is switched on
# description: >-
#   Seccomp refuses those calls of the kernel that containers do not need and attackers do; without a profile it is off, unless the
#   node says otherwise. This is the control seccompProfile_restricted of the Pod Security Standards, level restricted; pods for
#   Windows are exempt.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tutorials/security/seccomp/
# custom:
#   id: WORKLOAD-125
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Set securityContext.seccompProfile.type of the pod to RuntimeDefault; it holds for all of its containers. Training and
#     serving run under it unchanged.
#   controls:
#     nist-800-53-r5: [AC-6, CM-7]
#     cis-kubernetes-1.8: ["5.7.2"]
#     kubernetes-pod-security-1.35: [seccompProfile_restricted]
package policies.workload.seccomp_restricted

import data.lib.containers
import data.lib.partial
import data.lib.profiles
import data.lib.settings

violations contains {"message": profiles.message(setting, ""), "path": setting.path} if {
	some setting in _refused
}

violations contains {"message": message, "path": _path(pod)} if {
	some pod in _judged
	names := _silent(pod)
	count(names) > 0
	message := concat("", [
		"neither the pod nor ",
		concat(", ", sort(names)),
		" sets securityContext.seccompProfile; required is type RuntimeDefault or Localhost",
	])
}

patches contains {"op": "replace", "path": setting.path, "value": {"type": "RuntimeDefault"}} if {
	some setting in _refused
	endswith(setting.path, "/seccompProfile")
}

patches contains {"op": "add", "path": _path(pod), "value": {"type": "RuntimeDefault"}} if {
	some pod in _judged
	count(_silent(pod)) > 0
}

_fields := ["securityContext", "seccompProfile"]

_judged contains pod if {
	some pod in input.subject.pods
	not settings.for_windows(pod)
}

_refused contains setting if {
	some pod in _judged
	some setting in profiles.refused(pod, "seccompProfile")
}

# The containers that say nothing where the pod says nothing, and no controller will.
_silent(pod) := {containers.described(container) |
	not partial.completed(pod)
	settings.unset(pod, _fields)
	some container in pod.containers
	settings.unset(container, _fields)
}

_path(pod) := concat("/", [pod.path, "securityContext/seccompProfile"])
