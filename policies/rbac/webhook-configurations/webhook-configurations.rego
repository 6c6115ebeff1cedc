# METADATA
# title: Few roles can change admission control
# description: >-
#   The API server asks no webhook about webhook configurations: whoever can write them switches Pratique off, and nothing at
#   admission can stop it. So the right to is what is judged. A rule for configurations by name is let pass unless one of them
#   is Pratique's own.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
# custom:
#   id: RBAC-009
#   severity: critical
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     admission_resources:
#       description: What decides what is asked of whom at admission, as kubectl names it.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default:
#         - mutatingadmissionpolicies.admissionregistration.k8s.io
#         - mutatingadmissionpolicybindings.admissionregistration.k8s.io
#         - mutatingwebhookconfigurations.admissionregistration.k8s.io
#         - validatingadmissionpolicies.admissionregistration.k8s.io
#         - validatingadmissionpolicybindings.admissionregistration.k8s.io
#         - validatingwebhookconfigurations.admissionregistration.k8s.io
#     own_configurations:
#       description: The names of Pratique's own objects (`pratique webhook-config --name`), which nobody may write by name.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: [pratique, pratique-guard]
#     exempt_roles:
#       description: >-
#         Names of roles that are not judged, as globs. Anybody can name a role system:anything, so exempt Kubernetes' own where
#         they are looked at (scan), not where roles are made.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Name the operator's own configurations under resourceNames. To install an operator, let the delivery pipeline do it, or a
#     break-glass user.
#   controls:
#     nist-800-53-r5: [AC-3, AC-6, CM-5, SI-7]
#     cis-kubernetes-1.8: ["5.1.12"]
package policies.rbac.webhook_configurations

import data.lib.globs
import data.lib.rbac

violations contains {"message": message, "path": rule.path} if {
	_is_judged
	some rule in rbac.rules(input.object)
	resources := rbac.resources_of(rule, input.parameters.admission_resources)
	count(resources) > 0
	verbs := rbac.verbs_of(rule, ["create", "update", "patch", "delete", "deletecollection"])
	count(verbs) > 0
	not _is_for_others(rule)
	message := concat("", [
		"the rule grants ",
		concat(", ", verbs),
		" of ",
		concat(", ", resources),
		"; required is no such right, or resourceNames without Pratique's own",
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

_is_for_others(rule) if {
	rbac.is_for_named(rule)
	not _names_own(rule)
}

_names_own(rule) if {
	some name in rule.resourceNames
	name in input.parameters.own_configurations
}
