# METADATA
# title: Containers do not run as root
# description: >-
#   Root in a container is root on its node as soon as anything else fails. With runAsNonRoot the kubelet refuses to start an
#   image that would run as root. This is the control runAsNonRoot of the Pod Security Standards, level restricted; pods in a user
#   namespace (hostUsers false) are exempt, since their root is nobody on the node.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
# custom:
#   id: WORKLOAD-123
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Set securityContext.runAsNonRoot to true for the pod, and give the image an ordinary user: USER 1000 in its Dockerfile, or
#     securityContext.runAsUser 1000. Caches then go to a folder that this user may write to (HF_HOME on an emptyDir).
#   controls:
#     nist-800-53-r5: [AC-6]
#     cis-kubernetes-1.8: ["5.2.7"]
#     kubernetes-pod-security-1.35: [runAsNonRoot]
package policies.workload.run_as_non_root

import data.lib.containers
import data.lib.partial
import data.lib.settings

violations contains {"message": settings.message(setting, "true"), "path": setting.path} if {
	some setting in _refused
}

violations contains {"message": message, "path": _path(pod)} if {
	some pod in _judged
	names := _silent(pod)
	count(names) > 0
	message := concat("", [
		"neither the pod nor ",
		concat(", ", sort(names)),
		" sets securityContext.runAsNonRoot; required is true",
	])
}

patches contains {"op": "replace", "path": setting.path, "value": true} if {
	some setting in _refused
	setting.wants == ""
}

patches contains {"op": "add", "path": _path(pod), "value": true} if {
	some pod in _judged
	count(_silent(pod)) > 0
}

_fields := ["securityContext", "runAsNonRoot"]

_judged contains pod if {
	some pod in input.subject.pods
	not settings.in_user_namespace(pod)
}

_refused contains setting if {
	some pod in _judged
	some setting in settings.others_of_all(pod, _fields, _fields, {true})
}

# The containers that say nothing where the pod says nothing, and no controller will.
_silent(pod) := {containers.described(container) |
	not partial.completed(pod)
	settings.unset(pod, _fields)
	some container in pod.containers
	settings.unset(container, _fields)
}

_path(pod) := concat("/", [pod.path, "securityContext/runAsNonRoot"])
