# METADATA
# title: Pods keep out of the namespaces of their node
# description: >-
#   With hostNetwork, hostPID or hostIPC a pod sees the traffic, the processes or the shared memory of everything on its node,
#   and network policies do not hold it. This is the control hostNamespaces of the Pod Security Standards, level baseline.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
# custom:
#   id: WORKLOAD-102
#   severity: critical
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostIPC, hostNetwork, hostPID, hostUsers, os, restartPolicy, serviceAccount, serviceAccountName]
#     container: [restartPolicy]
#   parameters: {}
#   remediation: >-
#     Remove hostNetwork, hostPID and hostIPC from the pod. Shared memory for PyTorch or NCCL does not need hostIPC: mount an
#     emptyDir with medium Memory at /dev/shm. Fast networks (RDMA) come through a device plugin or a second network interface.
#   controls:
#     nist-800-53-r5: [AC-4, AC-6, SC-39]
#     cis-kubernetes-1.8: ["5.2.3", "5.2.4", "5.2.5"]
#     kubernetes-pod-security-1.35: [hostNamespaces]
package policies.workload.host_namespaces

import data.lib.settings

violations contains {"message": settings.message(setting, "false or no value"), "path": setting.path} if {
	some setting in _refused
}

patches contains {"op": "replace", "path": setting.path, "value": false} if {
	some setting in _refused
}

_refused contains setting if {
	some pod in input.subject.pods
	some field in ["hostIPC", "hostNetwork", "hostPID"]
	some setting in settings.others_of_pod(pod, [field], [field], {false})
}
