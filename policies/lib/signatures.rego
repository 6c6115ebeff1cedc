# What `facts.signatures` says of an image, in words. Nothing here reads `input`.
#
# A fact that is not there, or not what it should be, says that the image is not signed: nobody passes for want of a fact.
package lib.signatures

import data.lib.values

# The signers whose signatures count, by name.
signers_of(facts, reference) := {name |
	value := _value(facts, reference)
	is_array(object.get(value, "signers", null))
	some name in value.signers
	is_string(name)
}

# ` is not signed: why` or ` is signed, but by ...`, for a message that begins with the image and ends with what is required.
unsigned(facts, reference) := concat("", [" is not signed", _why(facts, reference)]) if {
	count(signers_of(facts, reference)) == 0
	count(_refused(facts, reference)) == 0
}

unsigned(facts, reference) := concat("", [" has no signature that counts (", concat("; ", sort(_refused(facts, reference))), ")"]) if {
	count(signers_of(facts, reference)) == 0
	count(_refused(facts, reference)) > 0
}

unsigned(facts, reference) := concat("", [" is signed by ", concat(" and ", sort(signers_of(facts, reference)))]) if {
	count(signers_of(facts, reference)) > 0
}

_fact(facts, reference) := values.as_object(object.get(values.as_object(facts), reference, {}))

_value(facts, reference) := values.as_object(object.get(_fact(facts, reference), "value", {}))

_why(facts, reference) := concat("", [" (", reason, ")"]) if {
	reason := object.get(_fact(facts, reference), "reason", "")
	is_string(reason)
	reason != ""
}

_why(facts, reference) := "" if not _has_reason(_fact(facts, reference))

_has_reason(fact) if {
	reason := object.get(fact, "reason", "")
	is_string(reason)
	reason != ""
}

_refused(facts, reference) := {message |
	value := _value(facts, reference)
	is_array(object.get(value, "refused", null))
	some refusal in value.refused
	message := object.get(values.as_object(refusal), "message", "")
	is_string(message)
	message != ""
}
