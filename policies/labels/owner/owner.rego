# METADATA
# title: Objects name their owner
# description: >-
#   When something fails, costs too much or has a hole, somebody has to be found within minutes. The owner stands in a label (a
#   team) or, since labels cannot hold an @, in an annotation (an e-mail address) of the object itself.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
# custom:
#   id: LABELS-002
#   severity: medium
#   subjects: [workload, resource]
#   needs: []
#   reads: {}
#   parameters:
#     owner_key:
#       description: The label or annotation that names the owner.
#       type: string
#       minLength: 1
#       default: owner
#     owner_pattern:
#       description: A regular expression (RE2) that the whole value must match.
#       type: string
#       minLength: 1
#       format: regex
#       default: "[a-z0-9._+-]+@([a-z0-9-]+[.])+[a-z]+|[a-z][a-z0-9-]*[a-z0-9]"
#   remediation: >-
#     Add the label owner with the name of your team under metadata.labels, or the annotation owner with its e-mail address under
#     metadata.annotations.
#   controls:
#     nist-800-53-r5: [CM-8(4)]
package policies.labels.owner

import data.lib.values

violations contains {"message": message, "path": concat("/", ["/metadata/labels", values.pointer_token(_key)])} if {
	count(_values) == 0
	message := concat("", [
		"neither a label nor an annotation ",
		values.shown(_key),
		" names the owner; required is a value that matches ",
		input.parameters.owner_pattern,
	])
}

violations contains {"message": message, "path": concat("/", [place.path, values.pointer_token(_key)])} if {
	some place in _values
	not _names_owner(place.value)
	message := concat("", [
		"the ",
		place.kind,
		" ",
		values.shown(_key),
		" is ",
		values.shown(place.value),
		"; required is a value that matches ",
		input.parameters.owner_pattern,
	])
}

_key := input.parameters.owner_key

_values contains {"kind": kind, "path": path, "value": value} if {
	some kind, names in {
		"annotation": object.get(input.subject, "annotations", {}),
		"label": object.get(input.subject, "labels", {}),
	}
	value := object.get(values.as_object(names), _key, null)
	not is_null(value)
	path := concat("", ["/metadata/", kind, "s"])
}

_names_owner(value) if {
	is_string(value)
	regex.match(concat("", ["^(?:", input.parameters.owner_pattern, ")$"]), value)
}
