# METADATA
# title: Roles do not read secrets at large
# description: >-
#   Whoever can get, list or watch Secrets has the credentials in them: of registries, data lakes and model APIs, and the
#   tokens of service accounts. A rule for Secrets by name is let pass, and a list of names with an empty one is not:
#   Kubernetes takes that for requests without a name.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
# custom:
#   id: RBAC-003
#   severity: high
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     secret_verbs:
#       description: The verbs that read.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [get, list, watch]
#     allow_named_secrets:
#       description: Whether a rule may read Secrets that it names under resourceNames.
#       type: boolean
#       default: true
#     exempt_roles:
#       description: >-
#         Names of roles that are not judged, as globs. Anybody can name a role system:anything, so exempt Kubernetes' own where
#         they are looked at (scan), not where roles are made.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Name the Secrets under resourceNames, or mount them into the pods that use them, which needs no role at all.
#   controls:
#     nist-800-53-r5: [AC-3, AC-6, IA-5]
#     cis-kubernetes-1.8: ["5.1.2"]
package policies.rbac.secrets

import data.lib.globs
import data.lib.rbac

violations contains {"message": message, "path": rule.path} if {
	_is_judged
	some rule in rbac.rules(input.object)
	count(rbac.resources_of(rule, ["secrets"])) > 0
	verbs := rbac.verbs_of(rule, input.parameters.secret_verbs)
	count(verbs) > 0
	not _is_allowed(rule)
	message := concat("", [
		"the rule grants ",
		concat(", ", verbs),
		" of all secrets; required is no such right, or the Secrets under resourceNames",
	])
}

violations contains violation if {
	_is_judged
	some violation in rbac.unreadable_rules(input.object)
}

_is_judged if {
	rbac.is_role(input.subject)
	not globs.like_one_of(input.subject.identity.name, input.parameters.exempt_roles)
}

_is_allowed(rule) if {
	input.parameters.allow_named_secrets
	rbac.is_for_named(rule)
}
