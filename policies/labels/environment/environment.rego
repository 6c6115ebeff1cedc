# METADATA
# title: Objects say which environment they belong to
# description: >-
#   Alerts, quotas and who may be woken at night depend on whether something is production. A label says so, with one of few
#   words, so that prod and Production do not become two environments.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
# custom:
#   id: LABELS-003
#   severity: low
#   subjects: [workload, resource]
#   needs: []
#   reads: {}
#   parameters:
#     environment_label:
#       description: The label that names the environment.
#       type: string
#       minLength: 1
#       default: environment
#     environments:
#       description: The words that it can have.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [development, production, sandbox, staging, test]
#   remediation: Add the label environment under metadata.labels, with one of the words of your platform.
#   controls:
#     nist-800-53-r5: [CM-8(4)]
package policies.labels.environment

import data.lib.values

violations contains {"message": message, "path": path} if {
	name := input.parameters.environment_label
	value := object.get(values.as_object(object.get(input.subject, "labels", {})), name, null)
	not value in input.parameters.environments
	message := concat("", [
		"the label ",
		values.shown(name),
		" is ",
		values.shown_or_missing(value),
		"; required is one of ",
		concat(", ", input.parameters.environments),
	])
	path := concat("/", ["/metadata/labels", values.pointer_token(name)])
}
