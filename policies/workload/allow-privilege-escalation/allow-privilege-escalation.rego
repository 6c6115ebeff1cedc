# METADATA
# title: No process gains privileges
# description: >-
#   With allowPrivilegeEscalation, programs with the set-user-ID bit (sudo, su) make root out of an ordinary user. It is on unless
#   a container switches it off. This is the control allowPrivilegeEscalation of the Pod Security Standards, level restricted;
#   pods for Windows are exempt.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
# custom:
#   id: WORKLOAD-122
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Set securityContext.allowPrivilegeEscalation to false in every container. Install packages when you build the image, not
#     with sudo when it runs.
#   controls:
#     nist-800-53-r5: [AC-6, CM-7]
#     cis-kubernetes-1.8: ["5.2.6"]
#     kubernetes-pod-security-1.35: [allowPrivilegeEscalation]
package policies.workload.allow_privilege_escalation

import data.lib.containers
import data.lib.partial
import data.lib.settings

violations contains {"message": settings.message(setting, "false"), "path": setting.path} if {
	some setting in _refused
}

violations contains {"message": message, "path": _path(container)} if {
	some container in _silent
	message := concat(" ", [
		containers.described(container),
		"does not set securityContext.allowPrivilegeEscalation; required is false",
	])
}

patches contains {"op": "replace", "path": setting.path, "value": false} if {
	some setting in _refused
	setting.wants == ""
}

patches contains {"op": "add", "path": _path(container), "value": false} if {
	some container in _silent
}

_fields := ["securityContext", "allowPrivilegeEscalation"]

_refused contains setting if {
	some pod in input.subject.pods
	not settings.for_windows(pod)
	some setting in settings.others_of_containers(pod, _fields, _fields, {false})
}

_silent contains container if {
	some pod in input.subject.pods
	not settings.for_windows(pod)
	not partial.completed(pod)
	some container in pod.containers
	settings.unset(container, _fields)
}

_path(container) := concat("/", [container.path, "securityContext/allowPrivilegeEscalation"])
