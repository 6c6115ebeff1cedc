# METADATA
# title: Pods mount no token of the cluster's API
# description: >-
#   Unless it is told not to, Kubernetes puts a token for its API into every pod; whoever gets into a notebook or a model server
#   then speaks to the API in the pod's name. Training and serving do not need it.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/
# custom:
#   id: WORKLOAD-004
#   severity: medium
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [automountServiceAccountToken, hostUsers, os, restartPolicy, serviceAccount, serviceAccountName]
#     container: [restartPolicy]
#   parameters:
#     token_service_accounts:
#       description: Service accounts whose pods do call the API of the cluster, such as those of operators.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Set automountServiceAccountToken to false in the pod spec. If your program calls the API of the cluster (Spark, Dask or Ray
#     operators do), ask the platform team to name its service account in this policy's binding.
#   controls:
#     nist-800-53-r5: [AC-6, IA-5]
#     cis-kubernetes-1.8: ["5.1.6"]
package policies.workload.service_account_token

import data.lib.partial
import data.lib.settings
import data.lib.values

violations contains {"message": message, "path": _path(pod)} if {
	some pod in _mounting
	message := concat("", [
		"the pod ",
		_setting_found(object.get(pod, "automountServiceAccountToken", null)),
		" and so mounts a token of the cluster's API; required is false",
	])
}

patches contains {"op": "add", "path": _path(pod), "value": false} if {
	some pod in _mounting
	is_null(object.get(pod, "automountServiceAccountToken", null))
}

patches contains {"op": "replace", "path": _path(pod), "value": false} if {
	some pod in _mounting
	not is_null(object.get(pod, "automountServiceAccountToken", null))
}

_mounting contains pod if {
	some pod in input.subject.pods
	object.get(pod, "automountServiceAccountToken", true) != false
	not settings.service_account(pod) in input.parameters.token_service_accounts
	not partial.left_open(pod, pod, ["automountServiceAccountToken"])
}

_path(pod) := concat("/", [pod.path, "automountServiceAccountToken"])

_setting_found(value) := "does not set automountServiceAccountToken" if is_null(value)

_setting_found(value) := concat(" ", ["sets automountServiceAccountToken to", values.shown(value)]) if not is_null(value)
