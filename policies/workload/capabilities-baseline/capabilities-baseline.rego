# METADATA
# title: Containers add no dangerous capabilities
# description: >-
#   A capability is a part of the power of root. Those beyond the default set of container runtimes, and NET_RAW of it, let a
#   container reach its node or forge the traffic of its neighbours. This is the control capabilities_baseline of the Pod
#   Security Standards, level baseline; for level restricted bind workload/capabilities-restricted in its place.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
# custom:
#   id: WORKLOAD-103
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Remove the capability from securityContext.capabilities.add. Training needs none: for RDMA raise the memlock limit on the
#     node instead of adding IPC_LOCK, and for profilers ask the platform team.
#   controls:
#     nist-800-53-r5: [AC-6, CM-7]
#     cis-kubernetes-1.8: ["5.2.8", "5.2.9"]
#     kubernetes-pod-security-1.35: [capabilities_baseline]
package policies.workload.capabilities_baseline

import data.lib.settings
import data.lib.values

violations contains {"message": settings.message(list, ""), "path": list.path} if {
	some list in _lists
	list.wants != ""
}

violations contains {"message": message, "path": list.path} if {
	some list in _lists
	refused := _refused(list)
	count(refused) > 0
	message := concat("", [
		list.owner,
		" adds the capabilities ",
		concat(", ", sort(refused)),
		"; allowed are only ",
		concat(", ", sort(_allowed)),
	])
}

patches contains {"op": "replace", "path": list.path, "value": kept} if {
	some list in _lists
	count(_refused(list)) > 0
	kept := [name | some name in list.value; name in _allowed]
}

_allowed := {
	"AUDIT_WRITE",
	"CHOWN",
	"DAC_OVERRIDE",
	"FOWNER",
	"FSETID",
	"KILL",
	"MKNOD",
	"NET_BIND_SERVICE",
	"SETFCAP",
	"SETGID",
	"SETPCAP",
	"SETUID",
	"SYS_CHROOT",
}

_lists contains list if {
	some pod in input.subject.pods
	some list in settings.lists(settings.of_containers(pod, ["securityContext", "capabilities", "add"]))
}

_refused(list) := {values.shown(name) |
	list.wants == ""
	some name in list.value
	not name in _allowed
}
