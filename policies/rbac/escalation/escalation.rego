# METADATA
# title: Roles do not let anybody take more rights
# description: >-
#   Kubernetes lets nobody grant what they do not have, unless they may bind or escalate; and whoever may impersonate acts as
#   somebody else. Such a right is all rights. `*` among the verbs holds these too. To bind roles that are named is let pass
#   unless one of them is refused by name.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
# custom:
#   id: RBAC-005
#   severity: critical
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     never_by_name:
#       description: Roles, groups and users that nobody may bind or impersonate even by name.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [cluster-admin, "system:masters"]
#     exempt_roles:
#       description: >-
#         Names of roles that are not judged, as globs. Anybody can name a role system:anything, so exempt Kubernetes' own where
#         they are looked at (scan), not where roles are made.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Remove bind, escalate and impersonate. Who hands out roles gets bind for the ClusterRoles that they hand out, under
#     resourceNames.
#   controls:
#     nist-800-53-r5: [AC-3, AC-6, AC-6(10)]
#     cis-kubernetes-1.8: ["5.1.8"]
package policies.rbac.escalation

import data.lib.globs
import data.lib.rbac

violations contains {"message": message, "path": rule.path} if {
	_is_judged
	some rule in rbac.rules(input.object)
	resources := rbac.resources_of(rule, _roles)
	count(resources) > 0
	some verb in rbac.verbs_of(rule, ["bind", "escalate"])
	not _is_bound_by_name(rule, verb)
	message := concat("", ["the rule grants to ", verb, " ", concat(", ", resources), _required_of[verb]])
}

violations contains {"message": message, "path": rule.path} if {
	_is_judged
	some rule in rbac.rules(input.object)
	resources := rbac.resources_of(rule, _persons)
	count(resources) > 0
	"impersonate" in rbac.verbs_of(rule, ["impersonate"])
	not _is_limited_to_names(rule)
	message := concat("", ["the rule grants to impersonate ", concat(", ", resources), _required])
}

# What belongs to an identity (userextras/scopes), and the verbs of constrained impersonation (impersonate:user-info).
violations contains {"message": message, "path": rule.path} if {
	_is_judged
	some rule in rbac.rules(input.object)
	"impersonate" in rule.verbs
	some resource in rule.resources
	startswith(resource, "userextras")
	not _is_limited_to_names(rule)
	message := concat("", ["the rule grants to impersonate ", resource, _required])
}

violations contains {"message": message, "path": rule.path} if {
	_is_judged
	some rule in rbac.rules(input.object)
	some verb in rule.verbs
	some beginning in ["impersonate:", "impersonate-on:"]
	startswith(verb, beginning)
	not _is_limited_to_names(rule)
	message := concat("", ["the rule grants ", verb, _required])
}

violations contains violation if {
	_is_judged
	some violation in rbac.unreadable_rules(input.object)
}

_is_judged if {
	rbac.is_role(input.subject)
	not globs.like_one_of(input.subject.identity.name, input.parameters.exempt_roles)
}

_required := "; required is no such right, or the names under resourceNames"

_required_of := {"bind": _required, "escalate": "; required is no such right"}

_roles := ["clusterroles.rbac.authorization.k8s.io", "roles.rbac.authorization.k8s.io"]

_persons := ["groups", "serviceaccounts", "users", "uids.authentication.k8s.io"]

# To escalate one role is to have all rights.
_is_bound_by_name(rule, verb) if {
	verb == "bind"
	_is_limited_to_names(rule)
}

_is_limited_to_names(rule) if {
	rbac.is_for_named(rule)
	not _names_refused(rule)
}

_names_refused(rule) if {
	some name in rule.resourceNames
	name in input.parameters.never_by_name
}
