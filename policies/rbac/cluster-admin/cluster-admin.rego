# METADATA
# title: Nobody but approved subjects is cluster-admin
# description: >-
#   The role cluster-admin grants everything, Pratique's own removal too; bound in a namespace, everything in it. Each subject
#   that a binding gives it to has to be approved.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
# custom:
#   id: RBAC-002
#   severity: critical
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     all_powerful_roles:
#       description: ClusterRoles that grant everything.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [cluster-admin]
#     approved_subjects:
#       description: >-
#         Who may have them, as User/NAME, Group/NAME or ServiceAccount/NAMESPACE/NAME.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#     exempt_bindings:
#       description: Names of bindings that are not judged, as globs.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Bind a role that grants what is needed; the ClusterRoles admin, edit and view cover most of what is done inside a
#     namespace.
#   controls:
#     nist-800-53-r5: [AC-2(7), AC-6, AC-6(5)]
#     cis-kubernetes-1.8: ["5.1.1"]
package policies.rbac.cluster_admin

import data.lib.globs
import data.lib.rbac
import data.lib.values

violations contains {"message": message, "path": subject.path} if {
	_is_judged
	role := rbac.cluster_role_of(input.object)
	role in input.parameters.all_powerful_roles
	some subject in rbac.subjects(input.object)
	not rbac.subject_key(subject) in input.parameters.approved_subjects
	message := concat("", [
		"the binding gives the role ",
		values.shown(role),
		" to ",
		rbac.subject_shown(subject),
		"; required is a role with fewer rights, or an approved subject",
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
