# Reading values that can be missing or of the wrong type, and showing them. Nothing here reads `input`.
#
# Messages are put together with `concat`, not `sprintf`: regopy 1.5.2 gives invalid JSON when an argument of `sprintf` is
# itself computed and begins with a quotation mark.
package lib.values

# The value, or an empty object for anything else: what is not an object has no fields.
as_object(value) := value if is_object(value)

as_object(value) := {} if not is_object(value)

# The value, or no text for anything else.
text(value) := value if is_string(value)

text(value) := "" if not is_string(value)

# A value as it appears in a message: text in quotes, numbers and booleans as they are, the type of anything larger.
shown(value) := concat("", ["\"", value, "\""]) if is_string(value)

shown(value) := _number(value) if {
	is_number(value)
	abs(value) <= _largest
}

shown(value) := concat(" ", ["more than", json.marshal(_largest)]) if {
	is_number(value)
	value > _largest
}

shown(value) := concat(" ", ["less than", json.marshal(0 - _largest)]) if {
	is_number(value)
	value < 0 - _largest
}

shown(value) := json.marshal(value) if is_boolean(value)

shown(value) := "null" if is_null(value)

shown(value) := "an object" if is_object(value)

shown(value) := "a list" if is_array(value)

# The same of a value that can be missing, or null.
shown_or_missing(value) := "missing" if is_null(value)

shown_or_missing(value) := shown(value) if not is_null(value)

# Both engines write whole numbers alike up to here. They do not agree on fractions: regopy 1.5.2 writes those of the input with
# six decimals, and 99900 / 1000 as 99.90000000000001; so at most three decimals are put together from whole numbers.
_largest := 1000000000000

_number(number) := json.marshal(round(number)) if number == round(number)

_number(number) := concat("", [_sign(number), trim_suffix(trim_right(text, "0"), ".")]) if {
	number != round(number)
	thousandths := round(abs(number) * 1000)
	rest := thousandths % 1000
	decimals := concat("", ["000", json.marshal(rest)])
	text := concat(".", [json.marshal(round((thousandths - rest) / 1000)), substring(decimals, count(decimals) - 3, 3)])
}

# What rounds to nothing has no sign.
_sign(number) := "-" if round(number * 1000) < 0

_sign(number) := "" if round(number * 1000) >= 0

# One token of a JSON pointer (RFC 6901, section 4).
pointer_token(name) := replace(replace(name, "~", "~0"), "/", "~1")
