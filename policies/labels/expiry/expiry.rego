# METADATA
# title: Sandbox objects say until when they are needed
# description: >-
#   What was only tried out stays for years, with its GPUs and its data. Objects in sandbox namespaces carry the day on which they
#   may be removed, not too far ahead. An AIWorkspace has a field of its own for that: platform/workspace-expiry.
# scope: package
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
# custom:
#   id: LABELS-005
#   severity: low
#   subjects: [workload]
#   needs: [namespace, now]
#   reads: {}
#   parameters:
#     expiry_label:
#       description: The label with the day, such as 2026-12-31.
#       type: string
#       minLength: 1
#       default: expires
#     sandbox_namespaces:
#       description: The namespaces that are sandboxes, as globs.
#       type: array
#       items: {type: string, minLength: 1}
#       uniqueItems: true
#       default: ["*-sandbox", sandbox, "sandbox-*"]
#     max_days:
#       description: How far ahead the day may be.
#       type: integer
#       minimum: 1
#       maximum: 3650
#       default: 30
#   remediation: >-
#     Add the label expires with a day such as 2026-12-31 under metadata.labels. Extend it while you still need the object.
#   controls:
#     nist-800-53-r5: [CM-8(4), SI-12]
package policies.labels.expiry

import data.lib.globs
import data.lib.values

violations contains {"message": message, "path": path} if {
	_is_sandbox
	some defect in _defects
	message := concat("", [
		"the label ",
		values.shown(_expiry_label),
		" is ",
		values.shown_or_missing(_day),
		defect,
		"; required is a day within ",
		values.shown(input.parameters.max_days),
		" days, such as ",
		_last,
	])
	path := concat("/", ["/metadata/labels", values.pointer_token(_expiry_label)])
}

patches contains {"op": "add", "path": path, "value": _last} if {
	_is_sandbox
	is_null(_day)
	path := concat("/", ["/metadata/labels", values.pointer_token(_expiry_label)])
}

_is_sandbox if globs.like_one_of(input.namespace.name, input.parameters.sandbox_namespaces)

_expiry_label := input.parameters.expiry_label

_day := object.get(values.as_object(object.get(input.subject, "labels", {})), _expiry_label, null)

_defects contains "" if not _is_day(_day)

# Days are compared as text: they are all of one form.
_defects contains ", which is past" if {
	_is_day(_day)
	_day < _today
}

_defects contains ", which is too far ahead" if {
	_is_day(_day)
	_day > _last
}

_is_day(value) if {
	is_string(value)
	regex.match("^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", value)
}

_today := substring(input.now, 0, 10)

_last := concat("-", [_digits(last[0], 4), _digits(last[1], 2), _digits(last[2], 2)]) if {
	today := time.parse_ns("2006-01-02", _today)
	last := time.date(time.add_date(today, 0, 0, input.parameters.max_days))
}

_digits(number, width) := substring(text, count(text) - width, width) if {
	text := concat("", ["0000", json.marshal(number)])
}
