# METADATA
# title: Roles do not grant what leads to other rights
# description: >-
#   Some rights look small and are not: a PersistentVolume can be any folder of a node, the proxy of a node runs commands in
#   its pods past admission and audit, who approves certificates makes users, and who creates tokens becomes the service
#   account.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
# custom:
#   id: RBAC-011
#   severity: high
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     onward_rights:
#       description: Resources, as kubectl names them, each with the verbs that lead further.
#       type: object
#       additionalProperties:
#         type: array
#         items: {type: string, minLength: 1}
#         minItems: 1
#       default:
#         certificatesigningrequests.certificates.k8s.io/approval: [patch, update]
#         nodes/proxy: [create, delete, get, patch, update]
#         persistentvolumes: [create]
#         serviceaccounts/token: [create]
#         signers.certificates.k8s.io: [approve, sign]
#     exempt_roles:
#       description: >-
#         Names of roles that are not judged, as globs. Anybody can name a role system:anything, so exempt Kubernetes' own where
#         they are looked at (scan), not where roles are made.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Let a StorageClass make volumes, use nodes/metrics and nodes/stats in place of nodes/proxy, and name service accounts and
#     signers under resourceNames.
#   controls:
#     nist-800-53-r5: [AC-3, AC-6, IA-5]
#     cis-kubernetes-1.8: ["5.1.9", "5.1.10", "5.1.11", "5.1.13"]
package policies.rbac.onward_rights

import data.lib.globs
import data.lib.rbac

violations contains {"message": message, "path": rule.path} if {
	_is_judged
	some rule in rbac.rules(input.object)
	some resource, leading in input.parameters.onward_rights
	count(rbac.resources_of(rule, [resource])) > 0
	verbs := rbac.verbs_of(rule, leading)
	count(verbs) > 0
	not rbac.is_for_named(rule)
	message := concat("", ["the rule grants ", concat(", ", verbs), " of ", resource, "; required is no such right"])
}

violations contains violation if {
	_is_judged
	some violation in rbac.unreadable_rules(input.object)
}

_is_judged if {
	rbac.is_role(input.subject)
	not globs.like_one_of(input.subject.identity.name, input.parameters.exempt_roles)
}
