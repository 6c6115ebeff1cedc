# References to models and datasets (elements of `subject.models`): where they lead to, and how messages show them. Nothing here
# reads `input`.
package lib.references

import data.lib.values

# `the tokenizer "acme/llm"`. Passwords and signatures in a URI are left out.
described(reference) := concat(" ", [_noun(reference), values.shown(public(object.get(reference, "uri", "")))])

# The same with the address behind it, where that is another text: `the dataset "/data/claims" (pvc://datalake/claims)`.
located(reference) := concat("", [described(reference), _behind(reference)])

# The same of one that is named outside the object: `the model cannot be seen here (...)`.
unseen(reference) := concat("", [
	_noun(reference),
	" cannot be seen here (",
	_plain(object.get(reference, "unresolved", "")),
	")",
])

is_unseen(reference) if not object.get(reference, "unresolved", "") in {"", null}

_behind(reference) := "" if object.get(reference, "uri", "") == address(reference)

_behind(reference) := concat("", [" (", address(reference), ")"]) if object.get(reference, "uri", "") != address(reference)

# `hf://acme/llm`: where the reference leads to, whatever way it is written in.
address(reference) := public(concat("", [
	_plain(object.get(reference, "scheme", "")),
	"://",
	_from_the_root(_plain(object.get(reference, "name", ""))),
]))

# A URI without what only its owner may know: `user:password@`, and the query, which can hold a signature.
# No URI has a backslash, and regopy 1.5.2 cannot be given one here.
public(uri) := regex.replace(split(uri, "?")[0], "://[^/:]*:[^/]*@", "://") if {
	is_string(uri)
	not contains(uri, `\`)
}

public(uri) := "a text with a backslash" if {
	is_string(uri)
	contains(uri, `\`)
}

public(uri) := uri if not is_string(uri)

# Whether the reference leads to one of `sources`, or below it. A source is a scheme with anything from nothing to a whole path
# behind it: `models:/`, `s3://models`, `hf://acme`, `oci://registry.internal/models`. Whole segments are compared; the host of a
# registry or web address without regard to case, all else exactly. A path that climbs (`..`) leads nowhere.
leads_to_one_of(reference, sources) if {
	scheme := object.get(reference, "scheme", "")
	name := object.get(reference, "name", "")
	is_string(scheme)
	is_string(name)
	not contains(name, `\`)
	segments := _segments(scheme, name)
	not _climbs(segments)
	some source in sources
	colon := indexof(source, ":")
	scheme == lower(substring(source, 0, colon))
	beginning := _segments(scheme, trim_right(substring(source, colon + 1, -1), "/"))
	beginning == array.slice(segments, 0, count(beginning))
}

_segments(_, name) := [] if trim_left(name, "/") == ""

_segments(scheme, name) := split(trim_left(name, "/"), "/") if {
	trim_left(name, "/") != ""
	not scheme in {"http", "https", "oci"}
}

_segments(scheme, name) := array.concat([lower(parts[0])], array.slice(parts, 1, count(parts))) if {
	scheme in {"http", "https", "oci"}
	parts := split(trim_left(name, "/"), "/")
	parts[0] != ""
}

_climbs(segments) if {
	some segment in segments
	replace(lower(segment), "%2e", ".") in {".", ".."}
}

_from_the_root(name) := trim_left(name, "/") if not contains(name, `\`)

_from_the_root(name) := name if contains(name, `\`)

_plain(value) := value if is_string(value)

_plain(value) := values.shown(value) if not is_string(value)

_noun(reference) := object.get(
	{
		"dataset": "the dataset",
		"draft": "the draft model",
		"lora": "the LoRA adapter",
		"tokenizer": "the tokenizer",
	},
	object.get(reference, "role", "model"),
	"the model",
)
