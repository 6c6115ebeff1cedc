# METADATA
# title: Pods set only safe sysctls
# description: >-
#   Most settings of the kernel hold for the whole node: a pod that changes them changes them for its neighbours. Allowed are
#   those that Kubernetes keeps apart for each pod. This is the control sysctls of the Pod Security Standards, level baseline.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/
# custom:
#   id: WORKLOAD-111
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [ports, restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Remove the sysctl from securityContext.sysctls, and write the allowed ones with dots. What all model servers need, such as
#     net.core.somaxconn, the platform team sets on the nodes.
#   controls:
#     nist-800-53-r5: [CM-7, SC-39]
#     kubernetes-pod-security-1.35: [sysctls]
package policies.workload.sysctls

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
		"the pod sets the sysctls ",
		concat(", ", sort(refused)),
		"; allowed are only ",
		concat(", ", sort(_allowed)),
	])
}

patches contains {"op": "replace", "path": list.path, "value": kept} if {
	some list in _lists
	count(_refused(list)) > 0
	kept := [sysctl | some sysctl in list.value; _name(sysctl) in _allowed]
}

_allowed := {
	"kernel.shm_rmid_forced",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_local_reserved_ports",
	"net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.tcp_wmem",
}

_lists contains list if {
	some pod in input.subject.pods
	some list in settings.lists(settings.of_pod(pod, ["securityContext", "sysctls"]))
}

_refused(list) := {values.shown(_name(sysctl)) |
	list.wants == ""
	some sysctl in list.value
	not _name(sysctl) in _allowed
}

_name(sysctl) := object.get(values.as_object(sysctl), "name", "")
