# What `facts.signatures` says of an image, in words. Nothing here reads `input`.
#
# A fact that is not there, or not what it should be, says that the image is not signed: nobody passes for want of a fact.
package lib.signatures

import data.lib.values

# The signers whose signatures count, by name.
signers_of(facts, reference) := {name |
	value := _fact_value(facts, reference)
	is_array(object.get(value, "signers", null))
	some name in value.signers
	is_string(name)
}

# ` is not signed: why` or ` is signed, but by ...`, for a message that begins with the image and ends with what is required.
unsigned(facts, reference) := concat("", [" is not signed", _reason_shown(facts, reference)]) if {
	count(signers_of(facts, reference)) == 0
	count(_refusals(facts, reference)) == 0
}

unsigned(facts, reference) := concat("", [" has no signature that counts (", concat("; ", sort(_refusals(facts, reference))), ")"]) if {
	count(signers_of(facts, reference)) == 0
	count(_refusals(facts, reference)) > 0
}

unsigned(facts, reference) := concat("", [" is signed by ", concat(" and ", sort(signers_of(facts, reference)))]) if {
	count(signers_of(facts, reference)) > 0
}

_fact_of(facts, reference) := values.as_object(object.get(values.as_object(facts), reference, {}))

_fact_value(facts, reference) := values.as_object(object.get(_fact_of(facts, reference), "value", {}))

_reason_shown(facts, reference) := concat("", [" (", reason, ")"]) if {
	reason := object.get(_fact_of(facts, reference), "reason", "")
	is_string(reason)
	reason != ""
}

_reason_shown(facts, reference) := "" if not _says_why(_fact_of(facts, reference))

_says_why(fact) if {
	reason := object.get(fact, "reason", "")
	is_string(reason)
	reason != ""
}

_refusals(facts, reference) := {message |
	value := _fact_value(facts, reference)
	is_array(object.get(value, "refused", null))
	some refusal in value.refused
	message := object.get(values.as_object(refusal), "message", "")
	is_string(message)
	message != ""
}
