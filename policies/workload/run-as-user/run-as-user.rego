# METADATA
# title: Nobody asks to be root
# description: >-
#   runAsUser 0 starts a container as root, whatever user its image names. This is the control runAsUser of the Pod Security
#   Standards, level restricted; pods in a user namespace (hostUsers false) are exempt, since their root is nobody on the node.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
# custom:
#   id: WORKLOAD-124
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Set securityContext.runAsUser to an ordinary user, such as 1000, or remove it if the image names one. To make a volume
#     writable for that user, set securityContext.fsGroup of the pod.
#   controls:
#     nist-800-53-r5: [AC-6]
#     cis-kubernetes-1.8: ["5.2.7"]
#     kubernetes-pod-security-1.35: [runAsUser]
package policies.workload.run_as_user

import data.lib.settings

violations contains {"message": message, "path": setting.path} if {
	some pod in input.subject.pods
	not settings.in_user_namespace(pod)
	some setting in settings.of_all(pod, ["securityContext", "runAsUser"])
	not _is_ordinary(setting)
	message := settings.message(setting, "a user ID other than 0, or no value")
}

_is_ordinary(setting) if {
	setting.wants == ""
	is_number(setting.value)
	setting.value != 0
}
