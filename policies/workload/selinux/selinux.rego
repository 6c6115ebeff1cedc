# METADATA
# title: SELinux types stay those of containers
# description: >-
#   SELinux keeps containers apart from each other and from their node by type. Another type, or a user or role of one's own,
#   takes that away. This is the control seLinuxOptions of the Pod Security Standards, level baseline.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
# custom:
#   id: WORKLOAD-108
#   severity: high
#   subjects: [workload]
#   needs: []
#   reads:
#     pod: [hostUsers, os, restartPolicy, securityContext, serviceAccount, serviceAccountName]
#     container: [restartPolicy, securityContext]
#   parameters: {}
#   remediation: >-
#     Remove user, role and type from seLinuxOptions, or use one of the types for containers (container_t). Setting level is
#     fine.
#   controls:
#     nist-800-53-r5: [AC-3, AC-6]
#     cis-kubernetes-1.8: ["5.7.3"]
#     kubernetes-pod-security-1.35: [seLinuxOptions]
package policies.workload.selinux

import data.lib.settings

violations contains {"message": settings.message(setting, _fine(setting)), "path": setting.path} if {
	some setting in _refused
}

patches contains {"op": "remove", "path": setting.path} if {
	some setting in _refused
	setting.wants == ""
}

_refused contains setting if {
	some pod in input.subject.pods
	some name, allowed in _allowed
	fields := ["securityContext", "seLinuxOptions", name]
	some setting in settings.others_of_all(pod, fields, fields, allowed)
}

_allowed := {
	"role": {""},
	"type": {"", "container_engine_t", "container_init_t", "container_kvm_t", "container_t"},
	"user": {""},
}

_fine(setting) := "container_t, container_init_t, container_kvm_t, container_engine_t or no value" if {
	endswith(setting.path, "/type")
}

_fine(setting) := "no value" if not endswith(setting.path, "/type")
