# METADATA
# title: Roles name what they grant
# description: >-
#   A wildcard grants what exists and what will exist: the resources of the next operator, and verbs such as escalate. The same
#   holds for a ClusterRole that aggregates all others.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
# custom:
#   id: RBAC-001
#   severity: high
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     fields:
#       description: The fields in which a wildcard is refused.
#       type: array
#       items: {enum: [apiGroups, nonResourceURLs, resources, verbs]}
#       minItems: 1
#       uniqueItems: true
#       default: [apiGroups, nonResourceURLs, resources, verbs]
#     exempt_roles:
#       description: >-
#         Names of roles that are not judged, as globs. Anybody can name a role system:anything, so exempt Kubernetes' own where
#         they are looked at (scan), not where roles are made.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Write the API groups, resources and verbs that are used in place of the wildcard; `kubectl auth can-i --list` shows what
#     somebody has, the audit log what they use.
#   controls:
#     nist-800-53-r5: [AC-3, AC-6]
#     cis-kubernetes-1.8: ["5.1.3"]
package policies.rbac.wildcards

import data.lib.globs
import data.lib.rbac
import data.lib.values

violations contains {"message": message, "path": path} if {
	_is_judged
	some rule in rbac.rules(input.object)
	some field in input.parameters.fields
	some word in rule[field]
	_is_wildcard(word)
	message := concat("", ["the rule lists ", values.shown(word), " under ", field, "; required are the names of what is needed"])
	path := concat("/", [rule.path, field])
}

violations contains {"message": message, "path": path} if {
	_is_judged
	selectors := object.get(values.as_object(object.get(input.object, "aggregationRule", null)), "clusterRoleSelectors", null)
	is_array(selectors)
	some index, selector in selectors
	_selects_all_roles(values.as_object(selector))
	message := "the selector takes in the rules of every ClusterRole; required is a label that only the intended ones have"
	path := concat("/", ["/aggregationRule/clusterRoleSelectors", json.marshal(index)])
}

violations contains violation if {
	_is_judged
	some violation in rbac.unreadable_rules(input.object)
}

_is_judged if {
	rbac.is_role(input.subject)
	not globs.like_one_of(input.subject.identity.name, input.parameters.exempt_roles)
}

_is_wildcard(word) if word in {"*", "/*"}

_is_wildcard(word) if startswith(word, "*/")

_selects_all_roles(selector) if {
	count(values.as_object(object.get(selector, "matchLabels", null))) == 0
	object.get(selector, "matchExpressions", null) in {null, []}
}
