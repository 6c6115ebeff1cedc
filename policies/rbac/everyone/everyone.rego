# METADATA
# title: Nothing is granted to everybody
# description: >-
#   The group system:authenticated is every user and every pod of the cluster, system:unauthenticated everybody who reaches the
#   API server. Only what Kubernetes itself grants them is let pass.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
# custom:
#   id: RBAC-008
#   severity: critical
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     everybody:
#       description: The subjects that are everybody.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: ["Group/system:authenticated", "Group/system:unauthenticated", "User/system:anonymous"]
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
#     Bind the group of those who need the right.
#   controls:
#     nist-800-53-r5: [AC-3, AC-6, AC-14]
package policies.rbac.everyone

import data.lib.globs
import data.lib.rbac

violations contains {"message": message, "path": subject.path} if {
	_is_judged
	not _is_public
	some subject in rbac.subjects(input.object)
	rbac.subject_key(subject) in input.parameters.everybody
	message := concat("", [
		"the binding gives rights to ",
		rbac.subject_shown(subject),
		", which is everybody; required are the subjects that need them",
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

_is_public if rbac.cluster_role_of(input.object) in input.parameters.public_roles
