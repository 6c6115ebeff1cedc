# METADATA
# title: Few roles can create pods
# description: >-
#   Whoever creates a pod takes any service account, Secret and volume of the namespace, and so has the rights of all of them.
#   What makes pods counts too: a Deployment does the same as its pod.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
# custom:
#   id: RBAC-004
#   severity: medium
#   subjects: [resource]
#   needs: [identity, object]
#   parameters:
#     pod_resources:
#       description: What ends in a pod, or in a process in one, as kubectl names it.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [
#         cronjobs.batch, daemonsets.apps, deployments.apps, jobs.batch, pods, pods/attach, pods/exec, replicasets.apps,
#         replicationcontrollers, statefulsets.apps,
#       ]
#     exempt_roles:
#       description: >-
#         Names of roles that are not judged, as globs. Anybody can name a role system:anything, so exempt Kubernetes' own where
#         they are looked at (scan), not where roles are made.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: []
#   remediation: >-
#     Let teams apply their workloads through the delivery pipeline, and grant people get, list and watch. Give the right to
#     create pods in a Role for one namespace.
#   controls:
#     nist-800-53-r5: [AC-3, AC-6, CM-5]
#     cis-kubernetes-1.8: ["5.1.4"]
package policies.rbac.create_pods

import data.lib.globs
import data.lib.rbac

violations contains {"message": message, "path": rule.path} if {
	_is_judged
	some rule in rbac.rules(input.object)
	"create" in rbac.verbs_of(rule, ["create"])
	resources := rbac.resources_of(rule, input.parameters.pod_resources)
	count(resources) > 0
	message := concat("", ["the rule grants to create ", concat(", ", resources), "; required is no such right"])
}

violations contains violation if {
	_is_judged
	some violation in rbac.unreadable_rules(input.object)
}

_is_judged if {
	rbac.is_role(input.subject)
	not globs.like_one_of(input.subject.identity.name, input.parameters.exempt_roles)
}
