# METADATA
# title: Containers take no ports of their node
# description: >-
#   A hostPort opens the container to everybody who reaches the node, past Services and often past network policies, and only
#   one pod of its kind fits on a node. This is the control hostPorts of the Pod Security Standards, level baseline.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
# custom:
#   id: WORKLOAD-105
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads: {pod: [hostUsers, os, restartPolicy, serviceAccount, serviceAccountName], container: [ports, restartPolicy]}
#   parameters: {}
#   remediation: >-
#     Remove hostPort and keep containerPort; reach the container through a Service, or with kubectl port-forward while you
#     develop.
#   controls:
#     nist-800-53-r5: [AC-4, SC-7]
#     cis-kubernetes-1.8: ["5.2.13"]
#     kubernetes-pod-security-1.35: [hostPorts]
package policies.workload.host_ports

import data.lib.settings

violations contains {"message": settings.message(setting, "0 or no value"), "path": setting.path} if {
	some setting in _refused
}

patches contains {"op": "remove", "path": setting.path} if {
	some setting in _refused
	setting.wants == ""
}

_refused contains setting if {
	some pod in input.subject.pods
	some setting in settings.inside(settings.elements(settings.of_containers(pod, ["ports"])), ["hostPort"])
	not settings.one_of(setting, {0})
}
