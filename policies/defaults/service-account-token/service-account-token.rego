# METADATA
# title: Pods get no service account token unless they ask for one
# description: >-
#   Kubernetes hands every pod a token for its API. A model server has no use for it, and whoever gets into the server has
#   it. This sets automountServiceAccountToken to false in pod templates that do not say what they want. A bare Pod that
#   comes to the cluster has its token mounted already and is left alone.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#opt-out-of-api-credential-automounting
# custom:
#   id: DEFAULT-002
#   severity: low
#   subjects: [workload]
#   needs: []
#   reads: {pod: [automountServiceAccountToken, volumes]}
#   parameters: {}
#   remediation: >-
#     Set automountServiceAccountToken: false in the pod spec; or true, if the program calls the Kubernetes API.
#   controls:
#     nist-800-53-r5: [AC-6]
#     cis-kubernetes-1.8: ["5.1.6"]
package policies.defaults.service_account_token

import data.lib.partial

violations contains {"message": message, "path": path} if {
	some path in _silent
	message := "the pod does not say whether it needs a token for the Kubernetes API; the default here is false"
}

patches contains {"op": "add", "path": path, "value": false} if some path in _silent

_silent contains path if {
	some pod in input.subject.pods
	not partial.completed(pod)
	is_null(object.get(pod, "automountServiceAccountToken", null))
	not _has_its_token(pod)
	path := concat("/", [pod.path, "automountServiceAccountToken"])
}

# The API server mounts the token of a bare Pod before any webhook is asked; the host gives its volume this name.
_has_its_token(pod) if {
	some volume in object.get(pod, "volumes", [])
	object.get(volume, "name", "") == "kube-api-access"
}
