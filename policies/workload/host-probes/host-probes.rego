# METADATA
# title: Probes and lifecycle hooks stay inside their pod
# description: >-
#   The kubelet runs probes and hooks, from the network of its node. With a host in them, the author of a pod lets it call
#   whatever the node can reach: metadata services, other teams' models, the kubelet itself. This is the control
#   hostProbesAndHostLifecycle of the Pod Security Standards, level baseline.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
# custom:
#   id: WORKLOAD-106
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, serviceAccount, serviceAccountName]
#     container: [lifecycle, livenessProbe, readinessProbe, restartPolicy, startupProbe]
#   parameters: {}
#   remediation: >-
#     Remove host from the probe or hook: without it, the kubelet calls the pod itself. To send a Host header, name it under
#     httpGet.httpHeaders.
#   controls:
#     nist-800-53-r5: [AC-4, SC-7]
#     kubernetes-pod-security-1.35: [hostProbesAndHostLifecycle]
package policies.workload.host_probes

import data.lib.settings

violations contains {"message": settings.message(setting, "no value"), "path": setting.path} if {
	some setting in _refused
}

patches contains {"op": "remove", "path": setting.path} if {
	some setting in _refused
	setting.wants == ""
}

_refused contains setting if {
	some pod in input.subject.pods
	some fields in _hosts
	some setting in settings.others_of_containers(pod, fields, fields, {""})
}

_hosts := {
	["lifecycle", "postStart", "httpGet", "host"],
	["lifecycle", "postStart", "tcpSocket", "host"],
	["lifecycle", "preStop", "httpGet", "host"],
	["lifecycle", "preStop", "tcpSocket", "host"],
	["livenessProbe", "httpGet", "host"],
	["livenessProbe", "tcpSocket", "host"],
	["readinessProbe", "httpGet", "host"],
	["readinessProbe", "tcpSocket", "host"],
	["startupProbe", "httpGet", "host"],
	["startupProbe", "tcpSocket", "host"],
}
