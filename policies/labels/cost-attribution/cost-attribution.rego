# METADATA
# title: Labels say who pays
# description: >-
#   What carries no cost labels lands on the platform's bill, and nobody is asked whether it is still needed. The labels are
#   judged on the object itself.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
# custom:
#   id: LABELS-001
#   severity: medium
#   subjects: [workload, resource]
#   needs: []
#   reads: {}
#   parameters:
#     labels:
#       description: >-
#         The required labels, each with a regular expression (RE2) that its whole value must match.
#       type: object
#       minProperties: 1
#       propertyNames: {minLength: 1}
#       additionalProperties: {type: string, minLength: 1, format: regex}
#       default:
#         cost-center: "(cc-)?[0-9]{4,8}"
#         team: "[a-z][a-z0-9-]*[a-z0-9]"
#   remediation: >-
#     Add the label under metadata.labels. Ask your team lead for the cost center; write it in quotes if it is a number,
#     such as cost-center: "4711".
#   controls:
#     nist-800-53-r5: [CM-8(4)]
package policies.labels.cost_attribution

import data.lib.values

violations contains {"message": message, "path": path} if {
	some name, pattern in input.parameters.labels
	value := object.get(_labels, name, null)
	not _matches(value, pattern)
	message := concat("", [
		"the label ",
		values.shown(name),
		" is ",
		_defect(value),
		"; required is a value that matches ",
		pattern,
	])
	path := concat("/", ["/metadata/labels", values.pointer_token(name)])
}

_labels := values.as_object(object.get(input.subject, "labels", {}))

_matches(value, pattern) if {
	is_string(value)
	regex.match(concat("", ["^(?:", pattern, ")$"]), value)
}

_defect(value) := "missing" if is_null(value)

_defect(value) := values.shown(value) if is_string(value)

_defect(value) := concat("", [values.shown(value), ", which is not a string"]) if {
	not is_null(value)
	not is_string(value)
}
