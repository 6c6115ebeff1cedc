# METADATA
# title: No pod uses the default service account
# description: >-
#   All pods that name no service account share the one called default: what one of them may do, all may, and in the audit log
#   they look alike.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/service-accounts/
# custom:
#   id: WORKLOAD-005
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads: {pod: [hostUsers, os, restartPolicy, serviceAccount, serviceAccountName], container: [restartPolicy]}
#   parameters: {}
#   remediation: >-
#     Create a service account for the workload (kubectl create serviceaccount NAME) and write its name as serviceAccountName in
#     the pod spec.
#   controls:
#     nist-800-53-r5: [AC-6, IA-2]
#     cis-kubernetes-1.8: ["5.1.5"]
package policies.workload.default_service_account

import data.lib.partial
import data.lib.settings
import data.lib.values

violations contains {"message": message, "path": path} if {
	some pod in input.subject.pods
	name := settings.service_account(pod)
	not _own(name)
	not _is_left_open(pod)
	message := concat("", [
		"the pod uses the service account ",
		values.shown(name),
		"; required is one of its own in serviceAccountName",
	])
	path := concat("/", [pod.path, "serviceAccountName"])
}

_is_left_open(pod) if {
	partial.completed(pod)
	object.get(pod, "serviceAccountName", null) in {"", null}
	object.get(pod, "serviceAccount", null) in {"", null}
}

_own(name) if {
	is_string(name)
	name != "default"
}
