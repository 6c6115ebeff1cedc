# The platform's own kinds, and the fields of their objects. Nothing here reads `input`.
package lib.platform

import data.lib.values

# Whether the subject is of that kind, in any version of the platform's group.
is_a(subject, kind) if {
	subject.kind == kind
	startswith(subject.apiVersion, "ai.platform.internal/")
}

# One field of an object, by the names on the way to it: `{"path", "name", "value", "wants"}`. The value is null where it is
# missing. Where a part on the way cannot hold it (text, a number, a list), that part is the field, and `wants` says what it had to
# be; it is "" for all that can be read. So what cannot be read is never overlooked: no predicate holds for it.
field(holder, names) := found if {
	count(_blocked(holder, names)) == 0
	found := _field(names, object.get(values.as_object(holder), names, null), "")
}

field(holder, names) := found if {
	some found in _blocked(holder, names)
}

# Whether the field is missing, or null.
missing(found) if {
	found.wants == ""
	is_null(found.value)
}

# Whether the field is a text that is like the whole pattern.
is_text(found, pattern) if {
	found.wants == ""
	is_string(found.value)
	regex.match(concat("", ["^(", pattern, ")$"]), found.value)
}

# Whether the field is a whole number from `least` on.
is_count(found, least) if {
	found.wants == ""
	is_number(found.value)
	found.value == round(found.value)
	found.value >= least
}

# `spec.serving.gpu is "nvidia-v100"; required is ...`.
message(found, required) := concat("", [
	found.name,
	" is ",
	values.shown_or_missing(found.value),
	"; required is ",
	_required(found, required),
])

# Minutes of a time such as 30d, with one of the units (a text of their letters: m, h, d, w).
minutes(text, units) := to_number(digits) * _minutes_of[unit] if {
	is_string(text)
	regex.match("^[1-9][0-9]{0,5}[mhdw]$", text)
	digits := substring(text, 0, count(text) - 1)
	unit := substring(text, count(text) - 1, 1)
	contains(units, unit)
}

_minutes_of := {"m": 1, "h": 60, "d": 1440, "w": 10080}

# There is one at most: nothing can be read beyond it.
_blocked(holder, names) := {found |
	some length in numbers.range(1, count(names))
	length < count(names)
	part := array.slice(names, 0, length)
	value := object.get(values.as_object(holder), part, null)
	not is_null(value)
	not is_object(value)
	found := _field(part, value, "an object")
}

_field(names, value, wants) := {
	"path": concat("/", array.concat([""], [values.pointer_token(name) | some name in names])),
	"name": concat(".", names),
	"value": value,
	"wants": wants,
}

_required(found, required) := required if found.wants == ""

_required(found, _) := found.wants if found.wants != ""
