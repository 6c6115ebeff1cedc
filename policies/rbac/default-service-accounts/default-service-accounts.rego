# METADATA
# title: Default service accounts have no rights
# description: >-
#   Every pod that names no service account runs as default. A right for it is a right for all of these, and for whoever can
#   make a pod. Groups of service accounts hold the default ones as well, and a user can be one by its full name.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
# custom:
#   id: RBAC-007
#   severity: high
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     public_roles:
#       description: ClusterRoles that Kubernetes itself grants to everybody.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: ["system:basic-user", "system:discovery", "system:public-info-viewer", "system:service-account-issuer-discovery"]
#     exempt_bindings:
#       description: Names of bindings that are not judged, as globs.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Make a service account for the workload, bind that, and name it in the pod's serviceAccountName.
#   controls:
#     nist-800-53-r5: [AC-2, AC-6, IA-9]
#     cis-kubernetes-1.8: ["5.1.5"]
package policies.rbac.default_service_accounts

import data.lib.globs
import data.lib.rbac

violations contains {"message": message, "path": subject.path} if {
	_is_judged
	not _is_public
	some subject in rbac.subjects(input.object)
	_is_default(subject)
	message := concat("", [
		"the binding gives rights to ",
		rbac.subject_shown(subject),
		"; required is a service account of its own for each workload",
	])
}

violations contains violation if {
	_is_judged
	some violation in rbac.unreadable_binding(input.object)
}

_is_judged if {
	rbac.is_role_binding(input.subject)
	not globs.like_one_of(input.subject.identity.name, input.parameters.exempt_bindings)
}

_is_default(subject) if {
	subject.kind == "ServiceAccount"
	subject.name == "default"
}

_is_default(subject) if {
	subject.kind == "Group"
	regex.match("^system:serviceaccounts(:.*)?$", subject.name)
}

_is_default(subject) if {
	subject.kind == "User"
	regex.match("^system:serviceaccount:[^:]*:default$", subject.name)
}

_is_public if rbac.cluster_role_of(input.object) in input.parameters.public_roles
