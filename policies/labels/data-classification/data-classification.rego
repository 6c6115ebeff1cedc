# METADATA
# title: Objects say how confidential their data are
# description: >-
#   Where a model may run and to which endpoints its data may go depends on the class of the data. The label stands on the object
#   itself; where the namespace has one, the patch copies it.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
# custom:
#   id: LABELS-004
#   severity: medium
#   subjects: [workload]
#   needs: [namespace]
#   reads: {}
#   parameters:
#     classification_label:
#       description: The label that names the class, on objects and namespaces.
#       type: string
#       minLength: 1
#       default: data-classification
#     classifications:
#       description: The classes.
#       type: array
#       items: {type: string, minLength: 1}
#       minItems: 1
#       uniqueItems: true
#       default: [public, internal, confidential, restricted]
#   remediation: >-
#     Add the label data-classification under metadata.labels. The owner of the data knows their class; if you train on data of
#     several classes, write the most confidential one.
#   controls:
#     nist-800-53-r5: [AC-16, RA-2]
package policies.labels.data_classification

import data.lib.values

violations contains {"message": message, "path": _path} if {
	not _value in input.parameters.classifications
	message := concat("", [
		"the label ",
		values.shown(_label),
		" is ",
		values.shown_or_missing(_value),
		"; required is one of ",
		concat(", ", input.parameters.classifications),
	])
}

patches contains {"op": "add", "path": _path, "value": inherited} if {
	is_null(_value)
	inherited := _value_in(input.namespace)
	inherited in input.parameters.classifications
}

_label := input.parameters.classification_label

_value := _value_in(input.subject)

_value_in(holder) := object.get(values.as_object(object.get(holder, "labels", {})), _label, null)

_path := concat("/", ["/metadata/labels", values.pointer_token(_label)])
