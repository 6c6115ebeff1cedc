# METADATA
# title: No binding names the group system:masters
# description: >-
#   The group system:masters is above RBAC: its members can do everything whatever any role says, and no right can be taken
#   from them. A binding that names it does nothing but keep it in use.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
# custom:
#   id: RBAC-006
#   severity: critical
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     groups_above_rbac:
#       description: The groups.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: ["system:masters"]
#     exempt_bindings:
#       description: Names of bindings that are not judged, as globs.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Bind a group of your own identity provider in its place, and keep certificates for system:masters sealed for emergencies.
#   controls:
#     nist-800-53-r5: [AC-2(7), AC-6(5)]
#     cis-kubernetes-1.8: ["5.1.7"]
package policies.rbac.system_masters

import data.lib.globs
import data.lib.rbac
import data.lib.values

violations contains {"message": message, "path": subject.path} if {
	_is_judged
	some subject in rbac.subjects(input.object)
	subject.kind == "Group"
	subject.name in input.parameters.groups_above_rbac
	message := concat("", ["the binding names the group ", values.shown(subject.name), "; required is a group of your own"])
}

violations contains violation if {
	_is_judged
	some violation in rbac.unreadable_binding(input.object)
}

_is_judged if {
	rbac.is_role_binding(input.subject)
	not globs.like_one_of(input.subject.identity.name, input.parameters.exempt_bindings)
}
